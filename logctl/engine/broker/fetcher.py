"""Copying partitions from one leader: what is asked, and what is done with the answer.

Theory of operation
-------------------
All partitions that follow one leader share a request, and one request is on its way at a time. It asks each log from
its end, names the epoch of its last record, and so says two things: what this node has (an offset asked from is a
promise, so nothing is asked while something copied is not on disk as the policy has it), and where the histories may
part. The leader's answer for a partition is one of

- records: they are staged, written at the end of the tick, flushed with everybody else's;
- a parting: the log is cut to where both histories agree, never further than this log's own end of that epoch
  (KIP-101, KIP-279, KIP-595), and asked again;
- an offset out of range: the leader's log begins later; this one begins anew there;
- an error: the partition is left out for a moment that doubles each time. A change of the image ends the pause, since
  most errors mean that one of both has not heard of a new leader yet;
- nothing new.

A throttled replica that is behind (`throttles.py`) is left out of the question while more was taken than may be.

With an answer comes the leader's high watermark and where its log begins.

A fetch session (KIP-227) keeps requests small: after the first, only partitions are named that are asked otherwise than
before. What a partition is asked includes the high watermark that is known here, so that an answer which was thrown
away is given again. The session ends with the first answer that fails as a whole, and the next request begins another.

Of thousands of partitions few move, so none is looked at without a reason (`_doubtful`): it was told something, changed
hands or comes back from a pause. What moves without that, as a log's beginning by retention, is noticed by a look at
all of them from time to time.

Who begins to follow while a question waits at the leader must not wait for its end: an empty question sent after it
makes the leader answer the one that waits (`connection.py`), and the next one names the newcomer.

What is on its way when a partition changes hands, or is cut, does not count any more when it arrives: an answer must be
to the question that would be asked now.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from logctl.engine.log.disk import DiskFault
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic, ForgottenTopic, ReplicaState

if TYPE_CHECKING:
    from logctl.engine.broker.quorum_talk import Done
    from logctl.engine.broker.replica import Replica
    from logctl.engine.broker.throttles import Throttle
    from logctl.wire.schema import Message

LANE: Final = "replica"
_FIRST_PAUSE_MS: Final = 20
_LOOK_AT_ALL_MS: Final = 10_000
_MOST_CUTS: Final = 50
"""Logs that one answer cuts: each has to be durable at once. The others are asked for again."""
_THROTTLED_MS: Final = 100
_BASE_OFFSET_BYTES: Final = 8
_ANSWER_BYTES: Final = 3 << 20
"""More is not asked for at once, so that answers come into the same memory again and again (`FrameRoom`)."""
_THROTTLED_BYTES: Final = 1 << 20

Key = tuple[bytes, int]


class Pace(NamedTuple):
    """How much is asked for, and how long is waited (ms). Of one partition more is asked for than Apache does: where a
    flush lies between two questions, each should be worth it."""

    wait_max_ms: int = 500
    min_bytes: int = 1
    max_bytes: int = 10 << 20
    partition_max_bytes: int = _ANSWER_BYTES
    longest_pause_ms: int = 1000


class Surroundings(Protocol):
    """What a fetcher needs of its node."""

    node_id: int

    @property
    def throttle(self) -> Throttle: ...
    def clock(self) -> int: ...
    def broker_epoch(self) -> int: ...
    def ask(self, node_id: int, request: Message, done: Done) -> None: ...
    def after_cuts(self, cut: Iterable[Replica]) -> None: ...
    def begins_later(self, replica: Replica) -> None: ...
    def disk_failed(self, replica: Replica, fault: DiskFault) -> None: ...
    def say(self, sentence: str) -> None: ...


class Question(NamedTuple):
    """What is asked of one log."""

    leader_epoch: int
    offset: int
    last_epoch: int
    start_offset: int
    high_watermark: int


class Copied:
    """One partition that is copied."""

    __slots__ = ("pause_ms", "replica", "resume_ms")

    def __init__(self, replica: Replica) -> None:
        self.replica = replica
        self.pause_ms = 0
        self.resume_ms = 0

    @property
    def key(self) -> Key:
        return self.replica.topic_id, self.replica.partition

    def question(self) -> Question:
        """Raises WireError when the log cannot be opened."""
        replica = self.replica
        outline = replica.outline
        if outline is not None:
            start_offset, end_offset, last_epoch = outline
            return Question(replica.leader_epoch, end_offset, last_epoch, start_offset, replica.told_mark)
        log = replica.log
        return Question(
            replica.leader_epoch, log.end_offset, log.leader_epoch, log.start_offset, replica.told_mark
        )

    @property
    def is_behind(self) -> bool:
        """Whether the leader is known to have more that counts, or nothing is known of it."""
        return not 0 <= self.replica.told_mark <= self.question().offset

    def pause(self, now_ms: int, longest_ms: int) -> None:
        self.pause_ms = min(longest_ms, max(_FIRST_PAUSE_MS, 2 * self.pause_ms))
        self.resume_ms = now_ms + self.pause_ms

    def go_on(self) -> None:
        self.pause_ms = self.resume_ms = 0


class Fetcher:
    """Copies from `leader_id`. `advance` is called at the end of every tick."""

    def __init__(self, leader_id: int, node: Surroundings, pace: Pace) -> None:
        self.leader_id = leader_id
        self.pace = pace
        self._node = node
        self._copied: dict[Key, Copied] = {}
        self._asked: dict[Key, Question | None] = {}
        """What the session knows, or what was asked last; None where the answer was of no use."""
        self._doubtful: dict[Key, Copied] = {}
        """Those that may have to be asked otherwise than the session knows."""
        self._paused: dict[Key, Copied] = {}
        self._gone: dict[Key, None] = {}
        """Those that the session knows and nobody copies any more."""
        self._look_at_all_ms = 0
        self._session_id = 0
        self._session_epoch = 0
        self._on_its_way: object | None = None
        self._newcomers = self._hastened = False
        self._unflushed: dict[Replica, None] = {}
        self._cut: list[Replica] = []
        """Those that the present answer has cut."""
        self._pause_ms = 0
        self._resume_ms = 0

    @property
    def is_idle(self) -> bool:
        """It copies nothing any more."""
        return not self._copied and self._on_its_way is None

    def add(self, replica: Replica) -> None:
        """Copy this one too; or, if it is copied already, under the leader epoch that it has now."""
        key = replica.topic_id, replica.partition
        copied = self._copied.setdefault(key, Copied(replica))
        copied.replica = replica
        copied.go_on()
        self._paused.pop(key, None)
        self._gone.pop(key, None)
        self._doubtful[key] = copied
        self._newcomers = True

    def remove(self, replica: Replica) -> None:
        key = replica.topic_id, replica.partition
        for known in (self._copied, self._doubtful, self._paused):
            known.pop(key, None)
        self._unflushed.pop(replica, None)
        if key in self._asked:
            self._gone[key] = None

    # ---- asking ----

    def advance(self, now_ms: int) -> None:
        """Ask, when nothing is on its way and all that came is on disk."""
        if self._on_its_way is not None:
            self._hasten()
            return
        if now_ms < self._resume_ms or not self._copied:
            return
        self._unflushed = {one: None for one in self._unflushed if one.own_end < one.log.end_offset and not one.fenced}
        if self._unflushed:
            return
        self._doubt(now_ms)
        questions = self._questions(now_ms)
        if not self._unflushed and (questions or self._session_id):
            self._ask(questions)

    def _hasten(self) -> None:
        if self._newcomers and not self._hastened:
            self._hastened = True
            who = ReplicaState(replica_id=self._node.node_id, replica_epoch=self._node.broker_epoch())
            nothing = FetchRequest(replica_state=who, max_wait_ms=0, session_epoch=-1)
            self._node.ask(self.leader_id, nothing, lambda response: None)

    def _doubt(self, now_ms: int) -> None:
        """Whose pause is over; from time to time everybody, and whenever there is no session."""
        if not self._session_id:
            self._asked.clear()
            self._gone.clear()
        if now_ms >= self._look_at_all_ms or not self._session_id:
            self._look_at_all_ms = now_ms + _LOOK_AT_ALL_MS
            self._doubtful.update(self._copied)
        for key, copied in list(self._paused.items()):
            if copied.resume_ms <= now_ms:
                del self._paused[key]
                self._doubtful[key] = copied

    def _questions(self, now_ms: int) -> dict[Key, Question]:
        """Of those that are in doubt; none while something has to be flushed first."""
        found = {}
        for key, copied in self._doubtful.items():
            if copied.resume_ms > now_ms or copied.replica.fenced:
                continue
            try:
                if copied.replica.awake and copied.replica.own_end < copied.replica.log.end_offset:
                    self._unflushed[copied.replica] = None
                    return {}
                if self._is_held_back(copied, now_ms):
                    copied.resume_ms = now_ms + _THROTTLED_MS
                    self._paused[key] = copied
                    continue
                found[key] = copied.question()
            except WireError:
                self._pause_one(copied, now_ms)
        return found

    def _is_held_back(self, copied: Copied, now_ms: int) -> bool:
        replica, throttle = copied.replica, self._node.throttle
        return throttle.names(replica.topic, replica.partition) and copied.is_behind and throttle.is_exceeded(now_ms)

    def _pause_one(self, copied: Copied, now_ms: int) -> None:
        copied.pause(now_ms, self.pace.longest_pause_ms)
        self._paused[copied.key] = copied

    def _ask(self, questions: dict[Key, Question]) -> None:
        """`questions` are those of the doubtful; a doubtful one without a question is not asked for the time being."""
        asked = self._asked
        changed = {key: question for key, question in questions.items() if asked.get(key) != question}
        unasked = [key for key in self._doubtful if key not in questions]
        forgotten = [key for key in (*unasked, *self._gone) if key in asked]
        self._doubtful.clear()
        self._gone.clear()
        asked.update(changed)
        for key in forgotten:
            del asked[key]
        if not asked:
            self._session_id = self._session_epoch = 0
            return
        pace = self.pace
        request = FetchRequest(
            replica_state=ReplicaState(replica_id=self._node.node_id, replica_epoch=self._node.broker_epoch()),
            max_wait_ms=pace.wait_max_ms,
            min_bytes=pace.min_bytes,
            max_bytes=min(pace.max_bytes, _ANSWER_BYTES),
            session_id=self._session_id,
            session_epoch=self._session_epoch,
            topics=[self._topic(topic_id, several, changed) for topic_id, several in _by_topic(changed).items()],
            forgotten_topics_data=[
                ForgottenTopic(topic_id=topic_id, partitions=several)
                for topic_id, several in _by_topic(dict.fromkeys(forgotten)).items()
            ],
        )
        self._newcomers = self._hastened = False
        self._on_its_way = mark = object()
        self._node.ask(self.leader_id, request, lambda response: self._told(mark, response))

    def _topic(self, topic_id: bytes, partitions: list[int], questions: dict[Key, Question]) -> FetchTopic:
        asked = []
        for number in partitions:
            question = questions[topic_id, number]
            asked.append(
                FetchPartition(
                    partition=number,
                    current_leader_epoch=question.leader_epoch,
                    fetch_offset=question.offset,
                    last_fetched_epoch=question.last_epoch,
                    log_start_offset=question.start_offset,
                    partition_max_bytes=self._at_most(self._copied[topic_id, number].replica),
                    high_watermark=question.high_watermark,
                )
            )
        return FetchTopic(topic_id=topic_id, partitions=asked)

    def _at_most(self, replica: Replica) -> int:
        """Less of what is throttled: a single answer is over a small rate for long."""
        most = self.pace.partition_max_bytes
        return min(most, _THROTTLED_BYTES) if self._node.throttle.names(replica.topic, replica.partition) else most

    def next_deadline_ms(self) -> int | None:
        if self._on_its_way is not None or self._unflushed or not self._copied:
            return None
        resumed = [copied.resume_ms for copied in self._copied.values() if not copied.replica.fenced]
        return max(self._resume_ms, min(resumed)) if resumed else None

    # ---- being told ----

    def _told(self, mark: object, response: Any) -> None:
        if self._on_its_way is not mark:
            return
        self._on_its_way = None
        now_ms = self._node.clock()
        if response is None or response.error_code:
            self._session_id = self._session_epoch = 0
            self._pause(now_ms, response)
            return
        self._pause_ms = 0
        self._session_id = response.session_id
        self._session_epoch = self._session_epoch + 1 if response.session_id else 0
        for topic in response.responses:
            for told in topic.partitions:
                copied = self._copied.get((topic.topic_id, told.partition_index))
                if copied is not None:
                    self._take(copied, told, now_ms)
        if self._cut:
            cut, self._cut = self._cut, []
            self._node.after_cuts(cut)

    def _pause(self, now_ms: int, response: Any) -> None:
        """A session that is gone is begun anew at once; else there is no hurry."""
        if response is not None and response.error_code in _SESSION_GONE:
            return
        self._pause_ms = min(self.pace.longest_pause_ms, max(_FIRST_PAUSE_MS, 2 * self._pause_ms))
        self._resume_ms = now_ms + self._pause_ms

    def _take(self, copied: Copied, told: Any, now_ms: int) -> None:
        key = copied.key
        asked = self._asked.get(key)
        self._asked[key] = None
        self._doubtful[key] = copied
        try:
            if asked is None or copied.replica.fenced or copied.question() != asked:
                return
            if len(self._cut) >= _MOST_CUTS and not told.records:
                return
            self._asked[key] = asked
            self._obey(copied, told, now_ms)
        except DiskFault as fault:
            self._node.disk_failed(copied.replica, fault)
        except WireError as error:
            replica = copied.replica
            self._node.say(f"{replica.topic}-{replica.partition} cannot take what node {self.leader_id} sent: {error}")
            self._pause_one(copied, now_ms)

    def _obey(self, copied: Copied, told: Any, now_ms: int) -> None:
        replica = copied.replica
        if told.error_code == errors.OFFSET_OUT_OF_RANGE and told.log_start_offset > replica.log.end_offset:
            self._begin_anew(replica, told.log_start_offset, now_ms)
        elif told.error_code:
            self._pause_one(copied, now_ms)
        elif told.diverging_epoch.epoch >= 0 or told.diverging_epoch.end_offset >= 0:
            self._part(copied, told.diverging_epoch)
        else:
            copied.go_on()
            if told.records:
                self._copy(replica, told.records, now_ms)
            replica.leader_told(told.high_watermark)
            if replica.outline is not None and told.log_start_offset <= replica.outline.start_offset:
                return
            if replica.log.start_offset < told.log_start_offset <= replica.high_watermark:
                replica.log.delete_before(told.log_start_offset)
                self._node.begins_later(replica)

    def _copy(self, replica: Replica, batches: memoryview, now_ms: int) -> None:
        if self._node.throttle.names(replica.topic, replica.partition):
            self._node.throttle.record(len(batches), now_ms)
        if batches.readonly:  # they are stamped where they lie
            batches = memoryview(bytearray(batches))
        log, begins = replica.log, int.from_bytes(batches[:_BASE_OFFSET_BYTES], "big")
        if begins < log.end_offset == log.start_offset:
            # The leader's log begins within a batch.
            start_offset = log.start_offset
            replica.begin_anew(begins, now_ms)
            self._cut.append(replica)
            replica.copy(batches, now_ms)
            log.delete_before(start_offset)
        else:
            replica.copy(batches, now_ms)
        self._unflushed[replica] = None

    def _part(self, copied: Copied, parting: Any) -> None:
        replica = copied.replica
        log = replica.log
        own_end = log.end_offset_for_epoch(parting.epoch)[1]
        offset = min(parting.end_offset, own_end) if own_end >= 0 else parting.end_offset
        end = log.end_offset
        if offset < replica.high_watermark:
            self._node.say(
                f"{replica.topic}-{replica.partition} is cut to offset {offset}, below {replica.high_watermark}, which "
                f"was acknowledged: node {self.leader_id} leads without it (an unclean election, or a fault)"
            )
        replica.cut(offset)
        if offset < end:
            self._cut.append(replica)
            name = f"{replica.topic}-{replica.partition}"
            self._node.say(f"{name} is cut from offset {end} to {offset}, where the log of node {self.leader_id} parts")

    def _begin_anew(self, replica: Replica, offset: int, now_ms: int) -> None:
        replica.begin_anew(offset, now_ms)
        self._cut.append(replica)
        name = f"{replica.topic}-{replica.partition}"
        self._node.say(f"{name} begins anew at offset {offset}: node {self.leader_id} has nothing before")


_SESSION_GONE: Final = (
    errors.FETCH_SESSION_ID_NOT_FOUND,
    errors.INVALID_FETCH_SESSION_EPOCH,
    errors.FETCH_SESSION_TOPIC_ID_ERROR,
)


def _by_topic(keys: dict[Key, Any]) -> dict[bytes, list[int]]:
    found: dict[bytes, list[int]] = {}
    for topic_id, partition in keys:
        found.setdefault(topic_id, []).append(partition)
    return found
