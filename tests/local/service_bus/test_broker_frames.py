"""What the engine sees of a client's frames, and the client of the engine's."""

from __future__ import annotations

import pytest

from local.service_bus.codec import items, listed, read, string
from local.service_bus.frames import Frames, MalformedError

NULL, TRUE, FALSE, FOREVER = b"\x40", b"\x41", b"\x42", b"\x70\xff\xff\xff\xff"


def uint(number: int) -> bytes:
    return b"\x70" + number.to_bytes(4)


def frame(code: int, *fields: bytes, channel: int = 0, payload: bytes = b"") -> bytes:
    body = b"\x02\x00" + channel.to_bytes(2) + b"\x00\x53" + bytes([code]) + listed(list(fields)) + payload
    return (4 + len(body)).to_bytes(4) + body


def transfer(number: int | None, *, handle: int = 0, settled: bool = False, more: bool = False) -> bytes:
    identity = NULL if number is None else uint(number)
    flags = [TRUE if flag else FALSE for flag in (settled, more)]
    return frame(0x14, uint(handle), identity, b"\xa0\x01t", uint(0), *flags, channel=7, payload=b"payload")


def number(sent: bytes) -> object:
    """The delivery id of a transfer; None leaves it to the engine, which counts."""
    return read(items(sent, 11)[1])


def disposition(first: int, last: int | None = None) -> bytes:
    return frame(0x15, TRUE, uint(first), NULL if last is None else uint(last), TRUE, channel=3)


@pytest.fixture
def frames() -> Frames:
    """One session: the client's channel 7 is the engine's channel 3."""
    frames = Frames()
    begin = frame(0x11, NULL, channel=7)
    assert frames.received(begin) == [(begin, False)]
    begun = frame(0x11, uint(7), channel=3)
    assert frames.sent(begun) == begun
    return frames


def test_ids_that_follow_each_other_pass_as_they_are(frames: Frames) -> None:
    sent = transfer(5) + transfer(6)

    assert b"".join(each for each, _ in frames.received(sent)) == sent
    assert frames.sent(disposition(5, 6)) == disposition(5, 6)


def test_ids_that_are_repeated_are_left_to_the_engine_and_the_client_hears_of_its_own(frames: Frames) -> None:
    seen = [each for each, _ in frames.received(b"".join(map(transfer, (5, 5, 5, 6))))]

    assert seen[0] == transfer(5)
    assert [number(each) for each in seen[1:]] == [None] * 3
    assert all(each.endswith(b"payload") for each in seen)
    assert frames.sent(disposition(5, 7)) == disposition(5) * 3
    assert frames.sent(disposition(8)) == disposition(6)


def test_the_parts_of_a_message_keep_one_id_whether_they_repeat_it_or_not(frames: Frames) -> None:
    sent = [transfer(5), transfer(5, more=True), transfer(9, handle=1), transfer(5, more=True), transfer(None)]

    seen = [each for each, _ in frames.received(b"".join(sent))]

    assert [number(each) for each in seen[1:]] == [None] * 4
    assert frames.sent(disposition(6) + disposition(7)) == disposition(5) + disposition(9)


def test_what_a_link_left_unfinished_ends_with_it(frames: Frames) -> None:
    detach = frame(0x16, uint(0), channel=7)

    seen = [each for each, _ in frames.received(transfer(5, more=True) + detach + transfer(6))]

    assert seen == [transfer(5, more=True), detach, transfer(6)]


def test_frames_may_come_in_pieces(frames: Frames) -> None:
    sent = transfer(5) + transfer(5)

    seen = [each for byte in sent for each, _ in frames.received(bytes([byte]))]

    assert [number(each) for each in seen] == [5, None]
    assert b"".join(frames.sent(bytes([byte])) for byte in disposition(6)) == disposition(5)


def test_a_transfer_outside_a_session_is_malformed() -> None:
    with pytest.raises(MalformedError):
        Frames().received(transfer(1))


@pytest.mark.parametrize("identity", [NULL, string("five"), b"\xc0\x01\x00"])
def test_a_message_without_a_delivery_id_is_malformed(frames: Frames, identity: bytes) -> None:
    with pytest.raises(MalformedError):
        frames.received(frame(0x14, uint(0), identity, b"\xa0\x01t", uint(0), FALSE, FALSE, channel=7))


def test_a_delivery_id_that_is_too_long_is_read_as_the_engine_reads_it(frames: Frames) -> None:
    for identity in (uint(5), b"\x80" + (2**32 + 5).to_bytes(8)):
        frames.received(frame(0x14, uint(0), identity, b"\xa0\x01t", uint(0), FALSE, FALSE, channel=7))

    assert frames.sent(disposition(6)) == disposition(5)
