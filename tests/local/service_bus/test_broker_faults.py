"""Faults on demand: what a client sees, and what the broker has done all the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from azure.servicebus.exceptions import (
    MessageLockLostError,
    ServiceBusAuthorizationError,
    ServiceBusConnectionError,
    ServiceBusError,
    ServiceBusServerBusyError,
)

from tests.conformance.service_bus.links import Links, new_message, receive
from tests.local.service_bus.running import Running
from tests.processes import until

# azure-servicebus leaves the socket of a connection that was reset to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


async def test_a_send_refused_as_busy_stores_nothing_and_the_next_one_works(broker: Running, links: Links) -> None:
    await broker.inject(kind="status", status=503, operation="Send", path="^orders$")

    with pytest.raises(ServiceBusServerBusyError):
        await links.send("orders")
    await links.send("orders", "next")

    assert await links.drain("orders") == ["next"]


async def test_a_message_whose_confirmation_is_lost_is_stored(broker: Running, links: Links) -> None:
    await broker.inject(kind="reset", when="after", operation="Send")

    with pytest.raises(ServiceBusError):
        await links.send("payments", "lost")

    assert await links.drain("payments") == ["lost"]


async def test_sent_again_after_a_lost_confirmation_a_message_is_there_once(broker: Running, links: Links) -> None:
    await broker.inject(kind="reset", when="after", operation="Send")

    async with broker.client(retries=3) as client, client.get_queue_sender("orders") as sender:
        await sender.send_messages(new_message("once"))

    assert await links.drain("orders") == ["once"]
    assert (await broker.get("/_stats"))["duplicatesDropped"] >= 1


@pytest.mark.parametrize("fault", [{"kind": "reset"}, {"kind": "hang", "seconds": 0.1}])
async def test_a_send_cut_off_before_its_effect_stores_nothing(
    broker: Running, links: Links, fault: dict[str, Any]
) -> None:
    await broker.inject(operation="Send", **fault)

    with pytest.raises(ServiceBusError):
        await links.send("payments")

    assert await broker.entity("payments") == {}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("operation", ["Send", "Receive", "Settle", "Peek"])
async def test_what_is_slow_works_in_the_end(broker: Running, links: Links, operation: str, when: str) -> None:
    await broker.inject(kind="slow", seconds=0.2, operation=operation, when=when)

    await links.send("payments", "slow")

    assert await links.drain("payments") == ["slow"]
    assert (await broker.get("/_faults"))["faults"] == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("operation", ["Open", "Attach", "PutToken"])
async def test_a_client_is_let_in_slowly(broker: Running, links: Links, operation: str, when: str) -> None:
    await links.send("payments", "waiting")
    await broker.inject(kind="slow", seconds=0.2, operation=operation, when=when)

    async with links.bus.get_queue_receiver("payments") as receiver:
        message = await receive(receiver)
        await receiver.complete_message(message)

    assert str(message) == "waiting"
    assert (await broker.get("/_faults"))["faults"] == []


async def test_a_sender_whose_link_opens_slowly_has_sent_once_it_is_open(broker: Running, links: Links) -> None:
    await broker.inject(kind="slow", seconds=1, operation="Attach", path="^payments$")

    async def send() -> None:
        async with links.bus.get_queue_sender("payments") as sender:
            await sender.send_messages(new_message("first"))

    async def opening() -> bool:
        return not (await broker.get("/_faults"))["faults"]

    sending = asyncio.create_task(send())
    await until(opening)
    assert await broker.entity("payments") == {}
    await sending

    assert await links.drain("payments") == ["first"]


async def test_a_link_can_be_refused_as_busy_by_a_fault_that_names_no_path(broker: Running, links: Links) -> None:
    await broker.inject(kind="status", status=503, operation="Attach")

    with pytest.raises(ServiceBusServerBusyError):
        async with broker.client() as client, client.get_queue_sender("payments") as sender:
            await asyncio.wait_for(sender.send_messages(new_message()), 10)

    assert await broker.entity("payments") == {}


async def test_all_locks_can_be_made_to_end_at_once(broker: Running, links: Links) -> None:
    await links.send("orders")
    receiver = await links.receiver("orders")
    held = await receive(receiver)

    await broker.inject(kind="expire-locks", path="orders")

    with pytest.raises(MessageLockLostError):
        await receiver.complete_message(held)
    assert (await links.take("orders")).delivery_count == 1


async def test_a_settlement_whose_confirmation_is_lost_has_happened(broker: Running, links: Links) -> None:
    await links.send("orders")
    receiver = await links.receiver("orders")
    message = await receive(receiver)
    await broker.inject(kind="reset", when="after", operation="Settle")

    with pytest.raises(ServiceBusError):
        await receiver.complete_message(message)

    assert await broker.entity("orders") == {}


async def test_a_settlement_can_be_refused(broker: Running, links: Links) -> None:
    await links.send("orders")
    receiver = await links.receiver("orders")
    message = await receive(receiver)
    await broker.inject(kind="status", status=410, operation="Settle")

    with pytest.raises(MessageLockLostError):
        await receiver.complete_message(message)

    assert await broker.entity("orders") == {"locked": 1}


async def test_a_settlement_that_is_confirmed_and_lost_leaves_the_message_to_come_again(
    broker: Running, links: Links
) -> None:
    await links.send("orders", "again")
    receiver = await links.receiver("orders")
    await broker.inject(kind="lost", operation="Settle")

    await receiver.complete_message(await receive(receiver))

    assert await broker.entity("orders") == {"locked": 1}
    await broker.inject(kind="expire-locks", path="^orders$")
    assert await links.drain("orders") == ["again"]


async def test_links_can_be_detached_and_are_opened_again(fresh: Running) -> None:
    async with (
        fresh.client(retries=3) as client,
        client.get_queue_sender("payments") as sender,
        client.get_queue_receiver("payments") as receiver,
    ):
        await sender.send_messages(new_message("before"))
        await receiver.complete_message(await receive(receiver))
        attached = (await fresh.get("/_stats"))["byOperation"]["Attach"]

        await fresh.inject(kind="detach")

        await sender.send_messages(new_message("after"))
        message = await receive(receiver)
        await receiver.complete_message(message)

    assert str(message) == "after"
    assert (await fresh.get("/_stats"))["byOperation"]["Attach"] >= attached + 2


async def test_links_to_another_entity_stay_attached(broker: Running, links: Links) -> None:
    await links.send("payments")
    attached = (await broker.get("/_stats"))["byOperation"]["Attach"]

    await broker.inject(kind="detach", path="^tiny$")

    await links.send("payments")
    assert (await broker.get("/_stats"))["byOperation"]["Attach"] == attached


async def test_what_struck_is_counted_by_what_it_does(broker: Running, links: Links) -> None:
    before = (await broker.get("/_stats"))["byFault"]
    await broker.inject(kind="slow", seconds=0, operation="Send", when="after")
    await broker.inject(kind="expire-locks")

    await links.send("orders")

    after = (await broker.get("/_stats"))["byFault"]
    assert {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name)} == {
        "slow after": 1,
        "expire-locks": 1,
    }


async def test_a_delivery_lost_on_the_way_leaves_the_message_locked(broker: Running, links: Links) -> None:
    await links.send("orders")
    await broker.inject(kind="reset", when="after", operation="Receive")

    with pytest.raises(ServiceBusConnectionError):
        await receive(await links.receiver("orders"))

    assert await broker.entity("orders") == {"locked": 1}


async def test_a_delivery_that_hangs_leaves_the_message_free_for_others(broker: Running, links: Links) -> None:
    await links.send("orders", "free")
    await broker.inject(kind="hang", operation="Receive")

    async with links.bus.get_queue_receiver("orders") as receiver:
        assert not await receiver.receive_messages(1, max_wait_time=0.5)

        assert await links.drain("orders") == ["free"]


@pytest.mark.parametrize("operation", ["Open", "Attach"])
async def test_a_client_can_be_turned_away(broker: Running, links: Links, operation: str) -> None:
    await broker.inject(kind="status", status=401, operation=operation, path="^payments$|^$")

    with pytest.raises((ServiceBusAuthorizationError, ServiceBusConnectionError)):
        async with links.bus.get_queue_sender("payments") as sender:
            await sender.send_messages(new_message())

    assert await broker.entity("payments") == {}


async def test_during_an_outage_connections_are_reset_and_refused(fresh: Running) -> None:
    async with fresh.client() as client, client.get_queue_sender("orders") as sender:
        await sender.send_messages(new_message("before"))
        await fresh.inject(kind="outage", seconds=1)

        with pytest.raises(ServiceBusError):
            await sender.send_messages(new_message("during"))
        with pytest.raises(OSError, match=r"Connect"):
            await asyncio.open_connection("127.0.0.1", fresh.port)

        async def goes_on() -> bool:
            try:
                await sender.send_messages(new_message("after"))
            except ServiceBusError:
                return False
            return True

        await until(goes_on)
    assert [message["body"] for message in await fresh.get("/_messages?entity=orders")] == ["before", "after"]


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ({"kind": "cut"}, "cut"),
        ({"kind": "status", "status": 418}, "418"),
        ({"kind": "reset", "color": "red"}, "color"),
        ({"kind": "outage", "seconds": "long"}, "seconds"),
        ({"kind": "lost", "operation": "Send"}, "'operation': the kind 'lost' is of Settle alone"),
        ({"kind": "lost"}, "'operation': the kind 'lost' is of Settle alone"),
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused(broker: Running, fault: dict[str, Any], complaint: str) -> None:
    answer = await broker.control.post("/_faults", json=fault)

    assert answer.status_code == 400
    assert complaint in answer.text
