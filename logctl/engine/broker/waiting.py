"""Requests that wait for a partition to move, or for a deadline.

A fetch with nothing to send yet, for example, is parked here. It watches some *places* (replicas). Whoever moves a
place calls `stir`; at the end of the tick `settle` tries everything stirred, each request once however many of its
places moved. What is still here at its deadline gives up, which means answering with what there is. Nothing here reads
a clock: the time comes in.

Answers to produce requests that others must have first are not parked: they wait with their replicas
(`acknowledgements.py`). Here is only who has such promises open, until when, and which answers are decided by now.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from logctl.engine.broker.acknowledgements import Owed, Promises
    from logctl.engine.broker.request import Request

NEVER_MS: Final = 1 << 62


class Watcher:
    """Who is told, once for each `settle`, that something it watches has moved."""

    __slots__ = ()

    def stirred(self, waiting: Waiting, now_ms: int) -> None:
        raise NotImplementedError

    def marked(self, waiting: Waiting, now_ms: int) -> None:
        """The high watermark has moved, and nothing else."""
        self.stirred(waiting, now_ms)


class Place:
    """Something that can be watched. `watchers` is None while nobody does, which is nearly always."""

    __slots__ = ("watchers",)

    def __init__(self) -> None:
        self.watchers: dict[Watcher, None] | None = None

    def watch(self, watcher: Watcher) -> None:
        if self.watchers is None:
            self.watchers = {}
        self.watchers[watcher] = None

    def unwatch(self, watcher: Watcher) -> None:
        if self.watchers is not None:
            self.watchers.pop(watcher, None)
            if not self.watchers:
                self.watchers = None


class Parked(Watcher):
    """One waiting request. Subclasses say when it is ready and what to answer."""

    __slots__ = ("deadline_ms", "done", "places", "request")

    may_be_hastened = False
    """Whether it is harmless to give up before the deadline."""

    def __init__(self, request: Request[Any], places: Iterable[Place], deadline_ms: int) -> None:
        self.request = request
        self.places = tuple(places)
        self.deadline_ms = deadline_ms
        self.done = False

    def stirred(self, waiting: Waiting, now_ms: int) -> None:
        if not self.done:
            waiting.attempt(self, now_ms)

    def attempt(self, now_ms: int) -> bool:
        """Answer if what was waited for is there; False to go on waiting."""
        raise NotImplementedError

    def give_up(self, now_ms: int) -> None:
        """The deadline has come: answer with what there is."""
        raise NotImplementedError


class Waiting:
    """All parked requests of a node."""

    def __init__(self) -> None:
        self.faults: list[tuple[Request[Any], Exception]] = []
        """Requests that could not be answered because of a fault of ours; whoever runs the rounds empties it."""
        self.decided: list[Owed] = []
        """Answers that waited for other nodes and may leave; the shell empties it at the end of the tick."""
        self._owing: dict[Promises, None] = {}
        self.owing_due_ms = NEVER_MS
        """No open promise ends before."""
        self._deadlines: list[tuple[int, int, Parked]] = []
        self._order = count()
        self._by_request: dict[Request[Any], Parked] = {}
        self._stirred: dict[Watcher, None] = {}
        self._marked: dict[Watcher, None] = {}

    def __len__(self) -> int:
        return len(self._by_request)

    def park(self, parked: Parked) -> None:
        """Keep it until `attempt` succeeds, its deadline comes, or it is cancelled."""
        self._by_request[parked.request] = parked
        heappush(self._deadlines, (parked.deadline_ms, next(self._order), parked))
        for place in parked.places:
            place.watch(parked)

    def stir(self, place: Place) -> None:
        """`place` has moved: try its watchers at the next `settle`."""
        if place.watchers is not None:
            self._stirred.update(place.watchers)

    def mark(self, place: Place) -> None:
        """The high watermark of `place` has moved."""
        if place.watchers is not None:
            self._marked.update(place.watchers)

    def owe(self, promises: Promises, deadline_ms: int) -> None:
        """There are open promises, one of them until `deadline_ms`."""
        self._owing[promises] = None
        self.owing_due_ms = min(deadline_ms, self.owing_due_ms)

    def look_at(self, parked: Parked) -> None:
        """What it waits for may be there already: try it at the next `settle`."""
        self._stirred[parked] = None

    def settle(self, now_ms: int) -> None:
        """Try every stirred request once."""
        while self._stirred or self._marked:
            stirred, self._stirred = self._stirred, {}
            marked, self._marked = self._marked, {}
            for watcher in stirred:
                watcher.stirred(self, now_ms)
            for watcher in marked:
                if watcher not in stirred:
                    watcher.marked(self, now_ms)

    def expire(self, now_ms: int) -> None:
        """Make everything give up whose deadline has come."""
        while self._deadlines and (self._deadlines[0][2].done or self._deadlines[0][0] <= now_ms):
            parked = heappop(self._deadlines)[2]
            if not parked.done:
                self._give_up(parked, now_ms)
        if self.owing_due_ms <= now_ms:
            self._expire_promises(now_ms)

    def _expire_promises(self, now_ms: int | None) -> None:
        dues = {promises: promises.expire(now_ms) for promises in self._owing}
        self._owing = {promises: None for promises, due_ms in dues.items() if due_ms is not None}
        self.owing_due_ms = min((due_ms for due_ms in dues.values() if due_ms is not None), default=NEVER_MS)

    def expire_all(self, now_ms: int) -> None:
        """Make everything give up: the clock was set back, or the node stops."""
        for parked in list(self._by_request.values()):
            self._give_up(parked, now_ms)
        self._expire_promises(None)

    def cancel(self, request: Request[Any]) -> None:
        """Nobody wants the answer any more. Harmless when the request is not parked here."""
        parked = self._by_request.get(request)
        if parked is not None:
            self._release(parked)

    def hasten(self, request: Request[Any], now_ms: int) -> None:
        """Whoever asked this asks something else now, and would rather have this answered with what there is."""
        parked = self._by_request.get(request)
        if parked is not None and parked.may_be_hastened:
            self._give_up(parked, now_ms)

    def next_deadline_ms(self) -> int | None:
        """The earliest deadline of a request still waiting, or None. With promises it may be too early."""
        while self._deadlines and self._deadlines[0][2].done:
            heappop(self._deadlines)
        due_ms = min(self._deadlines[0][0], self.owing_due_ms) if self._deadlines else self.owing_due_ms
        return due_ms if due_ms < NEVER_MS else None

    def attempt(self, parked: Parked, now_ms: int) -> None:
        """Try it, and let it go when it was answered."""
        try:
            ready = parked.attempt(now_ms)
        except Exception as error:
            self.faults.append((parked.request, error))
            ready = True
        if ready:
            self._release(parked)

    def _give_up(self, parked: Parked, now_ms: int) -> None:
        self._release(parked)
        try:
            parked.give_up(now_ms)
        except Exception as error:
            self.faults.append((parked.request, error))

    def _release(self, parked: Parked) -> None:
        parked.done = True
        del self._by_request[parked.request]
        for place in parked.places:
            place.unwatch(parked)
        self._sweep()

    def _sweep(self) -> None:
        """Answered requests stay in the heap until their deadline; drop them once they are the greater part."""
        if len(self._deadlines) > 64 and len(self._deadlines) > 2 * len(self._by_request):
            self._deadlines = [entry for entry in self._deadlines if not entry[2].done]
            heapify(self._deadlines)
