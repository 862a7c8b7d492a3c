"""What `shared.ports.Sender` promises, held against every adapter."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx
import pytest
from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusSender
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusQuotaExceededError,
)
from pytest_mock import MockerFixture

from shared.adapters import service_bus
from shared.adapters.memory import MemoryBroker
from shared.adapters.service_bus import ServiceBusOutput
from shared.adapters.system import RealSystem
from shared.errors import Throttled, Unavailable
from shared.ports import Sender, WireMessage
from shared.settings import Connection
from simulation.topology import TOPOLOGY
from tests.contract.conftest import StandIns
from tests.processes import free_port

type Receive = Callable[[str, int], Awaitable[list[WireMessage]]]

_ids = count()
DEADLINE = 10.0


@pytest.fixture(params=["memory", "service_bus"])
async def broker(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Sender, Receive]]:
    """A sender, and a way to take so many messages off a queue."""
    if request.param == "memory":
        memory = MemoryBroker(TOPOLOGY, RealSystem())
        yield memory, _receiver_of(memory)
        return
    stand_ins = request.getfixturevalue("stand_ins")
    sender = ServiceBusOutput(stand_ins.service_bus("operator"), timedelta(seconds=5))
    async with ServiceBusClient.from_connection_string(stand_ins.service_bus("operator").connection_string) as client:
        yield sender, _receiver_from(client)
    await sender.close()


def _receiver_of(broker: MemoryBroker) -> Receive:
    async def receive(queue: str, number: int) -> list[WireMessage]:
        received: list[WireMessage] = []
        deadline = asyncio.get_running_loop().time() + DEADLINE
        while len(received) < number and asyncio.get_running_loop().time() < deadline:
            if message := broker.receive(queue):
                received.append(message)
            await asyncio.sleep(0.01)
        return received

    return receive


def _receiver_from(client: ServiceBusClient) -> Receive:
    async def receive(queue: str, number: int) -> list[WireMessage]:
        received: list[WireMessage] = []
        async with client.get_queue_receiver(queue, max_wait_time=DEADLINE) as receiver:
            while len(received) < number:
                messages = await receiver.receive_messages(number - len(received), max_wait_time=DEADLINE)
                if not messages:
                    break
                for message in messages:
                    received.append(_wire(message))
                    await receiver.complete_message(message)
        return received

    return receive


def _wire(message: ServiceBusReceivedMessage) -> WireMessage:
    def text(value: Any) -> Any:
        return value.decode() if isinstance(value, bytes) else value

    properties = {text(name): text(value) for name, value in (message.application_properties or {}).items()}
    body = b"".join(message.body)
    return WireMessage(
        str(message.message_id), body, message.content_type or "", message.correlation_id or "", properties
    )


def message(type: str = "orderflow.inventory.StockReserved.v1", **changes: Any) -> WireMessage:
    properties = {"cloudEvents_type": type, "orderflow_attempt": 3, "flag": True, "text": "grüße"}
    values = {"id": f"message-{next(_ids)}", "body": b'{"a":1}', "correlation_id": "ord_1", "properties": properties}
    return WireMessage(**(values | changes))


async def test_a_message_to_a_queue_arrives_as_it_was_sent(broker: tuple[Sender, Receive]) -> None:
    sender, receive = broker
    sent = message()
    await sender.send("payments", [sent])
    assert await receive("payments", 1) == [sent]


async def test_a_topic_forwards_to_the_queues_that_want_the_type_and_to_no_other(
    broker: tuple[Sender, Receive],
) -> None:
    sender, receive = broker
    wanted = message("orderflow.inventory.StockReserved.v1")
    await sender.send("inventory-events", [message("orderflow.inventory.Unwanted.v1"), wanted])
    assert [each.id for each in await receive("orders", 1)] == [wanted.id]


async def test_a_message_id_that_was_seen_is_accepted_and_dropped(broker: tuple[Sender, Receive]) -> None:
    sender, receive = broker
    first, second = message(), message()
    await sender.send("shipping", [first])
    await sender.send("shipping", [first])
    await sender.send("shipping", [second])
    assert [each.id for each in await receive("shipping", 2)] == [first.id, second.id]


async def test_a_message_with_a_time_is_visible_from_then_on(broker: tuple[Sender, Receive]) -> None:
    sender, receive = broker
    later, now = message(), message()
    due = datetime.now(UTC) + timedelta(seconds=1)
    await sender.send("inventory", [later], due)
    await sender.send("inventory", [now])

    assert [each.id for each in await receive("inventory", 1)] == [now.id]
    assert [each.id for each in await receive("inventory", 1)] == [later.id]
    assert datetime.now(UTC) >= due - timedelta(milliseconds=50)


async def test_many_messages_in_one_call_and_from_many_callers_all_arrive(broker: tuple[Sender, Receive]) -> None:
    sender, receive = broker
    batches = [[message() for _ in range(40)] for _ in range(8)]

    await asyncio.gather(*(sender.send("orders-prices", batch) for batch in batches))

    received = await receive("orders-prices", 320)
    assert sorted(each.id for each in received) == sorted(each.id for batch in batches for each in batch)


async def test_messages_too_many_for_one_transfer_go_in_several(broker: tuple[Sender, Receive]) -> None:
    sender, receive = broker
    large = [message(body=b'"' + b"x" * 200_000 + b'"') for _ in range(3)]
    await sender.send("orders-prices", large)
    assert [each.id for each in await receive("orders-prices", 3)] == [each.id for each in large]


async def test_a_look_at_a_queue_or_a_topic_says_whether_it_takes_messages_and_sends_none(
    broker: tuple[Sender, Receive],
) -> None:
    sender, receive = broker
    await sender.check("payments")
    await sender.check("catalog-events")
    with pytest.raises(Unavailable):
        await sender.check("nowhere")
    sent = message()
    await sender.send("payments", [sent])
    assert await receive("payments", 1) == [sent]


async def test_a_broker_that_does_not_answer_is_unavailable_and_found_again_when_it_does() -> None:
    text = f"Endpoint=sb://127.0.0.1:{free_port()};SharedAccessKeyName=a;SharedAccessKey=b;UseDevelopmentEmulator=true;"
    connection = Connection(endpoint="sb://127.0.0.1", connection_string=text)
    sender = ServiceBusOutput(connection, timedelta(seconds=2))

    with pytest.raises(Unavailable):
        await sender.send("orders", [message()])
    with pytest.raises(Unavailable):
        await sender.send("orders", [message()])
    with pytest.raises(Unavailable):
        await sender.check("orders")
    await sender.close()


@pytest.fixture
async def control(stand_ins: StandIns) -> AsyncIterator[httpx.AsyncClient]:
    """What tells the broker's stand-in to fail, and counts what it was asked."""
    async with httpx.AsyncClient(base_url=stand_ins.service_bus_control) as client:
        yield client
        await client.delete("/_faults")


