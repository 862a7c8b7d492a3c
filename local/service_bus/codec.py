"""AMQP 1.0 encoding, as far as a broker needs it: messages are taken apart into sections and handed on byte for byte.

OASIS AMQP 1.0, part 1 (types) and part 3, section 3.2 (message format).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from uuid import UUID

HEADER, DELIVERY_ANNOTATIONS, ANNOTATIONS, PROPERTIES, APPLICATION_PROPERTIES, DATA = range(0x70, 0x76)
FOOTER = 0x78
_NULL = b"\x40"
_NUMBERS = {
    0x50: ">B", 0x51: ">b", 0x52: ">B", 0x53: ">B", 0x54: ">b", 0x55: ">b", 0x56: ">?", 0x60: ">H", 0x61: ">h",
    0x70: ">I", 0x71: ">i", 0x72: ">f", 0x80: ">Q", 0x81: ">q", 0x82: ">d", 0x83: ">q",
}  # fmt: skip
_CONSTANTS = {0x40: None, 0x41: True, 0x42: False, 0x43: 0, 0x44: 0}
_WIDTHS = {4: 0, 5: 1, 6: 2, 7: 4, 8: 8, 9: 16}
_MALFORMED = (IndexError, struct.error, UnicodeDecodeError, RecursionError)
_FOREVER = 2**53
FILTERED = "cloudEvents_type"


class DecodeError(ValueError):
    """These bytes are no AMQP 1.0 message."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message as it is stored: the parts that are handed on unchanged, and what the broker acts on.

    `header` is its first three fields and `annotations` its pairs, encoded; `bare` runs from the properties to the
    end. `type` is the application property that filters look at. `ttl` is in milliseconds, `scheduled` in
    milliseconds since 1970.
    """

    header: bytes
    annotations: bytes
    bare: bytes
    message_id: str | None = None
    correlation_id: str | None = None
    type: str | None = None
    ttl: int | None = None
    scheduled: int | None = None


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
    if code in _CONSTANTS:
        return _CONSTANTS[code]
    if code in _NUMBERS:
        return struct.unpack_from(_NUMBERS[code], data, at + 1)[0]
    if code == 0x98:
        return UUID(bytes=data[at + 1 : end])
    if code in (0xA0, 0xA1, 0xA3, 0xB0, 0xB1, 0xB3):
        raw = data[at + (2 if code < 0xB0 else 5) : end]
        return raw if code in (0xA0, 0xB0) else raw.decode()
    return data[at:end]


def items(data: bytes, at: int) -> list[int]:
    """Where the items of the list or map at `at` start, and, last, where it ends."""
    code = data[at]
    if code in (0xC0, 0xC1):
        count, position = data[at + 2], at + 3
    elif code in (0xD0, 0xD1):
        count, position = int.from_bytes(data[at + 5 : at + 9]), at + 9
    elif code == 0x45:
        count, position = 0, at + 1
    else:
        raise DecodeError(f"neither a list nor a map: type code 0x{code:02x}")
    starts = [position]
    for _ in range(count):
        position = skip(data, position)
        starts.append(position)
    if position != skip(data, at):
        raise DecodeError("a list or map isn't as long as it says")
    return starts


def parse(data: bytes) -> Envelope:
    """Take an encoded message apart; DecodeError when it isn't one."""
    header, annotations, bare = [_NULL, _NULL, _NULL], b"", len(data)
    message_id = correlation_id = kind = ttl = scheduled = None
    try:
        for code, at, start in _sections(data):
            if code == HEADER:
                fields = [data[one:two] for one, two in pairwise(items(data, start))][:3]
                header[: len(fields)] = fields
                ttl = read(header[2], 0)
            elif code == ANNOTATIONS:
                for name, key, value, end in _pairs(data, start):
                    annotations += b"" if name in _OWN else data[key:end]
                    if name == "x-opt-scheduled-enqueue-time":
                        scheduled = read(data, value)
            elif code != DELIVERY_ANNOTATIONS:
                bare = min(bare, at)
            if code == PROPERTIES:
                starts = items(data, start)[:-1]
                message_id = read(data, starts[0]) if starts else None
                correlation_id = read(data, starts[5]) if len(starts) > 5 else None
            elif code == APPLICATION_PROPERTIES:
                for name, _, value, _ in _pairs(data, start):
                    kind = read(data, value) if name == FILTERED else kind
    except _MALFORMED as error:
        raise DecodeError(str(error)) from error
    return Envelope(
        b"".join(header), annotations, data[bare:], _text(message_id), _text(correlation_id), _text(kind),
        _milliseconds(ttl), _milliseconds(scheduled),
    )  # fmt: skip


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _milliseconds(value: object) -> int | None:
    return min(value, _FOREVER) if isinstance(value, int) else None


