"""Incremental fetch sessions (KIP-227): a client names its partitions once, then only what changes.

Theory of operation
-------------------
A request carries a session id and an epoch, and so says what it is:

    epoch -1             no session; one with that id, if any, ends
    epoch 0              the complete list of partitions; a session begins, unless there is no room for it (id 0)
    epoch n, with an id  a session goes on: partitions named are added or changed, forgotten ones are dropped

`FetchSessions.begin` answers with a context: which partitions to read, and `reply`, which turns what was read into
the session id and the partitions worth telling. In a session those are the ones with data, an error, or marks that
moved since the client was last told, or since those that it says it knows, as followers do (KIP-1166). Partitions that
gave data go to the end of the line, so that a client whose limit is always used up by the first ones gets to the others
too.

Another node asks for thousands of partitions of which few move. Its session reads only those that are *restless*:
named by the request, stirred since, or not told yet. Where all is told and a follower in sync is at the end, the
partition rests until its replica moves (`Wanted` watches it), and each request counts as the same question about it,
asked again. From time to time all of them are read. A node has one session: it ends when it begins another.

Room is limited. A new session takes the place of the one unused for the longest time, if that is more than two minutes;
else of the smallest that has lived for two minutes and is smaller than itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from logctl.engine.broker.waiting import Parked, Waiting, Watcher
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.primitives import ZERO_UUID

if TYPE_CHECKING:
    from logctl.engine.broker.replica import Replica
    from logctl.wire.messages.fetch import FetchPartition, FetchRequest, PartitionData

NO_SESSION: Final = 0
INITIAL_EPOCH: Final = 0
FINAL_EPOCH: Final = -1
EVICTABLE_AFTER_MS: Final = 120_000
_NOT_SAID: Final = (1 << 63) - 1
_EPOCH_MAX: Final = (1 << 31) - 1
_CLIENT: Final = -1
_READ_ALL_MS: Final = 10_000

Key = tuple[str | bytes, int]
"""The topic's name, or its id where the request speaks of ids, and the partition."""


class Wanted(Watcher):
    """A partition to read, as the client asked for it, and what the session last told about it."""

    __slots__ = ("asked", "high_watermark", "log_start_offset", "name", "replica", "session", "topic_id")

    def __init__(self, name: str, topic_id: bytes, asked: FetchPartition) -> None:
        self.name = name
        self.topic_id = topic_id
        self.asked = asked
        self.high_watermark = -1
        self.log_start_offset = -1
        self.session: Session | None = None
        self.replica: Replica | None = None
        """What is watched for a session of another node."""

    @property
    def key(self) -> Key:
        return (self.name if self.topic_id == ZERO_UUID else self.topic_id), self.asked.partition

    def note(self, told: PartitionData) -> bool:
        """Whether a session must tell this, remembering that it does.

        An error comes without marks (-1), so that whatever follows it is news.
        """
        news = bool(told.records) or told.error_code != 0 or told.diverging_epoch.epoch >= 0
        news = news or told.preferred_read_replica >= 0
        if told.high_watermark != self.high_watermark or told.log_start_offset != self.log_start_offset:
            news = True
        self.high_watermark = told.high_watermark
        self.log_start_offset = told.log_start_offset
        return news


    def watch(self, session: Session, replica: Replica) -> None:
        """Learn of whatever moves this replica, for as long as the session lasts."""
        if self.replica is not replica:
            self.unwatch()
            self.session, self.replica = session, replica
            replica.watch(self)

    def unwatch(self) -> None:
        if self.replica is not None:
            self.replica.unwatch(self)
            self.replica = None

    def stirred(self, waiting: Waiting, now_ms: int) -> None:
        if self.session is not None:
            self.session.disturb(self, waiting)

    def marked(self, waiting: Waiting, now_ms: int) -> None:
        """A watermark is told with what comes next; another node is answered for its sake only where consumers read
        from it."""
        if self.session is not None and self.session.tells_marks:
            self.session.disturb(self, waiting)
        elif self.session is not None:
            self.session.wake(self)


Read = tuple[Wanted, "PartitionData"]


