"""Who may do what: the topology's grants, per context and right."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from azure.servicebus.exceptions import ServiceBusAuthorizationError, ServiceBusError
from proton import Message

from local.service_bus.entities import Directory
from local.service_bus.management import Request, put_token
from local.service_bus.refusal import Refused
from local.service_bus.security import Gate, Tokens
from local.topology import load
from tests.conformance.service_bus.links import DEAD, Links
from tests.local.service_bus.running import TOPOLOGY, Running


async def test_a_context_sends_and_receives_what_it_is_granted(broker: Running) -> None:
    async with broker.client("orders") as orders, broker.client("payments") as payments:
        placed = {"cloudEvents_type": "placed.v1"}
        ours, theirs = Links(orders), Links(payments)
        await ours.send("orders", "to itself")
        await ours.send("orders-events", "event", application_properties=placed)

        assert await ours.drain("orders") == ["to itself"]
        assert await ours.drain("orders", DEAD) == []
        assert await theirs.drain("payments") == ["event"]
        await ours.close()
        await theirs.close()


async def test_sending_elsewhere_is_refused(broker: Running) -> None:
    async with broker.client("payments") as payments:
        with pytest.raises(ServiceBusAuthorizationError):
            await Links(payments).send("orders")

    assert await broker.entity("orders") == {}


async def test_receiving_elsewhere_is_refused(broker: Running) -> None:
    async with broker.client("payments") as payments:
        for sub_queue in (None, DEAD):
            with pytest.raises(ServiceBusAuthorizationError):
                async with payments.get_queue_receiver("orders", sub_queue=sub_queue) as receiver:
                    await receiver.receive_messages(1, max_wait_time=1)


async def test_a_context_without_grants_may_do_nothing(broker: Running) -> None:
    async with broker.client("shipping") as shipping:
        with pytest.raises(ServiceBusAuthorizationError):
            await Links(shipping).send("orders")


async def test_the_right_to_receive_is_no_right_to_schedule(broker: Running) -> None:
    async with broker.client("payments") as payments, payments.get_queue_receiver("payments") as receiver:
        await receiver.peek_messages(1)
        with pytest.raises(ServiceBusError, match="send on 'payments' isn't granted"):
            # The SDK offers this on senders only, which payments can't open: its request, on the receiver's link.
            await receiver._mgmt_request_response(
                b"com.microsoft:cancel-scheduled-message", {"sequence-numbers": [1]}, _as_it_is
            )


def _as_it_is(status: int, _message: object, description: bytes, **_more: object) -> None:
    raise ServiceBusError(f"{status} {description!r}")


async def test_sasl_is_spoken_with_either_name_for_a_token_to_come(broker: Running) -> None:
    for mechanism in (b"ANONYMOUS", b"MSSBCBS"):
        reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
        writer.write(b"AMQP\x03\x01\x00\x00")
        offered = await reader.readuntil(b"MSSBCBS")
        name = b"\xa3" + bytes([len(mechanism)]) + mechanism
        init = b"\x02\x01\x00\x00\x00\x53\x41\xc0" + bytes([len(name) + 1, 1]) + name
        writer.write((4 + len(init)).to_bytes(4) + init)
        outcome = await reader.readexactly(16)
        writer.close()

        assert b"ANONYMOUS" in offered
        assert outcome.endswith(b"\x00\x53\x44\xc0\x03\x01\x50\x00")


KEY = "c2VjcmV0"


def token(audience: str, name: str = "orders", key: str = KEY, expiry: int | str | None = None) -> str:
    """A shared access signature as Azure describes it."""
    resource, end = quote(audience, safe=""), str(int(time.time()) + 60 if expiry is None else expiry)
    signature = hmac.digest(key.encode(), f"{resource}\n{end}".encode(), hashlib.sha256)
    encoded = quote(base64.b64encode(signature).decode(), safe="")
    return f"SharedAccessSignature sr={resource}&sig={encoded}&se={end}&skn={name}"


@pytest.fixture
def gate() -> Gate:
    return Gate(load(TOPOLOGY), {"orders": KEY})


def test_a_token_is_valid_for_its_resource_and_what_is_below(gate: Gate) -> None:
    for resource in ("sb://host:5672/orders", "sb://host/", "amqps://host/ORDERS"):
        name, end = gate.check_token(token(resource), "sb://host:5672/orders")

        assert name == "orders"
        assert end > time.time()


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "Bearer x",
        "SharedAccessSignature sr=x",
        token("sb://host/orders", key="b3RoZXI="),
        token("sb://host/orders", name="nobody"),
        token("sb://host/orders", expiry=1),
        token("sb://host/orders", expiry="soon"),
        token("sb://host/payments"),
        token("sb://host/order"),
    ],
)
def test_any_other_token_is_refused(gate: Gate, bad: str) -> None:
    with pytest.raises(Refused, match="unauthorized-access"):
        gate.check_token(bad, "sb://host/orders")


def put(gate: Gate, path: str) -> Any:
    properties: Any = {"operation": "put-token", "name": f"sb://host/{path}"}
    request = Request(bytes(Message(token("sb://host/"), properties=properties).encode()))
    return put_token(request, Directory(load(TOPOLOGY)), Tokens(gate))


@pytest.mark.parametrize("path", ["orders", "orders/$management", "orders/$DeadLetterQueue", ""])
def test_a_token_is_put_for_what_is_there(gate: Gate, path: str) -> None:
    assert put(gate, path).properties["status-code"] == 202


def test_a_token_for_a_management_node_opens_the_entity(gate: Gate) -> None:
    tokens = Tokens(gate)

    tokens.put(token("sb://host/"), "sb://host/orders/$management")

    entity = Directory(load(TOPOLOGY)).entity
    tokens.demand(entity("orders"), "send")
    with pytest.raises(Refused):
        tokens.demand(entity("payments"), "receive")


def test_a_token_for_what_is_not_there_is_not_found(gate: Gate) -> None:
    with pytest.raises(Refused, match="'nothing' could not be found") as caught:
        put(gate, "nothing")

    assert caught.value.status == 404


def test_grants_name_every_right_and_nothing_else(gate: Gate, tmp_path: Path) -> None:
    assert gate.allows("orders", "send", "Orders")
    assert not gate.allows("orders", "receive", "payments")
    assert not gate.allows("payments", "send", "payments")
    assert gate.allows("payments", "send", "second")
    assert gate.allows("payments", "receive", "second")
    assert gate.allows("operator", "send", "payments")
