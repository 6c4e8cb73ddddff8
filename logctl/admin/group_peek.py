"""What a group is stuck at: the records around its position in each partition that it lags in."""

from __future__ import annotations

from typing import Final, NamedTuple

from logctl.admin.deadline import Deadline
from logctl.admin.group_lag import PartitionLag, lag_of_groups
from logctl.admin.groups import Found, Selection
from logctl.admin.positions import Place
from logctl.admin.record_glance import Span, glance
from logctl.admin.routing import Cluster
from logctl.errors import LogctlError, UsageError
from logctl.wire.records import Record as Record

MOST: Final = 1000
"""Records around one position: more are to be read with `record consume`."""


class Peeked(NamedTuple):
    """One partition of a group with the records before its position and from it on."""

    group: str
    entry: PartitionLag
    before: tuple[Record, ...]
    unread: tuple[Record, ...]


def peek(
    cluster: Cluster,
    group: str,
    deadline: Deadline,
    *,
    scope: tuple[tuple[str, tuple[int, ...] | None], ...] = (),
    before: int = 1,
    after: int = 1,
) -> Found:
    """`groups` of the answer are Peeked: the partitions with unread records, or those of `scope`, lagging or not.

    Raises UsageError for counts that make no sense, and OperationFailed when there is no such group.
    """
    if before < 0 or after < 0 or before + after > MOST:
        raise UsageError(f"so many records cannot be shown around a position: 0 to {MOST}")
    found = lag_of_groups(cluster, Selection((group,)), deadline, times=False)
    entries = [
        entry
        for lag in found.groups
        for entry in lag.partitions
        if entry.committed is not None and entry.end is not None and _meant(entry, scope)
    ]
    failures = dict(found.failures)
    unread = _read(cluster, {_place(one): _unread(one, after) for one in entries}, failures, deadline)
    read = _read(cluster, {_place(one): _before(one, before) for one in entries}, failures, deadline)
    peeked = [
        Peeked(group, one, _last(read.get(_place(one), ()), before), unread.get(_place(one), ())) for one in entries
    ]
    return Found([one for one in peeked if one.unread or scope], failures, found.cluster_id)


def _place(entry: PartitionLag) -> Place:
    return entry.topic, entry.partition


def _meant(entry: PartitionLag, scope: tuple[tuple[str, tuple[int, ...] | None], ...]) -> bool:
    if not scope:
        return bool(entry.lag)
    return any(entry.topic == topic and (numbers is None or entry.partition in numbers) for topic, numbers in scope)


def _unread(entry: PartitionLag, count: int) -> Span:
    assert entry.committed is not None
    assert entry.end is not None
    return Span(max(entry.committed, entry.start or 0), entry.end, count)


def _before(entry: PartitionLag, count: int) -> Span:
    """Offsets have gaps, where transactions ended and where compaction took records: begin a little earlier."""
    assert entry.committed is not None
    start = entry.start or 0
    begin = max(start, entry.committed - 2 * count - 2) if count else entry.committed
    return Span(begin, entry.committed, 2 * count + 2)


def _last(records: tuple[Record, ...], count: int) -> tuple[Record, ...]:
    return records[-count:] if count else ()


def _read(
    cluster: Cluster, spans: dict[Place, Span], failures: dict[str, LogctlError], deadline: Deadline
) -> dict[Place, tuple[Record, ...]]:
    wanted = {place: span for place, span in spans.items() if span.offset < span.end and span.limit}
    seen = glance(cluster, wanted, deadline)
    failures.update((f"{topic}-{number}", error) for (topic, number), error in seen.failures.items())
    return {place: glanced.records for place, glanced in seen.found.items()}
