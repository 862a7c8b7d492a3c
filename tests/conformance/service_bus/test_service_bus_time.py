"""Messages for later, and messages that end: https://learn.microsoft.com/azure/service-bus-messaging/message-sequencing
and https://learn.microsoft.com/azure/service-bus-messaging/message-expiration.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusMessageState
from azure.servicebus.exceptions import ServiceBusError

from tests.conformance.service_bus.links import DEAD, Links, new_message, peek, receive


async def test_a_scheduled_message_comes_when_it_is_due_and_not_before(links: Links, queue: str) -> None:
    due = datetime.now(UTC) + timedelta(seconds=2)
    sender = await links.sender(queue)

    (number,) = await sender.schedule_messages(new_message("later"), due)
    (peeked,) = await peek(await links.receiver(queue))
    received = await links.take(queue)

    assert (peeked.sequence_number, peeked.state) == (number, ServiceBusMessageState.SCHEDULED)
    assert str(received) == "later"
    assert received.enqueued_time_utc is not None
    assert received.enqueued_time_utc >= due - timedelta(milliseconds=1)


async def test_the_scheduled_time_may_be_a_property_of_the_message(links: Links, queue: str) -> None:
    due = datetime.now(UTC) + timedelta(seconds=2)
    messages = [new_message("later", scheduled_enqueue_time_utc=due), new_message("now")]

    await (await links.sender(queue)).send_messages(messages)

    received = [await links.take(queue), await links.take(queue)]
    assert [str(message) for message in received] == ["now", "later"]
    assert received[1].scheduled_enqueue_time_utc is not None


async def test_messages_scheduled_together_arrive_with_every_byte(links: Links, queue: str) -> None:
    messages = [new_message(os.urandom(size)) for size in (*[1000] * 20, 1120, 1120, 1120)]

    sender = await links.sender(queue)
    numbers = await sender.schedule_messages(messages, datetime.now(UTC) + timedelta(hours=1))

    peeked = await peek(await links.receiver(queue))
    assert [(m.message_id, body_of(m)) for m in peeked] == [(m.message_id, body_of(m)) for m in messages]
    await sender.cancel_scheduled_messages(numbers)


def body_of(message: ServiceBusMessage) -> bytes:
    return b"".join(message.body)


async def test_a_scheduled_message_can_be_cancelled_once(links: Links, queue: str) -> None:
    due = datetime.now(UTC) + timedelta(hours=1)
    sender = await links.sender(queue)
    numbers = await sender.schedule_messages([new_message(), new_message()], due)
    assert len(set(numbers)) == 2

    await sender.cancel_scheduled_messages(numbers)

    assert await links.is_empty(queue)
    with pytest.raises(ServiceBusError):
        await sender.cancel_scheduled_messages(numbers[0])


async def test_a_message_scheduled_on_a_topic_reaches_its_subscriptions(links: Links, target: str) -> None:
    message = new_message(application_properties={"cloudEvents_type": "forwarded.v1"})

    sender = await links.sender("conformance-topic")
    await sender.schedule_messages(message, datetime.now(UTC) + timedelta(seconds=1))

    assert (await links.take(target)).message_id == message.message_id


async def test_a_message_that_outlives_its_time_while_it_is_held_is_not_delivered_again(
    links: Links, brief: str
) -> None:
    await links.send(brief, "brief", time_to_live=timedelta(seconds=3))
    await links.send(brief, "lasting", time_to_live=timedelta(hours=1))
    receiver = await links.receiver(brief)
    assert [str(await receive(receiver)), str(await receive(receiver))] == ["brief", "lasting"]

    # Both locks end after five seconds.
    again = await links.take(brief)

    assert str(again) == "lasting"
    assert await links.is_empty(brief)


async def test_where_the_queue_says_so_an_expired_message_is_a_dead_letter(links: Links) -> None:
    perishable = await links.empty("conformance-perishable")
    identity = await links.send(perishable, time_to_live=timedelta(seconds=1))

    letter = await links.take(perishable, DEAD)

    assert letter.message_id == identity
    assert letter.dead_letter_reason == "TTLExpiredException"
