"""Sending records to one topic: batched by partition, acknowledged, repeated without doubling.

Theory of operation
-------------------
`add` puts a record into the open batch of its partition's lane; a full batch is sealed. Each lane has at most one batch
on its way, so the order of a partition cannot change and a repeated batch meets no younger one. All sealed batches for
one leader travel in one request. While answers are awaited the caller goes on adding; when a lane has two sealed
batches waiting, `add` waits with it.

With acks=all and a cluster that hands out producer ids, batches carry (producer id, epoch, sequence): the broker drops
what it already has (KIP-98), so every doubtful batch may be sent again. Without that, a batch is repeated only when the
broker said that it did not take it; whatever else is lost on the way is counted as unknown.

    sealed -> on its way -> acknowledged
                  |-> repeated   (moved leader, lost connection, ...: until the batch's deadline)
                  |-> split      (MESSAGE_TOO_LARGE, more than one record)
                  |-> failed     (the broker refused these records: counted, with their line numbers)
                  `-> unknown    (time ran out with an attempt unanswered: production halts)

A batch whose fate is unknown must not be followed by one with the same sequence numbers, the broker might take the
second for a repetition of the first. So production halts there; what was not sent is counted as such.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from logctl.admin.client import Lost
from logctl.admin.deadline import Backoff, Deadline
from logctl.admin.link import Call
from logctl.admin.partitioner import Sticky, partition_for
from logctl.admin.routing import Cluster, refusal
from logctl.admin.topics import check_name, unknown_topics
from logctl.errors import AccessDenied, DeadlineExceeded, LogctlError, OperationFailed, Unreachable, UsageError
from logctl.wire import errors
from logctl.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from logctl.wire.records import NewRecord, build_batch

BATCH_BYTES: Final = 768 << 10
_REQUEST_BYTES: Final = 16 << 20
_RECORD_OVERHEAD_BYTES: Final = 24
_SEALED_MAX: Final = 2
_SENTENCES_MAX: Final = 20

_NOT_APPENDED: Final = frozenset(
    (
        errors.NOT_LEADER_OR_FOLLOWER,
        errors.LEADER_NOT_AVAILABLE,
        errors.FENCED_LEADER_EPOCH,
        errors.UNKNOWN_TOPIC_OR_PARTITION,
        errors.UNKNOWN_TOPIC_ID,
        errors.NOT_ENOUGH_REPLICAS,
        errors.KAFKA_STORAGE_ERROR,
        errors.THROTTLING_QUOTA_EXCEEDED,
        errors.BROKER_NOT_AVAILABLE,
        errors.CORRUPT_MESSAGE,
    )
)
"""The broker did not take the batch, and may do so later or elsewhere: repeated whatever the guarantees."""

_PERHAPS_APPENDED: Final = frozenset(
    (errors.REQUEST_TIMED_OUT, errors.NOT_ENOUGH_REPLICAS_AFTER_APPEND, errors.NETWORK_EXCEPTION)
)
_TOO_LARGE: Final = frozenset((errors.MESSAGE_TOO_LARGE, errors.RECORD_LIST_TOO_LARGE))
_SEQUENCE_LOST: Final = frozenset((errors.OUT_OF_ORDER_SEQUENCE_NUMBER, errors.UNKNOWN_PRODUCER_ID))


class ProduceOptions(NamedTuple):
    """acks: 0, 1 or -1 (all). `timeout_s`: how long one batch may take, repetitions included. `idempotent`: ask for a
    producer id where acks and cluster allow it. `batch_bytes`: when a batch is full."""

    acks: int = -1
    compression: str = "none"
    timeout_s: float = 30.0
    idempotent: bool = True
    batch_bytes: int = BATCH_BYTES


@dataclass(slots=True)
class Tally:
    """What became of the records so far. `failures` are the first sentences, one per refusal."""

    taken: int = 0
    acknowledged: int = 0
    failed: int = 0
    unknown: int = 0
    failures: list[str] = field(default_factory=list)
    offsets: dict[int, tuple[int, int]] = field(default_factory=dict)

    @property
    def unsent(self) -> int:
        return self.taken - self.acknowledged - self.failed - self.unknown


class _Batch:
    __slots__ = ("deadline", "doubtful", "lines", "records", "size_bytes")

    def __init__(self, records: list[NewRecord], lines: list[int], size_bytes: int, deadline: Deadline) -> None:
        self.records = records
        self.lines = lines
        self.size_bytes = size_bytes
        self.deadline = deadline
        self.doubtful = False


class _Lane:
    """One partition's queue. `identity` is the (producer id, epoch) its sequence counts for."""

    __slots__ = ("flying", "identity", "lines", "number", "open_bytes", "records", "sealed", "sequence")

    def __init__(self, number: int, identity: tuple[int, int]) -> None:
        self.number = number
        self.identity = identity
        self.sequence = 0
        self.records: list[NewRecord] = []
        self.lines: list[int] = []
        self.open_bytes = 0
        self.sealed: deque[_Batch] = deque()
        self.flying = False


