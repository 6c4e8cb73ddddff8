"""Changing topics: create, grow and delete, as operations and as the actions of their steps."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from logctl.admin.deadline import Deadline
from logctl.admin.observe import Resource, Snapshot, Topic, Wants
from logctl.admin.operation import Change, Operation, Plan, Risk, Step, Undo
from logctl.admin.routing import Cluster, refusal
from logctl.admin.topics import Selection, check_name, unknown_topics
from logctl.admin.wording import counted
from logctl.errors import Declined, LogctlError, OperationFailed, UsageError
from logctl.wire import errors

# -- several at once -------------------------------------------------------------------------------------------------


class Together(NamedTuple):
    """Several operations as one: looked at, planned, confirmed and verified together. What is wrong with one of them is
    wrong with all, so long as nothing was done."""

    title: str
    operations: tuple[Operation, ...]

    def check(self) -> None:
        """Raises what the first of them raises."""
        for operation in self.operations:
            operation.check()

    def wants(self) -> Wants:
        return merged([operation.wants() for operation in self.operations])

    def plan(self, snapshot: Snapshot) -> Plan:
        plans = [operation.plan(snapshot) for operation in self.operations]
        return Plan(
            self.title,
            tuple(change for plan in plans for change in plan.changes),
            tuple(step for plan in plans for step in plan.steps),
            tuple(note for plan in plans for note in plan.notes),
            tuple(dict.fromkeys(warning for plan in plans for warning in plan.warnings)),
            snapshot.cluster_id,
            merged([plan.wants for plan in plans if plan.steps]),
        )


def merged(wants: list[Wants]) -> Wants:
    """Everything that each of them wants."""
    every = any(one.topics is None for one in wants)
    return Wants(
        None if every else tuple(dict.fromkeys(name for one in wants for name in one.topics or ())),
        any(one.configs for one in wants),
        any(one.near for one in wants),
        tuple(dict.fromkeys(entity for one in wants for entity in one.settings)),
        tuple(dict.fromkeys(look for one in wants for look in one.looks)),
    )


# -- creating --------------------------------------------------------------------------------------------------------


class CreateTopic(NamedTuple):
    """Create one topic. `partitions` and `replication_factor` None: the cluster's default. `assignment` lists the
    replicas of each partition and excludes both."""

    name: str
    partitions: int | None = None
    replication_factor: int | None = None
    configs: Mapping[str, str] = MappingProxyType({})
    assignment: tuple[tuple[int, ...], ...] = ()
    if_not_exists: bool = False

    def wants(self) -> Wants:
        return Wants((self.name,), configs=True)

    def plan(self, snapshot: Snapshot) -> Plan:
        self.check()
        title = f"create topic {self.name}"
        if self.name in snapshot.failures:
            raise snapshot.failures[self.name]
        existing = snapshot.topics.get(self.name)
        if existing is not None:
            return self._already_there(title, existing, snapshot)
        there = Resource("topic", self.name)
        change = Change(there, None, self._after())
        back = Undo(
            "topic.delete",
            f"delete topic {self.name} with every record that was written to it since",
            {"name": self.name},
            Risk.DESTRUCTIVE,
        )
        step = Step("topic.create", self._sentence(), self._arguments(), about=(there,), undo=back)
        return Plan(title, (change,), (step,), (), self._warnings(), snapshot.cluster_id, self.wants())

    def check(self) -> None:
        """What can be told without asking anybody. Raises UsageError."""
        check_name(self.name)
        if self.assignment and (self.partitions is not None or self.replication_factor is not None):
            raise UsageError("an explicit assignment already says how many partitions and replicas there are")
        for what, count in (("partitions", self.partitions), ("replication factor", self.replication_factor)):
            if count is not None and count < 1:
                raise UsageError(f"{what}: {count} is not a number from 1 up")

    def _already_there(self, title: str, existing: Topic, snapshot: Snapshot) -> Plan:
        if not self.if_not_exists:
            raise OperationFailed(
                f"topic {self.name} exists already", "add --if-not-exists to accept that, or choose another name"
            )
        state = existing.state()
        differences = [
            f"topic {self.name} has {key.replace('_', ' ')} {state[key]}, not {wanted}"
            for key, wanted in self._after().items()
            if not isinstance(wanted, Mapping) and state[key] != wanted
        ] + [
            f"topic {self.name} has {key}={state['configs'].get(key, '(default)')}, not {value}"
            for key, value in self.configs.items()
            if state["configs"].get(key) != value
        ]
        return Plan(title, (), (), (f"topic {self.name} exists already",), tuple(differences), snapshot.cluster_id)

    def _after(self) -> dict[str, Any]:
        after: dict[str, Any] = {}
        if self.assignment:
            after["partitions"] = len(self.assignment)
            after["replication_factor"] = len(self.assignment[0])
            after["assignment"] = {str(index): list(replicas) for index, replicas in enumerate(self.assignment)}
        if self.partitions is not None:
            after["partitions"] = self.partitions
        if self.replication_factor is not None:
            after["replication_factor"] = self.replication_factor
        if self.configs:
            after["configs"] = dict(self.configs)
        return after

    def _sentence(self) -> str:
        if self.assignment:
            return f"create topic {self.name} with {counted(len(self.assignment), 'partition')} placed as given"
        partitions = "the cluster's default of partitions"
        if self.partitions is not None:
            partitions = counted(self.partitions, "partition")
        factor = "the cluster's replication factor"
        if self.replication_factor is not None:
            factor = f"replication factor {self.replication_factor}"
        return f"create topic {self.name} with {partitions} and {factor}"

    def _arguments(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "partitions": self.partitions,
            "replication_factor": self.replication_factor,
            "configs": dict(self.configs),
            "assignment": [list(replicas) for replicas in self.assignment],
        }

    def _warnings(self) -> tuple[str, ...]:
        if "." in self.name and "_" in self.name:
            return ("a name with both '.' and '_' can collide with another in metrics",)
        return ()


def create(cluster: Cluster, arguments: Mapping[str, Any], deadline: Deadline, dry: bool) -> dict[Any, Any]:
    """The action of a CreateTopic's step. `dry`: the broker validates only."""
    from logctl.wire.messages.create_topics import (
        CreatableReplicaAssignment,
        CreatableTopic,
        CreatableTopicConfig,
        CreateTopicsRequest,
    )

    placed = enumerate(arguments["assignment"])
    topic = CreatableTopic(
        name=arguments["name"],
        num_partitions=-1 if arguments["partitions"] is None else arguments["partitions"],
        replication_factor=-1 if arguments["replication_factor"] is None else arguments["replication_factor"],
        assignments=[CreatableReplicaAssignment(partition_index=index, broker_ids=ids) for index, ids in placed],
        configs=[CreatableTopicConfig(name=key, value=value) for key, value in arguments["configs"].items()],
    )
    request = CreateTopicsRequest(topics=[topic], timeout_ms=int(deadline.left_s * 1000), validate_only=dry)
    response = cluster.ask(request, deadline, lambda answer: [result.error_code for result in answer.topics])
    return {Resource("topic", result.name): _outcome(result, "create") for result in response.topics}