class Session:
    """What is remembered of one client. `epoch` is the one its next request must carry; `follower` the node it is,
    if it is one, with its `broker_epoch`."""

    __slots__ = (
        "broker_epoch",
        "by_id",
        "created_ms",
        "epoch",
        "follower",
        "parked",
        "read_all_ms",
        "restless",
        "session_id",
        "tells_marks",
        "used_ms",
        "wanted",
    )

    def __init__(self, by_id: bool, wanted: dict[Key, Wanted], now_ms: int, follower: int, broker_epoch: int) -> None:
        self.session_id = NO_SESSION
        self.tells_marks = False
        self.by_id = by_id
        self.wanted = wanted
        self.follower = follower
        self.broker_epoch = broker_epoch
        self.restless = wanted if follower == _CLIENT else dict(wanted)
        """Those that must be read: of a client all."""
        self.parked: Parked | None = None
        """The request that waits for something to move."""
        self.epoch = 1
        self.created_ms = self.used_ms = self.read_all_ms = now_ms

    def update(self, body: FetchRequest, now_ms: int) -> None:
        """What a request says that goes on."""
        for one in _named(body):
            known = self.wanted.get(one.key)
            if known is None:
                known = self.wanted[one.key] = one
            else:
                known.asked = one.asked
                if one.asked.high_watermark != _NOT_SAID:
                    known.high_watermark = one.asked.high_watermark
            self.wake(known)
        for key in _forgotten(body):
            known = self.wanted.pop(key, None)
            if known is not None:
                self.restless.pop(key, None)
                known.unwatch()
        if self.follower != _CLIENT:
            self._read_all_where_due(body.replica_state.replica_epoch, now_ms)
        self.used_ms = now_ms

    def _read_all_where_due(self, broker_epoch: int, now_ms: int) -> None:
        if now_ms - self.read_all_ms >= _READ_ALL_MS or broker_epoch != self.broker_epoch:
            self.read_all_ms, self.broker_epoch = now_ms, broker_epoch
            for one in self.wanted.values():
                self.wake(one)

    def rest(self, one: Wanted) -> None:
        """There is nothing to tell of it until its replica moves."""
        self.restless.pop(one.key, None)

    def disturb(self, one: Wanted, waiting: Waiting) -> None:
        """Its replica has moved."""
        self.wake(one)
        if self.parked is not None and not self.parked.done:
            waiting.look_at(self.parked)

    def wake(self, one: Wanted) -> None:
        """It is to be read again."""
        key = one.key
        if key not in self.restless:
            self.restless[key] = one
            followers = one.replica.followers if one.replica is not None else None
            progress = followers.members.get(self.follower) if followers is not None else None
            if progress is not None:
                progress.rested(self.used_ms)

    def close(self) -> None:
        """Nothing is watched any more."""
        for one in self.wanted.values():
            one.unwatch()


class Context:
    """A fetch outside of a session. `session` is that of another node, or None."""

    session: Session | None = None

    def __init__(self, wanted: dict[Key, Wanted]) -> None:
        self._wanted = wanted

    @property
    def wanted(self) -> list[Wanted]:
        """Those to be read now."""
        return list(self._wanted.values())

    @property
    def is_empty(self) -> bool:
        """Nothing is asked for at all."""
        return not self._wanted

    def reply(self, results: list[Read], now_ms: int) -> tuple[int, list[Read]]:
        """The session id and the partitions of the answer. Raises WireError."""
        return NO_SESSION, results


class Beginning(Context):
    """A complete fetch that would like a session."""

    def __init__(self, sessions: FetchSessions, session: Session) -> None:
        super().__init__(session.wanted)
        self._sessions = sessions
        self._session = session
        self.session = session if session.follower != _CLIENT else None

    def reply(self, results: list[Read], now_ms: int) -> tuple[int, list[Read]]:
        for wanted, told in results:
            wanted.note(told)
        return self._sessions.register(self._session, now_ms), results


class Continuation(Context):
    """An incremental fetch."""

    def __init__(self, session: Session) -> None:
        super().__init__(session.restless)
        self._session = session
        self._epoch = session.epoch
        self.session = session if session.follower != _CLIENT else None

    @property
    def is_empty(self) -> bool:
        return not self._session.wanted

    def reply(self, results: list[Read], now_ms: int) -> tuple[int, list[Read]]:
        if self._session.epoch != self._epoch:
            raise WireError(errors.INVALID_FETCH_SESSION_EPOCH, "The session went on while this fetch waited")
        news = []
        for wanted, told in results:
            if wanted.note(told):
                news.append((wanted, told))
            if told.records:
                self._to_the_end(wanted)
        return self._session.session_id, news

    def _to_the_end(self, wanted: Wanted) -> None:
        key = wanted.key
        if self._wanted.pop(key, None) is not None:
            self._wanted[key] = wanted


