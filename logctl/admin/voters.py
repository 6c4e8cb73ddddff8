"""Who votes in the quorum of the metadata log, changed while it runs (KIP-853).

Theory of operation
-------------------
Where voters are kept in the metadata log (kraft.version 1), a node that follows as an observer becomes a voter with
AddRaftVoter, and a voter stops voting with RemoveRaftVoter. A voter is known by its node and by the directory that
holds its copy: a node that comes back with an empty directory is another voter, and must not vote in the first one's
name.

    AddVoter(4)       the directory comes from what the leader knows of its observers; where the voter listens is not
                      known to anybody else, so it must be given
    RemoveVoter(4)    refused where fewer voters than a majority of the rest would be left alive

Both are looked at as `quorum` (one resource, everything the leader tells) and changed as `voter 4`: its directory and
its listeners, or None where the node has no vote. One at a time: the quorum takes no second change before the first is
committed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from logctl.admin.capabilities import need
from logctl.admin.deadline import Deadline
from logctl.admin.observe import Resource, Seen, Snapshot, State, Wants
from logctl.admin.operation import Change, Plan, Risk, Step, Undo
from logctl.admin.quorum import Quorum, Replica, describe_quorum
from logctl.admin.routing import Cluster, refusal
from logctl.errors import Declined, LogctlError, OperationFailed, UsageError
from logctl.wire import errors
from logctl.wire.primitives import uuid_from_text

KRAFT_VERSION: Final = Resource("feature", "kraft.version")
QUORUM: Final = Resource("quorum", "metadata")
ALIVE_MS: Final = 10_000
"""A voter that has not been caught up for longer than this counts as gone."""
_LOOK: Final = "`logctl cluster quorum -o wide` shows who votes and who follows"
_UPGRADE: Final = "`logctl cluster feature-upgrade kraft.version=1` has them kept in the metadata log instead"


def voter(node_id: int) -> Resource:
    return Resource("voter", str(node_id))


class AddVoter(NamedTuple):
    """Have a node that follows the metadata log vote in it. `listeners`: where it hears the others, as
    'CONTROLLER://host:9093'. `directory_id` is needed only where the node follows with several directories."""

    node_id: int
    listeners: tuple[str, ...]
    directory_id: str | None = None

    def check(self) -> None:
        """Raises UsageError."""
        if not self.listeners:
            raise UsageError(
                f"it was not said where node {self.node_id} hears other voters",
                "give --config with the node's server.properties, or --listener CONTROLLER://HOST:PORT",
            )
        for text in self.listeners:
            parse_listener(text)
        if self.directory_id is not None:
            _parse_directory(self.directory_id)

    def wants(self) -> Wants:
        return Wants(looks=(QUORUM, voter(self.node_id), KRAFT_VERSION))

    def plan(self, snapshot: Snapshot) -> Plan:
        self.check()
        refuse_fixed_voters(snapshot)
        title = f"add node {self.node_id} to the voters"
        quorum, known = snapshot.states[QUORUM] or {}, snapshot.states[voter(self.node_id)]
        if known is not None and self._is_meant(known, quorum):
            return Plan(title, notes=(f"node {self.node_id} has a vote already",), cluster_id=snapshot.cluster_id)
        if known is not None:
            raise OperationFailed(
                f"node {self.node_id} votes with another directory, {known['directory_id']}",
                f"take that vote away first: `logctl cluster quorum-remove {self.node_id}`",
            )
        follower = self._follower(quorum)
        arguments = _arguments(self.node_id, follower["directory_id"], self.listeners)
        step = Step(
            "voter.add",
            f"let node {self.node_id} vote, heard at {', '.join(self.listeners)}",
            arguments,
            Risk.SAFE,
            (voter(self.node_id),),
            Undo("voter.remove", f"take the vote of node {self.node_id} away", arguments, Risk.DISRUPTIVE),
        )
        change = Change(voter(self.node_id), None, {"directory_id": follower["directory_id"]})
        return Plan(
            title, (change,), (step,), (), _warnings(quorum, follower), snapshot.cluster_id, self.wants()
        )

    def _is_meant(self, known: Mapping[str, Any], quorum: Mapping[str, Any]) -> bool:
        """Is the voter the one to be added? It is not when it has gone and the node is back with an empty directory."""
        if self.directory_id is not None:
            return bool(self.directory_id == known["directory_id"])
        back = any(one["node_id"] == self.node_id and one["alive"] for one in quorum["observers"])
        return bool(quorum["voters"][str(self.node_id)]["alive"]) or not back

    def _follower(self, quorum: Mapping[str, Any]) -> Mapping[str, Any]:
        """The observer that is meant, as the leader sees it. Raises OperationFailed."""
        found = [one for one in quorum["observers"] if one["node_id"] == self.node_id]
        if self.directory_id is not None:
            found = [one for one in found if one["directory_id"] == self.directory_id]
        alive = [one for one in found if one["alive"]]
        if len(alive) == 1 and alive[0]["directory_id"] is not None:
            return alive[0]  # type: ignore[no-any-return]  # a plain value of a snapshot
        if len(alive) > 1:
            named = ", ".join(str(one["directory_id"]) for one in alive)
            raise OperationFailed(f"node {self.node_id} follows with several directories: {named}", "name one of them")
        if found and not alive:
            raise OperationFailed(
                f"node {self.node_id} has not been level with the leader for {ALIVE_MS // 1000} s",
                "start it, wait until it has caught up, and try again",
            )
        raise OperationFailed(
            f"node {self.node_id} does not follow the metadata log"
            + (f" with directory {self.directory_id}" if self.directory_id else ""),
            f"start it with controller.quorum.bootstrap.servers; {_LOOK}",
        )


class RemoveVoter(NamedTuple):
    """Take a node's vote away. It goes on following the metadata log while it runs."""

    node_id: int
    directory_id: str | None = None

    def check(self) -> None:
        """Raises UsageError."""
        if self.directory_id is not None:
            _parse_directory(self.directory_id)

    def wants(self) -> Wants:
        return Wants(looks=(QUORUM, voter(self.node_id), KRAFT_VERSION))

    def plan(self, snapshot: Snapshot) -> Plan:
        self.check()
        for failure in snapshot.failures.values():
            raise failure
        title = f"take the vote of node {self.node_id} away"
        known = snapshot.states[voter(self.node_id)]
        if known is None or self.directory_id not in (None, known["directory_id"]):
            return Plan(title, notes=(self._has_none(known),), cluster_id=snapshot.cluster_id)
        refuse_fixed_voters(snapshot)
        quorum = snapshot.states[QUORUM] or {}
        refuse_minority(quorum, self.node_id)
        change, step = removal(self.node_id, known)
        warnings = _tolerance(len(quorum["voters"]) - 1)
        return Plan(title, (change,), (step,), (), warnings, snapshot.cluster_id, self.wants())

    def _has_none(self, known: State) -> str:
        if known is None:
            return f"node {self.node_id} has no vote"
        return f"node {self.node_id} does not vote with that directory, but with {known['directory_id']}"