# -- growing ---------------------------------------------------------------------------------------------------------


class AddPartitions(NamedTuple):
    """Give a topic more partitions: `total` is their number afterwards. `assignment` lists the replicas of each new
    one."""

    name: str
    total: int
    assignment: tuple[tuple[int, ...], ...] = ()

    def wants(self) -> Wants:
        return Wants((self.name,), near=True)

    def check(self) -> None:
        """What can be told without asking anybody. Raises UsageError."""
        check_name(self.name)
        if self.total < 1:
            raise UsageError(f"partitions: {self.total} is not a number from 1 up")

    def plan(self, snapshot: Snapshot) -> Plan:
        self.check()
        if self.name in snapshot.failures:
            raise snapshot.failures[self.name]
        topic = snapshot.topics.get(self.name)
        if topic is None:
            raise unknown_topics([self.name], snapshot.names)
        title = f"add partitions to topic {self.name}"
        have = len(topic.partitions)
        if have == self.total:
            note = f"topic {self.name} has {counted(have, 'partition')} already"
            return Plan(title, notes=(note,), cluster_id=snapshot.cluster_id)
        self._check_growth(have)
        there = Resource("topic", self.name)
        change = Change(there, {"partitions": have}, {"partitions": self.total})
        sentence = f"add {counted(self.total - have, 'partition')} to topic {self.name}, which has {have}"
        arguments = {"name": self.name, "total": self.total, "assignment": [list(one) for one in self.assignment]}
        step = Step("topic.add_partitions", sentence, arguments, about=(there,))
        warning = "records with a key may go to another partition than before, and there is no way back to fewer"
        return Plan(title, (change,), (step,), (), (warning,), snapshot.cluster_id, Wants((self.name,)))

    def _check_growth(self, have: int) -> None:
        if have > self.total:
            raise OperationFailed(
                f"topic {self.name} has {have} partitions, and they can only become more",
                f"name a number above {have}; fewer need a new topic",
            )
        if self.assignment and len(self.assignment) != self.total - have:
            raise UsageError(
                f"replicas are given for {counted(len(self.assignment), 'partition')}, but {self.total - have} are new"
            )