class FetchSessions:
    """All sessions of a node. `fresh_id` draws positive 31-bit numbers at random: a session's id is its only secret."""

    def __init__(self, slots: int, fresh_id: Callable[[], int]) -> None:
        self._slots = slots
        self._fresh_id = fresh_id
        self._sessions: dict[int, Session] = {}  # least recently used first
        self._of_followers: dict[int, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def begin(self, body: FetchRequest, *, by_id: bool, now_ms: int, follower: int = _CLIENT) -> Context:
        """`follower`: the node that asks, if it is one. Raises WireError: FETCH_SESSION_ID_NOT_FOUND,
        INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_TOPIC_ID_ERROR."""
        if body.session_epoch in (INITIAL_EPOCH, FINAL_EPOCH):
            self._end(self._sessions.get(body.session_id))
            wanted = {one.key: one for one in _named(body)}
            if body.session_epoch == FINAL_EPOCH:
                return Context(wanted)
            session = Session(by_id, wanted, now_ms, follower, body.replica_state.replica_epoch)
            if follower != _CLIENT:
                self._end(self._of_followers.get(follower))
                self._of_followers[follower] = session
            return Beginning(self, session)
        return self._go_on(body, by_id, now_ms, follower)

    def register(self, session: Session, now_ms: int) -> int:
        """The id of a new session, or NO_SESSION when there is no room (or nothing to remember)."""
        wanted = session.wanted
        if not wanted or (len(self._sessions) >= self._slots and not self._evict(len(wanted), now_ms)):
            self._end(session)
            return NO_SESSION
        session_id = self._fresh_id()
        while session_id in self._sessions or session_id == NO_SESSION:
            session_id = self._fresh_id()
        session.session_id = session_id
        session.created_ms = session.used_ms = now_ms
        self._sessions[session_id] = session
        return session_id

    def _end(self, session: Session | None) -> None:
        if session is None:
            return
        self._sessions.pop(session.session_id, None)
        if self._of_followers.get(session.follower) is session:
            del self._of_followers[session.follower]
        session.close()

    def _go_on(self, body: FetchRequest, by_id: bool, now_ms: int, follower: int) -> Context:
        session = self._sessions.get(body.session_id)
        if session is None or session.follower != follower:
            raise WireError(errors.FETCH_SESSION_ID_NOT_FOUND)
        if session.epoch != body.session_epoch:
            raise WireError(errors.INVALID_FETCH_SESSION_EPOCH)
        if session.by_id != by_id:
            raise WireError(errors.FETCH_SESSION_TOPIC_ID_ERROR)
        session.update(body, now_ms)
        if not session.wanted:
            self._end(session)
            return Context({})
        self._sessions[session.session_id] = self._sessions.pop(session.session_id)
        session.epoch = 1 if session.epoch == _EPOCH_MAX else session.epoch + 1
        return Continuation(session)

    def _evict(self, newcomer_size: int, now_ms: int) -> bool:
        if not self._sessions:
            return False
        oldest = next(iter(self._sessions.values()))
        if now_ms - oldest.used_ms > EVICTABLE_AFTER_MS:
            self._end(oldest)
            return True
        grown = [one for one in self._sessions.values() if now_ms - one.created_ms > EVICTABLE_AFTER_MS]
        smallest = min(grown, key=lambda one: (len(one.wanted), one.used_ms), default=None)
        if smallest is None or len(smallest.wanted) >= newcomer_size:
            return False
        self._end(smallest)
        return True


def _named(body: FetchRequest) -> Iterator[Wanted]:
    for topic in body.topics:
        for asked in topic.partitions:
            yield Wanted(topic.topic, topic.topic_id, asked)


def _forgotten(body: FetchRequest) -> Iterator[Key]:
    for topic in body.forgotten_topics_data:
        for partition in topic.partitions:
            yield (topic.topic if topic.topic_id == ZERO_UUID else topic.topic_id), partition
