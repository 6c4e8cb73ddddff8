"""One look at a whole cluster, for the checks: what it is made of now, and what could not be seen of it.

Theory of operation
-------------------
A `ClusterView` is put together from parts, each of which costs a request or one round to all brokers:

    topics     Metadata of everything: leaders, replicas, replicas in sync
    min_isr    min.insync.replicas, of those topics alone that lack a replica in sync
    moves      ListPartitionReassignments
    log_dirs   DescribeLogDirs of every broker at once
    quorum     DescribeQuorum
    fenced     DescribeCluster, which also knows brokers that are registered and not serving

`look` asks for the parts that are wanted. A part that could not be had is in `unseen` with its reason, a broker that
did not answer for itself in `silent`; nothing is left out in silence. No part may use up the whole deadline: a broker
that says nothing costs a few seconds.

Whether a move gets on cannot be seen in one look. A view that is given the `earlier` one notes how long each move has
been standing still.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from logctl.admin.capabilities import need
from logctl.admin.deadline import Deadline
from logctl.admin.fenced import fenced_brokers
from logctl.admin.logdirs import LogDir, log_dir_from
from logctl.admin.observe import Topic, topic_from
from logctl.admin.positions import Place
from logctl.admin.quorum import Quorum, describe_quorum
from logctl.admin.routing import Broker, Cluster, refusal
from logctl.errors import DeadlineExceeded, LogctlError, Unreachable
from logctl.wire import errors

_PATIENCE_S: Final = 5.0

class Move(NamedTuple):
    """Replicas of a partition that come and go. `behind_records`: what the coming ones lack, None where unknown.
    `still_s`: how long nothing has changed, as far as this was watched; None at the first look."""

    adding: tuple[int, ...]
    removing: tuple[int, ...]
    behind_records: int | None = None
    still_s: float | None = None


class ClusterView(NamedTuple):
    """A cluster at one moment. `taken_s`: when, on a clock that only runs forward."""

    cluster_id: str | None
    controller_id: int
    brokers: Mapping[int, Broker]
    topics: Mapping[str, Topic] = MappingProxyType({})
    min_isr: Mapping[str, int] = MappingProxyType({})
    moves: Mapping[Place, Move] = MappingProxyType({})
    log_dirs: Mapping[int, tuple[LogDir, ...]] = MappingProxyType({})
    quorum: Quorum | None = None
    fenced: frozenset[int] = frozenset()
    unseen: Mapping[str, LogctlError] = MappingProxyType({})
    silent: Mapping[int, LogctlError] = MappingProxyType({})
    taken_s: float = 0.0


PARTS: Final = ("topics", "min_isr", "moves", "log_dirs", "quorum", "fenced")


def look(
    cluster: Cluster,
    deadline: Deadline,
    parts: Iterable[str] = PARTS,
    *,
    earlier: ClusterView | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> ClusterView:
    """Look at the parts of the cluster that are wanted. Raises only when nobody can be reached at all."""
    wanted = frozenset(parts)
    metadata = cluster.refresh(deadline, None if "topics" in wanted else ())
    topics = {found.name: topic_from(found) for found in metadata.topics if found.name}
    view = ClusterView(metadata.cluster_id, metadata.controller_id, metadata.brokers, topics, taken_s=clock())
    unseen: dict[str, LogctlError] = {}
    for part, ask in _ASKS.items():
        if part in wanted:
            try:
                view = ask(cluster, view, deadline.at_most(min(_PATIENCE_S, deadline.left_s / 2)))
            except LogctlError as error:
                unseen[part] = error
    view = view._replace(unseen=unseen)
    return view._replace(moves=_watched(view, earlier))


def _with_min_isr(cluster: Cluster, view: ClusterView, deadline: Deadline) -> ClusterView:
    """Only of topics that lack a replica: of the others none can be below what it must have."""
    from logctl.wire.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResource

    names = [name for name, topic in view.topics.items() if any(missing(one) for one in topic.partitions)]
    if not names:
        return view
    need(cluster, "DescribeConfigs", deadline)
    resources = [
        DescribeConfigsResource(resource_type=2, resource_name=name, configuration_keys=["min.insync.replicas"])
        for name in names
    ]
    response = cluster.ask(DescribeConfigsRequest(resources=resources), deadline)
    fine = (errors.NONE, errors.UNKNOWN_TOPIC_OR_PARTITION)
    refused = [one for one in response.results if one.error_code not in fine]
    if refused:
        what = f"settings of topic {refused[0].resource_name}"
        raise refusal(what, refused[0].error_code, refused[0].error_message)
    told = {one.resource_name: entry.value for one in response.results for entry in one.configs}
    return view._replace(min_isr={name: int(value) for name, value in told.items() if value})


def missing(partition: Any, adding: Iterable[int] = ()) -> list[int]:
    """The replicas that are not in sync, without those that a move is only adding."""
    return [one for one in partition.replicas if one not in partition.isr and one not in adding]


def _with_moves(cluster: Cluster, view: ClusterView, deadline: Deadline) -> ClusterView:
    from logctl.wire.messages.list_partition_reassignments import ListPartitionReassignmentsRequest

    need(cluster, "ListPartitionReassignments", deadline)
    timeout_ms = max(1, int(deadline.left_s * 1000))
    response = cluster.ask(ListPartitionReassignmentsRequest(timeout_ms=timeout_ms, topics=None), deadline)
    if response.error_code:
        raise refusal("moves under way", response.error_code, response.error_message)
    moves = {
        (topic.name, one.partition_index): Move(tuple(one.adding_replicas), tuple(one.removing_replicas))
        for topic in response.topics
        for one in topic.partitions
    }
    return view._replace(moves=moves)


def _with_log_dirs(cluster: Cluster, view: ClusterView, deadline: Deadline) -> ClusterView:
    from logctl.wire.messages.describe_log_dirs import DescribeLogDirsRequest

    need(cluster, "DescribeLogDirs", deadline)
    request = DescribeLogDirsRequest(topics=None)
    gathered = cluster.scatter(dict.fromkeys(view.brokers, request), deadline)
    silent, found = dict(gathered.missing), {}
    for node_id, response in gathered.answers.items():
        if response.error_code:
            silent[node_id] = refusal(f"log directories of broker {node_id}", response.error_code)
        else:
            found[node_id] = tuple(log_dir_from(node_id, one) for one in response.results)
    return view._replace(log_dirs=found, silent=silent)


def _with_quorum(cluster: Cluster, view: ClusterView, deadline: Deadline) -> ClusterView:
    return view._replace(quorum=describe_quorum(cluster, deadline))


def _with_fenced(cluster: Cluster, view: ClusterView, deadline: Deadline) -> ClusterView:
    return view._replace(fenced=frozenset(fenced_brokers(cluster, deadline)))


_ASKS: Final[dict[str, Callable[[Cluster, ClusterView, Deadline], ClusterView]]] = {
    "min_isr": _with_min_isr,
    "log_dirs": _with_log_dirs,
    "fenced": _with_fenced,
    "quorum": _with_quorum,
    "moves": _with_moves,
}
"""What a broker knows by itself comes first: a question that it passes on to a controller which is silent keeps the
answers behind it waiting."""


def _watched(view: ClusterView, earlier: ClusterView | None) -> dict[Place, Move]:
    """The moves, with what their coming replicas lack and how long they have been standing still."""
    watched = {}
    for place, move in view.moves.items():
        now = move._replace(behind_records=_behind(view, place, move))
        before = earlier.moves.get(place) if earlier is not None else None
        if before is not None and earlier is not None:
            gap_s = view.taken_s - earlier.taken_s
            same = before._replace(still_s=None) == now and _in_sync(view, place) == _in_sync(earlier, place)
            now = now._replace(still_s=(before.still_s or 0.0) + gap_s if same else 0.0)
        watched[place] = now
    return watched


def _behind(view: ClusterView, place: Place, move: Move) -> int | None:
    if not all(broker in view.log_dirs for broker in move.adding):
        return None
    lags = (one.offset_lag(place) for broker in move.adding for one in view.log_dirs[broker])
    return sum(max(0, lag) for lag in lags)


def _in_sync(view: ClusterView, place: Place) -> tuple[int, ...]:
    topic = view.topics.get(place[0])
    found = [one.isr for one in topic.partitions if one.number == place[1]] if topic is not None else []
    return found[0] if found else ()


def unanswered(error: LogctlError) -> bool:
    """Did nobody answer, as opposed to a refusal?"""
    return isinstance(error, Unreachable | DeadlineExceeded)
