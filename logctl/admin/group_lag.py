"""How far behind a group is: what it has committed, against where its partitions end.

Offsets are asked of each coordinator once, for all its groups; ends of each leader once, for all partitions of all
groups. The end is the high watermark: records of unfinished transactions count. A partition without a commit has no
lag, and neither has one whose end nobody could tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from logctl.admin.coordinators import Coordinators, Said, newest
from logctl.admin.deadline import Deadline
from logctl.admin.groups import Found, Group, Member, Selection, describe_groups
from logctl.admin.positions import Place, offsets_request
from logctl.admin.routing import Cluster, refusal
from logctl.errors import LogctlError, OperationFailed
from logctl.wire import errors
from logctl.wire.primitives import ZERO_UUID

_LATEST: Final = -1
_FIRST_FETCH_OF_MANY: Final = 8


class Commit(NamedTuple):
    """The next offset to read, the epoch of the last record read (-1 unknown), and the note that came with it."""

    offset: int
    leader_epoch: int
    metadata: str


class PartitionLag(NamedTuple):
    """`member` reads it now, if any does; `end` is None when nobody could tell."""

    topic: str
    partition: int
    commit: Commit | None
    end: int | None
    member: Member | None

    @property
    def lag(self) -> int | None:
        return None if self.commit is None or self.end is None else self.end - self.commit.offset


class GroupLag(NamedTuple):
    """A group and every partition that it reads or has committed."""

    group: Group
    partitions: tuple[PartitionLag, ...]

    @property
    def total(self) -> int | None:
        """The sum of what is known; None when nothing is."""
        known = [entry.lag for entry in self.partitions if entry.lag is not None]
        return sum(known) if known else None


def lag_of_groups(cluster: Cluster, selection: Selection, deadline: Deadline) -> Found:
    """The lag of the groups selected; `groups` of the answer are GroupLag. Raises as `describe_groups`."""
    coordinators = Coordinators(cluster)
    described = describe_groups(coordinators, selection, deadline)
    failures = dict(described.failures)
    groups = {group.name: group for group in described.groups}
    together = newest(cluster, "OffsetFetch", deadline) >= _FIRST_FETCH_OF_MANY
    fetched = coordinators.ask(groups, _offsets_of, _read_offsets, deadline, together=together)
    failures.update(fetched.failures)
    readers = {name: _readers(groups[name]) for name in fetched.found}
    commits = _named(cluster, fetched.found, [place for of in readers.values() for place in of], deadline)
    places = {place for name in commits for place in (*commits[name], *readers[name])}
    ends = _ends(cluster, places, failures, deadline)
    lags = [_lag(groups[name], commits[name], readers[name], ends) for name in sorted(commits)]
    return Found(lags, failures, cluster.cluster_id)


def _lag(
    group: Group, commits: Mapping[Place, Commit], readers: Mapping[Place, Member], ends: Mapping[Place, int]
) -> GroupLag:
    places = sorted({*commits, *readers})
    return GroupLag(
        group,
        tuple(PartitionLag(*place, commits.get(place), ends.get(place), readers.get(place)) for place in places),
    )


def _readers(group: Group) -> dict[Place, Member]:
    return {
        (topic, number): member
        for member in group.members
        for topic, numbers in (member.assignment or {}).items()
        for number in numbers
    }


# -- what was committed ------------------------------------------------------------------------------------------------


def _offsets_of(names: list[str]) -> Any:
    """Both shapes in one: up to version 7 a request is about one group."""
    from logctl.wire.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup

    groups = [OffsetFetchRequestGroup(group_id=name, topics=None) for name in names]
    return OffsetFetchRequest(group_id=names[0], topics=None, groups=groups)


def _read_offsets(request: Any, response: Any) -> Iterable[Said]:
    if response.groups:
        for group in response.groups:
            yield Said(group.group_id, group.error_code, None, _commits(group.topics))
    else:
        yield Said(request.group_id, response.error_code, None, _commits(response.topics))


def _commits(topics: Any) -> dict[tuple[str, bytes, int], Commit]:
    """By topic name or id, whichever the version tells, and partition."""
    return {
        (topic.name, getattr(topic, "topic_id", ZERO_UUID), entry.partition_index): Commit(
            entry.committed_offset, entry.committed_leader_epoch, entry.metadata or ""
        )
        for topic in topics
        for entry in topic.partitions
        if entry.committed_offset >= 0 and not entry.error_code
    }


def _named(
    cluster: Cluster, found: Mapping[str, Any], read: Iterable[Place], deadline: Deadline
) -> dict[str, dict[Place, Commit]]:
    """Commits by group and place. Topics are looked up once, by name or id; one that has gone keeps its name."""
    keys = [key for commits in found.values() for key in commits]
    names = {name for name, _, _ in keys if name} | {topic for topic, _ in read}
    ids = {topic_id for name, topic_id, _ in keys if not name}
    if names or ids:
        cluster.refresh(deadline, sorted(names), sorted(ids))
    known = {topic_id: name for name, topic_id in cluster.topic_ids.items()}
    return {
        group: {
            (name or known[topic_id], number): commit
            for (name, topic_id, number), commit in commits.items()
            if name or topic_id in known
        }
        for group, commits in found.items()
    }


# -- where partitions end ----------------------------------------------------------------------------------------------


def _ends(
    cluster: Cluster, places: Iterable[Place], failures: dict[str, LogctlError], deadline: Deadline
) -> dict[Place, int]:
    """The end of each partition; a leader that moved is followed once. What cannot be told joins the failures, but for
    partitions that do not exist any more: they have no end."""
    ends: dict[Place, int] = {}
    pending = [place for place in places if place in cluster.leaders]
    for last in (False, True):
        again: dict[Place, LogctlError] = {}
        grouped = cluster.by_leader(pending)
        for place in grouped.pop(-1, []):
            again[place] = OperationFailed(f"partition {place[1]} of {place[0]} has no leader")
        requests = {
            node: offsets_request(held, dict.fromkeys(held, _LATEST), False, deadline) for node, held in grouped.items()
        }
        gathered = cluster.scatter(requests, deadline.at_most(deadline.left_s / 2))
        for node, error in gathered.missing.items():
            failures[f"broker {node}"] = type(error)(f"ends on broker {node}: {error.message}", error.hint)
        for response in gathered.answers.values():
            _take_ends(response, ends, again)
        if not again or last or deadline.expired:
            failures.update((f"{topic}-{number}", error) for (topic, number), error in again.items())
            break
        pending = list(again)
        cluster.refresh(deadline, sorted({topic for topic, _ in pending}))
    return ends


def _take_ends(response: Any, ends: dict[Place, int], again: dict[Place, LogctlError]) -> None:
    for topic in response.topics:
        for entry in topic.partitions:
            place = topic.name, entry.partition_index
            if entry.error_code == errors.NONE:
                ends[place] = entry.offset
            elif entry.error_code != errors.UNKNOWN_TOPIC_OR_PARTITION:
                again[place] = refusal(f"end of partition {place[1]} of {place[0]}", entry.error_code)
