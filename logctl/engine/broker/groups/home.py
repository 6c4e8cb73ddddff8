"""One partition of `__consumer_offsets` on this node: its shard, its log, and answers that wait for the log.

Life: *loading* (the log is replayed in slices, requests are told to come again), *active*, *closed* (another node
leads, or the topic is gone). A write that the log refuses, or a disk that fails, makes the shard's state worthless: it
says things that the log does not. Then everybody who waits is told to look for the coordinator again, and the partition
is loaded anew.

Durability: what a turn wrote is appended, and its answers wait until the high watermark covers everything appended so
far, also what earlier turns wrote, because an answer may speak of that. When nothing is outstanding they leave at once.

Rewriting keeps the log small until the cleaner comes: everything the shard knows is appended again, a slice per tick,
while requests go on; when that is durable the log's beginning moves up to where it began. Any change in between comes
later in the log and so counts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from logctl.engine.broker.groups import records
from logctl.engine.broker.groups.names import OFFSETS_TOPIC
from logctl.engine.broker.groups.shard import Shard
from logctl.engine.broker.groups.turn import Reply, Turn
from logctl.engine.broker.waiting import Parked
from logctl.wire import compression, errors
from logctl.wire.errors import WireError
from logctl.wire.primitives import MalformedMessage
from logctl.wire.records import CONTROL_COMMIT, NewRecord, build_batch, control_type, iter_batches, iter_records
from logctl.wire.records import read_header as read_batch_header
from logctl.wire.schema import Message

if TYPE_CHECKING:
    from logctl.engine.broker.replica import Replica
    from logctl.engine.broker.waiting import Waiting

LOAD_SLICE_BYTES: Final = 256 << 10
BATCH_BYTES: Final = 512 << 10
REWRITE_SLICE_RECORDS: Final = 2_000
REWRITE_WORTH_BYTES: Final = 8 << 20
"""A log below this is not rewritten."""

_FROM_LOG: Final = {
    errors.UNKNOWN_TOPIC_OR_PARTITION: errors.COORDINATOR_NOT_AVAILABLE,
    errors.NOT_ENOUGH_REPLICAS: errors.COORDINATOR_NOT_AVAILABLE,
    errors.NOT_ENOUGH_REPLICAS_AFTER_APPEND: errors.COORDINATOR_NOT_AVAILABLE,
    errors.REQUEST_TIMED_OUT: errors.COORDINATOR_NOT_AVAILABLE,
    errors.NOT_LEADER_OR_FOLLOWER: errors.NOT_COORDINATOR,
    errors.KAFKA_STORAGE_ERROR: errors.NOT_COORDINATOR,
    errors.MESSAGE_TOO_LARGE: errors.UNKNOWN_SERVER_ERROR,
    errors.RECORD_LIST_TOO_LARGE: errors.UNKNOWN_SERVER_ERROR,
}


class _Due(NamedTuple):
    end_offset: int
    deadline_ms: int
    reply: Reply
    response: Message | None


class _Release(Parked):
    """Watches the replica while answers wait for it. Stands for no single request."""

    def __init__(self, home: Home, deadline_ms: int) -> None:
        super().__init__(self, [home.replica], deadline_ms)  # type: ignore[arg-type]
        self._home = home

    def attempt(self, now_ms: int) -> bool:
        return self._home.release()

    def give_up(self, now_ms: int) -> None:
        self._home.lose_patience(now_ms)


class Home:
    """See above. `say(sentence)` writes the diary. `codec` is `offsets.topic.compression.codec`, `answer_timeout_ms` is
    `offsets.commit.timeout.ms`: how long an answer waits for the disk before it says that it does not know."""

    def __init__(
        self,
        replica: Replica,
        new_shard: Callable[[], Shard],
        waiting: Waiting,
        say: Callable[[str], None],
        *,
        codec: int = 0,
        answer_timeout_ms: int = 5_000,
    ) -> None:
        self.replica = replica
        self.leader_epoch = replica.leader_epoch
        self.deleted_topics: set[str] = set()
        self._new_shard = new_shard
        self._waiting = waiting
        self._say = say
        self._codec = compression.NAMES[codec]
        self._answer_timeout_ms = answer_timeout_ms
        self._due: deque[_Due] = deque()
        self._parked: _Release | None = None
        self._rewrite: Iterator[NewRecord] | None = None
        self._rewrite_from = -1
        self._size_before = 0
        self._small_bytes = 0
        self.shard = new_shard()
        self.loading = True
        self._position = replica.log.start_offset
        self._loaded_records = 0
        self._appended_end = 0

    @property
    def partition(self) -> int:
        return self.replica.partition

    @property
    def end_offset(self) -> int:
        """Behind the last record this shard rests on."""
        return self.replica.log.end_offset

    # Loading.

    def load(self, now_ms: int) -> int:
        """Replay another slice of the log; answers its size in bytes. Raises DiskFault, WireError."""
        log = self.replica.log
        found = log.read(self._position, LOAD_SLICE_BYTES, log.written_end, minimum_one_batch=True)
        data = found.file.pread(found.length, found.position) if found.file is not None else b""
        for batch in iter_batches(data):
            self._replay_batch(batch, now_ms)
        if self._position >= log.written_end or not data:
            self._begin(now_ms)
        return len(data)

    def _replay_batch(self, batch: memoryview, now_ms: int) -> None:
        header = read_batch_header(batch)
        self._position = header.base_offset + header.last_offset_delta + 1
        if header.is_control:
            if header.producer_id >= 0:
                self.shard.replay_marker(header.producer_id, control_type(batch)[0] == CONTROL_COMMIT)
            return
        producer_id = header.producer_id if header.is_transactional else -1
        for record in iter_records(batch):
            self._loaded_records += 1
            try:
                self.shard.replay_record(record.key, record.value, now_ms, producer_id)
            except (MalformedMessage, ValueError) as error:
                self._say(f"{OFFSETS_TOPIC}-{self.partition} has a record at {record.offset} that is left out: {error}")

    def _begin(self, now_ms: int) -> None:
        self.loading = False
        if self._loaded_records:
            groups = len(self.shard.groups)
            self._say(f"{OFFSETS_TOPIC}-{self.partition} is loaded: {self._loaded_records} records, {groups} groups")
        turn = Turn(now_ms)
        self.shard.loaded(turn)
        self.shard.forget_foreign_topics(turn)
        if self.deleted_topics:
            self.shard.forget_topics(turn, frozenset(self.deleted_topics))
            self.deleted_topics.clear()
        self.finish(turn)

    def start_over(self, now_ms: int, code: int) -> None:
        """What the shard says is not what the log says: forget it, and load again."""
        self.close(now_ms, code)
        self.shard = self._new_shard()
        self._position = self.replica.log.start_offset
        self._loaded_records = 0
        self._appended_end = 0

    def close(self, now_ms: int, code: int = errors.NOT_COORDINATOR) -> None:
        """This node does not coordinate these groups any more: nobody waits here any longer."""
        turn = Turn(now_ms)
        self.shard.unload(turn)
        for reply, response in turn.answers:
            reply(response)
        self._fail_all(code)
        self._rewrite, self._rewrite_from = None, -1
        self.loading = True

    # Turns.

    @property
    def has_lost_writes(self) -> bool:
        """Whether something appended did not reach the file (a disk was full): the shard says more than the log."""
        return self.replica.log.end_offset < self._appended_end

    def finish(self, turn: Turn) -> None:
        """Append what the turn wrote and let its answers wait for it. Raises WireError when the log refuses; the shard
        is loading again then, and the turn's answers were told."""
        if turn.entries:
            encoded = [records.encode(entry, turn.now_ms) for entry in turn.entries]
            try:
                self._append(encoded, turn.now_ms)
            except WireError as error:
                code = _FROM_LOG.get(error.code, error.code)
                self._say(f"{OFFSETS_TOPIC}-{self.partition} refuses a write ({error}) and is loaded again")
                for reply, _ in turn.answers:
                    reply.fail(code)
                self.start_over(turn.now_ms, code)
                raise WireError(code, error.message) from error
        for reply, response in turn.answers:
            self.when_durable(reply, response, turn.now_ms)

    def _append(self, encoded: list[NewRecord], now_ms: int) -> None:
        if len(encoded) == 1 and self._codec == "none" and encoded[0].value is not None:
            self.replica.append_own(memoryview(records.batch_of_one(encoded[0])), now_ms)
        else:
            for chunk in _chunks(encoded):
                batch = build_batch(chunk, compression=self._codec)
                self.replica.append_own(memoryview(batch), now_ms)
        self._appended_end = self.end_offset

    def when_durable(self, reply: Reply, response: Message | None, now_ms: int) -> None:
        """Answer once everything appended so far is durable."""
        if self.is_durable:
            reply(response)
            return
        self._due.append(_Due(self.end_offset, now_ms + self._answer_timeout_ms, reply, response))
        self._watch()

    def _watch(self) -> None:
        if self._parked is None and self._due:
            self._parked = _Release(self, self._due[0].deadline_ms)
            self._waiting.park(self._parked)

    @property
    def is_durable(self) -> bool:
        return self.replica.high_watermark >= self.replica.log.end_offset

    def release(self) -> bool:
        """The high watermark has moved, or the replica has changed: answer whoever can be. True when nobody waits."""
        if self.replica.refusal:
            self._fail_all(_FROM_LOG.get(self.replica.refusal, self.replica.refusal))
        durable = self.replica.high_watermark
        while self._due and self._due[0].end_offset <= durable:
            due = self._due.popleft()
            due.reply(due.response)
        if self.has_lost_writes:
            self._fail_all(errors.COORDINATOR_NOT_AVAILABLE)
        if self._due:
            return False
        self._parked = None
        return True

    def lose_patience(self, now_ms: int) -> None:
        """The disk takes too long: whose time is up is told that it is not known what became of the write."""
        self._parked = None
        while self._due and self._due[0].deadline_ms <= now_ms:
            self._due.popleft().reply.fail(errors.COORDINATOR_NOT_AVAILABLE)
        self._watch()

    def _fail_all(self, code: int) -> None:
        due, self._due = self._due, deque()
        for one in due:
            one.reply.fail(code)

    # Rewriting.

    def wants_rewriting(self) -> bool:
        """Whether the log has grown to four times what it was when it last was small."""
        worth = max(REWRITE_WORTH_BYTES, 4 * self._small_bytes)
        return not self.loading and self.replica.log.size_bytes > worth and not self.shard.offsets.pending

    @property
    def is_rewriting(self) -> bool:
        return self._rewrite_from >= 0

    def begin_rewrite(self, now_ms: int) -> None:
        """In a segment of its own, so that all before it can go. Raises DiskFault."""
        log = self.replica.log
        log.roll(now_ms)
        self._rewrite_from = log.end_offset
        self._size_before = log.size_bytes
        self._rewrite = self._everything(now_ms)

    def _everything(self, now_ms: int) -> Iterator[NewRecord]:
        """Each record as things are when it comes to its turn."""
        shard = self.shard
        for key in list(shard.kept):
            if key in shard.kept:
                yield NewRecord(key, shard.kept[key], timestamp=now_ms)
        for group_id in shard.names():
            for entry in shard.records_of(group_id):
                yield records.encode(entry, now_ms)

    def rewrite(self, now_ms: int) -> None:
        """Another slice. Afterwards, once it is durable, the log begins where the rewriting began. Raises WireError."""
        if self._rewrite is not None:
            chunk = list(islice(self._rewrite, REWRITE_SLICE_RECORDS))
            if chunk:
                self._append(chunk, now_ms)
                return
            self._rewrite = None
        if self.is_durable:
            log = self.replica.log
            self._small_bytes = log.size_bytes - self._size_before
            log.delete_before(self._rewrite_from)
            self._rewrite_from = -1
            self._say(f"{OFFSETS_TOPIC}-{self.partition} was rewritten; it begins at {log.start_offset} now")


def _chunks(encoded: list[NewRecord]) -> Iterator[list[NewRecord]]:
    """Records in runs that fit a batch."""
    chunk: list[NewRecord] = []
    size = 0
    for record in encoded:
        bytes_ = len(record.key or b"") + len(record.value or b"")
        if chunk and size + bytes_ > BATCH_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(record)
        size += bytes_
    if chunk:
        yield chunk

