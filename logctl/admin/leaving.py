"""A node leaves for good: its replicas, its vote, its process, its registration and its directory, in this order.

Theory of operation
-------------------
Each is a step of one plan, and what cannot be taken back comes after what can. Nothing is begun while the node holds
replicas, unless they are to be drained; a step that would strand replicas looks again, since new topics may have been
placed on the node meanwhile.

    replicas.move    only with drain: to the brokers that stay (draining says where)
    voter.remove     where the node votes
    node.stop        where its directory lies on this machine: in order, so that it hands over what it leads
    broker.forget    UnregisterBroker, once it is fenced
    node.set-aside   the directory gets a name that no node has, and the folder forgets the node; nothing is deleted

A node that runs on another machine is drained and loses its vote; then it must be stopped there, and the same command
goes on. So it does after any interruption: what is done already is no step any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from logctl import local, seats
from logctl.admin.capabilities import need
from logctl.admin.deadline import Backoff, Deadline
from logctl.admin.draining import Held, held_by, targets, told
from logctl.admin.link import NotOffered
from logctl.admin.moves import MOVES, Target, arguments_of, held
from logctl.admin.observe import Resource, Seen, Snapshot, State, Wants, observe
from logctl.admin.operation import Change, Plan, Risk, Step, Undo
from logctl.admin.routing import Cluster, refusal
from logctl.admin.voters import KRAFT_VERSION, QUORUM, refuse_fixed_voters, refuse_minority, removal, voter
from logctl.admin.wording import counted
from logctl.errors import DeadlineExceeded, Declined, LogctlError, OperationFailed
from logctl.wire import errors


class Here(NamedTuple):
    """A node of this machine: its log directory, and the data folder that remembers it."""

    log_dir: str
    folder: str


class Decommission(NamedTuple):
    """Take a node out of the cluster for good. `drain`: move its replicas away first. `here`: where it lies, if on
    this machine. With `only_drain` it stays, and holds nothing."""

    node_id: int
    drain: bool = False
    here: Here | None = None
    only_drain: bool = False

    def check(self) -> None: ...

    def wants(self) -> Wants:
        mine = (_directory(self.here.log_dir),) if self.here else ()
        asks = (QUORUM, voter(self.node_id), KRAFT_VERSION)
        return Wants(None, looks=(MOVES, _broker(self.node_id), *(() if self.only_drain else asks), *mine))

    def plan(self, snapshot: Snapshot) -> Plan:
        for failure in snapshot.failures.values():
            if not isinstance(failure, NotOffered):
                raise failure
        title = f"drain node {self.node_id}" if self.only_drain else f"decommission node {self.node_id}"
        self._refuse_strangers(snapshot)
        parts = [self._drained(snapshot)]
        if not self.only_drain:
            parts += [self._voteless(snapshot), *self._gone(snapshot)]
        changes = tuple(change for part in parts for change in part.changes)
        steps = tuple(step for part in parts for step in part.steps)
        warnings = () if self.only_drain else self._warnings(snapshot)
        if not steps:
            return Plan(title, notes=(self._nothing(snapshot),), cluster_id=snapshot.cluster_id)
        looks = tuple(change.resource for change in changes)
        return Plan(title, changes, steps, (), warnings, snapshot.cluster_id, Wants(looks=looks))

    def _refuse_strangers(self, snapshot: Snapshot) -> None:
        if any((self._broker(snapshot), self._vote(snapshot), self._own(snapshot))):
            return
        known = {*snapshot.brokers, *map(int, (snapshot.states.get(QUORUM) or {}).get("voters", ()))}
        raise OperationFailed(
            f"node {self.node_id} is not in the cluster", f"there are {', '.join(map(str, sorted(known)))}"
        )

    def _broker(self, snapshot: Snapshot) -> State:
        return snapshot.states.get(_broker(self.node_id))

    def _vote(self, snapshot: Snapshot) -> State:
        return snapshot.states.get(voter(self.node_id))

    def _own(self, snapshot: Snapshot) -> State:
        """Its directory on this machine, while it is a node's."""
        seen = snapshot.states.get(_directory(self.here.log_dir)) if self.here else None
        return seen if seen is not None and seen["in_use"] else None

    # -- the parts -----------------------------------------------------------------------------------------------------

    def _drained(self, snapshot: Snapshot) -> _Part:
        moving = snapshot.states.get(MOVES) or {}
        mine = held_by(self.node_id, snapshot, moving)
        if not mine:
            return _Part()
        if not self.drain:
            raise Declined(
                f"node {self.node_id} holds {told(mine)}", "add --drain to move them to the brokers that stay first"
            )
        wanted = targets(self.node_id, snapshot, moving)
        return _Part(tuple(map(_moved, mine, wanted)), (_move(self.node_id, mine, wanted),))

    def _voteless(self, snapshot: Snapshot) -> _Part:
        known = self._vote(snapshot)
        if known is None:
            return _Part()
        refuse_fixed_voters(snapshot)
        refuse_minority(snapshot.states[QUORUM] or {}, self.node_id)
        change, step = removal(self.node_id, known)
        return _Part((change,), (step,))

    def _gone(self, snapshot: Snapshot) -> tuple[_Part, ...]:
        """Stopped, forgotten and set aside, where that can be done from here."""
        broker, own = self._broker(snapshot), self._own(snapshot)
        parts = []
        if self.here is not None and own is not None:
            stop = Step(
                "node.stop", f"stop node {self.node_id}", self._arguments(), Risk.DISRUPTIVE, (self._directory,)
            )
            parts.append(_Part((), (stop,)))
        if broker is not None and (own is not None or self.node_id not in snapshot.brokers):
            sentence = f"strike broker {self.node_id} off the list of brokers"
            arguments = {"node_id": self.node_id}
            step = Step("broker.forget", sentence, arguments, Risk.DISRUPTIVE, (_broker(self.node_id),))
            before = {"host": broker["host"], "port": broker["port"]}
            parts.append(_Part((Change(_broker(self.node_id), before, None),), (step,)))
        if self.here is not None and own is not None:
            sentence = f"set {self.here.log_dir} aside"
            step = Step("node.set-aside", sentence, self._arguments(), Risk.SAFE, (self._directory,))
            parts.append(_Part((Change(self._directory, {"in_use": True}, {"in_use": False}),), (step,)))
        return tuple(parts)

    @property
    def _directory(self) -> Resource:
        assert self.here is not None
        return _directory(self.here.log_dir)

    def _arguments(self) -> dict[str, Any]:
        assert self.here is not None
        return {"node_id": self.node_id, **self.here._asdict()}

    # -- words ---------------------------------------------------------------------------------------------------------

    def _elsewhere(self, snapshot: Snapshot) -> bool:
        """Does it run, and not on this machine?"""
        return self._own(snapshot) is None and self.node_id in snapshot.brokers

    def _warnings(self, snapshot: Snapshot) -> tuple[str, ...]:
        if not self._elsewhere(snapshot):
            return ()
        host = snapshot.brokers[self.node_id].address.host
        return (f"node {self.node_id} runs on {host} and is not stopped from here: stop it there, then repeat this",)

    def _nothing(self, snapshot: Snapshot) -> str:
        if self.only_drain:
            return f"node {self.node_id} holds no replicas"
        host = snapshot.brokers[self.node_id].address.host
        raise Declined(
            f"node {self.node_id} holds nothing any more, but it runs on {host}, where it cannot be stopped from here",
            f"stop it there; then `logctl node decommission {self.node_id}` strikes it off the list"
            + ("" if self.here else ", or name its data folder with --data if it lies on this machine"),
        )


