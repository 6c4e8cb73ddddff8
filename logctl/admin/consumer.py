"""Reading records of partitions from one place to another, or on and on.

Theory of operation
-------------------
Each partition has a cursor: the offset to read next and, unless we follow, the offset to stop at, fixed when reading
began. All cursors of one leader travel in one Fetch (without a fetch session: this is a short conversation), one at a
time per leader; the next one is sent before the records of the last are unpacked, so the broker reads while we decode.
The order of a partition is kept; partitions interleave as their answers come.

A cursor moves by what the batches say they cover, not by the records that came out of them: compacted gaps, control
batches and aborted transactions are walked over. With `committed`, batches of aborted transactions are left out by the
list that the broker sends along (KIP-98): a producer is in an aborted transaction from the offset named until its abort
marker.

Trouble (a leader moved, a broker went away) is met by new metadata and another try, for as long as the timeout allows
without any progress. What the partition no longer holds is said in a notice, and reading goes on where it begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from logctl.admin.aborted import batches_read
from logctl.admin.deadline import Backoff, Deadline
from logctl.admin.link import Call
from logctl.admin.positions import BEGINNING, END, Kind, Place, Position, Range, ranges, resolve
from logctl.admin.routing import Cluster, refusal
from logctl.admin.topics import check_name, unknown_topics
from logctl.errors import DeadlineExceeded, LogctlError, OperationFailed, Unreachable, UsageError
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from logctl.wire.records import (
    HEADER_BYTES,
    MAGIC,
    BatchHeader,
    Record,
    check_batch,
    iter_records,
    read_header,
)

_MAX_BYTES: Final = 32 << 20
_PARTITION_BYTES: Final = 4 << 20
_SHORT_PARTITION_BYTES: Final = 128 << 10
_SHORT_COUNT: Final = 1000
_MAX_WAIT_MS: Final = 500


class ConsumeOptions(NamedTuple):
    """From where to where. `stop` None: follow for ever. `at_most`: so many records in all. `committed`: leave out what
    belongs to open or aborted transactions. `timeout_s`: how long to go without progress when there is trouble.
    `keep` picks the records that are delivered and counted against `at_most`; `idle_s`: end when no record came for so
    long, though more may come."""

    start: Position = BEGINNING
    stop: Position | None = END
    partitions: tuple[int, ...] | None = None
    at_most: int | None = None
    committed: bool = False
    timeout_s: float = 30.0
    keep: Callable[[Record], bool] | None = None
    idle_s: float | None = None


class Delivered(NamedTuple):
    """Records of one partition, in order. With a filter it may be that none of those that were read is left."""

    topic: str
    partition: int
    records: Sequence[Record]


class Notice(NamedTuple):
    """Something the reader should know: records that were expected are not there."""

    sentence: str


class _Cursor:
    __slots__ = ("offset", "place", "stop")

    def __init__(self, place: Place, offset: int, stop: int | None) -> None:
        self.place = place
        self.offset = offset
        self.stop = stop

    @property
    def finished(self) -> bool:
        return self.stop is not None and self.offset >= self.stop


class _Flight(NamedTuple):
    """A Fetch on its way; when `deadline` passes without an answer the leader counts as gone."""

    call: Call
    deadline: Deadline


class _Portion(NamedTuple):
    """The batches of one partition in an answer, from where the cursor stood when they were asked for."""

    cursor: _Cursor
    since: int
    batches: list[memoryview]


class Consumer:
    """Reads topics; see the module's theory of operation."""

    def __init__(self, cluster: Cluster, topics: Sequence[str], options: ConsumeOptions) -> None:
        for topic in topics:
            check_name(topic)
        self.scanned = 0
        """How many records were read, wanted or not."""
        self._cluster = cluster
        self._topics = tuple(dict.fromkeys(topics))
        self._options = options
        self._cursors: dict[Place, _Cursor] = {}
        self._flying: dict[int, _Flight] = {}
        self._notices: list[Notice] = []
        self._stale = False
        self._backoff = Backoff()
        self._trouble: tuple[Deadline, LogctlError] | None = None

    # -- where to begin ----------------------------------------------------------------------------------------------

    def open(self, deadline: Deadline) -> None:
        """Find the partitions and the offsets to begin and stop at.

        Raises OperationFailed for an unknown topic or a place where no partition has records, and UsageError for a
        partition that a topic does not have.
        """
        options = self._options
        held = ranges(self._cluster, self._places(deadline), options.committed, deadline)
        starts = resolve(self._cluster, options.start, held, options.committed, deadline)
        stops: dict[Place, int] = {}
        if options.stop is not None:
            stops = resolve(self._cluster, options.stop, held, options.committed, deadline)
        if options.start.kind is Kind.OFFSET and all(starts[place] > held[place].end for place in held):
            raise _beyond(options.start.value, held)
        for place, found in held.items():
            stop = min(stops[place], found.end) if place in stops else None
            self._cursors[place] = _Cursor(place, self._within(place, starts[place], found), stop)

    @property
    def ahead(self) -> int:
        """How many offsets lie before the places to stop at; what follows without end counts as none."""
        return sum(max(0, cursor.stop - cursor.offset) for cursor in self._cursors.values() if cursor.stop is not None)

    def _places(self, deadline: Deadline) -> list[Place]:
        found = self._cluster.refresh(deadline, self._topics).topics
        missing = [entry.name for entry in found if entry.error_code == errors.UNKNOWN_TOPIC_OR_PARTITION]
        if missing:
            raise unknown_topics(missing, [entry.name for entry in self._cluster.refresh(deadline, None).topics])
        places = []
        for entry in found:
            if entry.error_code not in (errors.NONE, errors.LEADER_NOT_AVAILABLE):
                raise refusal(f"topic {entry.name}", entry.error_code)
            places += self._chosen(entry.name, len(entry.partitions))
        return places

    def _chosen(self, topic: str, count: int) -> list[Place]:
        numbers = self._options.partitions
        for number in numbers or ():
            if not 0 <= number < count:
                raise UsageError(f"topic {topic} has partitions 0 to {count - 1}; {number} is not one of them")
        return [(topic, number) for number in (range(count) if numbers is None else numbers)]

    def _within(self, place: Place, offset: int, held: Range) -> int:
        if offset < held.first:
            if self._options.start.kind is Kind.OFFSET:
                self._notices.append(_gone(place, offset, held.first))
            return held.first
        return min(offset, held.end)

    # -- reading -----------------------------------------------------------------------------------------------------

    def read(self) -> Iterator[Delivered | Notice]:
        """Everything from start to stop. Raises Unreachable or OperationFailed when trouble outlasts the timeout."""
        left = self._options.at_most
        for event in self._events():
            if isinstance(event, Notice) or left is None:
                yield event
                continue
            if len(event.records) >= left:
                yield event._replace(records=event.records[:left])
                return
            left -= len(event.records)
            yield event

    def _events(self) -> Iterator[Delivered | Notice]:
        if self._options.at_most == 0:
            return
        idle = Deadline(self._options.idle_s or 0.0)
        while any(not cursor.finished for cursor in self._cursors.values()):
            if self._stale:
                self._relearn()
            self._dispatch()
            if not self._flying:
                self._worsen(OperationFailed("the partitions have no leader", "see `logctl topic describe`"))
            calls = [flight.call for flight in self._flying.values()]
            self._cluster.client.wait(calls, Deadline(1.0), any_one=True)
            portions = [portion for node in self._landed() for portion in self._absorb(node)]
            if not self._stale:
                self._dispatch()
            yield from self._drain_notices()
            for portion in portions:
                yield from self._unpack(portion)
            if portions:
                idle = Deadline(self._options.idle_s or 0.0)
            elif self._options.idle_s is not None and idle.expired:
                break
        yield from self._drain_notices()

    def _drain_notices(self) -> Iterator[Notice]:
        notices, self._notices = self._notices, []
        yield from notices

    def _landed(self) -> list[int]:
        return [node for node, flight in self._flying.items() if flight.call.done or flight.deadline.expired]

    def _dispatch(self) -> None:
        open_still = [place for place, cursor in self._cursors.items() if not cursor.finished]
        grouped = self._cluster.by_leader(open_still)
        if grouped.pop(-1, None):
            self._stale = True
        for node, places in grouped.items():
            if node not in self._flying:
                address = self._cluster.address(node)
                call = self._cluster.client.submit(address, self._request(places))
                self._flying[node] = _Flight(call, Deadline(self._options.timeout_s))

    def _request(self, places: list[Place]) -> FetchRequest:
        wanted = self._options.at_most
        short = wanted is not None and wanted <= _SHORT_COUNT and self._options.keep is None
        most = _SHORT_PARTITION_BYTES if short else _PARTITION_BYTES
        topics: dict[str, list[FetchPartition]] = {}
        for topic, number in places:
            offset = self._cursors[topic, number].offset
            entry = FetchPartition(partition=number, fetch_offset=offset, partition_max_bytes=most)
            topics.setdefault(topic, []).append(entry)
        known = self._cluster.topic_ids
        return FetchRequest(
            max_wait_ms=_MAX_WAIT_MS,
            min_bytes=1,
            max_bytes=_MAX_BYTES,
            isolation_level=int(self._options.committed),
            topics=[
                FetchTopic(topic=name, topic_id=known.get(name, bytes(16)), partitions=entries)
                for name, entries in topics.items()
            ],
        )

    def _absorb(self, node: int) -> list[_Portion]:
        """Take an answer: move the cursors over it and leave the batches for unpacking."""
        call, deadline = self._flying.pop(node)
        try:
            response = self._cluster.client.finish(call, deadline)
        except Unreachable as error:
            self._worsen(error)
            return []
        if response.error_code:
            self._worsen(refusal("the broker refused to be read from", response.error_code))
            return []
        names = {topic_id: name for name, topic_id in self._cluster.topic_ids.items()}
        portions = []
        for topic in response.responses:
            name = topic.topic or names.get(topic.topic_id, "")
            for answer in topic.partitions:
                cursor = self._cursors.get((name, answer.partition_index))
                if cursor is not None:
                    portions += self._absorb_one(cursor, answer)
        return portions

    def _absorb_one(self, cursor: _Cursor, answer: Any) -> list[_Portion]:
        code = answer.error_code
        if code == errors.OFFSET_OUT_OF_RANGE:
            self._find_again(cursor)
            return []
        if code:
            refused = refusal(_where(cursor.place), code)
            if not errors.describe(code).retriable:
                raise refused
            self._worsen(refused)
            return []
        self._trouble = None
        self._backoff = Backoff()
        since = cursor.offset
        batches = self._walk(cursor, answer)
        return [_Portion(cursor, since, batches)] if batches else []

    def _walk(self, cursor: _Cursor, answer: Any) -> list[memoryview]:
        """The batches of an answer that hold records for us; the cursor ends up behind them all."""
        kept = []
        try:
            for batch, header, is_read in batches_read(answer, _header):
                if is_read:
                    kept.append(batch)
                cursor.offset = max(cursor.offset, header.last_offset + 1)
        except WireError as error:
            raise _unreadable(cursor.place, cursor.offset, error) from error
        return kept

    def _unpack(self, portion: _Portion) -> Iterator[Delivered]:
        (topic, number), stop = portion.cursor.place, portion.cursor.stop
        keep = self._options.keep
        for batch in portion.batches:
            try:
                records = list(iter_records(batch))
            except WireError as error:
                raise _unreadable(portion.cursor.place, read_header(batch).base_offset, error) from error
            if records and (records[0].offset < portion.since or (stop is not None and records[-1].offset >= stop)):
                end = (1 << 63) if stop is None else stop
                records = [record for record in records if portion.since <= record.offset < end]
            self.scanned += len(records)
            if records and keep is not None:
                yield Delivered(topic, number, [record for record in records if keep(record)])
            elif records:
                yield Delivered(topic, number, records)

    # -- trouble -----------------------------------------------------------------------------------------------------

    def _worsen(self, error: LogctlError) -> None:
        """Another failure without progress in between: look again, or give up when that has gone on for too long."""
        self._stale = True
        if self._trouble is None:
            self._trouble = Deadline(self._options.timeout_s), error
        elif self._trouble[0].expired:
            raise self._trouble[1]
        elif not isinstance(error, DeadlineExceeded):
            self._trouble = self._trouble[0], error

    def _relearn(self) -> None:
        deadline = self._trouble[0] if self._trouble is not None else Deadline(self._options.timeout_s)
        self._backoff.pause(deadline)
        try:
            self._cluster.refresh(deadline.at_most(5.0), self._topics)
        except (Unreachable, DeadlineExceeded) as error:
            self._worsen(error)
            return
        self._stale = False

    def _find_again(self, cursor: _Cursor) -> None:
        """The partition no longer holds what we were about to read: go on where it begins, or ends, and say so."""
        deadline = Deadline(self._options.timeout_s)
        held = ranges(self._cluster, [cursor.place], self._options.committed, deadline)[cursor.place]
        if cursor.offset < held.first:
            self._notices.append(_gone(cursor.place, cursor.offset, held.first))
            cursor.offset = held.first
        elif cursor.offset > held.end:
            self._notices.append(
                Notice(f"{_where(cursor.place)} now ends at {held.end}, before {cursor.offset}: records were lost")
            )
            cursor.offset = held.end
            cursor.stop = None if cursor.stop is None else held.end


def _header(batch: memoryview) -> BatchHeader:
    """The header of a batch in the format we know; the check says what is wrong with any other."""
    if len(batch) < HEADER_BYTES or batch[16] != MAGIC:
        return check_batch(batch)
    return read_header(batch)


def _where(place: Place) -> str:
    return f"partition {place[1]} of {place[0]}"


def _gone(place: Place, first: int, begins: int) -> Notice:
    return Notice(f"{_where(place)} begins at {begins}: offsets {first} to {begins - 1} are no longer there")


def _beyond(offset: int, held: dict[Place, Range]) -> OperationFailed:
    ends = ", ".join(f"{_where(place)} at {found.end}" for place, found in list(held.items())[:5])
    return OperationFailed(f"offset {offset} is behind the end: {ends}", "use --from end to wait there with --follow")


def _unreadable(place: Place, offset: int, error: WireError) -> OperationFailed:
    return OperationFailed(
        f"{_where(place)}, offset {offset}: the batch cannot be read: {error}", "skip it with --from and a later offset"
    )