def removal(node_id: int, known: Mapping[str, Any]) -> tuple[Change, Step]:
    """The change and the step that take the vote of a voter away, which is `known` as it is observed."""
    arguments = _arguments(node_id, known["directory_id"], known["listeners"])
    back = Undo("voter.add", f"let node {node_id} vote again", arguments) if known["listeners"] else None
    sentence = f"take the vote of node {node_id} away"
    step = Step("voter.remove", sentence, arguments, Risk.DISRUPTIVE, (voter(node_id),), back)
    return Change(voter(node_id), {"directory_id": known["directory_id"]}, None), step


def refuse_fixed_voters(snapshot: Snapshot) -> None:
    """Raises what kept us from looking, and OperationFailed where voters are fixed by the nodes' settings."""
    for failure in snapshot.failures.values():
        raise failure
    feature = snapshot.states[KRAFT_VERSION]
    if feature is None or feature["level"] < 1:
        able = feature is not None and (feature["highest"] or 0) >= 1
        raise OperationFailed(
            "the voters of this cluster are fixed by controller.quorum.voters (kraft.version 0)",
            _UPGRADE if able else "its nodes must run kraft.version 1 for that: upgrade them first",
        )


def refuse_minority(quorum: Mapping[str, Any], node_id: int) -> None:
    """Raises Declined where the voters that are left would have no majority alive, and OperationFailed where nothing
    can be told because nobody leads."""
    if quorum["leader"] is None:
        raise OperationFailed("the quorum has no leader now, and cannot be changed", _LOOK)
    rest = {name: one for name, one in quorum["voters"].items() if name != str(node_id)}
    alive = sorted(int(name) for name, one in rest.items() if one["alive"])
    if not rest:
        raise Declined(f"node {node_id} is the only voter: without it the cluster could not change anything any more")
    needed = len(rest) // 2 + 1
    if len(alive) < needed:
        gone = ", ".join(sorted(rest.keys() - set(map(str, alive))))
        raise Declined(
            f"without node {node_id} the quorum would have {len(rest)} voters, of which {needed} must be alive,"
            f" and {len(alive)} are: {gone} did not keep up",
            f"start node {gone} first, or take its vote away instead",
        )


def _warnings(quorum: Mapping[str, Any], follower: Mapping[str, Any]) -> tuple[str, ...]:
    behind = follower["behind_records"] or 0
    late = (f"node {follower['node_id']} is {behind} records behind, and must catch up first",) if behind > 1000 else ()
    return (*late, *_tolerance(len(quorum["voters"]) + 1))


def _tolerance(voters: int) -> tuple[str, ...]:
    """What an unusual number of voters means."""
    may_fail = (voters - 1) // 2
    if voters == 1:
        return ("one voter is left: while it is away nothing can be changed",)
    if voters % 2 == 0:
        fewer = "none of them may" if may_fail == 0 else f"{may_fail} of them may"
        return (f"of {voters} voters {voters // 2 + 1} must be alive: {fewer} fail, no more than of {voters - 1}",)
    return ()