async def fail(control: httpx.AsyncClient, **fault: object) -> None:
    (await control.post("/_faults", json=fault)).raise_for_status()


async def attached(control: httpx.AsyncClient) -> int:
    """How many links were attached so far."""
    operations = (await control.get("/_stats")).json()["byOperation"]
    return int(operations.get("Attach", 0))


@pytest.mark.parametrize("operation", ["Open", "PutToken", "Attach"])
async def test_a_link_that_is_slow_to_open_keeps_nobody_and_sends_what_waited_once_it_is_open(
    stand_ins: StandIns, control: httpx.AsyncClient, operation: str
) -> None:
    sender = ServiceBusOutput(stand_ins.service_bus("operator"), timedelta(seconds=0.5))
    await fail(control, kind="slow", operation=operation, seconds=2, count=1)
    first, second = message(), message()

    with pytest.raises(Unavailable, match="still being opened"):
        await sender.send("shipping", [first])

    text = stand_ins.service_bus("operator").connection_string
    assert text
    async with ServiceBusClient.from_connection_string(text) as client:
        receive = _receiver_from(client)
        assert [each.id for each in await receive("shipping", 1)] == [first.id]
        await sender.send("shipping", [second])
        assert [each.id for each in await receive("shipping", 1)] == [second.id]
    await sender.close()


async def test_all_who_wait_for_a_link_wait_for_one(stand_ins: StandIns, control: httpx.AsyncClient) -> None:
    sender = ServiceBusOutput(stand_ins.service_bus("operator"), timedelta(seconds=5))
    before = await attached(control)
    await sender.send("shipping", [message()])
    for_one = await attached(control) - before
    await sender.close()
    await fail(control, kind="slow", operation="Attach", path="^shipping$", seconds=0.5, count=1)

    await asyncio.gather(*(sender.send("shipping", [message()]) for _ in range(10)))

    assert await attached(control) - before == 2 * for_one
    await sender.close()


async def test_the_sdk_is_told_how_often_to_keep_a_link_alive(stand_ins: StandIns, mocker: MockerFixture) -> None:
    # It takes no notice of some options, and says nothing: so it is asked what it will do.
    opened = mocker.spy(ServiceBusSender, "__aenter__")
    sender = ServiceBusOutput(stand_ins.service_bus("operator"), timedelta(seconds=5))

    await sender.send("shipping", [message()])

    assert opened.spy_return._handler._keep_alive_interval == 100
    await sender.close()


async def test_a_busy_broker_is_left_alone_for_a_while_over_the_link_that_is_there(
    stand_ins: StandIns, control: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_bus, "_BUSY_SECONDS", 1.0)
    sender = ServiceBusOutput(stand_ins.service_bus("operator"), timedelta(seconds=5))
    await sender.send("inventory", [message()])
    before = await attached(control)
    await fail(control, kind="status", status=503, operation="Send", path="^inventory$", count=1)

    with pytest.raises(Throttled) as first:
        await sender.send("inventory", [message()])
    with pytest.raises(Throttled, match="for a while") as second:
        await sender.send("inventory", [message()])
    assert 0 < second.value.wait < first.value.wait == 1.0
    deadline = asyncio.get_running_loop().time() + DEADLINE
    while asyncio.get_running_loop().time() < deadline:
        with suppress(Throttled):
            await sender.send("inventory", [message()])
            break
        await asyncio.sleep(0.05)

    assert await attached(control) == before
    await sender.close()


@pytest.mark.parametrize(
    "refusal",
    [
        MessageSizeExceededError(),
        ServiceBusQuotaExceededError(),
        ServiceBusAuthorizationError(),
        ServiceBusAuthenticationError(),
    ],
    ids=lambda refusal: type(refusal).__name__,
)
async def test_what_another_link_would_hear_again_is_not_tried_on_one(
    stand_ins: StandIns, control: httpx.AsyncClient, mocker: MockerFixture, refusal: Exception
) -> None:
    sender = ServiceBusOutput(stand_ins.service_bus("operator"), timedelta(seconds=5))
    await sender.send("shipping", [message()])
    before = await attached(control)
    refused = mocker.patch.object(ServiceBusSender, "send_messages", side_effect=refusal)

    with pytest.raises(Unavailable):
        await sender.send("shipping", [message()])

    assert refused.call_count == 1
    assert await attached(control) == before
    await sender.close()