def batch(data: bytes) -> list[bytes]:
    """The encoded messages that a batch (message format 0x80013700) carries in its data sections."""
    try:
        found = [read(data, start) for code, _, start in _sections(data) if code == DATA]
    except _MALFORMED as error:
        raise DecodeError(str(error)) from error
    return [item for item in found if isinstance(item, bytes)]


def with_message_id(envelope: Envelope, message_id: str) -> Envelope:
    """The same message with an id, which it had none of."""
    fields, rest = list[bytes](), envelope.bare
    for code, _, start in _sections(envelope.bare):
        if code == PROPERTIES:
            starts = items(envelope.bare, start)
            fields = [envelope.bare[one:two] for one, two in pairwise(starts)][1:]
            rest = envelope.bare[starts[-1] :]
    bare = b"\x00\x53\x73" + listed([string(message_id), *fields]) + rest
    return replace(envelope, bare=bare, message_id=message_id)


def with_application_properties(bare: bytes, added: Mapping[str, bytes]) -> bytes:
    """The same message with these application properties (encoded) set, all others and every other section as is."""
    before, after = b"", b""
    pairs = [string(name) + value for name, value in added.items()]
    places = [*(at for _, at, _ in _sections(bare)), len(bare)]
    for (code, at, start), end in zip(_sections(bare), places[1:], strict=True):
        if code == PROPERTIES:
            before = bare[at:end]
        elif code == APPLICATION_PROPERTIES:
            pairs += [bare[key:stop] for name, key, _, stop in _pairs(bare, start) if name not in added]
        else:
            after += bare[at:end]
    return before + b"\x00\x53\x74" + _map(2 * len(pairs), b"".join(pairs)) + after


def encode(envelope: Envelope, delivery_count: int, own: Mapping[str, object], lock: UUID | None = None) -> bytes:
    """A message for a receiver, with the broker's `own` annotations, and the lock under which it is delivered."""
    fields = envelope.header + _NULL + b"\x70" + struct.pack(">I", delivery_count)
    pairs, count, at = envelope.annotations, 2 * len(own), 0
    while at < len(envelope.annotations):
        at, count = skip(envelope.annotations, at), count + 1
    for name, value in own.items():
        pairs += b"\xa3" + bytes([len(name)]) + name.encode() + _OWN[name](value)
    head = b"\x00\x53\x70\xc0" + bytes([len(fields) + 1, 5]) + fields
    # The section is there without a lock as well, empty, as from Azure.
    locked = b"" if lock is None else b"\xa3\x10x-opt-lock-token\x98" + lock.bytes
    head += b"\x00\x53\x71" + _map(2 if locked else 0, locked)
    return head + b"\x00\x53\x72" + _map(count, pairs) + envelope.bare


def _sections(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Each section's code, start, and start of its value."""
    at = 0
    while at < len(data):
        code, start, end = read(data, at + 1), skip(data, at + 1), skip(data, at)
        if data[at] != 0 or not isinstance(code, int) or not HEADER <= code <= FOOTER or end > len(data):
            raise DecodeError("not a section of an AMQP message")
        yield code, at, start
        at = end


def _pairs(data: bytes, at: int) -> Iterator[tuple[object, int, int, int]]:
    """Each pair of the map at `at`: its key, where that starts, where its value starts and ends."""
    starts = items(data, at)
    for key, value, end in zip(starts[0::2], starts[1::2], starts[2::2], strict=False):
        yield read(data, key), key, value, end


def listed(fields: list[bytes]) -> bytes:
    """A list of encoded values."""
    content = b"".join(fields)
    if len(content) < 255 and len(fields) < 256:
        return b"\xc0" + bytes([len(content) + 1, len(fields)]) + content
    return b"\xd0" + struct.pack(">II", len(content) + 4, len(fields)) + content


def uint(number: int) -> bytes:
    """A number, in as few bytes as it takes."""
    return b"\x52" + bytes([number]) if number < 256 else b"\x70" + struct.pack(">I", number)


def _map(count: int, pairs: bytes) -> bytes:
    return b"\xd1" + struct.pack(">II", len(pairs) + 4, count) + pairs


def string(text: object) -> bytes:
    """A text."""
    raw = str(text).encode()
    return b"\xa1" + bytes([len(raw)]) + raw if len(raw) < 256 else b"\xb1" + struct.pack(">I", len(raw)) + raw


def _long(number: object) -> bytes:
    return b"\x81" + struct.pack(">q", number)


def _timestamp(milliseconds: object) -> bytes:
    return b"\x83" + struct.pack(">q", milliseconds)


def _int(number: object) -> bytes:
    return b"\x71" + struct.pack(">i", number)


# What the broker itself says of a message; a sender's own values for these are dropped.
_OWN = {
    "x-opt-sequence-number": _long,
    "x-opt-enqueue-sequence-number": _long,
    "x-opt-enqueued-time": _timestamp,
    "x-opt-locked-until": _timestamp,
    "x-opt-message-state": _int,
    "x-opt-deadletter-source": string,
}
