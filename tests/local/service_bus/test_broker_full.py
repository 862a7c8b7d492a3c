"""Queues that are full: what is sent to them is refused, what is forwarded to them becomes a dead letter."""

from __future__ import annotations

import pytest
from azure.servicebus.exceptions import ServiceBusQuotaExceededError

from tests.conformance.service_bus.links import DEAD, Links
from tests.local.service_bus.running import Running

BIG = b"x" * 250_000


async def fill(links: Links, entity: str) -> None:
    for _ in range(4):
        await links.send(entity, BIG)


async def test_what_is_sent_to_a_full_queue_is_refused_until_there_is_room(links: Links) -> None:
    await fill(links, "tiny")

    with pytest.raises(ServiceBusQuotaExceededError):
        await links.send("tiny", BIG)

    await links.take("tiny")
    await links.send("tiny", BIG)
    assert len(await links.drain("tiny")) == 4


async def test_what_cannot_be_forwarded_goes_where_the_subscription_forwards_its_dead_letters(
    broker: Running, links: Links
) -> None:
    await fill(links, "crowd")

    await links.send("crowd", BIG, message_id="fifth")

    assert len(await links.drain("tiny")) == 4
    letter = await links.take("tiny-dead")
    assert letter.message_id == "fifth"
    assert letter.dead_letter_reason == "ForwardingFailed"
    assert "tiny" in (letter.dead_letter_error_description or "")
    assert letter.dead_letter_source == "crowd/Subscriptions/tiny"
    assert await broker.entity("crowd/Subscriptions/tiny") == {}


async def test_with_no_room_there_either_it_stays_with_the_subscription(broker: Running, links: Links) -> None:
    await fill(links, "crowd")
    await fill(links, "tiny-dead")

    await links.send("crowd", BIG)

    assert await broker.entity("crowd/Subscriptions/tiny") == {"deadLettered": 1}
    for entity, sub_queue in (("tiny", None), ("tiny-dead", None), ("crowd/tiny", DEAD)):
        await links.drain(entity, sub_queue)


async def test_how_full_a_queue_is_outlives_a_restart(fresh: Running) -> None:
    async with fresh.client(retries=3) as client:
        links = Links(client)
        await fill(links, "tiny")
        fresh.kill()
        await fresh.start()

        with pytest.raises(ServiceBusQuotaExceededError):
            await links.send("tiny", BIG)
        await links.close()
