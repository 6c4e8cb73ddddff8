"""How far behind a group is: what it has committed, against where its partitions end.

Theory of operation
-------------------
Offsets are asked of each coordinator once, for all of its groups; edges of each leader, for all partitions of all of
them (see `partition_edges`). The end is the last stable offset, because that is as far as a reader of transactions can
get: records of a transaction still open are no lag yet. A partition without a commit has no lag, and neither has one
whose end nobody could tell; both are None, never 0.

Two things take a look at the records themselves (`record_glance`), one Fetch per leader and a batch for each partition
that lags: the age of the oldest unread record, and whether there is one at all, for what lies between the commit and
the end may be nothing but the marks that transactions leave. `times` says when that is worth it.

Share groups have no commits. They begin at a start offset, and newer clusters tell their lag themselves, because
records behind the start may be finished already.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from logctl.admin.capabilities import lacking
from logctl.admin.coordinators import Coordinators, Said, newest
from logctl.admin.deadline import Deadline
from logctl.admin.group_kinds import IDLE_STATES, SHARE, Group, Member
from logctl.admin.groups import Found, Listed, Selection, describe, meant, unknown_group
from logctl.admin.groups import list_groups as list_all
from logctl.admin.partition_edges import Edges, edges
from logctl.admin.positions import Place
from logctl.admin.record_glance import Span, glance
from logctl.admin.routing import Cluster, Metadata, refusal
from logctl.errors import LogctlError, OperationFailed
from logctl.wire import errors
from logctl.wire.primitives import uuid_text

_FIRST_FETCH_OF_MANY: Final = 8
FEW: Final = 200
"""So many lagging partitions are looked into without being asked to."""

Entries = dict[str, list[Any]]
"""Topic -> what the wire tells of its partitions."""


class PartitionLag(NamedTuple):
    """One partition of a group. `committed`: the next offset to read, None without a commit (of a share group: where it
    begins); `start`, `end`, `log_end`: the first offset there is, the last stable one, and the log's end; None when
    nobody could tell. `member` reads it now, if any does. `oldest_ms`: time of the oldest unread record, where it was
    looked for; `read_all`: that look found nothing left to read. `told` is the lag as the cluster counts it."""

    topic: str
    partition: int
    committed: int | None
    leader_epoch: int
    metadata: str
    start: int | None
    end: int | None
    log_end: int | None
    member: Member | None
    told: int | None = None
    oldest_ms: int | None = None
    read_all: bool = False

    @property
    def lag(self) -> int | None:
        if self.told is not None:
            return self.told
        if self.committed is None or self.end is None:
            return None
        return 0 if self.read_all else max(0, self.end - self.committed)


class GroupLag(NamedTuple):
    """A group and every partition that it reads or has committed."""

    group: Group
    partitions: tuple[PartitionLag, ...]

    @property
    def total(self) -> int | None:
        """The sum of what is known; None when nothing is."""
        known = [lag for lag in (entry.lag for entry in self.partitions) if lag is not None]
        return sum(known) if known else None

    @property
    def oldest_ms(self) -> int | None:
        return min((entry.oldest_ms for entry in self.partitions if entry.oldest_ms is not None), default=None)


def lag_of_groups(
    cluster: Cluster, selection: Selection, deadline: Deadline, *, times: bool | None = None
) -> Found:
    """The lag of the groups selected; `groups` of the answer are GroupLag.

    `times`: look into the records of lagging partitions; None: when these are few. Raises OperationFailed, with near
    names, when none of the groups named exists.
    """
    coordinators = Coordinators(cluster)
    groups, failures = _groups(coordinators, selection, deadline)
    learnt = _Learnt(cluster, failures, deadline)
    positions = positions_of(coordinators, groups, failures, deadline, learnt)
    readers = {name: _readers(groups[name]) for name in positions}
    wanted = _wanted(positions, readers)
    learnt.topics(wanted)
    told = edges(cluster, wanted, deadline)
    failures.update(told.failures)
    lags = [_lag(groups[name], positions.pop(name), readers[name], told, cluster) for name in sorted(positions)]
    return Found(look_into(cluster, lags, times, failures, deadline), failures, cluster.cluster_id)


def _groups(
    coordinators: Coordinators, selection: Selection, deadline: Deadline
) -> tuple[dict[str, Group], dict[str, LogctlError]]:
    """The groups selected; those that are listed as empty need not be described: there is nobody in them."""
    wanted, failures = meant(coordinators, selection, deadline)
    empty = {name: listed for name, listed in wanted.items() if listed is not None and _is_empty(listed)}
    described = describe(coordinators, {name: wanted[name] for name in wanted if name not in empty}, deadline)
    failures.update(described.failures)
    if described.unknown:
        existing = {group.name: group for group in list_all(coordinators.cluster, Selection(), deadline).groups}
        failures.update((name, unknown_group(name, existing)) for name in described.unknown)
        if set(failures) == set(described.unknown) == set(wanted):
            first = failures[described.unknown[0]]
            raise first if len(wanted) == 1 else OperationFailed(
                f"groups do not exist: {', '.join(described.unknown)}", first.hint
            )
    groups = dict(described.groups)
    for name, listed in empty.items():
        kind, state = listed.kind.lower(), listed.state
        groups[name] = Group(name, kind, state, listed.protocol_type, "", coordinators.of[name], ())
    return groups, failures


def _is_empty(listed: Listed) -> bool:
    return bool(listed.kind) and listed.state.lower() in IDLE_STATES


def _readers(group: Group) -> dict[Place, Member]:
    return {
        (topic, number): member
        for member in group.members
        for topic, numbers in (member.assignment or {}).items()
        for number in numbers
    }


def _wanted(positions: Mapping[str, Entries], readers: Mapping[str, Mapping[Place, Member]]) -> dict[str, set[int]]:
    wanted: dict[str, set[int]] = {}
    for topics in positions.values():
        for topic, entries in topics.items():
            wanted.setdefault(topic, set()).update([entry.partition_index for entry in entries])
    for places in readers.values():
        for topic, number in places:
            wanted.setdefault(topic, set()).add(number)
    return wanted


# -- how far groups are ------------------------------------------------------------------------------------------------


def positions_of(
    coordinators: Coordinators,
    groups: Mapping[str, Group],
    failures: dict[str, LogctlError],
    deadline: Deadline,
    learnt: _Learnt | None = None,
) -> dict[str, Entries]:
    """By group and topic, the wire's entries: commits, or start offsets of share groups. What could not be told of a
    group or of its topics joins the failures."""
    cluster = coordinators.cluster
    shares = [name for name, group in groups.items() if group.kind == SHARE]
    others = [name for name, group in groups.items() if group.kind != SHARE]
    found = _commits_of(coordinators, others, failures, deadline, learnt or _Learnt(cluster, failures, deadline))
    if shares and newest(cluster, "DescribeShareGroupOffsets", deadline) < 0:
        failures.update(dict.fromkeys(shares, lacking("DescribeShareGroupOffsets")))
    elif shares:
        starts = coordinators.ask(shares, _starts_of, _read_starts, deadline)
        failures.update(starts.failures)
        found.update(starts.found)
    return found


def _commits_of(
    coordinators: Coordinators,
    names: Iterable[str],
    failures: dict[str, LogctlError],
    deadline: Deadline,
    learnt: _Learnt,
) -> dict[str, Entries]:
    """What groups have committed, by group and topic; entries without an offset are left out."""
    together = newest(coordinators.cluster, "OffsetFetch", deadline) >= _FIRST_FETCH_OF_MANY
    fetched = coordinators.ask(names, _offsets_of, _read_offsets, deadline, together=together)
    failures.update(fetched.failures)
    return _named(coordinators.cluster, fetched.found, learnt)


def _offsets_of(names: list[str]) -> Any:
    """Both shapes in one: up to version 7 a request is about one group."""
    from logctl.wire.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup

    groups = [OffsetFetchRequestGroup(group_id=name, topics=None) for name in names]
    return OffsetFetchRequest(group_id=names[0], topics=None, groups=groups)


def _read_offsets(request: Any, response: Any) -> Iterable[Said]:
    if response.groups:
        for group in response.groups:
            yield Said(group.group_id, group.error_code, None, group.topics)
    else:
        yield Said(request.group_id, response.error_code, None, response.topics)


class _Learnt:
    """The topics whose leaders were asked for in this look, each once, by name or by identifier."""

    def __init__(self, cluster: Cluster, failures: dict[str, LogctlError], deadline: Deadline) -> None:
        self._cluster, self._failures, self._deadline = cluster, failures, deadline
        self._names: set[str] = set()

    def topics(self, names: Iterable[str]) -> None:
        unknown = sorted(set(names) - self._names)
        if unknown:
            self._take(self._cluster.refresh(self._deadline, unknown))

    def ids(self, ids: Iterable[bytes]) -> None:
        self._take(self._cluster.refresh(self._deadline, (), sorted(ids)))

    def _take(self, told: Metadata) -> None:
        """A topic that is kept from us is told as such; one that does not exist has no end, and that is no failure."""
        for topic in told.topics:
            if topic.name:
                self._names.add(topic.name)
            if topic.error_code == errors.TOPIC_AUTHORIZATION_FAILED:
                name = topic.name or uuid_text(topic.topic_id)
                self._failures[f"topic {name}"] = refusal(f"topic {name}", topic.error_code)


def _named(cluster: Cluster, found: Mapping[str, Any], learnt: _Learnt) -> dict[str, Entries]:
    """Topics that are told by their identifiers get their names; one that has gone, and with it its name, is left
    out."""
    ids = {topic.topic_id for topics in found.values() for topic in topics if not topic.name}
    known = {topic_id: name for name, topic_id in cluster.topic_ids.items()}
    if not ids.issubset(known):
        learnt.ids(ids.difference(known))
        known = {topic_id: name for name, topic_id in cluster.topic_ids.items()}
    return {
        group: {
            topic.name or known[topic.topic_id]: held
            for topic in topics
            if (topic.name or topic.topic_id in known) and (held := _committed(topic.partitions))
        }
        for group, topics in found.items()
    }


def _committed(entries: list[Any]) -> list[Any]:
    return [entry for entry in entries if entry.committed_offset >= 0 and not entry.error_code]


def _starts_of(names: list[str]) -> Any:
    from logctl.wire.messages.describe_share_group_offsets import (
        DescribeShareGroupOffsetsRequest,
        DescribeShareGroupOffsetsRequestGroup,
    )

    return DescribeShareGroupOffsetsRequest(
        groups=[DescribeShareGroupOffsetsRequestGroup(group_id=name, topics=None) for name in names]
    )


def _read_starts(request: Any, response: Any) -> Iterable[Said]:
    for group in response.groups:
        topics = {
            topic.topic_name: [entry for entry in topic.partitions if not entry.error_code] for topic in group.topics
        }
        yield Said(group.group_id, group.error_code, group.error_message, topics)


# -- both together -----------------------------------------------------------------------------------------------------


def _lag(group: Group, topics: Entries, readers: Mapping[Place, Member], told: Edges, cluster: Cluster) -> GroupLag:
    rows: list[PartitionLag] = []
    share = group.kind == SHARE
    without = _by_topic(place for place in readers if place in cluster.leaders)
    for topic in sorted({*topics, *without}):
        edge = _Edge(told, topic)
        entries = topics.get(topic, ())
        member = {number: held for (name, number), held in readers.items() if name == topic} if readers else {}
        of_topic = [(_share_row if share else _row)(topic, entry, edge, member) for entry in entries]
        if topic in without:
            committed = {entry.partition_index for entry in entries}
            of_topic += [
                PartitionLag(topic, number, None, -1, "", *edge.of(number), member.get(number))
                for number in without[topic]
                if number not in committed
            ]
        of_topic.sort(key=_number)
        rows += of_topic
    return GroupLag(group, tuple(rows))


class _Edge:
    """Where the partitions of one topic begin and end."""

    __slots__ = ("_end", "_first", "_stable")

    def __init__(self, told: Edges, topic: str) -> None:
        self._first, self._stable, self._end = told.first.of(topic), told.stable.of(topic), told.end.of(topic)

    def of(self, number: int) -> tuple[int | None, int | None, int | None]:
        try:
            return self._first[number], self._stable[number], self._end[number]
        except IndexError:
            return _at(self._first, number), _at(self._stable, number), _at(self._end, number)


def _at(offsets: list[int | None], number: int) -> int | None:
    return offsets[number] if number < len(offsets) else None


def _row(topic: str, entry: Any, edge: _Edge, member: Mapping[int, Member]) -> PartitionLag:
    number, epoch = entry.partition_index, entry.committed_leader_epoch
    start, end, log_end = edge.of(number)
    return PartitionLag(
        topic, number, entry.committed_offset, epoch, entry.metadata or "", start, end, log_end, member.get(number)
    )


def _share_row(topic: str, entry: Any, edge: _Edge, member: Mapping[int, Member]) -> PartitionLag:
    number = entry.partition_index
    begins = entry.start_offset if entry.start_offset >= 0 else None
    lag = entry.lag if entry.lag >= 0 else None
    return PartitionLag(topic, number, begins, entry.leader_epoch, "", *edge.of(number), member.get(number), lag)


def _number(entry: PartitionLag) -> int:
    return entry.partition


def _by_topic(places: Iterable[Place]) -> dict[str, list[int]]:
    topics: dict[str, list[int]] = {}
    for topic, number in places:
        topics.setdefault(topic, []).append(number)
    return topics


# -- the records themselves --------------------------------------------------------------------------------------------


def look_into(
    cluster: Cluster, lags: list[GroupLag], times: bool | None, failures: dict[str, LogctlError], deadline: Deadline
) -> list[GroupLag]:
    """The same with the age of what is unread, where `times` asks for it. What could not be read joins the failures
    when it was asked for, and is left unknown when it was not."""
    spans = _spans(lags, None if times else FEW) if times is not False else {}
    if not spans:
        return lags
    found: dict[tuple[str, int, int], tuple[int | None, bool]] = {}
    waves = [spans]
    while waves:
        wave, left = _first_of_each(waves.pop())
        seen = glance(cluster, wave, deadline)
        for place, glanced in seen.found.items():
            oldest = glanced.records[0].timestamp if glanced.records else -1
            nothing = not glanced.records and glanced.reached >= wave[place].end
            found[(*place, wave[place].offset)] = (oldest if oldest >= 0 else None, nothing)
        if times:
            failures.update((f"{topic}-{number}", error) for (topic, number), error in seen.failures.items())
        if left and not deadline.expired:
            waves.append(left)
    return [group._replace(partitions=tuple(_looked_into(one, found) for one in group.partitions)) for group in lags]


def _spans(lags: Iterable[GroupLag], at_most: int | None) -> dict[tuple[str, int, int], Span]:
    """What to look at, once for groups that stand at the same place; nothing at all when that is more than `at_most`
    partitions."""
    spans: dict[tuple[str, int, int], Span] = {}
    for group in lags:
        for entry in group.partitions:
            if entry.lag and entry.committed is not None and entry.end is not None:
                begin = max(entry.committed, entry.start or 0)
                if begin < entry.end:
                    spans[entry.topic, entry.partition, begin] = Span(begin, entry.end)
        if at_most is not None and len(spans) > at_most:
            return {}
    return spans


def _first_of_each(
    spans: Mapping[tuple[str, int, int], Span],
) -> tuple[dict[Place, Span], dict[tuple[str, int, int], Span]]:
    """A Fetch names a partition once: those that several groups read at different places are asked about in turns."""
    wave: dict[Place, Span] = {}
    left: dict[tuple[str, int, int], Span] = {}
    for (topic, number, begin), span in spans.items():
        if (topic, number) in wave:
            left[topic, number, begin] = span
        else:
            wave[topic, number] = span
    return wave, left


def _looked_into(
    entry: PartitionLag, found: Mapping[tuple[str, int, int], tuple[int | None, bool]]
) -> PartitionLag:
    if not entry.lag or entry.committed is None:
        return entry
    oldest, nothing = found.get((entry.topic, entry.partition, max(entry.committed, entry.start or 0)), (None, False))
    return entry if oldest is None and not nothing else entry._replace(oldest_ms=oldest, read_all=nothing)
