"""What the stand-in doesn't have is refused by name; what makes no sense is refused and harms nobody."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from azure.servicebus.exceptions import ServiceBusError
from proton import ConnectionException, Message, Terminus, symbol
from proton.reactor import AtMostOnce
from proton.utils import LinkDetached, SendException

from tests.conformance.service_bus.links import Links
from tests.local.service_bus.running import Running


async def test_sessions_are_refused(links: Links) -> None:
    with pytest.raises(ServiceBusError, match=r"com\.microsoft:session-filter.*isn't supported"):
        async with links.bus.get_queue_receiver("orders", session_id="s") as receiver:
            await receiver.receive_messages(1, max_wait_time=1)


@pytest.mark.parametrize("operation", ["get-session-state", "add-rule", "remove-rule", "no-such-thing"])
async def test_other_operations_are_refused(links: Links, operation: str) -> None:
    assert f"'{operation}' isn't supported" in await ask(links, operation, {})


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("renew-lock", {}),
        ("renew-lock", {"lock-tokens": ["text"]}),
        ("renew-lock", {"lock-tokens": 7}),
        ("peek-message", {"from-sequence-number": "one", "message-count": 1}),
        ("schedule-message", {"messages": [{}]}),
        ("schedule-message", {"messages": [{"message": b"\x00\x53\x75\xa0\xff"}]}),
        ("schedule-message", {"messages": [{"message": b"\x00" * 5000}]}),
        ("cancel-scheduled-message", {"sequence-numbers": [1]}),
        ("receive-by-sequence-number", {"sequence-numbers": [1], "receiver-settle-mode": 1}),
        ("update-disposition", {"disposition-status": "completed", "lock-tokens": [uuid4()]}),
        ("update-disposition", {"disposition-status": "eaten", "lock-tokens": []}),
        ("enumerate-rules", {}),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused(links: Links, operation: str, body: dict[str, Any]) -> None:
    assert await ask(links, operation, body) != "OK"

    await links.send("orders", "fine")
    assert await links.drain("orders") == ["fine"]


async def ask(links: Links, operation: str, body: dict[str, Any]) -> str:
    """The status description of a management request, made as the SDK makes its own."""

    def description(_status: int, _message: object, description: bytes | None, **_more: object) -> str:
        return (description or b"").decode()

    receiver = await links.receiver("orders")
    return str(await receiver._mgmt_request_response(f"com.microsoft:{operation}".encode(), body, description))


@pytest.mark.parametrize("payload", [b"", b"nonsense", b"\x00\x53\x74\xd1\x00\x00\x00\x05\x00\x00\x00\x02\xa1"])
async def test_bytes_that_are_no_message_are_rejected(raw: Any, broker: Running, payload: bytes) -> None:
    class Bytes(Message):
        def encode(self) -> bytes:
            return payload

    if payload:
        with pytest.raises(SendException):
            raw.create_sender("orders").send(Bytes())
        assert await broker.entity("orders") == {}


async def test_transactions_are_refused(raw: Any) -> None:
    class Coordinator:
        def apply(self, link: Any) -> None:
            link.target.type = Terminus.COORDINATOR

        def test(self, _link: object) -> bool:
            return True

    with pytest.raises((LinkDetached, ConnectionException), match="Transactions"):
        raw.create_sender(None, options=Coordinator())


async def test_a_message_settled_by_its_sender_is_taken_too(raw: Any, links: Links) -> None:
    raw.create_sender("orders", options=AtMostOnce()).send(Message(body=b"settled", inferred=True))
    raw.create_sender("orders", name="another").send(Message(body=b"next", inferred=True))

    assert await links.drain("orders") == ["settled", "next"]


async def test_a_message_id_above_128_characters_is_refused(raw: Any) -> None:
    with pytest.raises(SendException):
        raw.create_sender("orders").send(Message(body=b"", id="x" * 129))


async def test_values_and_sequences_as_bodies_arrive_as_they_are(raw: Any, links: Links) -> None:
    sender = raw.create_sender("orders")
    sender.send(
        Message(body={"a": [1, None, "x"]}, annotations={symbol("x-mine"): "kept", symbol("x-opt-sequence-number"): 9})
    )

    message = await links.take("orders")
    assert message.raw_amqp_message.body_type.name == "VALUE"
    assert message.body == {b"a": [1, None, b"x"]}
    assert message.raw_amqp_message.annotations is not None
    assert message.raw_amqp_message.annotations[b"x-mine"] == b"kept"
    assert message.sequence_number != 9


async def test_a_chain_of_forwards_that_never_ends_is_cut_into_a_dead_letter(broker: Running, links: Links) -> None:
    await links.send("first", "round")

    entities = {name: await broker.entity(name) for name in ("first", "second")}

    assert sum(entity.get("deadLettered", 0) for entity in entities.values()) == 1
    (letter,) = await broker.get("/_messages?state=deadLettered")
    assert letter["properties"]["DeadLetterReason"] == "MaxTransferHopCountExceeded"