class _Part(NamedTuple):
    changes: tuple[Change, ...] = ()
    steps: tuple[Step, ...] = ()


def _broker(node_id: int) -> Resource:
    return Resource("broker", str(node_id))


def _directory(log_dir: str) -> Resource:
    return Resource("node", log_dir)


def _moved(one: Held, target: Target) -> Change:
    return Change(held(one.place), {"brokers": sorted(one.settled)}, {"brokers": sorted(target.replicas)})


def _move(node: int, mine: list[Held], wanted: list[Target]) -> Step:
    back = [Target(one.place, one.settled) for one in mine]
    others = sorted({broker for target in wanted for broker in target.replicas} - {node})
    what = f"{counted(len(wanted), 'replica')} of {counted(len({one.place[0] for one in wanted}), 'topic')}"
    return Step(
        "replicas.move",
        f"move {what} from node {node} to the others ({', '.join(map(str, others))})",
        arguments_of(wanted),
        Risk.DISRUPTIVE,
        tuple(held(one.place) for one in wanted),
        Undo("replicas.move", f"move {what} back to node {node}", arguments_of(back), Risk.DISRUPTIVE),
    )


# -- looking -----------------------------------------------------------------------------------------------------------


def observe_directories(cluster: Cluster, names: tuple[str, ...], deadline: Deadline) -> Seen:
    """The log directories of nodes of this machine, by path: is there a node's under that name?"""
    return Seen({name: {"in_use": seats.identity_of(Path(name)) is not None} for name in names}, {})


