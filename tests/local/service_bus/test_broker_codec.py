"""Messages are taken apart and put together again without touching what isn't the broker's."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from proton import Array, Data, Message, symbol, timestamp, ulong

from local.service_bus.codec import (
    DecodeError,
    batch,
    encode,
    parse,
    string,
    with_application_properties,
    with_message_id,
)
from local.service_bus.management import Request

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=300)
VALUES = st.one_of(
    TEXT, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.uuids(), st.none()
)


@settings(deadline=None)
@given(st.binary(max_size=200))
@example(b"\x00" * 5000)
@example(b"\x00\x53\x74\xd1\x00\x00\x00\x05\x00\x00\x00\x02\xa1")
def test_bytes_are_a_message_or_refused(data: bytes) -> None:
    for take_apart in (parse, batch):
        with suppress(DecodeError):
            take_apart(data)


@settings(deadline=None)
@given(st.binary(max_size=100), st.integers(0, 100), st.binary(min_size=1, max_size=3))
def test_a_damaged_message_is_a_message_or_refused(body: bytes, place: int, damage: bytes) -> None:
    encoded = bytes(Message(body, inferred=True, id="m", properties={"a": "b", "c": 1}, ttl=5.0).encode())

    with suppress(DecodeError):
        parse(encoded[:place] + damage + encoded[place + len(damage) :])


@settings(deadline=None)
@given(st.binary(max_size=1000), st.dictionaries(TEXT, VALUES, max_size=5), TEXT)
def test_what_the_sender_wrote_passes_through_as_it_is(body: bytes, properties: dict[str, Any], subject: str) -> None:
    sent: Any = Message(body, inferred=True, properties=properties, subject=subject, durable=True)

    envelope = parse(bytes(sent.encode()))
    received: Any = Message()
    received.decode(encode(envelope, 2, {"x-opt-sequence-number": 7, "x-opt-locked-until": 1_000}))

    assert sent.encode().endswith(envelope.bare)
    assert (received.body, received.properties or {}, received.subject) == (body, properties, subject)
    assert (received.durable, received.delivery_count) == (True, 2)
    assert received.annotations == {"x-opt-sequence-number": 7, "x-opt-locked-until": 1_000}


@pytest.mark.parametrize("subject", ["s", None])
def test_a_message_without_an_id_gets_one_and_keeps_all_else(subject: str | None) -> None:
    envelope = parse(bytes(Message(b"body", inferred=True, subject=subject, properties={"a": 1}).encode()))

    given: Any = Message()
    given.decode(with_message_id(envelope, "m").bare)

    assert (given.id, given.subject, given.properties, given.body) == ("m", subject, {"a": 1}, b"body")


@settings(deadline=None)
@given(st.dictionaries(TEXT, VALUES, max_size=5))
def test_a_reason_joins_the_other_properties(properties: dict[str, Any]) -> None:
    envelope = parse(bytes(Message(b"body", inferred=True, id="m", properties=properties).encode()))

    letter: Any = Message()
    letter.decode(with_application_properties(envelope, {"DeadLetterReason": string("r" * 300)}).bare)

    assert letter.properties == properties | {"DeadLetterReason": "r" * 300}
    assert (letter.id, letter.body) == ("m", b"body")


def test_no_value_of_a_request_reads_memory_that_proton_frees_with_its_message() -> None:
    body = {"messages": [{"message": b"m" * 1120}], "tokens": Array(symbol("d"), Data.BINARY, b"a", b"b")}

    request = Request(bytes(Message(body, id=b"id", properties={"name": b"p"}).encode()))

    values = [request.body["messages"][0]["message"], *request.body["tokens"], request.properties["name"]]
    assert [type(value) for value in values] == [bytes] * 4
    assert request.body == body


@pytest.mark.parametrize(
    ("identity", "text"),
    [("m", "m"), (ulong(7), "7"), (b"x", "b'x'"), (None, None)],
)
def test_what_the_broker_acts_on_is_read(identity: Any, text: str | None) -> None:
    message = Message(
        b"",
        id=identity,
        correlation_id="ord_1",
        ttl=1.5,
        properties={"cloudEvents_type": "placed.v1"},
        annotations={symbol("x-opt-scheduled-enqueue-time"): timestamp(1_000), symbol("x-opt-sequence-number"): 5},
    )

    envelope = parse(bytes(message.encode()))

    assert (envelope.message_id, envelope.correlation_id, envelope.type) == (text, "ord_1", "placed.v1")
    assert (envelope.ttl, envelope.scheduled) == (1_500, 1_000)
    assert b"x-opt-sequence-number" not in envelope.annotations
