"""The nodes of a cluster: who they are, what each does, and what each could do.

Put together from one `look` (leaders, replicas, directories, quorum, fenced brokers) and ApiVersions of every broker.
A controller that is no broker is known by the quorum alone, and has neither replicas nor directories to tell of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from logctl.admin.capabilities import ask_each
from logctl.admin.deadline import Deadline
from logctl.admin.features import METADATA_VERSION, release_of, supported_by
from logctl.admin.fenced import fenced_brokers
from logctl.admin.health import ClusterView, look
from logctl.admin.link import NotOffered
from logctl.admin.logdirs import LogDir
from logctl.admin.observe import Seen, State
from logctl.admin.quorum import Replica
from logctl.admin.routing import Broker, Cluster
from logctl.errors import LogctlError


class Node(NamedTuple):
    """A node. None where the cluster does not tell: `controller` (does it lead the quorum?), `fenced` (registered and
    not serving), `log_dirs`, and `features` (name -> the levels it can run)."""

    node_id: int
    host: str | None
    port: int | None
    rack: str | None
    roles: tuple[str, ...]
    controller: bool | None
    fenced: bool | None
    leaders: int
    replicas: int
    log_dirs: tuple[LogDir, ...] | None
    features: Mapping[str, tuple[int, int]] | None
    quorum: Replica | None

    @property
    def size_bytes(self) -> int | None:
        """What its replicas take on disk."""
        return None if self.log_dirs is None else sum(one.size_bytes for one in self.log_dirs)

    @property
    def release(self) -> str | None:
        """The newest metadata.version it can run, by name: the nearest to a version that a broker tells."""
        level = (self.features or {}).get(METADATA_VERSION)
        return None if level is None else release_of(level[1]) or str(level[1])


class Nodes(NamedTuple):
    """Nodes by id, and why not everything is known, by who it is about."""

    found: tuple[Node, ...]
    failures: Mapping[str, LogctlError]
    cluster_id: str | None


def list_nodes(cluster: Cluster, deadline: Deadline) -> Nodes:
    """Every node that the cluster tells of. What it does not offer is None; what failed is in `failures`."""
    cluster.refresh(deadline)
    gathered = ask_each(cluster, deadline)
    view = look(cluster, deadline, ("topics", "log_dirs", "quorum", "fenced"))
    features = {node: supported_by(answer) for node, answer in gathered.answers.items()}
    fenced = _fenced(cluster, deadline) if view.fenced else {}
    failures: dict[str, LogctlError] = {
        _TOLD.get(part, part): error for part, error in view.unseen.items() if not isinstance(error, NotOffered)
    }
    failures |= {f"broker {node}": error for node, error in (*gathered.missing.items(), *view.silent.items())}
    return Nodes(tuple(_nodes(view, features, fenced)), failures, view.cluster_id)


_TOLD = {"log_dirs": "log directories", "quorum": "quorum", "fenced": "fenced brokers"}


def _fenced(cluster: Cluster, deadline: Deadline) -> dict[int, Broker]:
    try:
        return fenced_brokers(cluster, deadline)
    except LogctlError:
        return {}


def _nodes(
    view: ClusterView, features: Mapping[int, Mapping[str, tuple[int, int]]], fenced: Mapping[int, Broker]
) -> list[Node]:
    partitions = [one for topic in view.topics.values() for one in topic.partitions]
    leaders = Counter(one.leader for one in partitions)
    replicas = Counter(broker for one in partitions for broker in one.replicas)
    brokers = {**view.brokers, **fenced}
    voters = {one.node_id: one for one in view.quorum.voters} if view.quorum else {}
    observers = {one.node_id: one for one in view.quorum.observers} if view.quorum else {}
    found = []
    for node in sorted(brokers.keys() | voters.keys()):
        broker = brokers.get(node)
        host, port = (broker.address.host, broker.address.port) if broker else _address(view, node)
        roles = [*(["broker"] if broker else []), *(["controller"] if node in voters else [])]
        found.append(
            Node(
                node,
                host,
                port,
                broker.rack if broker else None,
                tuple(roles),
                _leads(view, node),
                node in fenced if "fenced" not in view.unseen else None,
                leaders[node],
                replicas[node],
                view.log_dirs.get(node),
                features.get(node),
                voters.get(node) or observers.get(node),
            )
        )
    return found


def _leads(view: ClusterView, node: int) -> bool | None:
    if view.quorum is not None:
        return node == view.quorum.leader_id
    return node == view.controller_id if isinstance(view.unseen.get("quorum"), NotOffered) else None


def _address(view: ClusterView, node: int) -> tuple[str | None, int | None]:
    """Where a controller listens, as the quorum tells: 'CONTROLLER://host:port'."""
    told = (view.quorum.addresses.get(node, "") if view.quorum else "").partition(", ")[0]
    host, colon, port = told.partition("://")[2].rpartition(":")
    return (host, int(port)) if colon else (None, None)


def observe_brokers(cluster: Cluster, names: tuple[str, ...], deadline: Deadline) -> Seen:
    """The state of each broker, by its id: where it is, and whether it is fenced (null where that is not told)."""
    metadata = cluster.refresh(deadline)
    fenced: dict[int, Broker] | None
    try:
        fenced = fenced_brokers(cluster, deadline)
    except NotOffered:
        fenced = None
    known = {**(fenced or {}), **metadata.brokers}
    states: dict[str, State] = {}
    for name in names:
        broker = known.get(int(name)) if name.isdecimal() else None
        if broker is not None:
            states[name] = {
                "host": broker.address.host,
                "port": broker.address.port,
                "rack": broker.rack,
                "fenced": None if fenced is None else broker.node_id in fenced,
            }
    return Seen(states, {})
