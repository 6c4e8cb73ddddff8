"""Moving replicas from broker to broker (AlterPartitionReassignments, KIP-455), and watching until they have arrived.

Theory of operation
-------------------
A move belongs to the cluster: once it is accepted it goes on by itself, whoever asked for it may go. So the step that
moves only waits; interrupted or out of time, it is resumed by asking for the same again, which the cluster takes for
what is under way already.

A partition that moves has the replicas of before and of after at once. What is looked at as `replicas orders:3` are the
brokers that held it before the move until the move is over, and those of after then: never something in between.

The deadline of a step that waits counts while nothing gets on. Getting on is a replica that arrived, or bytes that did.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, Final, NamedTuple

from logctl.admin.capabilities import need
from logctl.admin.deadline import Backoff, Deadline
from logctl.admin.executor import Event, Outcomes, Progressed
from logctl.admin.logdirs import describe_log_dirs, leader_sizes
from logctl.admin.observe import Partition, Resource, Seen, State, topic_from
from logctl.admin.partitions import parse_place, place_text
from logctl.admin.positions import Place
from logctl.admin.routing import Cluster, refusal
from logctl.admin.wording import counted
from logctl.errors import DeadlineExceeded, LogctlError, OperationFailed, Unreachable
from logctl.wire import errors

MOVES: Final = Resource("moves", "all")
_SIZES_EVERY_S: Final = 2.0


def held(place: Place) -> Resource:
    return Resource("replicas", place_text(place))


# -- looking -----------------------------------------------------------------------------------------------------------


def observe_moves(cluster: Cluster, names: tuple[str, ...], deadline: Deadline) -> Seen:
    """All moves under way, as {"orders:3": {"adding": [..], "removing": [..]}}."""
    found = {
        place_text(place): {"adding": sorted(adding), "removing": sorted(removing)}
        for place, (adding, removing) in under_way(cluster, None, deadline).items()
    }
    return Seen(dict.fromkeys(names, found), {})


def under_way(
    cluster: Cluster, places: Iterable[Place] | None, deadline: Deadline
) -> dict[Place, tuple[frozenset[int], frozenset[int]]]:
    """The brokers that are added to and removed from each of these partitions (None: of all) that moves."""
    from logctl.wire.messages.list_partition_reassignments import (
        ListPartitionReassignmentsRequest,
        ListPartitionReassignmentsTopics,
    )

    need(cluster, "ListPartitionReassignments", deadline)
    by_topic: dict[str, list[int]] = {}
    for topic, number in places or ():
        by_topic.setdefault(topic, []).append(number)
    topics = [ListPartitionReassignmentsTopics(name, numbers) for name, numbers in by_topic.items()]
    timeout_ms = max(1, int(deadline.left_s * 1000))
    request = ListPartitionReassignmentsRequest(timeout_ms=timeout_ms, topics=None if places is None else topics)
    response = cluster.ask(request, deadline)
    if response.error_code:
        raise refusal("moves under way", response.error_code, response.error_message)
    return {
        (topic.name, one.partition_index): (frozenset(one.adding_replicas), frozenset(one.removing_replicas))
        for topic in response.topics
        for one in topic.partitions
    }


def observe_replicas(cluster: Cluster, names: tuple[str, ...], deadline: Deadline) -> Seen:
    """Each partition ('orders:3') as {"brokers": [...]}, sorted: those that hold it, while it moves those of before."""
    found, failures = _partitions(cluster, [parse_place(name) for name in names], deadline)
    states: dict[str, State] = {
        place_text(place): {"brokers": sorted(set(one.replicas) - moving[0])} for place, (one, moving) in found.items()
    }
    return Seen(states, failures)


Standing = tuple[Partition, tuple[frozenset[int], frozenset[int]]]


def _partitions(
    cluster: Cluster, places: Iterable[Place], deadline: Deadline
) -> tuple[dict[Place, Standing], dict[str, LogctlError]]:
    """Each partition with the brokers that a move adds and removes; what could not be looked at, by name."""
    wanted = list(dict.fromkeys(places))
    moving = under_way(cluster, wanted, deadline)
    found: dict[Place, Standing] = {}
    failures: dict[str, LogctlError] = {}
    for topic in cluster.refresh(deadline, dict.fromkeys(name for name, _ in wanted)).topics:
        if topic.error_code not in (errors.NONE, errors.LEADER_NOT_AVAILABLE, errors.UNKNOWN_TOPIC_OR_PARTITION):
            error = refusal(f"topic {topic.name}", topic.error_code)
            failures.update({place_text(place): error for place in wanted if place[0] == topic.name})
            continue
        for one in topic_from(topic).partitions:
            place = topic.name, one.number
            found[place] = one, moving.get(place, (frozenset(), frozenset()))
    return {place: found[place] for place in wanted if place in found}, failures


# -- doing -------------------------------------------------------------------------------------------------------------


class Target(NamedTuple):
    """Where a partition shall be, the preferred leader first."""

    place: Place
    replicas: tuple[int, ...]


def arguments_of(targets: Iterable[Target]) -> dict[str, Any]:
    return {"partitions": [[*target.place, list(target.replicas)] for target in targets]}


def move(
    cluster: Cluster, arguments: Mapping[str, Any], deadline: Deadline, dry: bool
) -> Outcomes | Generator[Event, None, Outcomes]:
    """The action of a step that moves replicas: asks for the moves, and waits until they are over. Kafka cannot
    rehearse it."""
    need(cluster, "AlterPartitionReassignments", deadline)
    targets = [
        Target((str(topic), int(number)), tuple(map(int, replicas)))
        for topic, number, replicas in arguments["partitions"]
    ]
    return {} if dry else _moving(cluster, targets, deadline)


def _moving(cluster: Cluster, targets: list[Target], deadline: Deadline) -> Generator[Event, None, Outcomes]:
    outcomes = _ask(cluster, targets, deadline)
    accepted = {target.place: frozenset(target.replicas) for target in targets if outcomes[held(target.place)] is None}
    yield Progressed("partition", 0, len(accepted))
    watch = _Watch(cluster, accepted)
    backoff = Backoff()
    while True:
        progress = watch.look(deadline)
        if progress is not None:
            yield progress
        if not watch.open:
            return outcomes
        if deadline.expired:
            raise DeadlineExceeded(
                f"{counted(len(watch.open), 'partition')} of {len(accepted)} still moved when nothing had got on for"
                f" {deadline.timeout_s:g} s",
                "the cluster goes on moving them; `logctl cluster health stuck-moves` tells what stands still",
            )
        backoff.pause(deadline)


def _ask(cluster: Cluster, targets: list[Target], deadline: Deadline) -> dict[Resource, LogctlError | None]:
    from logctl.wire.messages.alter_partition_reassignments import (
        AlterPartitionReassignmentsRequest,
        ReassignablePartition,
        ReassignableTopic,
    )

    topics: dict[str, list[ReassignablePartition]] = {}
    for (topic, number), replicas in targets:
        topics.setdefault(topic, []).append(ReassignablePartition(number, list(replicas)))
    request = AlterPartitionReassignmentsRequest(
        timeout_ms=max(1, int(deadline.left_s * 1000)),
        topics=[ReassignableTopic(name, partitions) for name, partitions in topics.items()],
    )
    response = cluster.ask(request, deadline)
    if response.error_code:
        whole = refusal("cannot move replicas", response.error_code, response.error_message)
        return {held(target.place): whole for target in targets}
    outcomes: dict[Resource, LogctlError | None] = {
        held(target.place): OperationFailed(f"the cluster did not say what became of {place_text(target.place)}")
        for target in targets
    }
    for found in response.responses:
        for one in found.partitions:
            outcomes[held((found.name, one.partition_index))] = _outcome((found.name, one.partition_index), one)
    return outcomes


def _outcome(place: Place, one: Any) -> LogctlError | None:
    if one.error_code == errors.NONE:
        return None
    return refusal(f"cannot move {place_text(place)}", one.error_code, one.error_message)


class _Watch:
    """The moves of one step, from look to look. `open`: those that are not over."""

    def __init__(
        self,
        cluster: Cluster,
        wanted: Mapping[Place, frozenset[int]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.open = dict(wanted)
        self._cluster = cluster
        self._wanted = wanted
        self._clock = clock
        self._begun_s = clock()
        self._sized_s = -_SIZES_EVERY_S
        self._adding: dict[Place, frozenset[int]] = {}
        self._sizes: dict[Place, int] = {}
        self._arrived: dict[tuple[Place, int], int] = {}
        self._first_bytes: int | None = None
        self._last: tuple[int, int] | None = None

    def look(self, deadline: Deadline) -> Progressed | None:
        """How far they are; None when that could not be seen. What has got on gives the deadline its time back."""
        try:
            self._look(deadline)
        except (Unreachable, DeadlineExceeded):
            return None
        total_bytes = sum(size * len(self._adding.get(place, ())) for place, size in self._sizes.items())
        done_bytes = min(total_bytes, sum(self._arrived.values()))
        done = len(self._wanted) - len(self.open)
        if self._last != (done, done_bytes):
            deadline.renew()
        self._last = done, done_bytes
        left_s = self._left_s(done_bytes, total_bytes)
        return Progressed("partition", done, len(self._wanted), done_bytes, total_bytes, left_s)

    def _look(self, deadline: Deadline) -> None:
        found, _ = _partitions(self._cluster, self.open, deadline)
        for place, wanted in list(self.open.items()):
            one, (adding, removing) = found.get(place, (None, (frozenset(), frozenset())))
            if adding:
                self._adding.setdefault(place, adding)
            if one is None or (not adding and not removing and wanted == set(one.replicas)):
                del self.open[place]
        if self._clock() - self._sized_s >= _SIZES_EVERY_S:
            self._sized_s = self._clock()
            self._measure(deadline)

    def _measure(self, deadline: Deadline) -> None:
        """Bytes are for the estimate alone: where they are not told, replicas are counted."""
        moving = {place: brokers for place, brokers in self._adding.items() if place in self.open}
        brokers = {broker for adding in moving.values() for broker in adding} & self._cluster.brokers.keys()
        try:
            if not brokers:
                return
            self._sizes.update(leader_sizes(self._cluster, moving, deadline))
            told = describe_log_dirs(self._cluster, deadline, sorted(brokers), _by_topic(moving))
        except LogctlError:
            return
        for log_dir, replica in told.replicas():
            place = replica.topic, replica.partition
            if log_dir.broker in moving.get(place, ()):
                self._arrived[place, log_dir.broker] = replica.size_bytes
        if self._first_bytes is None:
            self._first_bytes, self._begun_s = sum(self._arrived.values()), self._clock()

    def _left_s(self, done_bytes: int, total_bytes: int) -> float | None:
        elapsed_s = self._clock() - self._begun_s
        fresh = done_bytes - (self._first_bytes or 0)
        if fresh <= 0 or elapsed_s < 1.0:
            return None
        return (total_bytes - done_bytes) * elapsed_s / fresh


def _by_topic(places: Iterable[Place]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for topic, number in places:
        found.setdefault(topic, []).append(number)
    return found


ACTIONS: Final = {"move": move}
