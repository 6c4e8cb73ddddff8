"""What a node must know of a running cluster before it joins, and whether it has arrived.

Asked of any broker: the cluster's id, which ids are taken, who votes and where the voters listen (DescribeQuorum 2),
and whether voters can be added (kraft.version 1). Nothing is changed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from logctl.admin.deadline import Backoff, Deadline
from logctl.admin.features import level_text, list_features
from logctl.admin.fenced import fenced_brokers
from logctl.admin.link import NotOffered
from logctl.admin.quorum import describe_quorum
from logctl.admin.routing import Cluster
from logctl.admin.voters import ALIVE_MS, parse_listener
from logctl.errors import DeadlineExceeded, Declined, LogctlError, OperationFailed


class Welcome(NamedTuple):
    """`seeds`: where the voters listen, as host:port; `listener`: what they call that listener. `alive` and `fenced`:
    brokers by id. `kraft_version`: what the cluster runs, `kraft_highest` what its nodes could; `levels`: the features
    that it runs."""

    cluster_id: str
    seeds: tuple[str, ...]
    listener: str
    voters: frozenset[int]
    alive: frozenset[int]
    fenced: frozenset[int]
    kraft_version: int
    kraft_highest: int
    levels: Mapping[str, int]

    @property
    def taken(self) -> frozenset[int]:
        return self.voters | self.alive | self.fenced

    def free_id(self) -> int:
        """The id after the last one that is taken."""
        return max(self.taken, default=0) + 1

    def refuse_taken(self, node_id: int) -> None:
        """Raises Declined for an id that a living broker or a voter has. That of a broker that has gone may be taken
        over: its replicas are copied to the new directory."""
        who = "a voter" if node_id in self.voters else "a broker that is alive" if node_id in self.alive else ""
        if who:
            raise Declined(
                f"node {node_id} is {who} of this cluster", f"leave out --node-id, or take a free one: {self.free_id()}"
            )

    def refuse_unable(self, supported: Mapping[str, tuple[int, int]]) -> None:
        """Raises Declined where the cluster runs a feature at a level that is not among those `supported` by the node:
        it would have to act on records that it does not understand."""
        for name, level in self.levels.items():
            lowest, highest = supported.get(name, (0, 0))
            if not lowest <= level <= highest:
                raise Declined(
                    f"this cluster runs {name} at level {level_text(name, level)}, and a node of the bundled engine "
                    + (f"can run {lowest} to {highest}" if highest else "cannot run it"),
                    "it joins clusters of the bundled engine; see `logctl cluster features`",
                )

    def refuse_fixed_voters(self) -> None:
        """Raises OperationFailed where nobody can be added to the voters."""
        if self.kraft_version < 1:
            how = "`logctl cluster feature-upgrade kraft.version=1` changes that; or join without --voter"
            raise OperationFailed(
                "the voters of this cluster are fixed by controller.quorum.voters (kraft.version 0)",
                how if self.kraft_highest >= 1 else "join without --voter",
            )


def ask_to_join(cluster: Cluster, deadline: Deadline) -> Welcome:
    """Raises OperationFailed when nobody leads the quorum, or when it does not tell where its voters listen."""
    metadata = cluster.refresh(deadline)
    quorum = describe_quorum(cluster, deadline)
    if quorum.leader_id is None:
        raise OperationFailed("the quorum has no leader now: nobody could be let in", "see `logctl cluster quorum`")
    heard = [parse_listener(told) for text in quorum.addresses.values() for told in text.split(", ") if told]
    if not heard or metadata.cluster_id is None:
        raise OperationFailed(
            "this cluster does not tell where its voters listen",
            "join it with settings of your own, `logctl node start --config FILE`",
        )
    try:
        fenced = frozenset(fenced_brokers(cluster, deadline))
    except NotOffered:
        fenced = frozenset()
    known = {one.name: one for one in list_features(cluster, deadline).found}
    kraft = known.get("kraft.version")
    return Welcome(
        metadata.cluster_id,
        tuple(dict.fromkeys(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for _, host, port in heard)),
        heard[0][0],
        frozenset(one.node_id for one in quorum.voters),
        frozenset(metadata.brokers),
        fenced,
        kraft.level if kraft else 0,
        (kraft.highest or 0) if kraft else 0,
        {one.name: one.level for one in known.values() if one.level},
    )


def wait_until_in(cluster: Cluster, node_id: int, deadline: Deadline) -> None:
    """Until the broker is let in by the controller and level with the quorum's leader. Raises DeadlineExceeded."""
    backoff, why = Backoff(), "is not known to the cluster"
    while True:
        try:
            why = _why_not_in(cluster, node_id, deadline)
        except LogctlError as failure:
            if not deadline.expired:
                why = f"cannot be looked after: {failure.message}"
        if not why:
            return
        if deadline.expired:
            raise DeadlineExceeded(
                f"node {node_id} {why} after {deadline.timeout_s:g} s", "look at its diary; repeat the command to go on"
            )
        backoff.pause(deadline)


def _why_not_in(cluster: Cluster, node_id: int, deadline: Deadline) -> str:
    """Why the node is not in yet; empty when it is."""
    if node_id not in cluster.refresh(deadline).brokers:
        return "is not let in yet"
    quorum = describe_quorum(cluster, deadline)
    mine = [one for one in (*quorum.observers, *quorum.voters) if one.node_id == node_id]
    if not mine:
        return "does not follow the metadata log yet"
    # The leader remembers for a while what an earlier directory of the same node had copied.
    level = any(one.behind_ms is not None and one.behind_ms <= ALIVE_MS for one in mine)
    return "" if level or node_id == quorum.leader_id else "has not caught up yet"
