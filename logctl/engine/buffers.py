"""Memory for bytes on their way in: one arena for everybody, and a buffer for each frame that is not whole yet.

Every connection receives into the same arena, which starts afresh each tick; whole frames are handled where they lie.
What is left of an unfinished frame moves to a buffer of its own, which grows with what has arrived, never with what was
announced: beyond 64 KiB it is at most twice as large as its contents. So a connection that says nothing owns nothing,
and one that announces 100 MiB and sends 10 bytes owns 64 KiB.

All such buffers share one budget. When it is used up, connections that need more wait their turn (the shell stops
reading from them); the first of them may exceed the budget for its one frame, because otherwise all could be waiting
for each other.
"""

from __future__ import annotations

from collections import deque
from typing import Final

ARENA_BYTES: Final = 4 << 20
CHUNK_BYTES: Final = 1 << 20
"""The most that is received from one connection at once."""
SMALL_BYTES: Final = 64 << 10
_POOLED_BYTES_MIN: Final = 68 << 10
_KEPT_BYTES_MAX: Final = 16 << 20


class Arena:
    """`view[position:]` is free. Whoever receives moves `position`; the tick's end sets it back to 0."""

    __slots__ = ("position", "view")

    def __init__(self) -> None:
        self.view = memoryview(bytearray(ARENA_BYTES))
        self.position = 0


class Buffers:
    """Buffers for unfinished frames, under one budget in bytes. Large ones are kept for reuse."""

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self.lent_bytes = 0
        self._free: dict[int, list[memoryview]] = {}
        self._free_bytes = 0
        self._favoured: object = None
        self._starving: deque[object] = deque()

    def take(self, arrived: int, frame_bytes: int) -> memoryview:
        """A buffer for a frame of `frame_bytes` of which `arrived` are here."""
        size = capacity(arrived, frame_bytes)
        self.lent_bytes += size
        stock = self._free.get(size)
        if stock:
            self._free_bytes -= size
            return stock.pop()
        return memoryview(bytearray(size))

    def give(self, buffer: memoryview) -> None:
        """Take a buffer back. No view of it may be in use any more."""
        size = len(buffer)
        self.lent_bytes -= size
        if size > SMALL_BYTES and self._free_bytes + size <= _KEPT_BYTES_MAX:
            self._free.setdefault(size, []).append(buffer)
            self._free_bytes += size

    def allows(self, who: object, more_bytes: int) -> bool:
        """Whether `who` may grow by `more_bytes` now. If not, it is in the queue and `next_turn` will name it."""
        if self.lent_bytes + more_bytes <= self.budget_bytes or self._favoured is who:
            return True
        if self._favoured is None:
            self._favoured = who
            return True
        self._starving.append(who)
        return False

    def done(self, who: object) -> None:
        """`who` has its frame, or is closed."""
        if self._favoured is who:
            self._favoured = None

    def next_turn(self) -> object | None:
        """Somebody who was refused and may ask again, or None."""
        if self._starving and (self._favoured is None or self.lent_bytes < self.budget_bytes):
            return self._starving.popleft()
        return None


def capacity(arrived: int, frame_bytes: int) -> int:
    """How large a buffer is to be: the frame, but beyond 64 KiB at most twice what has arrived.

    Larger buffers come in sizes of 68 KiB times a power of two, so that they can be reused, and so that the batch of
    1 MiB, which everybody sends, fits into one of them with its headers.
    """
    if frame_bytes <= SMALL_BYTES or arrived >= frame_bytes:
        return max(arrived, frame_bytes)
    size = _POOLED_BYTES_MIN
    if 2 * arrived < size:
        return SMALL_BYTES
    while size < frame_bytes and size <= arrived:
        size *= 2
    return max(size, arrived)
