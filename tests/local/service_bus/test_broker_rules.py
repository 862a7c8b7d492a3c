"""A subscription's rule in the numbers by which SDKs know it; azure-servicebus reads it without looking at them."""

from __future__ import annotations

from typing import Any

import pytest
from proton import Message, int32

from local.service_bus.entities import Directory
from local.service_bus.management import Request, manage
from local.service_bus.security import Gate, Tokens
from local.topology import load
from tests.local.service_bus.running import TOPOLOGY
from tests.local.service_bus.test_broker_access import KEY, token

NO_BROKER: Any = None  # rules need none
TYPES = "cloudEvents_type IN ('placed.v1')"


@pytest.mark.parametrize(
    ("subscription", "kind", "parts"),
    [
        ("crowd/Subscriptions/tiny", 0x1370000007, []),
        ("orders-events/Subscriptions/payments", 0x1370000006, [TYPES, 20]),
    ],
)
def test_a_rule_and_its_filter_have_their_numbers(subscription: str, kind: int, parts: list[object]) -> None:
    properties: Any = {"operation": "com.microsoft:enumerate-rules"}
    request = Request(bytes(Message({"top": int32(100), "skip": int32(0)}, properties=properties).encode()))
    topology = load(TOPOLOGY)
    answer: Any = Message()
    tokens = Tokens(Gate(topology, {"operator": KEY}))
    tokens.put(token("sb://host/", name="operator"), "sb://host/")

    answer.decode(manage(request, NO_BROKER, Directory(topology).entity(subscription), tokens).encode())

    (rule,) = answer.body["rules"]
    description = rule["rule-description"]
    wanted, action, name = description.value
    assert (description.descriptor, name) == (0x13700000004, "$Default")
    assert (wanted.descriptor, wanted.value) == (kind, parts)
    assert (action.descriptor, action.value) == (0x13700000005, [])
