"""What the control shows: counters, entities, messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.conformance.service_bus.links import Links, new_message, receive
from tests.local.service_bus.running import Running


async def test_entities_are_listed_with_their_messages_by_state(broker: Running, links: Links) -> None:
    for number in range(4):
        await links.send("orders", str(number))
    sender, receiver = await links.sender("orders"), await links.receiver("orders")
    numbers = await sender.schedule_messages(new_message(), datetime.now(UTC) + timedelta(hours=1))
    _held, dead, deferred = [await receive(receiver) for _ in range(3)]
    await receiver.dead_letter_message(dead)
    await receiver.defer_message(deferred)

    entities = {entity["name"]: entity for entity in await broker.get("/_entities")}

    assert entities.keys() == {
        "orders",
        "payments",
        "first",
        "second",
        "tiny",
        "tiny-dead",
        "crowd",
        "crowd/Subscriptions/tiny",
        "orders-events",
        "orders-events/Subscriptions/payments",
    }
    assert entities["orders"] == {
        "name": "orders",
        "kind": "queue",
        "active": 1,
        "locked": 1,
        "scheduled": 1,
        "deferred": 1,
        "deadLettered": 1,
    }
    assert entities["orders-events"]["kind"] == "topic"
    assert entities["orders-events/Subscriptions/payments"]["kind"] == "subscription"
    await sender.cancel_scheduled_messages(numbers)
    assert deferred.sequence_number is not None
    (found,) = await receiver.receive_deferred_messages(deferred.sequence_number)
    await receiver.complete_message(found)


async def test_messages_are_shown_by_entity_state_and_correlation_id(broker: Running, links: Links) -> None:
    properties = {"cloudEvents_type": "placed.v1", "number": 1}
    fields = {"content_type": "application/json", "application_properties": properties}
    wanted = await links.send("orders", '{"a": 1}', correlation_id="ord_1", **fields)
    await links.send("orders", correlation_id="ord_2")
    await links.send("payments", correlation_id="ord_1")

    (message,) = await broker.get("/_messages?entity=Orders&state=active&correlationId=ord_1")

    assert message["messageId"] == wanted
    assert message["properties"] == properties
    assert message["body"] == '{"a": 1}'
    assert (message["entity"], message["state"], message["deliveryCount"]) == ("orders", "active", 0)
    assert (message["correlationId"], message["contentType"]) == ("ord_1", "application/json")
    assert len(await broker.get("/_messages?correlationId=ord_1")) == 2
    assert len(await broker.get("/_messages?limit=1")) == 1
    assert await broker.get("/_messages?state=locked") == []


async def test_a_question_about_messages_that_makes_no_sense_is_refused(broker: Running) -> None:
    for query in ("state=lost", "entty=orders", "limit=many"):
        assert (await broker.control.get(f"/_messages?{query}")).status_code == 400
    assert (await broker.control.get("/_messages?entity=missing")).status_code == 404


async def test_counters_tell_what_happened_and_where(fresh: Running) -> None:
    async with fresh.client() as client:
        links = Links(client)
        identity = await links.send("orders")
        await links.send("orders", message_id=identity)
        await links.send("orders")
        await links.send("payments")
        receiver = await links.receiver("orders")
        await receiver.abandon_message(await receive(receiver))
        for _ in range(2):
            await links.take("orders")
        stats = await fresh.get("/_stats")
        await links.close()

    of_orders = {"messagesSent": 3, "messagesDelivered": 3, "abandoned": 1, "completed": 2}
    counted = of_orders | {"messagesSent": 4, "duplicatesDropped": 1}
    assert {name: stats[name] for name in counted} == counted
    assert stats["byEntity"] == {"orders": of_orders, "payments": {"messagesSent": 1}}
    assert stats["byOperation"]["Send"] == 4
    assert stats["faults"] == 0
