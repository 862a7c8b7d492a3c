"""Splits what a client sends into AMQP frames, and mends for Proton's engine what it would refuse or drop.

Proton drops the message format of a transfer, by which alone a batch can be told from a message. It refuses a delivery
id that doesn't follow the last one's, though Service Bus takes it: azure-servicebus repeats ids when it sends from
several coroutines or threads at once. So the engine sees ids that follow each other, and the client hears of its own.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from proton import Array, Data, Message, ProtonException

from local.service_bus.codec import NULL, DecodeError, items, listed, read, skip

MAX_FRAME_SIZE = 65_536
_BATCH_FORMAT = 0x80013700
_BEGIN, _TRANSFER, _DISPOSITION, _DETACH = (b"\x00\x53" + code for code in (b"\x11", b"\x14", b"\x15", b"\x16"))
_SASL_HEADER = b"AMQP\x03\x01\x00\x00"
# MSSBCBS is Azure's name for "anonymous, with a token to come", and all that some of its SDKs, .NET among them, take.
_MECHANISMS = b"\x00\x00\x00\x24\x02\x01\x00\x00\x00\x53\x40\xc0\x17\x01\xe0\x14\x02\xa3\x09ANONYMOUS\x07MSSBCBS"
_WELCOME = b"\x00\x00\x00\x10\x02\x01\x00\x00\x00\x53\x44\xc0\x03\x01\x50\x00"


class MalformedError(Exception):
    """A client sent what isn't AMQP. There is no one to explain that to: the connection ends."""


@contextmanager
def reading() -> Iterator[None]:
    """While this reads what a client sent; Proton's Python, too, looks into it only now, and trusts it."""
    try:
        yield
    except (ProtonException, DecodeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise MalformedError(str(error)) from error


def decoded(data: bytes) -> Any:
    """Proton's message, its ids through `owned` alone; MalformedError when it isn't one."""
    message: Any = Message()
    with reading():
        message.decode(data)
        message.properties, message.body = owned(message.properties), owned(message.body)
    return message


def encoded(values: Mapping[Any, Any]) -> dict[str, bytes]:
    """Values that Proton has decoded, each encoded again, by their names."""
    found = {}
    for name, value in values.items():
        data = Data()
        data.put_object(value)
        found[str(name)] = bytes(data.encode())
    return found


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
    return value


class Frames:
    """The bytes of one connection, in order."""

    def __init__(self) -> None:
        self._received = self._sent = b""
        self._sessions: dict[int, _Session] = {}
        self._channels: dict[int, int] = {}

    def received(self, data: bytes) -> list[tuple[bytes, bool]]:
        """Each whole frame (or protocol header), and whether it is a transfer of a batch. MalformedError on garbage."""
        found, self._received = _split(self._received + data, MAX_FRAME_SIZE)
        with reading():
            return [self._from_client(frame) for frame in found]

    def sent(self, data: bytes) -> bytes:
        """What the client gets to see of what the engine sends."""
        found, self._sent = _split(self._sent + data)
        return b"".join(map(self._to_client, found))

    def _from_client(self, frame: bytes) -> tuple[bytes, bool]:
        kind, channel = _kind(frame), int.from_bytes(frame[6:8])
        if kind == _BEGIN:
            self._sessions[channel] = _Session()
        if kind == _DETACH:
            self._sessions[channel].unfinished.pop(_fields(frame)[1][0], None)
        if kind != _TRANSFER:
            return frame, False
        encoded, (handle, theirs, _, form, settled, more, _, _, _, aborted, *_) = _fields(frame)
        session = self._sessions[channel]
        ours = session.unfinished.pop(handle, None)
        if ours is None:
            ours = session.begin(theirs, settled)
        if more and not aborted:
            session.unfinished[handle] = ours
        if theirs not in (None, ours):
            encoded[1] = NULL  # The engine counts on by itself.
            frame = _frame(frame, encoded)
        return frame, form == _BATCH_FORMAT

    def _to_client(self, frame: bytes) -> bytes:
        kind, channel = _kind(frame), int.from_bytes(frame[6:8])
        if kind == _BEGIN:
            self._channels[channel] = _fields(frame)[1][0]
        if kind != _DISPOSITION:
            return frame
        encoded, (of_receiver, first, last, *_) = _fields(frame)
        theirs = self._sessions[self._channels[channel]].theirs
        if not of_receiver or not theirs:
            return frame
        ids = [theirs.pop(ours, ours) for ours in range(first, (first if last is None else last) + 1)]
        return b"".join(_frame(frame, [encoded[0], b"\x70" + each.to_bytes(4), NULL, *encoded[3:]]) for each in ids)


class _Session:
    """The deliveries that a client sends in one session: `theirs` by the engine's ids where these are others."""

    def __init__(self) -> None:
        self.next: int | None = None
        self.theirs: dict[int, int] = {}
        self.unfinished: dict[object, int] = {}

    def begin(self, theirs: Any, settled: Any) -> int:
        theirs &= 0xFFFFFFFF  # as the engine reads it; none, or a text, is malformed
        ours: int = theirs if self.next is None else self.next
        self.next = ours + 1
        if theirs != ours and not settled:
            self.theirs[ours] = theirs
        return ours


def _split(data: bytes, limit: int | None = None) -> tuple[list[bytes], bytes]:
    found, at = [], 0
    while len(data) - at >= 8:
        size = 8 if data[at : at + 4] == b"AMQP" else int.from_bytes(data[at : at + 4])
        if size < 8 or (limit and size > limit):
            raise MalformedError(f"not AMQP: a frame of {size} bytes")
        if len(data) - at < size:
            break
        found.append(data[at : at + size])
        at += size
    return found, data[at:]


def _kind(frame: bytes) -> bytes:
    start = frame[4] * 4
    return frame[start : start + 3]


def _fields(frame: bytes) -> tuple[list[bytes], list[Any]]:
    """The fields of a frame's performative, encoded and read."""
    encoded = items(frame, frame[4] * 4 + 3)
    return encoded, [read(field) for field in encoded] + [None] * (11 - len(encoded))


def _frame(frame: bytes, encoded: list[bytes]) -> bytes:
    """The same frame with other fields."""
    start = frame[4] * 4 + 3
    body = frame[4:start] + listed(encoded) + frame[skip(frame, start) :]
    return (4 + len(body)).to_bytes(4) + body


def sasl(frame: bytes) -> bytes:
    """The answer to a frame of SASL, which lets everybody in: tokens come later. Empty for any other frame."""
    if frame == _SASL_HEADER:
        return _SASL_HEADER + _MECHANISMS
    return _WELCOME if frame[5] == 1 and not frame.startswith(b"AMQP") else b""