# -- doing -------------------------------------------------------------------------------------------------------------


def stop_node(
    cluster: Cluster, arguments: Mapping[str, Any], deadline: Deadline, dry: bool
) -> dict[Resource, LogctlError | None]:
    """The action that stops a node of this machine in order; one that does not run is stopped."""
    log_dir, node_id = str(arguments["log_dir"]), int(arguments["node_id"])
    if dry:
        return {}
    _refuse_while_it_holds(cluster, node_id, deadline)
    _refuse_another_node(cluster, Path(log_dir), node_id)
    node = local.describe(Path(log_dir))
    if node.pid is not None and node.pid <= 0:
        raise Declined(f"node {node_id} is held by a process that cannot be seen from here", "stop it where it runs")
    if node.is_running:
        local.stop(node, deadline.left_s)
        _wait_for_the_process(node, deadline)
    return {_directory(log_dir): None}


def _wait_for_the_process(node: local.LocalNode, deadline: Deadline) -> None:
    """Apache Kafka lets its directory go a moment before it ends."""
    backoff = Backoff()
    while local.describe(Path(node.log_dir)).is_running:
        if deadline.expired:
            raise DeadlineExceeded(f"node {node.node_id} (process {node.pid}) is still ending", "repeat the command")
        backoff.pause(deadline)


def forget_broker(
    cluster: Cluster, arguments: Mapping[str, Any], deadline: Deadline, dry: bool
) -> dict[Resource, LogctlError | None]:
    """The action that has the cluster forget a broker. One that has just stopped is waited for until it is fenced: a
    broker that runs and that nobody knows helps nobody."""
    from logctl.wire.messages.unregister_broker import UnregisterBrokerRequest

    need(cluster, "UnregisterBroker", deadline)
    node_id = int(arguments["node_id"])
    if dry:
        return {}
    _refuse_while_it_holds(cluster, node_id, deadline)
    backoff = Backoff()
    while node_id in cluster.refresh(deadline).brokers:
        if deadline.expired:
            raise DeadlineExceeded(f"broker {node_id} is still alive", "stop it, and try again")
        backoff.pause(deadline)
    response = cluster.ask(UnregisterBrokerRequest(broker_id=node_id), deadline)
    code = response.error_code
    if code in (errors.NONE, errors.BROKER_ID_NOT_REGISTERED):
        return {_broker(node_id): None}
    return {_broker(node_id): refusal(f"cannot strike broker {node_id} off", code, response.error_message)}


def set_aside(
    cluster: Cluster, arguments: Mapping[str, Any], deadline: Deadline, dry: bool
) -> dict[Resource, LogctlError | None]:
    """The action that keeps the directory of a node that has left under another name, and has the folder forget it."""
    log_dir, folder, node_id = Path(arguments["log_dir"]), Path(arguments["folder"]), int(arguments["node_id"])
    if dry:
        return {}
    if local.describe(log_dir).is_running:
        return {_directory(str(log_dir)): OperationFailed(f"node {node_id} runs again", "stop it, and try again")}
    _refuse_another_node(cluster, log_dir, node_id)
    seats.forget(folder, node_id)
    seats.set_aside(log_dir)
    return {_directory(str(log_dir)): None}


def _refuse_another_node(cluster: Cluster, log_dir: Path, node_id: int) -> None:
    """A plan may have lain in a file, and the directory may be another's meanwhile."""
    found = seats.identity_of(log_dir)
    if found is not None and found != {"cluster_id": cluster.cluster_id, "node_id": node_id}:
        raise OperationFailed(
            f"{log_dir} belongs to node {found['node_id']} of cluster {found['cluster_id']}", "it was left as it is"
        )


def _refuse_while_it_holds(cluster: Cluster, node_id: int, deadline: Deadline) -> None:
    now = observe(cluster, Wants(None), deadline)
    mine = held_by(node_id, now, {})
    if mine:
        raise Declined(
            f"node {node_id} was given replicas meanwhile: {told(mine)}",
            f"move them too: `logctl node decommission {node_id} --drain`",
        )


ACTIONS: Final = {"stop": stop_node, "set-aside": set_aside, "forget": forget_broker}
