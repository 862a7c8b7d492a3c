"""What is sent is what arrives: https://learn.microsoft.com/azure/service-bus-messaging/service-bus-messages-payloads."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    ServiceBusAuthenticationError,
)

from tests.conformance.service_bus.links import Links, new_message, receive


async def test_a_message_arrives_with_its_body_and_properties_unchanged(links: Links, queue: str) -> None:
    moment, identity = datetime(2026, 11, 24, 6, 0, 0, 123000, tzinfo=UTC), uuid4()
    sent: dict[str | bytes, Any] = {
        "text": "h\u00e9llo",
        "long text": "x" * 1000,
        "empty": "",
        "whole": -5,
        "real": 1.5,
        "yes": True,
        "moment": moment,
        "identity": identity,
    }
    fields: dict[str, str] = {
        "correlation_id": "ord_1",
        "content_type": "application/json",
        "subject": "subject",
        "to": "somewhere",
        "reply_to": "back",
        "partition_key": "key",
    }

    message_id = await links.send(queue, b'{"price": "\xc2\xa31"}', application_properties=sent, **fields)

    received = await links.take(queue)
    assert b"".join(received.body) == b'{"price": "\xc2\xa31"}'
    assert received.message_id == message_id
    assert {name: getattr(received, name) for name in fields} == fields
    assert received.application_properties == {
        b"text": "h\u00e9llo".encode(),
        b"long text": b"x" * 1000,
        b"empty": b"",
        b"whole": -5,
        b"real": 1.5,
        b"yes": True,
        b"moment": int(moment.timestamp() * 1000),
        b"identity": identity,
    }


async def test_a_received_message_says_when_and_in_which_order_it_came(links: Links, queue: str) -> None:
    before = datetime.now(UTC)
    for _ in range(3):
        await links.send(queue)
    receiver, numbers = await links.receiver(queue), []

    for _ in range(3):
        message = await receive(receiver)
        numbers.append(message.sequence_number or 0)
        assert message.delivery_count == 0
        assert isinstance(message.lock_token, UUID)
        known = {b"x-opt-sequence-number", b"x-opt-enqueued-time", b"x-opt-locked-until"}
        assert set(message.raw_amqp_message.annotations or {}) == known
        assert message.raw_amqp_message.delivery_annotations is not None
        assert message.raw_amqp_message.delivery_annotations[b"x-opt-lock-token"] == message.lock_token
        assert message.enqueued_time_utc is not None
        assert abs((message.enqueued_time_utc - before).total_seconds()) < 60
        assert message.locked_until_utc is not None
        assert 0 < (message.locked_until_utc - before).total_seconds() < 120
        await receiver.complete_message(message)

    assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]


async def test_delivery_annotations_arrive(links: Links, queue: str) -> None:
    """azure-servicebus puts them behind the properties."""
    message = new_message()
    message.raw_amqp_message.delivery_annotations = {b"mine": 1}

    await (await links.sender(queue)).send_messages(message)

    received = await links.take(queue)
    assert (received.raw_amqp_message.delivery_annotations or {})[b"mine"] == 1


async def test_each_message_without_an_id_gets_one(links: Links, queue: str) -> None:
    for body in ("one", "two"):
        await (await links.sender(queue)).send_messages(ServiceBusMessage(body))

    received = [await links.take(queue), await links.take(queue)]

    assert len({message.message_id for message in received if message.message_id}) == 2


async def test_the_messages_of_a_batch_arrive_each_and_in_order(links: Links, queue: str) -> None:
    sender = await links.sender(queue)
    batch = await sender.create_message_batch()
    for number in range(20):
        batch.add_message(new_message(str(number), application_properties={"number": number}))

    await sender.send_messages(batch)
    # What comes next on the same link is a message again.
    await sender.send_messages(new_message("last"))

    received = [await links.take(queue) for _ in range(21)]
    assert [str(message) for message in received] == [*map(str, range(20)), "last"]
    assert received[7].application_properties == {b"number": 7}


@pytest.mark.parametrize("size", [0, 100, 70_000, 200_000])
async def test_a_body_of_any_size_up_to_the_limit_arrives_whole(links: Links, queue: str, size: int) -> None:
    body = bytes(index % 251 for index in range(size))

    await links.send(queue, body)

    assert b"".join((await links.take(queue)).body) == body


async def test_a_batch_of_several_frames_arrives_whole(links: Links, queue: str) -> None:
    await (await links.sender(queue)).send_messages([new_message(bytes([letter]) * 50_000) for letter in b"abcd"])

    assert [str(await links.take(queue))[:2] for _ in range(4)] == ["aa", "bb", "cc", "dd"]


@pytest.mark.parametrize("parts", [1, 2])
async def test_more_than_256_kilobytes_at_once_are_refused(links: Links, queue: str, parts: int) -> None:
    messages = [new_message(b"x" * (300_000 // parts)) for _ in range(parts)]

    async with links.bus.get_queue_sender(queue) as sender:
        with pytest.raises(MessageSizeExceededError):
            await sender.send_messages(messages)

    assert await links.is_empty(queue)


async def test_a_batch_holds_no_more_than_256_kilobytes(links: Links, queue: str) -> None:
    batch = await (await links.sender(queue)).create_message_batch()

    assert batch.max_size_in_bytes == 256 * 1024


async def test_sends_that_overlap_are_all_taken(links: Links, queue: str) -> None:
    """azure-servicebus repeats delivery ids then, and some of the messages, which the queue drops as duplicates."""
    messages = [new_message(str(number)) for number in range(10)]

    async with links.bus.get_queue_sender(queue) as sender:
        await sender.send_messages(new_message("first"))
        await asyncio.gather(*(sender.send_messages(message) for message in messages))
        await sender.send_messages(new_message(b"x" * 200_000))

    assert sorted(len(body) for body in await links.drain(queue)) == [1] * 10 + [5, 200_000]


async def test_a_message_id_seen_before_is_accepted_and_dropped(links: Links, queue: str) -> None:
    identity = await links.send(queue, "first")
    again = ServiceBusMessage("again", message_id=identity)

    sender = await links.sender(queue)
    await sender.send_messages(again)
    await sender.send_messages([new_message("other"), again])

    assert [str(await links.take(queue)), str(await links.take(queue))] == ["first", "other"]
    assert await links.is_empty(queue)


async def test_without_duplicate_detection_the_same_id_comes_twice(links: Links, brief: str) -> None:
    identity = await links.send(brief)
    await links.send(brief, message_id=identity)

    received = [await links.take(brief), await links.take(brief)]
    assert [message.message_id for message in received] == [identity, identity]


async def test_an_entity_that_does_not_exist_takes_no_token(bus: ServiceBusClient) -> None:
    with pytest.raises(ServiceBusAuthenticationError):
        async with bus.get_queue_sender("conformance-missing") as sender:
            await sender.send_messages(new_message())
    with pytest.raises(ServiceBusAuthenticationError):
        async with bus.get_queue_receiver("conformance-missing") as receiver:
            await receiver.receive_messages(1, max_wait_time=1)


async def test_a_wrong_key_is_refused(service_bus_connection: str) -> None:
    before, _, rest = service_bus_connection.partition("SharedAccessKey=")
    wrong = before + "SharedAccessKey=d3Jvbmc=;" + rest.partition(";")[2]

    async with ServiceBusClient.from_connection_string(wrong, retry_total=0) as client:
        with pytest.raises(ServiceBusAuthenticationError):
            async with client.get_queue_sender("conformance") as sender:
                await sender.send_messages(new_message())
