"""Splits what a client sends into AMQP frames, and tells which of them begin a batch.

Proton takes any bytes, but drops the message format of a transfer, by which alone a batch can be told from a message.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from proton import Array, Described, Message, ProtonException

from local.service_bus.codec import items, read

MAX_FRAME_SIZE = 65_536
_BATCH_FORMAT = 0x80013700
_TRANSFER = b"\x00\x53\x14"
_SASL_HEADER = b"AMQP\x03\x01\x00\x00"
# MSSBCBS is Azure's name for "anonymous, with a token to come", and all that some of its SDKs, .NET among them, take.
_MECHANISMS = b"\x00\x53\x40\xc0\x17\x01\xe0\x14\x02\xa3\x09ANONYMOUS\x07MSSBCBS"
_WELCOME = b"\x00\x53\x44\xc0\x03\x01\x50\x00"


class MalformedError(Exception):
    """A client sent what isn't AMQP. There is no one to explain that to: the connection ends."""


@contextmanager
def reading() -> Iterator[None]:
    """While this reads what a client sent through Proton's Python, which looks into it only now, and trusts it."""
    try:
        yield
    except (ProtonException, ValueError, TypeError) as error:
        raise MalformedError(str(error)) from error


def decoded(data: bytes) -> Any:
    """Proton's message, its ids through `owned` alone; MalformedError when it isn't one."""
    message: Any = Message()
    with reading():
        message.decode(data)
        message.properties, message.body = owned(message.properties), owned(message.body)
    return message


def owned(value: Any) -> Any:
    """The value, a copy in the place of each view: Proton's views read memory that it frees with the message."""
    match value:
        case memoryview():
            return bytes(value)
        case dict():
            return {owned(key): owned(item) for key, item in value.items()}
        case list():
            return [owned(item) for item in value]
        case Array():
            return Array(value.descriptor, value.type, *map(owned, value.elements))
        case Described():
            return Described(value.descriptor, owned(value.value))
    return value


class Frames:
    """The bytes of one connection, in order."""

    def __init__(self) -> None:
        self._rest = b""

    def split(self, data: bytes) -> list[tuple[bytes, bool]]:
        """Each whole frame (or protocol header), and whether it is a transfer of a batch. MalformedError on garbage."""
        found: list[tuple[bytes, bool]] = []
        data, at = self._rest + data, 0
        while len(data) - at >= 8:
            size = 8 if data[at : at + 4] == b"AMQP" else int.from_bytes(data[at : at + 4])
            if not 8 <= size <= MAX_FRAME_SIZE:
                raise MalformedError(f"not AMQP: a frame of {size} bytes")
            if len(data) - at < size:
                break
            frame = data[at : at + size]
            found.append((frame, _begins_batch(frame)))
            at += size
        self._rest = data[at:]
        return found


def sasl(frame: bytes) -> bytes:
    """The answer to a frame of SASL, which lets everybody in: tokens come later. Empty for any other frame."""
    if frame == _SASL_HEADER:
        return _SASL_HEADER + _sasl_frame(_MECHANISMS)
    return _sasl_frame(_WELCOME) if frame[5] == 1 and not frame.startswith(b"AMQP") else b""


def _sasl_frame(body: bytes) -> bytes:
    return (8 + len(body)).to_bytes(4) + b"\x02\x01\x00\x00" + body


def _begins_batch(frame: bytes) -> bool:
    start = frame[4] * 4
    if frame[start : start + 3] != _TRANSFER:
        return False
    try:
        fields = items(frame, start + 3)
        return len(fields) > 4 and read(frame, fields[3]) == _BATCH_FORMAT
    except (IndexError, struct.error, ValueError) as error:
        raise MalformedError(f"not AMQP: {error}") from error
