"""Properties that a receiver gives with its decision: azure-servicebus doesn't offer that, other SDKs do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from proton import Condition, Delivery, symbol

from tests.conformance.service_bus.links import Links, receive
from tests.local.service_bus.running import Running
from tests.local.service_bus.test_broker_unsupported import ask

GIVEN = {"text": "t", "number": 7, "flag": True}


def abandon(delivery: Any) -> None:
    delivery.local.annotations = {symbol(name): value for name, value in GIVEN.items()}
    delivery.update(Delivery.MODIFIED)


def defer(delivery: Any) -> None:
    delivery.local.undeliverable = True
    abandon(delivery)


def dead_letter(delivery: Any) -> None:
    info: Any = {"DeadLetterReason": "r"} | GIVEN
    delivery.local.condition = Condition("com.microsoft:dead-letter", info=info)
    delivery.update(Delivery.REJECTED)


@pytest.mark.parametrize(
    ("decide", "state", "reason"),
    [(abandon, "active", {}), (defer, "deferred", {}), (dead_letter, "deadLettered", {"DeadLetterReason": "r"})],
)
async def test_properties_given_on_the_link_are_kept(
    raw: Any, broker: Running, links: Links, decide: Callable[[Any], None], state: str, reason: dict[str, str]
) -> None:
    await links.send("orders", application_properties={"own": "o", "text": "before"})
    receiver = raw.create_receiver("orders")
    receiver.receive()

    delivery = receiver.fetcher.unsettled[-1]
    decide(delivery)
    raw.wait(lambda: delivery.settled)

    (message,) = await broker.get(f"/_messages?entity=orders&state={state}")
    assert message["properties"] == {"own": "o"} | GIVEN | reason
    await clean(broker, links, message)


@pytest.mark.parametrize(
    ("status", "state", "reason"),
    [
        ("abandoned", "active", {}),
        ("defered", "deferred", {}),
        ("suspended", "deadLettered", {"DeadLetterReason": "r"}),
    ],
)
async def test_properties_given_in_a_request_are_kept(
    broker: Running, links: Links, status: str, state: str, reason: dict[str, str]
) -> None:
    await links.send("orders", application_properties={"own": "o", "text": "before"})
    held = await receive(await links.receiver("orders"))
    given = {"lock-tokens": [held.lock_token], "disposition-status": status, "properties-to-modify": GIVEN}

    await ask(links, "update-disposition", given | ({"deadletter-reason": "r"} if reason else {}))

    (message,) = await broker.get(f"/_messages?entity=orders&state={state}")
    assert message["properties"] == {"own": "o"} | GIVEN | reason
    await clean(broker, links, message)


async def clean(broker: Running, links: Links, message: dict[str, Any]) -> None:
    if message["state"] == "deferred":
        receiver = await links.receiver(message["entity"])
        (deferred,) = await receiver.receive_deferred_messages(message["sequenceNumber"])
        await receiver.complete_message(deferred)
