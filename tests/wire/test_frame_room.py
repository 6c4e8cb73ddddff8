"""Frames that are received where they stay: the same frames as by copying, and memory that nobody looks at any more."""

from __future__ import annotations

import struct
from random import Random

import pytest

from logctl.wire.connection import FrameBuffer, FrameRoom, PeerFault


def put(room: FrameRoom, data: bytes) -> list[memoryview]:
    """As much of `data` as there is room for comes in, and the rest after it."""
    frames = []
    while data:
        view = room.room()
        count = min(len(view), len(data))
        view[:count] = data[:count]
        view.release()
        frames += room.arrived(count)
        data = data[count:]
    return frames


def framed(*bodies: bytes) -> bytes:
    return b"".join(struct.pack(">i", len(body)) + body for body in bodies)


@pytest.mark.parametrize("seed", range(5))
def test_however_the_stream_is_cut_the_frames_are_those_of_a_copy(seed: int) -> None:
    chance = Random(seed)
    sizes = [chance.choice((0, 3, 100, 300_000, 5_000_000)) + chance.randrange(9) for _ in range(12)]
    stream = framed(*[chance.randbytes(size) for size in sizes])
    room, copying = FrameRoom(1 << 24, "the peer"), FrameBuffer(1 << 24, "the peer")
    kept: list[memoryview] = []
    expected: list[bytes] = []
    position = 0
    while position < len(stream):
        piece = stream[position : position + chance.choice((1, 2, 7, 1000, 200_000, 1 << 20))]
        position += len(piece)
        kept += put(room, piece)
        expected += [bytes(frame) for frame in copying.feed(piece)]
        assert [bytes(frame) for frame in kept] == expected
        if chance.random() < 0.3:
            kept, expected = [], []


def test_memory_is_used_again_when_nobody_looks_at_it_and_not_before() -> None:
    room = FrameRoom(1 << 24, "the peer")
    [first] = put(room, framed(b"first"))
    memory = first.obj
    [second] = put(room, framed(b"second"))
    assert second.obj is not memory, "somebody looks at the first one"
    assert bytes(first) == b"first"
    memory = second.obj
    del second
    [third] = put(room, framed(b"third"))
    assert third.obj is memory


def test_a_stranger_is_recognised_and_nothing_is_reserved_for_what_is_only_announced() -> None:
    with pytest.raises(PeerFault, match="above the limit of 3"):
        put(FrameRoom(3, "the peer"), b"\0\0\0\4")
    room = FrameRoom(1 << 30, "the peer")
    put(room, struct.pack(">i", 1 << 29))
    assert len(room.room()) < 5 << 20
