"""One deadline for everything a command does: connecting, asking, asking again, and watching the outcome."""

from __future__ import annotations

import time
from collections.abc import Callable


class Deadline:
    """A moment on the monotonic clock. What is left of it is handed down instead of a timeout per call."""

    __slots__ = ("_clock", "_end_s", "timeout_s")

    def __init__(self, timeout_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.timeout_s = timeout_s
        self._clock = clock
        self._end_s = clock() + timeout_s

    @property
    def left_s(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self._end_s - self._clock())

    @property
    def expired(self) -> bool:
        return self.left_s <= 0.0

    def at_most(self, timeout_s: float) -> Deadline:
        """An earlier deadline for one part of the work, never later than this one."""
        return Deadline(min(timeout_s, self.left_s), self._clock)

    def renew(self) -> None:
        """All the time there was at first, from now on: what takes long has got on."""
        self._end_s = self._clock() + self.timeout_s

    def pause(self, seconds: float) -> None:
        """Sleep, but not past the deadline."""
        time.sleep(min(seconds, self.left_s))


class Backoff:
    """Waiting times between attempts: doubling from 50 ms to one second."""

    __slots__ = ("_next_s",)

    def __init__(self) -> None:
        self._next_s = 0.05

    def pause(self, deadline: Deadline) -> None:
        deadline.pause(self._next_s)
        self._next_s = min(1.0, self._next_s * 2)
