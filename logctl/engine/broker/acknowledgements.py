"""Answers to acks=all that wait for other nodes: until the high watermark has passed what was appended.

Theory of operation
-------------------
What is appended to a partition that others copy makes a *promise*, which lies with its replica (`Promises`) in the
order of offsets. Who moves the high watermark decides the promises below it and looks at no other one, so that what is
waiting costs nothing while it waits. A promise is decided for good by

- the watermark: it is kept;
- an in-sync set with fewer members than min.insync.replicas asks for: the batch is there, and not committed before
  there are more (NOT_ENOUGH_REPLICAS_AFTER_APPEND);
- the end of this node's reign, also when it leads again: what was appended may be cut (NOT_LEADER_OR_FOLLOWER);
- a disk that did not take the batch, or failed later (KAFKA_STORAGE_ERROR), and the end of the partition;
- its time, which the request names (REQUEST_TIMED_OUT): the batch may be kept all the same.

An answer (`Owed`) is decided with the last of its promises. Decided answers gather in `Waiting.decided`; at the end of
the tick the shell lets them leave, each in the place that its request has on its connection (`connection.py`). So a
connection may have many requests waiting at once, and a follower that asks decides the answers of all of them.

Promises are not asked for the time one by one: the earliest deadline of all is known (too early at worst), and when it
has come all that waits is looked through once.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from logctl.wire import errors
from logctl.wire.errors import WireError

if TYPE_CHECKING:
    from logctl.engine.broker.replica import Replica

Key = tuple[int, int]
"""(place of the topic in the request, place of the partition in the topic)."""
_LATE: Final = "Not all in-sync replicas have the batch yet; it may be kept all the same"


class Owed:
    """An answer that waits. `whose` is the shell's: who is to get it."""

    __slots__ = ("deadline_ms", "decided", "whose")

    def __init__(self, deadline_ms: int) -> None:
        self.deadline_ms = deadline_ms
        self.decided = False
        self.whose: Any = None

    def parts(self) -> list[Any]:
        """The frame of the answer, once it is decided; asked for once."""
        raise NotImplementedError


class Promise:
    """One batch of an answer."""

    __slots__ = ("deadline_ms", "key", "last_offset", "owed")

    def __init__(self, owed: Several, key: Key, last_offset: int) -> None:
        self.owed = owed
        self.key = key
        self.last_offset = last_offset
        self.deadline_ms = owed.deadline_ms

    def decide(self, error: WireError | None) -> Owed | None:
        """The answer, if this was its last open promise."""
        return self.owed.decide(self.key, error)


class Several(Owed):
    """The answer to a request with any number of batches. `make` is told which promises are broken, and why."""

    __slots__ = ("_broken", "_make", "_open")

    def __init__(self, deadline_ms: int, make: Callable[[Mapping[Key, WireError]], list[Any]]) -> None:
        super().__init__(deadline_ms)
        self._broken: dict[Key, WireError] = {}
        self._make = make
        self._open = 0

    def await_all(self, batches: list[tuple[Key, Replica, int]]) -> None:
        """Of each batch: where it stands in the request, its replica, and its last offset."""
        self._open = len(batches)
        for key, replica, last_offset in batches:
            replica.promise(Promise(self, key, last_offset))

    def decide(self, key: Key, error: WireError | None) -> Owed | None:
        if error is not None:
            self._broken[key] = error
        self._open -= 1
        self.decided = not self._open
        return self if self.decided else None

    def parts(self) -> list[Any]:
        return self._make(self._broken)


@dataclass(frozen=True, slots=True)
class AfterCopies:
    """The answer to a produce request that others must have first. `only` is the replica when there was one batch for
    one partition and it was appended; `refuse(correlation_id, error)` is the frame that says that such a one failed."""

    owed: Owed
    only: Replica | None
    refuse: Callable[[int, WireError], bytes] | None


class Promises:
    """The open promises of one replica, by rising last offset. Whatever is decided goes to `decided`."""

    __slots__ = ("_decided", "_open")

    def __init__(self, decided: list[Owed]) -> None:
        self._decided = decided
        self._open: deque[Any] = deque()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, promise: Any) -> None:
        """A `Promise`, or an `Owed` that is its own only promise."""
        waiting = self._open
        if waiting and promise.last_offset < waiting[-1].last_offset:  # of a batch that was sent before
            insort(waiting, promise, key=_last_offset)
        else:
            waiting.append(promise)

    def keep(self, end: int) -> None:
        """What lies below `end` is where it is to be."""
        waiting, decided = self._open, self._decided
        while waiting and waiting[0].last_offset < end:
            owed = waiting.popleft().decide(None)
            if owed is not None:
                decided.append(owed)

    def break_from(self, offset: int, error: WireError) -> None:
        """What reaches `offset` or beyond is not there."""
        waiting = self._open
        while waiting and waiting[-1].last_offset >= offset:
            self._break(waiting.pop(), error)

    def break_all(self, error: WireError) -> None:
        broken, self._open = self._open, deque()
        for promise in broken:
            self._break(promise, error)

    def expire(self, now_ms: int | None) -> int | None:
        """Break what has no time left, everything without a time; the earliest deadline of the others."""
        waiting, self._open = self._open, deque()
        for promise in waiting:
            if now_ms is None or promise.deadline_ms <= now_ms:
                self._break(promise, WireError(errors.REQUEST_TIMED_OUT, _LATE))
            else:
                self._open.append(promise)
        return min((promise.deadline_ms for promise in self._open), default=None)

    def _break(self, promise: Any, error: WireError) -> None:
        owed = promise.decide(error)
        if owed is not None:
            self._decided.append(owed)


def _last_offset(promise: Any) -> int:
    offset: int = promise.last_offset
    return offset
