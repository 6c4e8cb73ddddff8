"""Members of consumer groups, by clients that nobody here wrote, behind one small vocabulary.

    kind = KINDS["java cooperative"]                  a client and the protocol it is told to speak
    member = kind.join(Joining(bootstrap, "group", "topic"))
    member.assignment()                               the partitions it holds, by its own account
    member.events                                     what happened to it, in order
    member.commit() / seek(partition, offset) / leave() / vanish()

A member polls all the time in a thread (or process) of its own. With `Joining.commits` it commits what it was handed
after every poll that handed it something, and waits for the answer; a commit that failed is an event as well.

    EAGER         every rebalance takes everything from everybody (JoinGroup, range)
    COOPERATIVE   only what moves is taken (JoinGroup, cooperative-sticky, KIP-429)
    CONSUMER      the coordinator divides (ConsumerGroupHeartbeat, KIP-848)
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

EAGER: Final = "eager"
COOPERATIVE: Final = "cooperative"
CONSUMER: Final = "consumer"

ASSIGNED: Final = "assigned"
REVOKED: Final = "revoked"
"""Taken away, or lost."""
READ: Final = "read"
COMMITTED: Final = "committed"
FAILED: Final = "failed"
"""A commit that failed, for whatever reason."""

POLL_S: Final = 0.1


class Event(NamedTuple):
    """`offsets` by partition: of a record, of a commit (the next offset to read); empty values for a rebalance."""

    at: float
    what: str
    offsets: Mapping[int, int]
    value: str = ""


@dataclass(frozen=True)
class Joining:
    """How to join. A session timeout is for the classic protocol; the new one's is the group's or the node's."""

    bootstrap: str
    group: str
    topic: str
    instance: str | None = None
    commits: bool = True
    session_timeout_ms: int = 6000


class Member(Protocol):
    @property
    def events(self) -> list[Event]: ...

    def assignment(self) -> set[int]: ...

    def commit(self) -> Mapping[int, int]:
        """Commit what it was handed, of the partitions it holds, and say so once that is acknowledged."""

    def seek(self, partition: int, offset: int) -> None: ...

    def leave(self) -> None:
        """Close in order. A static member of the classic protocol keeps its place."""


class Vanishing(Protocol):
    """A member in a process of its own, which ends as `kill -9` ends it."""

    def assignment(self) -> set[int]: ...

    def vanish(self) -> None: ...


@dataclass(frozen=True)
class Kind:
    client: str
    protocol: str
    join: Callable[[Joining], Member]
    join_apart: Callable[[Joining], Vanishing]

    @property
    def name(self) -> str:
        return f"{self.client} {self.protocol}"


def held(events: Iterable[Event]) -> set[int]:
    """The partitions that a member holds after these events."""
    holding: set[int] = set()
    for event in events:
        if event.what == ASSIGNED:
            holding.update(event.offsets)
        elif event.what == REVOKED:
            holding.difference_update(event.offsets)
    return holding


def partitions_of(events: Iterable[Event], what: str) -> list[set[int]]:
    """Of each event of this kind that named any, the partitions."""
    return [set(event.offsets) for event in events if event.what == what and event.offsets]


class Consumer(Protocol):
    """What a Python client must offer to become a `MemberThread`. Failures are exceptions of any kind."""

    def poll(self, timeout_s: float) -> list[tuple[int, int, bytes | None]]:
        """(partition, offset, value) of each record."""

    def commit(self, positions: Mapping[int, int]) -> None: ...

    def seek(self, partition: int, offset: int) -> None: ...

    def close(self) -> None: ...


@dataclass
class MemberThread:
    """`open` makes the consumer, which tells `note` of rebalances from within its polls."""

    open: Callable[[Joining, Callable[[str, Iterable[int]], None]], Consumer]
    joining: Joining
    events: list[Event] = field(default_factory=list)
    _positions: dict[int, int] = field(default_factory=dict)
    _orders: queue.Queue[tuple[Callable[[Consumer], Any], Future[Any]]] = field(default_factory=queue.Queue)
    _leaving: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def assignment(self) -> set[int]:
        self._complain()
        return held(list(self.events))

    def commit(self) -> Mapping[int, int]:
        return dict(self._order(self._commit))

    def seek(self, partition: int, offset: int) -> None:
        def turn(consumer: Consumer) -> None:
            consumer.seek(partition, offset)
            self._positions[partition] = offset

        self._order(turn)

    def leave(self) -> None:
        self._leaving.set()
        self._thread.join()
        self._complain()

    def _order(self, order: Callable[[Consumer], Any]) -> Any:
        done: Future[Any] = Future()
        self._orders.put((order, done))
        return done.result(60)

    def _complain(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            consumer = self.open(self.joining, self._note_rebalance)
            try:
                while not self._leaving.is_set():
                    self._turn(consumer)
            finally:
                consumer.close()
        except BaseException as failure:
            self._failure = failure

    def _turn(self, consumer: Consumer) -> None:
        while not self._orders.empty():
            order, done = self._orders.get()
            try:
                done.set_result(order(consumer))
            except BaseException as failure:
                done.set_exception(failure)
        records = consumer.poll(POLL_S)
        for partition, offset, value in records:
            self._positions[partition] = offset + 1
            self._note(READ, {partition: offset}, (value or b"").decode())
        if records and self.joining.commits:
            try:
                self._commit(consumer)
            except Exception as failure:
                self._note(FAILED, {}, f"{type(failure).__name__}: {failure}")

    def _commit(self, consumer: Consumer) -> Mapping[int, int]:
        holding = held(self.events)
        positions = {partition: offset for partition, offset in self._positions.items() if partition in holding}
        if positions:
            consumer.commit(positions)
            self._note(COMMITTED, positions)
        return positions

    def _note_rebalance(self, what: str, partitions: Iterable[int]) -> None:
        gone = dict.fromkeys(partitions, 0)
        for partition in gone:
            self._positions.pop(partition, None)
        self._note(what, gone)

    def _note(self, what: str, offsets: Mapping[int, int], value: str = "") -> None:
        self.events.append(Event(time.monotonic(), what, offsets, value))
