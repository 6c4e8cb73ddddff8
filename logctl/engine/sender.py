"""The sending half of a connection.

Answers are lists of parts: bytes, and ranges of log files (`broker/range.py`). A range is never copied into memory of
its own. A big one goes from the page cache to the socket by sendfile; small ones are read into one bounce buffer that
all connections share, and leave in one call with the bytes around them. A connection whose socket is full keeps only
the list of what is left.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any, Final

from logctl.engine.broker.range import Range

BOUNCE_BYTES: Final = 256 << 10
_TURN_BYTES_MAX: Final = 4 << 20
"""Sent at most in one turn, so that a fast reader cannot keep the loop from the others."""
_JOINED_BYTES_MAX: Final = 128 << 10
_PARTS_MAX: Final = 512
_RANGE_WEIGHT: Final = 200

_bounce: Final = memoryview(bytearray(BOUNCE_BYTES))


class RangeUnreadable(Exception):
    """The file no longer holds the range that was announced; the answer cannot be completed."""


def transmit(sock: socket.socket, parts: list[Any]) -> int:
    """Send as much of `parts` as the socket takes now and remove it from the list; the number of bytes sent.

    Raises OSError when the connection is gone, and RangeUnreadable.
    """
    total = done = 0
    try:
        if len(parts) == 1 and type(parts[0]) is bytes:
            total, done = _send_run(sock, parts, 0, parts)
        while done < len(parts) and total < _TURN_BYTES_MAX:
            run = _gather(parts, done)
            if run:
                sent, done = _send_run(sock, parts, done, run)
            else:
                sent, done = _send_file(sock, parts, done)
            total += sent
    except BlockingIOError:
        pass
    del parts[:done]
    return total


def _gather(parts: list[Any], first: int) -> list[Any]:
    """The buffers that can leave in one call, small ranges read into the bounce buffer; empty before a big range."""
    buffers: list[Any] = []
    used = 0
    for part in parts[first : first + _PARTS_MAX]:
        if not isinstance(part, Range):
            buffers.append(part)
        elif part.length <= BOUNCE_BYTES - used:
            view = _bounce[used : used + part.length]
            _read(part, view)
            buffers.append(view)
            used += part.length
        else:
            break
    return buffers


def _read(part: Range, view: memoryview) -> None:
    count = part.file.pread_into(view, part.position)
    if count != len(view):
        raise RangeUnreadable(f"{count} bytes at position {part.position} where {len(view)} were expected")


def _send_run(sock: socket.socket, parts: list[Any], first: int, run: list[Any]) -> tuple[int, int]:
    """Send a run of buffers; the bytes sent and the index of the first part that is not sent entirely."""
    more = socket.MSG_MORE if first + len(run) < len(parts) else 0
    if len(run) == 1:
        sent = sock.send(run[0], more)
    elif sum(map(len, run)) <= _JOINED_BYTES_MAX:
        sent = sock.send(b"".join(run), more)
    else:
        sent = sock.sendmsg(run, (), more)
    left = sent
    for buffer in run:
        if left < len(buffer):
            parts[first] = _rest(parts[first], left)
            return sent, first
        left -= len(buffer)
        first += 1
    return sent, first


def _send_file(sock: socket.socket, parts: list[Any], first: int) -> tuple[int, int]:
    part = parts[first]
    sent = part.file.send_to(sock, part.position, min(part.length, _TURN_BYTES_MAX))
    if not sent:
        raise RangeUnreadable(f"the file ends before position {part.position}")
    if sent == part.length:
        return sent, first + 1
    parts[first] = _rest(part, sent)
    return sent, first


def _rest(part: Any, sent: int) -> Any:
    return part.after(sent) if isinstance(part, Range) else memoryview(part)[sent:]


def weight(parts: Sequence[Any]) -> int:
    """Bytes of memory that a list of parts keeps: a range counts as the little it is."""
    return sum(_RANGE_WEIGHT if isinstance(part, Range) else len(part) for part in parts)
