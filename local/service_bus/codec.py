"""AMQP 1.0 encoding, as far as a broker needs it: messages are taken apart into sections and handed on byte for byte.

OASIS AMQP 1.0, part 1 (types) and part 3, section 3.2 (message format).
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

HEADER, DELIVERY_ANNOTATIONS, ANNOTATIONS, PROPERTIES, APPLICATION_PROPERTIES, DATA = range(0x70, 0x76)
FOOTER = 0x78
_NULL = b"\x40"
_NUMBERS = {
    0x43: ">0s", 0x44: ">0s", 0x50: ">B", 0x51: ">b", 0x52: ">B", 0x53: ">B", 0x54: ">b", 0x55: ">b", 0x60: ">H",
    0x61: ">h", 0x70: ">I", 0x71: ">i", 0x72: ">f", 0x80: ">Q", 0x81: ">q", 0x82: ">d", 0x83: ">q",
}  # fmt: skip
_WIDTHS = {4: 0, 5: 1, 6: 2, 7: 4, 8: 8, 9: 16}

# What the broker itself says of a message; a sender's own values for these are dropped.
_OWN = frozenset(
    f"x-opt-{name}"
    for name in (
        "sequence-number", "enqueued-time", "locked-until", "enqueue-sequence-number", "message-state",
        "deadletter-source", "lock-token",
    )
)  # fmt: skip


class DecodeError(ValueError):
    """These bytes are no AMQP 1.0 message."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message as it is stored: the parts that are handed on unchanged, and what the broker acts on.

    `header` is its first three fields and `annotations` its pairs, encoded; `bare` runs from the properties to the
    end. `ttl` is in milliseconds, `scheduled` in milliseconds since 1970.
    """

    header: bytes
    annotations: bytes
    bare: bytes
    ttl: int | None = None
    scheduled: int | None = None
    message_id: str | None = None
    correlation_id: str | None = None


def skip(data: bytes, at: int) -> int:
    """The index behind the value that starts at `at`."""
    code = data[at]
    if code == 0:
        return skip(data, skip(data, at + 1))
    family = code >> 4
    if family in _WIDTHS:
        return at + 1 + _WIDTHS[family]
    if family in (0xA, 0xC, 0xE):
        return at + 2 + data[at + 1]
    if family in (0xB, 0xD, 0xF):
        return at + 5 + int.from_bytes(data[at + 1 : at + 5])
    raise DecodeError(f"unknown type code 0x{code:02x}")


def read(data: bytes, at: int) -> object:
    """The scalar that starts at `at` as a Python value; anything else as its encoded bytes."""
    code, end = data[at], skip(data, at)
    if end > len(data):
        raise DecodeError("a value runs over the end of the message")
    if code in _NUMBERS:
        (number,) = struct.unpack_from(_NUMBERS[code], data, at + 1)
        return 0 if number == b"" else number
    match code:
        case 0x40:
            return None
        case 0x41 | 0x42:
            return code == 0x41
        case 0x56:
            return data[at + 1] == 1
        case 0x98:
            return uuid.UUID(bytes=data[at + 1 : end])
        case 0xA0 | 0xA1 | 0xA3 | 0xB0 | 0xB1 | 0xB3:
            raw = data[at + (2 if code < 0xB0 else 5) : end]
            return raw if code & 0xF == 0 else raw.decode()
    return data[at:end]


def items(data: bytes, at: int) -> list[int]:
    """Where the items of the list or map at `at` start, and, last, where it ends."""
    code = data[at]
    if code == 0x45:
        return [at + 1]
    if code in (0xC0, 0xC1):
        count, position = data[at + 2], at + 3
    elif code in (0xD0, 0xD1):
        count, position = int.from_bytes(data[at + 5 : at + 9]), at + 9
    else:
        raise DecodeError(f"neither a list nor a map: type code 0x{code:02x}")
    starts = [position]
    for _ in range(count):
        position = skip(data, position)
        starts.append(position)
    return starts


def sections(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Each section's code, start, start of its value, and end."""
    at = 0
    while at < len(data):
        if data[at] != 0:
            raise DecodeError("a section doesn't begin with a descriptor")
        code, start = read(data, at + 1), skip(data, at + 1)
        end = skip(data, start)
        if not isinstance(code, int) or not HEADER <= code <= FOOTER or end > len(data):
            raise DecodeError("not a section of an AMQP message")
        yield code, at, start, end
        at = end