def add_partitions(cluster: Cluster, arguments: Mapping[str, Any], deadline: Deadline, dry: bool) -> dict[Any, Any]:
    """The action of an AddPartitions' step. `dry`: the broker validates only."""
    from logctl.wire.messages.create_partitions import (
        CreatePartitionsAssignment,
        CreatePartitionsRequest,
        CreatePartitionsTopic,
    )

    placed = [CreatePartitionsAssignment(broker_ids=ids) for ids in arguments["assignment"]] or None
    topic = CreatePartitionsTopic(name=arguments["name"], count=arguments["total"], assignments=placed)
    request = CreatePartitionsRequest(topics=[topic], timeout_ms=int(deadline.left_s * 1000), validate_only=dry)
    response = cluster.ask(request, deadline, lambda answer: [result.error_code for result in answer.results])
    return {Resource("topic", result.name): _outcome(result, "add partitions to") for result in response.results}


# -- deleting --------------------------------------------------------------------------------------------------------


class DeleteTopics(NamedTuple):
    """Delete topics with everything in them: names and shell patterns, or those that `regex` matches. The cluster's own
    topics are safe from it unless `internal`."""

    names: tuple[str, ...]
    if_exists: bool = False
    regex: str | None = None
    internal: bool = False

    def check(self) -> None:
        """Any name may be deleted, even one that could not be created today. Raises UsageError."""
        self._selection().check()
        if not self.names and self.regex is None:
            raise UsageError("no topic was named", "see `logctl topic delete --help`")

    def wants(self) -> Wants:
        return self._selection().wants()

    def plan(self, snapshot: Snapshot) -> Plan:
        selection = self._selection()
        for failure in snapshot.failures.values():
            raise failure
        named = selection.exact()
        absent = [name for name in named if name not in snapshot.topics]
        if absent and not self.if_exists:
            raise unknown_topics(absent, snapshot.names or tuple(snapshot.topics))
        matched = [name for name in sorted(snapshot.topics) if name not in named and selection.includes(name, False)]
        chosen = [snapshot.topics[name] for name in (*named, *matched) if name in snapshot.topics]
        present = [topic for topic in chosen if self.internal or not topic.internal]
        if any(topic.internal for topic in chosen if topic.name in named) and not self.internal:
            raise _not_ours(next(topic.name for topic in chosen if topic.internal))
        return Plan(
            self._title(present),
            tuple(Change(Resource("topic", topic.name), _brief(topic), None) for topic in present),
            tuple(_deletion(topic) for topic in present),
            (*(f"topic {name} does not exist" for name in absent), *self._spared(chosen, present)),
            tuple(f"topic {topic.name} is the cluster's own" for topic in present if topic.internal),
            snapshot.cluster_id,
            Wants(tuple(topic.name for topic in present)),
        )

    def _selection(self) -> Selection:
        return Selection(self.names, self.regex, missing_ok=self.if_exists)

    def _title(self, present: list[Topic]) -> str:
        only = self.names[0] if len(self.names) == 1 and self.names == self._selection().exact() else None
        if only is None and len(present) == 1:
            only = present[0].name
        return "delete " + (f"topic {only}" if only is not None else counted(len(present), "topic"))

    def _spared(self, chosen: list[Topic], present: list[Topic]) -> list[str]:
        notes = [f"topic {topic.name} is the cluster's own and is left" for topic in chosen if topic not in present]
        if not chosen and self._selection().exact() != self.names:
            notes.append(f"no topic matches {', '.join(self.names)}")
        if not chosen and self.regex is not None:
            notes.append(f"no topic matches {self.regex}")
        return notes


def _not_ours(name: str) -> Declined:
    return Declined(f"topic {name} is the cluster's own", "add --internal to delete it all the same")


def _brief(topic: Topic) -> dict[str, Any]:
    return {key: value for key, value in topic.state().items() if key in ("id", "partitions", "replication_factor")}


def _deletion(topic: Topic) -> Step:
    sentence = f"delete topic {topic.name}, its {counted(len(topic.partitions), 'partition')} and every record in it"
    return Step("topic.delete", sentence, {"name": topic.name}, Risk.DESTRUCTIVE, (Resource("topic", topic.name),))


def delete(cluster: Cluster, arguments: Mapping[str, Any], deadline: Deadline, dry: bool) -> dict[Any, Any]:
    """The action of one step of DeleteTopics. Kafka cannot rehearse it."""
    from logctl.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState

    name = arguments["name"]
    if dry:
        return {}
    request = DeleteTopicsRequest(
        topics=[DeleteTopicState(name=name)], topic_names=[name], timeout_ms=int(deadline.left_s * 1000)
    )
    response = cluster.ask(request, deadline, lambda answer: [result.error_code for result in answer.responses])
    return {Resource("topic", name): _outcome(result, "delete") for result in response.responses}


def _outcome(result: Any, verb: str) -> LogctlError | None:
    if result.error_code == errors.NONE:
        return None
    return refusal(f"cannot {verb} topic {result.name}", result.error_code, result.error_message)


ACTIONS: Final = {"create": create, "add_partitions": add_partitions, "delete": delete}
