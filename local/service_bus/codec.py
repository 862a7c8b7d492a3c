"""AMQP 1.0 encoding, as far as a broker needs it: messages are taken apart into sections and handed on byte for byte.

OASIS AMQP 1.0, part 1 (types) and part 3, section 3.2 (message format).
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import dropwhile
from typing import Any
from uuid import UUID

from local.service_bus.refusal import Refused

HEADER, DELIVERY_ANNOTATIONS, ANNOTATIONS, PROPERTIES, APPLICATION_PROPERTIES, DATA = range(0x70, 0x76)
FOOTER = 0x78
NULL, _NOTHING = b"\x40", b"\x45"
_CONSTANTS = {0x40: None, 0x41: True, 0x42: False}
# Whether a whole number has a sign, by its type code.
_SIGNED = dict.fromkeys((0x43, 0x44, 0x50, 0x52, 0x53, 0x56, 0x60, 0x70, 0x80), False)
_SIGNED |= dict.fromkeys((0x51, 0x54, 0x55, 0x61, 0x71, 0x81, 0x83), True)
# By the first digit of the type code: the bytes of a value, or of the size that precedes one.
_WIDTHS = {4: 0, 5: 1, 6: 2, 7: 4, 8: 8, 9: 16}
_SIZES = {0xA: 1, 0xB: 4, 0xC: 1, 0xD: 4, 0xE: 1, 0xF: 4}
_ULONGS, _FOREVER = (0x53, 0x80), 2**53


class DecodeError(Refused):
    """These bytes are no AMQP 1.0 message."""

    def __init__(self, description: str) -> None:
        super().__init__("amqp:decode-error", description)


@contextmanager
def decoding() -> Iterator[None]:
    """DecodeError for whatever this meets that isn't AMQP."""
    try:
        yield
    except (IndexError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(str(error)) from error


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message as it is stored: the parts that are handed on unchanged, and what the broker acts on.

    `header` is its first three fields and `annotations` its pairs, encoded; `bare` runs from the properties to the
    end. `type` is the application property that filters look at. `ttl` is in milliseconds, `scheduled` in
    milliseconds since 1970. Of one that was forwarded (`hops` times since it came or was a dead letter), `origin` is
    its sequence number where it came in first (else 0), and `source` the entity that dead-lettered it.
    """

    header: bytes
    annotations: bytes
    bare: bytes
    message_id: str | None = None
    correlation_id: str | None = None
    type: str | None = None
    ttl: int | None = None
    origin: int = 0
    source: str | None = None
    scheduled: int | None = None
    hops: int = 0

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.header) + len(self.annotations) + len(self.bare)


def skip(data: bytes, at: int) -> int:
    """The index behind the value that starts at `at`."""
    code = data[at]
    if code == 0:
        return skip(data, skip(data, at + 1))
    family = code >> 4
    if family in _WIDTHS:
        return at + 1 + _WIDTHS[family]
    if family not in _SIZES:
        raise DecodeError(f"unknown type code 0x{code:02x}")
    if _SIZES[family] == 1:
        return at + 2 + data[at + 1]
    return at + 5 + int.from_bytes(data[at + 1 : at + 5])


def read(data: bytes, at: int = 0) -> object:
    """The text, bytes, whole number or constant that starts at `at`; anything else as its encoded bytes."""
    code, end = data[at], skip(data, at)
    if end > len(data):
        raise DecodeError("a value runs over the end of the message")
    if code in _CONSTANTS:
        return _CONSTANTS[code]
    if code in _SIGNED:
        return int.from_bytes(data[at + 1 : end], signed=_SIGNED[code])
    if code in (0xA0, 0xA1, 0xA3, 0xB0, 0xB1, 0xB3):
        raw = data[at + (2 if code < 0xB0 else 5) : end]
        return raw if code in (0xA0, 0xB0) else raw.decode()
    return data[at:end]


def items(data: bytes, at: int = 0) -> list[bytes]:
    """The items of the list or map that starts at `at`, encoded."""
    code = data[at]
    if code not in (0x45, 0xC0, 0xC1, 0xD0, 0xD1):
        raise DecodeError(f"neither a list nor a map: type code 0x{code:02x}")
    # Size and count precede the items, in as many bytes each.
    width = _SIZES.get(code >> 4, 0)
    position = at + 1 + 2 * width
    count = int.from_bytes(data[position - width : position])
    found = []
    for _ in range(count):
        end = skip(data, position)
        found.append(data[position:end])
        position = end
    if position != skip(data, at):
        raise DecodeError("a list or map isn't as long as it says")
    return found


@decoding()
def parse(data: bytes) -> Envelope:
    """Take an encoded message apart; DecodeError when it isn't one."""
    sections = _sections(data)
    values = {code: value for code, _, value in sections}
    header = [*items(values.get(HEADER, _NOTHING)), NULL, NULL, NULL][:3]
    annotations = _pairs(values.get(ANNOTATIONS, _NOTHING))
    properties = [*items(values.get(PROPERTIES, _NOTHING)), *[NULL] * 6]
    return Envelope(
        header=b"".join(header),
        annotations=b"".join(key + value for key, value in annotations.items() if key not in _KEYS.values()),
        bare=b"".join(section for _, section, _ in dropwhile(lambda each: each[0] < PROPERTIES, sections)),
        message_id=_text(properties[0]),
        correlation_id=_text(properties[5]),
        type=_text(_pairs(values.get(APPLICATION_PROPERTIES, _NOTHING)).get(_FILTERED, NULL)),
        ttl=_milliseconds(header[2]),
        scheduled=_milliseconds(annotations.get(_SCHEDULED, NULL)),
    )


def _text(encoded: bytes) -> str | None:
    value = read(encoded)
    return None if value is None else str(value)


def _milliseconds(encoded: bytes) -> int | None:
    value = read(encoded)
    return min(value, _FOREVER) if isinstance(value, int) else None


@decoding()
def batch(data: bytes) -> list[bytes]:
    """The encoded messages that a batch (message format 0x80013700) carries in its data sections."""
    found = [read(value) for code, _, value in _sections(data) if code == DATA]
    return [item for item in found if isinstance(item, bytes)]


def with_message_id(envelope: Envelope, message_id: str) -> Envelope:
    """The same message with an id, which it had none of."""
    edited = _edited(envelope.bare, PROPERTIES, lambda value: listed([string(message_id), *items(value)[1:]]))
    return replace(envelope, bare=edited, message_id=message_id)


def with_application_properties(envelope: Envelope, added: Mapping[str, bytes]) -> Envelope:
    """The same message with these application properties (encoded) set, all others and every other section as is."""

    def edit(value: bytes) -> bytes:
        pairs = _pairs(value) | {string(name): encoded for name, encoded in added.items()}
        return _map(2 * len(pairs), b"".join(key + encoded for key, encoded in pairs.items()))

    return replace(envelope, bare=_edited(envelope.bare, APPLICATION_PROPERTIES, edit))


def _edited(bare: bytes, code: int, edit: Callable[[bytes], bytes]) -> bytes:
    """The same sections, with one made of the value that it had; of an empty list where it wasn't there."""
    sections = _sections(bare)
    before = b"".join(section for found, section, _ in sections if found < code)
    after = b"".join(section for found, section, _ in sections if found > code)
    value = next((value for found, _, value in sections if found == code), _NOTHING)
    return before + b"\x00\x53" + bytes([code]) + edit(value) + after


def encode(envelope: Envelope, delivery_count: int, own: Mapping[str, object], lock: UUID | None = None) -> bytes:
    """A message for a receiver, with the broker's `own` annotations, and the lock under which it is delivered."""
    header = envelope.header + NULL + b"\x70" + struct.pack(">I", delivery_count)
    pairs, count, at = envelope.annotations, 2 * len(own), 0
    while at < len(envelope.annotations):
        at, count = skip(envelope.annotations, at), count + 1
    for name, value in own.items():
        pairs += _KEYS[name] + _OWN[name](value)
    head = b"\x00\x53\x70\xc0" + bytes([len(header) + 1, 5]) + header
    # The section is there without a lock as well, empty, as from Azure.
    locked = b"" if lock is None else b"\xa3\x10x-opt-lock-token\x98" + lock.bytes
    head += b"\x00\x53\x71" + _map(2 if locked else 0, locked)
    return head + b"\x00\x53\x72" + _map(count, pairs) + envelope.bare


def _sections(data: bytes) -> list[tuple[int, bytes, bytes]]:
    """Each section's code, the section, and its value."""
    found, at = [], 0
    while at < len(data):
        start = skip(data, at + 1)
        code, end = data[start - 1], skip(data, start)
        if data[at] != 0 or data[at + 1] not in _ULONGS or not HEADER <= code <= FOOTER or end > len(data):
            raise DecodeError("not a section of an AMQP message")
        found.append((code, data[at:end], data[start:end]))
        at = end
    return found


def _pairs(data: bytes) -> dict[bytes, bytes]:
    """A map, its keys and values encoded; every known encoder gives a short key its short form."""
    encoded = items(data)
    return dict(zip(encoded[0::2], encoded[1::2], strict=False))


def listed(fields: list[bytes]) -> bytes:
    """A list of encoded values."""
    content = b"".join(fields)
    if len(content) < 255 and len(fields) < 256:
        return b"\xc0" + bytes([len(content) + 1, len(fields)]) + content
    return b"\xd0" + struct.pack(">II", len(content) + 4, len(fields)) + content


def string(text: object) -> bytes:
    """A text."""
    raw = str(text).encode()
    return b"\xa1" + bytes([len(raw)]) + raw if len(raw) < 256 else b"\xb1" + struct.pack(">I", len(raw)) + raw


def _map(count: int, pairs: bytes) -> bytes:
    return b"\xd1" + struct.pack(">II", len(pairs) + 4, count) + pairs


def _symbol(text: str) -> bytes:
    return b"\xa3" + bytes([len(text)]) + text.encode()


_LONG, _TIMESTAMP, _INT = (partial(struct.pack, *form) for form in ((">Bq", 0x81), (">Bq", 0x83), (">Bi", 0x71)))
# What the broker itself says of a message; a sender's own values for these are dropped.
_OWN: dict[str, Callable[[Any], bytes]] = {
    "x-opt-sequence-number": _LONG,
    "x-opt-enqueue-sequence-number": _LONG,
    "x-opt-enqueued-time": _TIMESTAMP,
    "x-opt-locked-until": _TIMESTAMP,
    "x-opt-message-state": _INT,
    "x-opt-deadletter-source": string,
}
_KEYS = {name: _symbol(name) for name in _OWN}
_FILTERED, _SCHEDULED = string("cloudEvents_type"), _symbol("x-opt-scheduled-enqueue-time")
