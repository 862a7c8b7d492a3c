"""Topics, filters and forwarding: https://learn.microsoft.com/azure/service-bus-messaging/topic-filters and
https://learn.microsoft.com/azure/service-bus-messaging/service-bus-auto-forwarding.
"""

from __future__ import annotations

import pytest
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import ServiceBusError

from tests.conformance.service_bus.links import DEAD, Links, new_message, receive

TOPIC = "conformance-topic"


@pytest.fixture
async def read(links: Links) -> str:
    """An empty subscription."""
    return await links.empty(f"{TOPIC}/read")


async def publish(links: Links, *types: str) -> list[str]:
    """Publish a message of each type; their ids."""
    messages = [new_message(kind, application_properties={"cloudEvents_type": kind}) for kind in types]
    await (await links.sender(TOPIC)).send_messages(messages)
    return [str(message.message_id) for message in messages]


async def test_a_subscription_gets_the_types_that_its_filter_names(links: Links, read: str, target: str) -> None:
    await publish(links, "read.v1", "forwarded.v1", "both.v1", "nobody.v1")

    assert [str(await links.take(read)), str(await links.take(read))] == ["read.v1", "both.v1"]
    assert [str(await links.take(target)), str(await links.take(target))] == ["forwarded.v1", "both.v1"]
    assert await links.is_empty(read)
    assert await links.is_empty(target)


async def test_a_forwarded_message_keeps_its_id_and_properties(links: Links, target: str) -> None:
    (identity,) = await publish(links, "forwarded.v1")

    message = await links.take(target)

    assert message.message_id == identity
    assert message.application_properties == {b"cloudEvents_type": b"forwarded.v1"}
    assert message.enqueued_sequence_number is not None


async def test_a_message_that_no_filter_takes_is_accepted_and_dropped(links: Links, read: str, target: str) -> None:
    await links.send(TOPIC)

    assert await links.is_empty(read)
    assert await links.is_empty(target)


async def test_a_topic_drops_an_id_that_it_has_seen(links: Links, target: str) -> None:
    message = new_message(application_properties={"cloudEvents_type": "forwarded.v1"})
    sender = await links.sender(TOPIC)

    await sender.send_messages(message)
    await sender.send_messages(message)

    await links.take(target)
    assert await links.is_empty(target)


async def test_a_subscriptions_dead_letters_are_read_under_its_path(links: Links, read: str) -> None:
    (identity,) = await publish(links, "read.v1")
    receiver = await links.receiver(read)

    await receiver.dead_letter_message(await receive(receiver), reason="Unwanted")

    letter = await links.take(read, DEAD)
    assert (letter.message_id, letter.dead_letter_reason) == (identity, "Unwanted")


async def test_a_subscription_that_forwards_is_not_received_from(bus: ServiceBusClient) -> None:
    with pytest.raises(ServiceBusError):
        async with bus.get_subscription_receiver(TOPIC, "forwarded") as receiver:
            await receiver.receive_messages(1, max_wait_time=1)
