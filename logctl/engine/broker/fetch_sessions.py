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

Room is limited. A new session takes the place of the one unused for the longest time, if that is more than two minutes;
else of the smallest that has lived for two minutes and is smaller than itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.primitives import ZERO_UUID

if TYPE_CHECKING:
    from logctl.wire.messages.fetch import FetchPartition, FetchRequest, PartitionData

NO_SESSION: Final = 0
INITIAL_EPOCH: Final = 0
FINAL_EPOCH: Final = -1
EVICTABLE_AFTER_MS: Final = 120_000
_NOT_SAID: Final = (1 << 63) - 1
_EPOCH_MAX: Final = (1 << 31) - 1

Key = tuple[str | bytes, int]
"""The topic's name, or its id where the request speaks of ids, and the partition."""


class Wanted:
    """A partition to read, as the client asked for it, and what the session last told about it."""

    __slots__ = ("asked", "high_watermark", "log_start_offset", "name", "topic_id")

    def __init__(self, name: str, topic_id: bytes, asked: FetchPartition) -> None:
        self.name = name
        self.topic_id = topic_id
        self.asked = asked
        self.high_watermark = -1
        self.log_start_offset = -1

    @property
    def key(self) -> Key:
        return (self.name if self.topic_id == ZERO_UUID else self.topic_id), self.asked.partition

    def note(self, told: PartitionData) -> bool:
        """Whether a session must tell this, remembering that it does.

        An error comes without marks (-1), so that whatever follows it is news.
        """
        news = bool(told.records) or told.error_code != 0 or told.diverging_epoch.epoch >= 0
        if told.high_watermark != self.high_watermark or told.log_start_offset != self.log_start_offset:
            news = True
        self.high_watermark = told.high_watermark
        self.log_start_offset = told.log_start_offset
        return news


Read = tuple[Wanted, "PartitionData"]


class Session:
    """What is remembered of one client. `epoch` is the one its next request must carry."""

    __slots__ = ("by_id", "created_ms", "epoch", "session_id", "used_ms", "wanted")

    def __init__(self, session_id: int, by_id: bool, wanted: dict[Key, Wanted], now_ms: int) -> None:
        self.session_id = session_id
        self.by_id = by_id
        self.wanted = wanted
        self.epoch = 1
        self.created_ms = self.used_ms = now_ms

    def update(self, named: Iterable[Wanted], forgotten: Iterable[Key]) -> None:
        for one in named:
            known = self.wanted.get(one.key)
            if known is None:
                self.wanted[one.key] = one
            else:
                known.asked = one.asked
                if one.asked.high_watermark != _NOT_SAID:
                    known.high_watermark = one.asked.high_watermark
        for key in forgotten:
            self.wanted.pop(key, None)


class Context:
    """A fetch outside of a session."""

    def __init__(self, wanted: dict[Key, Wanted]) -> None:
        self._wanted = wanted

    @property
    def wanted(self) -> list[Wanted]:
        return list(self._wanted.values())

    def reply(self, results: list[Read], now_ms: int) -> tuple[int, list[Read]]:
        """The session id and the partitions of the answer. Raises WireError."""
        return NO_SESSION, results


class Beginning(Context):
    """A complete fetch that would like a session."""

    def __init__(self, sessions: FetchSessions, by_id: bool, wanted: dict[Key, Wanted]) -> None:
        super().__init__(wanted)
        self._sessions = sessions
        self._by_id = by_id

    def reply(self, results: list[Read], now_ms: int) -> tuple[int, list[Read]]:
        for wanted, told in results:
            wanted.note(told)
        session = self._sessions.create(self._by_id, self._wanted, now_ms)
        return (session.session_id if session else NO_SESSION), results


class Continuation(Context):
    """An incremental fetch."""

    def __init__(self, session: Session) -> None:
        super().__init__(session.wanted)
        self._session = session
        self._epoch = session.epoch

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

    def __len__(self) -> int:
        return len(self._sessions)

    def begin(self, body: FetchRequest, *, by_id: bool, now_ms: int) -> Context:
        """Raises WireError: FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_TOPIC_ID_ERROR."""
        if body.session_epoch in (INITIAL_EPOCH, FINAL_EPOCH):
            self._sessions.pop(body.session_id, None)
            wanted = {one.key: one for one in _named(body)}
            return Context(wanted) if body.session_epoch == FINAL_EPOCH else Beginning(self, by_id, wanted)
        return self._go_on(body, by_id, now_ms)

    def create(self, by_id: bool, wanted: dict[Key, Wanted], now_ms: int) -> Session | None:
        """A new session, or None when there is no room (or nothing to remember)."""
        if not wanted or (len(self._sessions) >= self._slots and not self._evict(len(wanted), now_ms)):
            return None
        session_id = self._fresh_id()
        while session_id in self._sessions or session_id == NO_SESSION:
            session_id = self._fresh_id()
        session = self._sessions[session_id] = Session(session_id, by_id, wanted, now_ms)
        return session

    def _go_on(self, body: FetchRequest, by_id: bool, now_ms: int) -> Context:
        session = self._sessions.get(body.session_id)
        if session is None:
            raise WireError(errors.FETCH_SESSION_ID_NOT_FOUND)
        if session.epoch != body.session_epoch:
            raise WireError(errors.INVALID_FETCH_SESSION_EPOCH)
        if session.by_id != by_id:
            raise WireError(errors.FETCH_SESSION_TOPIC_ID_ERROR)
        session.update(_named(body), _forgotten(body))
        del self._sessions[session.session_id]
        if not session.wanted:
            return Context({})
        self._sessions[session.session_id] = session
        session.used_ms = now_ms
        session.epoch = 1 if session.epoch == _EPOCH_MAX else session.epoch + 1
        return Continuation(session)

    def _evict(self, newcomer_size: int, now_ms: int) -> bool:
        if not self._sessions:
            return False
        oldest = next(iter(self._sessions.values()))
        if now_ms - oldest.used_ms > EVICTABLE_AFTER_MS:
            del self._sessions[oldest.session_id]
            return True
        grown = [one for one in self._sessions.values() if now_ms - one.created_ms > EVICTABLE_AFTER_MS]
        smallest = min(grown, key=lambda one: (len(one.wanted), one.used_ms), default=None)
        if smallest is None or len(smallest.wanted) >= newcomer_size:
            return False
        del self._sessions[smallest.session_id]
        return True


def _named(body: FetchRequest) -> Iterator[Wanted]:
    for topic in body.topics:
        for asked in topic.partitions:
            yield Wanted(topic.topic, topic.topic_id, asked)


def _forgotten(body: FetchRequest) -> Iterator[Key]:
    for topic in body.forgotten_topics_data:
        for partition in topic.partitions:
            yield (topic.topic if topic.topic_id == ZERO_UUID else topic.topic_id), partition
