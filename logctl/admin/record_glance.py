"""The first records at or after an offset, of many partitions at once.

Theory of operation
-------------------
Each leader gets one Fetch for all of its partitions, without a session and without waiting. Kafka returns whole
batches: the first partition of a request gets its first batch whatever its size, the others only what fits their
limit, and nothing when not even the first batch does. So what is left open is asked again, with a limit eight times
larger, the partition that got nothing in front; every round settles at least one partition of each leader.

Reading is committed: control batches and records of aborted transactions are passed over, and where nothing else lies
between the offset and the end, there is nothing to read there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from logctl.admin.aborted import batches_read
from logctl.admin.deadline import Backoff, Deadline
from logctl.admin.positions import Place
from logctl.admin.routing import Cluster, refusal
from logctl.errors import DeadlineExceeded, LogctlError, OperationFailed
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.records import Record, check_batch, iter_records

_FIRST_BYTES: Final = 64 << 10
_MOST_BYTES: Final = 16 << 20
_GROWTH: Final = 8
_PATIENCE_S: Final = 5.0


class Span(NamedTuple):
    """What to look at: at most `limit` records of [offset, end)."""

    offset: int
    end: int
    limit: int = 1


class Glanced(NamedTuple):
    """The records found, and how far was looked: everything below `reached` is among them or no record to read."""

    records: tuple[Record, ...]
    reached: int


class Seen(NamedTuple):
    """By place, and why the others are missing."""

    found: dict[Place, Glanced]
    failures: dict[Place, LogctlError]


class _Open:
    __slots__ = ("bytes", "reached", "records", "span")

    def __init__(self, span: Span) -> None:
        self.span = span
        self.records: list[Record] = []
        self.reached = span.offset
        self.bytes = _FIRST_BYTES

    @property
    def done(self) -> bool:
        return len(self.records) >= self.span.limit or self.reached >= self.span.end


def glance(cluster: Cluster, wanted: Mapping[Place, Span], deadline: Deadline) -> Seen:
    """Look at every span; leaders must be known to `cluster`, those that moved are found again."""
    pending = {place: _Open(span) for place, span in wanted.items()}
    seen = Seen({}, {})
    trouble: dict[Place, LogctlError] = {}
    patience, backoff = deadline.at_most(_PATIENCE_S), Backoff()
    while True:
        for place in [place for place, one in pending.items() if one.done]:
            one = pending.pop(place)
            seen.found[place] = Glanced(tuple(one.records[: one.span.limit]), one.reached)
        if not pending or deadline.expired:
            break
        before = {place: (one.reached, one.bytes) for place, one in pending.items()}
        trouble = _round(cluster, pending, seen, deadline)
        if not trouble and before == {place: (one.reached, one.bytes) for place, one in pending.items()}:
            trouble = {place: OperationFailed(f"{_where(place)}: its leader sends nothing") for place in pending}
        if trouble and patience.expired:
            seen.failures.update(trouble)
            for place in trouble:
                pending.pop(place, None)
        elif trouble:
            backoff.pause(patience)
            cluster.refresh(deadline, sorted({topic for topic, _ in trouble}))
    for place in pending:
        seen.failures[place] = trouble.get(place) or DeadlineExceeded(f"{_where(place)} was not read in time")
    return seen


def _round(
    cluster: Cluster, pending: dict[Place, _Open], seen: Seen, deadline: Deadline
) -> dict[Place, LogctlError]:
    """Ask each leader once; answers what went wrong and may go right in a moment."""
    trouble: dict[Place, LogctlError] = {}
    grouped = cluster.by_leader(pending)
    for place in grouped.pop(-1, []):
        trouble[place] = OperationFailed(f"{_where(place)} has no leader")
    requests = {node: _request(cluster, places, pending) for node, places in grouped.items()}
    gathered = cluster.scatter(requests, deadline.at_most(deadline.left_s / 2))
    for node, error in gathered.missing.items():
        trouble.update(dict.fromkeys(grouped[node], error))
    for node, response in gathered.answers.items():
        if response.error_code:
            trouble.update(dict.fromkeys(grouped[node], refusal("reading", response.error_code)))
        else:
            _take(cluster, response, pending, seen, trouble)
    return trouble


def _request(cluster: Cluster, places: list[Place], pending: Mapping[Place, _Open]) -> Any:
    from logctl.wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic

    topics: dict[str, list[Any]] = {}
    for place in sorted(places, key=lambda place: -pending[place].bytes):
        one = pending[place]
        entry = FetchPartition(partition=place[1], fetch_offset=one.reached, partition_max_bytes=one.bytes)
        topics.setdefault(place[0], []).append(entry)
    return FetchRequest(
        max_wait_ms=0,
        min_bytes=0,
        max_bytes=_MOST_BYTES,
        isolation_level=1,
        topics=[
            FetchTopic(topic=name, topic_id=cluster.topic_ids.get(name, bytes(16)), partitions=entries)
            for name, entries in topics.items()
        ],
    )


def _take(
    cluster: Cluster, response: Any, pending: dict[Place, _Open], seen: Seen, trouble: dict[Place, LogctlError]
) -> None:
    names = {topic_id: name for name, topic_id in cluster.topic_ids.items()}
    for topic in response.responses:
        name = topic.topic or names.get(topic.topic_id, "")
        for answer in topic.partitions:
            place = name, answer.partition_index
            one = pending.get(place)
            if one is None:
                continue
            if answer.error_code:
                error = refusal(_where(place), answer.error_code)
                if errors.describe(answer.error_code).retriable:
                    trouble[place] = error
                else:
                    seen.failures[place] = error
                    del pending[place]
                continue
            try:
                _read(one, answer)
            except WireError as error:
                unreadable = OperationFailed(f"{_where(place)}, offset {one.reached}: cannot be read: {error}")
                seen.failures[place] = unreadable
                del pending[place]


def _read(one: _Open, answer: Any) -> None:
    before = one.reached
    stable = answer.last_stable_offset if answer.last_stable_offset >= 0 else answer.high_watermark
    for batch, header, is_read in batches_read(answer, check_batch):
        if is_read:
            one.records += _within(batch, one)
        one.reached = max(one.reached, header.last_offset + 1)
        if one.done:
            return
    if one.reached == before:
        if before >= stable:
            one.reached = one.span.end
        one.bytes = min(_MOST_BYTES, one.bytes * _GROWTH)


def _within(batch: memoryview, one: _Open) -> Iterable[Record]:
    for record in iter_records(batch):
        if record.offset >= one.span.end or len(one.records) >= one.span.limit:
            return
        if record.offset >= one.reached:
            yield record


def _where(place: Place) -> str:
    return f"partition {place[1]} of {place[0]}"
