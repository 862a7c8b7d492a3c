"""Splits what a client sends into AMQP frames, and tells which of them begin a batch.

Proton takes any bytes, but drops the message format of a transfer, by which alone a batch can be told from a message.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager

from proton import ProtonException

from local.service_bus.codec import items, read

MAX_FRAME_SIZE = 65_536
_BATCH_FORMAT = 0x80013700
_TRANSFER = b"\x00\x53\x14"


class MalformedError(Exception):
    """A client sent what isn't AMQP. There is no one to explain that to: the connection ends."""


@contextmanager
def reading() -> Iterator[None]:
    """While this reads what a client sent through Proton's Python, which looks into it only now, and trusts it."""
    try:
        yield
    except (ProtonException, ValueError, TypeError) as error:
        raise MalformedError(str(error)) from error


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


def _begins_batch(frame: bytes) -> bool:
    start = frame[4] * 4
    if frame[start : start + 3] != _TRANSFER:
        return False
    try:
        fields = items(frame, start + 3)
        return len(fields) > 4 and read(frame, fields[3]) == _BATCH_FORMAT
    except (IndexError, struct.error, ValueError) as error:
        raise MalformedError(f"not AMQP: {error}") from error