class _Flight(NamedTuple):
    call: Call
    loads: list[tuple[_Lane, _Batch]]


class Producer:
    """Sends to one topic; see the module's theory of operation. `now_ms` gives timestamps and chance; `on_done` is told
    the lines of each batch that was acknowledged."""

    def __init__(
        self,
        cluster: Cluster,
        topic: str,
        options: ProduceOptions,
        now_ms: Callable[[], int],
        on_done: Callable[[list[int]], None] | None = None,
    ) -> None:
        check_name(topic)
        self._on_done = on_done
        self.topic = topic
        self.tally = Tally()
        self._cluster = cluster
        self._options = options
        self._now_ms = now_ms
        self._sticky = Sticky(now_ms())
        self._sticky_place = -1
        self._lanes: list[_Lane] = []
        self._flights: list[_Flight] = []
        self._leaders_stale = False
        self._backoff = Backoff()
        self._halted: LogctlError | None = None
        self._trouble: LogctlError | None = None

    @property
    def idempotent(self) -> bool:
        return bool(self._lanes) and self._lanes[0].identity[0] >= 0

    def open(self, deadline: Deadline, partition: int | None = None) -> None:
        """Learn the partitions and get a producer id; `partition` is one that will be asked for.

        Raises OperationFailed, with near names, for an unknown topic, and UsageError for a partition it does not have.
        """
        found = self._cluster.refresh(deadline, (self.topic,)).topics[0]
        if found.error_code == errors.UNKNOWN_TOPIC_OR_PARTITION:
            names = [entry.name for entry in self._cluster.refresh(deadline, None).topics]
            raise unknown_topics([self.topic], names)
        if found.error_code not in (errors.NONE, errors.LEADER_NOT_AVAILABLE):
            raise refusal(f"topic {self.topic}", found.error_code)
        identity = self._new_identity(deadline)
        self._lanes = [_Lane(number, identity) for number in range(len(found.partitions))]
        self._place(None, partition)

    def _new_identity(self, deadline: Deadline) -> tuple[int, int]:
        wanted = self._options.idempotent and self._options.acks == -1
        if not wanted or not self._cluster.offers("InitProducerId"):
            return -1, -1
        from logctl.wire.messages.init_producer_id import InitProducerIdRequest

        request = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=0x7FFFFFFF)
        response = self._cluster.ask(request, deadline)
        if response.error_code == errors.CLUSTER_AUTHORIZATION_FAILED:
            return -1, -1
        if response.error_code:
            raise refusal("cannot get a producer id", response.error_code)
        return response.producer_id, response.producer_epoch

    # -- taking records ----------------------------------------------------------------------------------------------

    def add(self, record: NewRecord, line: int, partition: int | None = None) -> None:
        """Take one record; `line` names it in failures. Waits while its partition is too far behind.

        Raises UsageError for a partition the topic does not have, and what halted production, if anything did.
        """
        lane = self._lanes[self._place(record.key, partition, f"line {line}: ")]
        key, value, headers, timestamp = record
        if timestamp < 0:
            record = NewRecord(key, value, headers, self._now_ms())
        lane.records.append(record)
        lane.lines.append(line)
        lane.open_bytes += _size(record)
        self.tally.taken += 1
        if lane.open_bytes >= self._options.batch_bytes:
            self._seal(lane)
            self._turn(0.0)
            while len(lane.sealed) >= _SEALED_MAX:
                self._turn(1.0)

    def _place(self, key: bytes | None, partition: int | None, where: str = "") -> int:
        count = len(self._lanes)
        if partition is not None:
            if not 0 <= partition < count:
                held = f"topic {self.topic} has partitions 0 to {count - 1}"
                raise UsageError(f"{where}{held}; {partition} is not one of them")
            return partition
        if key is not None:
            return partition_for(key, count)
        if self._sticky_place < 0:
            self._sticky_place = self._sticky.current(self._available())
        return self._sticky_place

    def _available(self) -> list[int]:
        leaders = self._cluster.leaders
        led = [lane.number for lane in self._lanes if leaders[self.topic, lane.number].node_id >= 0]
        return led or [lane.number for lane in self._lanes]

    def _seal(self, lane: _Lane) -> None:
        if not lane.records:
            return
        deadline = Deadline(self._options.timeout_s)
        lane.sealed.append(_Batch(lane.records, lane.lines, lane.open_bytes, deadline))
        lane.records, lane.lines, lane.open_bytes = [], [], 0
        self._sticky.move_on()
        self._sticky_place = -1

    def flush(self) -> None:
        """Send everything taken so far and wait for what becomes of it. Raises what halted production."""
        for lane in self._lanes:
            self._seal(lane)
        while self._flights or any(lane.sealed for lane in self._lanes):
            self._turn(1.0)
        if self._halted is not None:
            raise self._halted

    def pause(self, wait_s: float) -> None:
        """Send what was taken so far, but for what lies behind a batch on its way, and let at most `wait_s` pass while
        answers come in."""
        for lane in self._lanes:
            if not lane.sealed and not lane.flying:
                self._seal(lane)
        if self._flights or any(lane.sealed for lane in self._lanes):
            self._turn(wait_s)
        else:
            Deadline(wait_s).pause(wait_s)

    def abandon(self) -> None:
        """Stop here: what is on its way counts as unknown."""
        for flight in self._flights:
            for _, batch in flight.loads:
                self.tally.unknown += len(batch.records)
        self._flights.clear()

    # -- sending -----------------------------------------------------------------------------------------------------

    def _turn(self, wait_s: float) -> None:
        """Send what may be sent, wait at most `wait_s` for an answer, and settle what came. Raises what halts."""
        if self._halted is not None:
            raise self._halted
        if self._leaders_stale:
            self._relearn()
        self._dispatch()
        if self._flights:
            self._cluster.client.wait([flight.call for flight in self._flights], Deadline(wait_s), any_one=True)
            self._collect()
        self._expire()

    def _relearn(self) -> None:
        waiting = [lane.sealed[0].deadline for lane in self._lanes if lane.sealed]
        deadline = min(waiting, key=lambda one: one.left_s, default=Deadline(self._options.timeout_s))
        self._backoff.pause(deadline)
        try:
            self._cluster.refresh(deadline.at_most(5.0), (self.topic,))
        except (Unreachable, DeadlineExceeded) as failure:
            self._trouble = self._trouble or failure
            return
        self._leaders_stale = False

    def _dispatch(self) -> None:
        ready = {lane.number: lane for lane in self._lanes if lane.sealed and not lane.flying}
        grouped = self._cluster.by_leader((self.topic, number) for number in ready)
        if grouped.pop(-1, None):
            self._leaders_stale = True
        for node, places in grouped.items():
            loads: list[tuple[_Lane, _Batch]] = []
            size_bytes = 0
            for _, number in places:
                batch = ready[number].sealed[0]
                if loads and size_bytes + batch.size_bytes > _REQUEST_BYTES:
                    break
                loads.append((ready[number], ready[number].sealed.popleft()))
                size_bytes += batch.size_bytes
            self._send(node, loads)

    def _send(self, node: int, loads: list[tuple[_Lane, _Batch]]) -> None:
        data = []
        for lane, batch in loads:
            lane.flying = True
            producer_id, epoch = lane.identity
            records = build_batch(
                batch.records,
                compression=self._options.compression,
                producer_id=producer_id,
                producer_epoch=epoch,
                base_sequence=lane.sequence if producer_id >= 0 else -1,
            )
            data.append(PartitionProduceData(index=lane.number, records=records))
        topic_id = self._cluster.topic_ids.get(self.topic, bytes(16))
        request = ProduceRequest(
            acks=self._options.acks,
            timeout_ms=int(self._options.timeout_s * 1000),
            topic_data=[TopicProduceData(name=self.topic, topic_id=topic_id, partition_data=data)],
        )
        call = self._cluster.client.submit(self._cluster.address(node), request)
        self._flights.append(_Flight(call, loads))

    # -- settling ----------------------------------------------------------------------------------------------------

    def _collect(self) -> None:
        landed = [flight for flight in self._flights if flight.call.done]
        self._flights = [flight for flight in self._flights if not flight.call.done]
        for flight in landed:
            for lane, _ in flight.loads:
                lane.flying = False
            if flight.call.error is not None:
                self._lost(flight)
            elif self._options.acks == 0:
                for _, batch in flight.loads:
                    self.tally.acknowledged += len(batch.records)
                    self._tell_done(batch)
            else:
                self._settle(flight)

    def _look_again(self, trouble: LogctlError) -> None:
        self._leaders_stale = True
        self._trouble = trouble

    def _lost(self, flight: _Flight) -> None:
        error = flight.call.error
        assert error is not None
        if not isinstance(error, Unreachable):
            self._halt(error)
            for lane, batch in flight.loads:
                lane.sealed.appendleft(batch)
            return
        self._look_again(error)
        for lane, batch in flight.loads:
            self._doubt_or_repeat(lane, batch, flight.call.sent, Lost(str(error)))

    def _doubt_or_repeat(self, lane: _Lane, batch: _Batch, perhaps_appended: bool, error: LogctlError) -> None:
        batch.doubtful = batch.doubtful or perhaps_appended
        if not perhaps_appended or lane.identity[0] >= 0:
            lane.sealed.appendleft(batch)
        else:
            self.tally.unknown += len(batch.records)
            self._halt(DeadlineExceeded(f"{error.message}; sending it again could double it", "use --acks all"))

    def _settle(self, flight: _Flight) -> None:
        answers = {
            entry.index: entry for topic in flight.call.response.responses for entry in topic.partition_responses
        }
        for lane, batch in flight.loads:
            answer = answers.get(lane.number)
            if answer is None:
                self._refused(lane, batch, "the broker's answer does not mention the partition")
            else:
                self._settle_one(lane, batch, answer)

    def _settle_one(self, lane: _Lane, batch: _Batch, answer: Any) -> None:
        code = answer.error_code
        if code in (errors.NONE, errors.DUPLICATE_SEQUENCE_NUMBER):
            self._acknowledged(lane, batch, answer.base_offset)
        elif code in _NOT_APPENDED:
            self._look_again(refusal(self._where(lane), code))
            lane.sealed.appendleft(batch)
        elif code in _PERHAPS_APPENDED:
            self._look_again(refusal(self._where(lane), code))
            self._doubt_or_repeat(lane, batch, True, refusal(self._where(lane), code))
        elif code in _TOO_LARGE and len(batch.records) > 1:
            self._split(lane, batch)
        elif code == errors.INVALID_RECORD and answer.record_errors:
            self._drop_refused(lane, batch, answer.record_errors)
        elif code in _SEQUENCE_LOST and not batch.doubtful:
            lane.identity, lane.sequence = self._new_identity(batch.deadline), 0
            lane.sealed.appendleft(batch)
        else:
            self._refused_by_code(lane, batch, code, answer.error_message)

    def _acknowledged(self, lane: _Lane, batch: _Batch, base_offset: int) -> None:
        count = len(batch.records)
        self._backoff = Backoff()
        self.tally.acknowledged += count
        self._tell_done(batch)
        lane.sequence = (lane.sequence + count) & 0x7FFFFFFF
        if base_offset >= 0:
            first, _ = self.tally.offsets.get(lane.number, (base_offset, 0))
            self.tally.offsets[lane.number] = first, base_offset + count - 1

    def _tell_done(self, batch: _Batch) -> None:
        if self._on_done is not None:
            self._on_done(batch.lines)

    def _split(self, lane: _Lane, batch: _Batch) -> None:
        half = len(batch.records) // 2
        parts = (batch.records[:half], batch.lines[:half]), (batch.records[half:], batch.lines[half:])
        for records, lines in reversed(parts):
            lane.sealed.appendleft(_Batch(records, lines, sum(map(_size, records)), batch.deadline))

    def _drop_refused(self, lane: _Lane, batch: _Batch, record_errors: Iterable[Any]) -> None:
        refused = {entry.batch_index: entry.batch_index_error_message for entry in record_errors}
        for index, message in refused.items():
            if 0 <= index < len(batch.records):
                self._fail(1, f"line {batch.lines[index]}: {message or 'the broker refused the record'}")
        kept = [index for index in range(len(batch.records)) if index not in refused]
        if kept and len(kept) < len(batch.records):
            records = [batch.records[index] for index in kept]
            lines = [batch.lines[index] for index in kept]
            lane.sealed.appendleft(_Batch(records, lines, sum(map(_size, records)), batch.deadline))

    def _refused_by_code(self, lane: _Lane, batch: _Batch, code: int, said: str | None) -> None:
        error = refusal(self._where(lane), code, said)
        if isinstance(error, AccessDenied) or batch.doubtful:
            self.tally.unknown += len(batch.records) if batch.doubtful else 0
            self._halt(error)
        else:
            self._refused(lane, batch, str(error))

    def _refused(self, lane: _Lane, batch: _Batch, sentence: str) -> None:
        first, last = batch.lines[0], batch.lines[-1]
        lines = f"line {first}" if first == last else f"{len(batch.records)} records of lines {first} to {last}"
        self._fail(len(batch.records), f"{lines}: {sentence}")

    def _fail(self, count: int, sentence: str) -> None:
        self.tally.failed += count
        if len(self.tally.failures) < _SENTENCES_MAX:
            self.tally.failures.append(sentence)

    def _expire(self) -> None:
        """Give up on batches whose time is over: those on their way are unknown, the others were not sent."""
        for flight in self._flights:
            if flight.loads[0][1].deadline.expired:
                link = flight.call.link
                self._halt(DeadlineExceeded(link.explain_silence() if link else "no answer came in time"))
                return
        for lane in self._lanes:
            if lane.sealed and not lane.flying and lane.sealed[0].deadline.expired:
                batch = lane.sealed[0]
                if batch.doubtful:
                    lane.sealed.popleft()
                    self.tally.unknown += len(batch.records)
                self._halt(self._too_late(lane))
                return

    def _too_late(self, lane: _Lane) -> LogctlError:
        leader = self._cluster.leaders[self.topic, lane.number].node_id
        why = "it has no leader" if leader < 0 else f"its leader, broker {leader}, did not take them ({self._trouble})"
        kind = Unreachable if isinstance(self._trouble, Unreachable) else OperationFailed
        return kind(
            f"{self._where(lane)}: records could not be written within {self._options.timeout_s:g} s; {why}",
            "look at the partition with `logctl topic describe`",
        )

    def _halt(self, error: LogctlError) -> None:
        if self._halted is None:
            self._halted = error

    def _where(self, lane: _Lane) -> str:
        return f"partition {lane.number} of {self.topic}"


def _size(record: NewRecord) -> int:
    size = _RECORD_OVERHEAD_BYTES + len(record.key or b"") + len(record.value or b"")
    if record.headers:
        size += sum(len(name) + len(value or b"") + 6 for name, value in record.headers)
    return size
