"""What a customer has told about himself goes into no line of the log, whatever becomes of it."""

import logging
from dataclasses import replace

import pytest

from shared.ports import WireMessage
from tests.unit.world import World

ADDRESS = {
    "name": "Augusta Byron",
    "line1": "12 Ockham Park",
    "city": "Horsley",
    "postalCode": "KT24 6PE",
    "country": "GB",
    "phone": "+44 20 7946 0018",
}
TOLD = ("augusta@byron.example", "Augusta", "Ockham", "Horsley", "KT24", "7946")


async def test_no_line_of_a_journey_names_the_customer(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    world = World()
    await world.stocked(MUG=10)

    for lines in (4, 99):
        order_id = await world.placed(("MUG", lines), email="augusta@byron.example", shippingAddress=ADDRESS)
        await world.drain()
        if lines == 4:
            await world.dispatched(order_id)
        await world.drain()

    assert not named(caplog)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"Horsley"', b"7"),
        (b'"line1"', b'"line0"'),
        (b"{", b"["),
    ],
    ids=["a field of another type", "a field that is missing", "no JSON"],
)
async def test_a_shipment_that_cannot_be_read_is_parked_without_naming_the_customer_in_the_log(
    caplog: pytest.LogCaptureFixture, old: bytes, new: bytes
) -> None:
    caplog.set_level(logging.DEBUG)
    world = World()
    await world.stocked(MUG=10)
    await world.placed(("MUG", 1), email="augusta@byron.example", shippingAddress=ADDRESS)
    command = await the_command_to_ship(world)

    await world.deliver("shipping", replace(command, body=command.body.replace(old, new, 1)))

    assert len(world.documents("shipping", "parked")) == 1
    assert any("message_parked" in line for line in caplog.messages)
    assert not named(caplog)


def named(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines that tell something of the customer."""
    assert caplog.messages
    return [line for line in [*caplog.messages, caplog.text] if any(each in line for each in TOLD)]


async def the_command_to_ship(world: World) -> WireMessage:
    """CreateShipment, which carries the address, taken from its queue."""
    while not (command := world.broker.receive("shipping")):
        for queue in ("inventory", "orders", "payments"):
            if message := world.broker.receive(queue):
                await world.deliver(queue, message)
    return command
