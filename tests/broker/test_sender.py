"""Sending: bytes and ranges of files leave in order and complete, whatever the socket takes at a time."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from logctl.engine import sender
from logctl.engine.broker.range import Range
from logctl.engine.log.disk import File, RealDisk

KIB, MIB = 1 << 10, 1 << 20


@pytest.fixture
def file(tmp_path: Path) -> File:
    path = tmp_path / "log"
    path.write_bytes(random.Random(5).randbytes(8 * MIB))
    return RealDisk().open(str(path))


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair()
    left.setblocking(False)
    left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32 * KIB)
    yield left, right
    left.close()
    right.close()


def drained(parts: list[Any], pair: tuple[socket.socket, socket.socket]) -> bytes:
    """Send everything while the other side reads; what it got."""
    got = bytearray()
    while parts:
        sent = sender.transmit(pair[0], parts)
        while sent:
            piece = pair[1].recv(sent)
            got += piece
            sent -= len(piece)
    return bytes(got)


@pytest.mark.parametrize("sizes", [(10,), (10, 20, 30), (70 * KIB, 80 * KIB), (3 * MIB, 1), ()])
def test_bytes_leave_in_order(pair: tuple[socket.socket, socket.socket], sizes: tuple[int, ...]) -> None:
    parts = [os.urandom(size) for size in sizes]
    assert drained(list(parts), pair) == b"".join(parts)


@pytest.mark.parametrize("length", [1, 100 * KIB, 256 * KIB, 256 * KIB + 1, 5 * MIB])
def test_ranges_leave_between_bytes(pair: tuple[socket.socket, socket.socket], file: File, length: int) -> None:
    ranges = [Range(file, 1000, length), Range(file, 7, 50 * KIB), Range(file, 0, length)]
    parts = [b"head", ranges[0], b"between", ranges[1], ranges[2], b"tail"]
    expected = b"".join(file.pread(part.length, part.position) if isinstance(part, Range) else part for part in parts)
    assert drained(parts, pair) == expected


def test_a_full_socket_keeps_the_rest_of_the_list(pair: tuple[socket.socket, socket.socket], file: File) -> None:
    parts: list[Any] = [b"head", Range(file, 0, 4 * MIB), b"tail"]
    sent = sender.transmit(pair[0], parts)
    assert 4 < sent < 4 * MIB
    assert (parts[0].position, parts[0].length) == (sent - 4, 4 * MIB - sent + 4)
    assert sender.weight(parts) < KIB, "a range weighs nothing"


def test_a_range_that_the_file_no_longer_holds_is_not_made_up(
    pair: tuple[socket.socket, socket.socket], file: File
) -> None:
    for length in (100 * KIB, MIB):
        with pytest.raises(sender.RangeUnreadable):
            sender.transmit(pair[0], [Range(file, 8 * MIB, length)])


def test_a_peer_that_is_gone(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[1].close()
    with pytest.raises(OSError):
        sender.transmit(pair[0], [b"anybody there?"])
