"""Deadlines that move: one heap for all groups, and nothing to do when a deadline is put off.

Most deadlines here are sessions, and a session is put off by every heartbeat long before it comes. So putting off is
one assignment: the heap keeps the timer where it was queued, and looks at its true deadline only when that time has
come. A timer has at most one entry that counts; an entry is stale when the timer is queued elsewhere.

Queue times further away than `COARSE_MS` are rounded up to the next 128 ms, so that ten thousand sessions wake the node
eight times a second and not two hundred times. A timer may therefore act that much late, never early.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from itertools import count
from typing import Any, Final

COARSE_MS: Final = 2_000
GRAIN_MS: Final = 127


class Timer:
    """Something to do at `deadline_ms`; None while it is stopped."""

    __slots__ = ("act", "arguments", "deadline_ms", "queued_ms")

    def __init__(self, act: Callable[..., Any], *arguments: Any) -> None:
        """`act(turn, *arguments)` is called by whoever ticks."""
        self.act = act
        self.arguments = arguments
        self.deadline_ms: int | None = None
        self.queued_ms: int | None = None


class Timers:
    """All timers of a coordinator."""

    def __init__(self) -> None:
        self._queue: list[tuple[int, int, Timer]] = []
        self._order = count()

    def start(self, timer: Timer, now_ms: int, delay_ms: int) -> None:
        """Let it act `delay_ms` from now; replaces what was set before."""
        timer.deadline_ms = deadline_ms = now_ms + delay_ms
        if timer.queued_ms is None or deadline_ms < timer.queued_ms - GRAIN_MS:
            self._push(timer, deadline_ms | GRAIN_MS if delay_ms > COARSE_MS else deadline_ms)

    def stop(self, timer: Timer) -> None:
        """It will not act, until it is started again."""
        timer.deadline_ms = None

    def due(self, now_ms: int) -> Iterator[Timer]:
        """Every timer whose time has come, each stopped before it is handed out."""
        queue = self._queue
        while queue and queue[0][0] <= now_ms:
            queued_ms, _, timer = heappop(queue)
            if timer.queued_ms != queued_ms:
                continue
            timer.queued_ms = None
            if timer.deadline_ms is None:
                continue
            if timer.deadline_ms > now_ms:
                self._push(timer, timer.deadline_ms | GRAIN_MS)
                continue
            timer.deadline_ms = None
            yield timer

    def next_deadline_ms(self) -> int | None:
        """When to look again; something may turn out to have been put off."""
        return self._queue[0][0] if self._queue else None

    def _push(self, timer: Timer, queued_ms: int) -> None:
        timer.queued_ms = queued_ms
        heappush(self._queue, (queued_ms, next(self._order), timer))