def parse(data: bytes) -> Envelope:
    """Take an encoded message apart; DecodeError when it isn't one."""
    header, annotations, bare = [_NULL, _NULL, _NULL], b"", len(data)
    ttl = scheduled = message_id = correlation_id = None
    try:
        for code, at, start, _ in sections(data):
            if code == HEADER:
                starts = items(data, start)
                fields = [data[one:two] for one, two in pairwise(starts)][:3]
                header[: len(fields)] = fields
                ttl = read(header[2], 0)
            elif code == ANNOTATIONS:
                annotations, scheduled = _foreign(data, start)
            elif code != DELIVERY_ANNOTATIONS:
                bare = min(bare, at)
                if code == PROPERTIES:
                    starts = items(data, start)[:-1]
                    message_id = read(data, starts[0]) if starts else None
                    correlation_id = read(data, starts[5]) if len(starts) > 5 else None
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise DecodeError(str(error)) from error
    return Envelope(
        b"".join(header),
        annotations,
        data[bare:],
        ttl if isinstance(ttl, int) else None,
        scheduled if isinstance(scheduled, int) else None,
        None if message_id is None else str(message_id),
        None if correlation_id is None else str(correlation_id),
    )


def _foreign(data: bytes, at: int) -> tuple[bytes, object]:
    starts, kept, scheduled = items(data, at), [], None
    for key, value, end in zip(starts[0::2], starts[1::2], starts[2::2], strict=False):
        name = read(data, key)
        if name == "x-opt-scheduled-enqueue-time":
            scheduled = read(data, value)
        if name not in _OWN:
            kept.append(data[key:end])
    return b"".join(kept), scheduled


def batch(data: bytes) -> list[bytes]:
    """The encoded messages that a batch (message format 0x80013700) carries in its data sections."""
    try:
        found = [read(data, start) for code, _, start, _ in sections(data) if code == DATA]
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise DecodeError(str(error)) from error
    return [item for item in found if isinstance(item, bytes)]


def application_property(bare: bytes, name: str) -> object:
    """The value of one application property, None where it is missing."""
    for code, _, start, _ in sections(bare):
        if code == APPLICATION_PROPERTIES:
            starts = items(bare, start)
            for key, value in zip(starts[0::2], starts[1::2], strict=False):
                if read(bare, key) == name:
                    return read(bare, value)
    return None


def with_application_properties(bare: bytes, added: Mapping[str, str]) -> bytes:
    """The same message with these application properties set, all others and every other section as they were."""
    before, pairs, after = b"", [_string(name) + _string(text) for name, text in added.items()], b""
    count = 2 * len(added)
    for code, at, start, end in sections(bare):
        if code == PROPERTIES:
            before = bare[at:end]
        elif code == APPLICATION_PROPERTIES:
            starts = items(bare, start)
            for key, stop in pairwise(starts[0::2]):
                if read(bare, key) not in added:
                    pairs.append(bare[key:stop])
                    count += 2
        else:
            after += bare[at:end]
    return before + b"\x00\x53\x74" + _map(count, b"".join(pairs)) + after


def encode(
    header: bytes, annotations: bytes, bare: bytes, delivery_count: int, own: Mapping[str, tuple[str, object]]
) -> bytes:
    """A message for a receiver. `own` are the broker's annotations, as (AMQP type, value)."""
    fields = header + _NULL + b"\x70" + struct.pack(">I", delivery_count)
    pairs, count, at = annotations, 2 * len(own), 0
    while at < len(annotations):
        at, count = skip(annotations, at), count + 1
    for name, (kind, value) in own.items():
        pairs += b"\xa3" + bytes([len(name)]) + name.encode() + _ENCODERS[kind](value)
    head = b"\x00\x53\x70\xc0" + bytes([len(fields) + 1, 5]) + fields
    return head + b"\x00\x53\x72" + _map(count, pairs) + bare


def _map(count: int, pairs: bytes) -> bytes:
    return b"\xd1" + struct.pack(">II", len(pairs) + 4, count) + pairs


def _string(text: object) -> bytes:
    raw = str(text).encode()
    return b"\xa1" + bytes([len(raw)]) + raw if len(raw) < 256 else b"\xb1" + struct.pack(">I", len(raw)) + raw


_ENCODERS = {
    "long": lambda value: b"\x81" + struct.pack(">q", value),
    "int": lambda value: b"\x71" + struct.pack(">i", value),
    "timestamp": lambda value: b"\x83" + struct.pack(">q", value),
    "string": _string,
}