# -- words -----------------------------------------------------------------------------------------------------------


def parse_listener(text: str) -> tuple[str, str, int]:
    """'CONTROLLER://host:9093' as name, host and port. Raises UsageError."""
    name, scheme, rest = text.partition("://")
    host, _, port = rest.rpartition(":")
    if not (scheme and name and host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise UsageError(f"{text!r} is not NAME://HOST:PORT", "for example CONTROLLER://10.0.0.4:9093")
    return name, host.strip("[]"), int(port)


def _parse_directory(text: str) -> bytes:
    try:
        return uuid_from_text(text)
    except ValueError as wrong:
        raise UsageError(str(wrong), _LOOK) from None


def _arguments(node_id: int, directory_id: str | None, listeners: Any) -> dict[str, Any]:
    return {"node_id": node_id, "directory_id": directory_id, "listeners": list(listeners)}


# -- looking -----------------------------------------------------------------------------------------------------------


def observe_quorum(cluster: Cluster, names: tuple[str, ...], deadline: Deadline) -> Seen:
    """Everything the leader tells: {"leader", "voters": {"1": {...}}, "observers": [{...}]}, each with its directory
    and whether it keeps up."""
    quorum = describe_quorum(cluster, deadline)
    state = {
        "leader": quorum.leader_id,
        "voters": {str(one.node_id): _seen(one, quorum) for one in quorum.voters},
        "observers": [_seen(one, quorum) for one in quorum.observers],
    }
    return Seen(dict.fromkeys(names, state), {})


def observe_voters(cluster: Cluster, names: tuple[str, ...], deadline: Deadline) -> Seen:
    """Each voter by its node's id, as {"directory_id", "listeners"}; a node without a vote does not exist."""
    quorum = describe_quorum(cluster, deadline)
    states: dict[str, State] = {
        str(one.node_id): {"directory_id": one.directory_id, "listeners": _listeners(quorum, one.node_id)}
        for one in quorum.voters
        if str(one.node_id) in names
    }
    return Seen(states, {})


def _seen(one: Replica, quorum: Quorum) -> dict[str, Any]:
    return {
        "node_id": one.node_id,
        "directory_id": one.directory_id,
        "alive": one.node_id == quorum.leader_id or (one.behind_ms is not None and one.behind_ms <= ALIVE_MS),
        "behind_records": one.behind_records,
    }


def _listeners(quorum: Quorum, node_id: int) -> list[str]:
    told = quorum.addresses.get(node_id, "")
    return told.split(", ") if told else []


# -- doing -----------------------------------------------------------------------------------------------------------


def add_voter(
    cluster: Cluster, arguments: Mapping[str, Any], deadline: Deadline, dry: bool
) -> dict[Resource, LogctlError | None]:
    """The action that gives a node a vote. The leader cannot rehearse it; it waits until the node has caught up."""
    from logctl.wire.messages.add_raft_voter import AddRaftVoterRequest, Listener

    need(cluster, "AddRaftVoter", deadline)
    node_id = int(arguments["node_id"])
    listeners = [Listener(*parse_listener(text)) for text in arguments["listeners"]]
    if dry:
        return {}
    request = AddRaftVoterRequest(
        cluster_id=cluster.cluster_id,
        timeout_ms=max(1, int(deadline.left_s * 1000)),
        voter_id=node_id,
        voter_directory_id=_parse_directory(arguments["directory_id"]),
        listeners=listeners,
    )
    response = cluster.ask(request, deadline)
    return {voter(node_id): _outcome(f"cannot let node {node_id} vote", response, errors.DUPLICATE_VOTER)}


def remove_voter(
    cluster: Cluster, arguments: Mapping[str, Any], deadline: Deadline, dry: bool
) -> dict[Resource, LogctlError | None]:
    """The action that takes a vote away. The guard looks again: a voter may have gone since it was planned."""
    from logctl.wire.messages.remove_raft_voter import RemoveRaftVoterRequest

    need(cluster, "RemoveRaftVoter", deadline)
    node_id = int(arguments["node_id"])
    request = RemoveRaftVoterRequest(
        cluster_id=cluster.cluster_id,
        voter_id=node_id,
        voter_directory_id=_parse_directory(arguments["directory_id"]),
    )
    state = observe_quorum(cluster, ("now",), deadline).states["now"] or {}
    if str(node_id) in state["voters"]:
        refuse_minority(state, node_id)
    if dry:
        return {}
    response = cluster.ask(request, deadline)
    return {voter(node_id): _outcome(f"cannot take the vote of node {node_id} away", response, errors.VOTER_NOT_FOUND)}


def _outcome(what: str, response: Any, already: int) -> LogctlError | None:
    code = response.error_code
    return None if code in (errors.NONE, already) else refusal(what, code, response.error_message)


ACTIONS: Final = {"add": add_voter, "remove": remove_voter}
