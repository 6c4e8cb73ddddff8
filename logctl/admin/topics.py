"""Topics: listing, describing, creating, deleting."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from logctl.admin.deadline import Deadline
from logctl.admin.observe import Snapshot, Topic, Wants, describe_partitions, observe
from logctl.admin.operation import Change, Plan, Resource, Risk, Step
from logctl.admin.routing import Cluster, refusal
from logctl.errors import LogctlError, OperationFailed, UsageError
from logctl.wire import errors

_LEGAL_NAME: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}")


# -- reading ---------------------------------------------------------------------------------------------------------


class Selection(NamedTuple):
    """Which topics are meant: names and shell patterns, or a regular expression; all when nothing is given."""

    names: tuple[str, ...] = ()
    regex: str | None = None
    internal: bool = True

    def exact(self) -> tuple[str, ...]:
        """The names among the patterns: what must exist."""
        return tuple(name for name in self.names if not is_pattern(name))

    def wants(self) -> Wants:
        """Ask for the named topics only, when names are all there is."""
        only_names = self.names and self.regex is None and len(self.exact()) == len(self.names)
        return Wants(self.names if only_names else None, near=True)

    def includes(self, name: str, internal: bool) -> bool:
        if internal and not self.internal:
            return False
        if not self.names and self.regex is None:
            return True
        if self.regex is not None and re.fullmatch(self.regex, name):
            return True
        return name in self.names or any(fnmatch.fnmatchcase(name, pattern) for pattern in self.names)

    def check(self) -> None:
        """Raises UsageError for an expression that does not parse."""
        try:
            re.compile(self.regex or "")
        except re.error as error:
            raise UsageError(f"{self.regex!r} is not a regular expression: {error}") from None


def is_pattern(name: str) -> bool:
    """Does it hold one of the shell's wildcards? None of them is legal in a topic's name."""
    return any(character in name for character in "*?[")


class Found(NamedTuple):
    """Topics in the order of their names, and one sentence for each that could not be told."""

    topics: list[Topic]
    failures: dict[str, LogctlError]
    cluster_id: str | None = None


def list_topics(cluster: Cluster, selection: Selection, deadline: Deadline) -> Found:
    """The topics selected. Raises OperationFailed, with near names, when one that is named does not exist."""
    selection.check()
    return _select(selection, observe(cluster, selection.wants(), deadline))


def describe_topics(cluster: Cluster, selection: Selection, deadline: Deadline) -> Found:
    """As `list_topics`, with the settings made on each topic and, where the cluster tells them, eligible leaders."""
    found = list_topics(cluster, selection, deadline)
    names = tuple(topic.name for topic in found.topics)
    if not names:
        return found
    snapshot = observe(cluster, Wants(names, configs=True), deadline)
    topics = {name: snapshot.topics[name] for name in names if name in snapshot.topics}
    if cluster.offers("DescribeTopicPartitions"):
        for name, richer in describe_partitions(cluster, topics, deadline).items():
            topics[name] = richer._replace(configs=topics[name].configs)
    return Found(list(topics.values()), {**found.failures, **snapshot.failures}, snapshot.cluster_id)


def _select(selection: Selection, snapshot: Snapshot) -> Found:
    chosen = [topic for name, topic in sorted(snapshot.topics.items()) if selection.includes(name, topic.internal)]
    failures = {name: error for name, error in snapshot.failures.items() if selection.includes(name, False)}
    missing = [name for name in selection.exact() if name not in snapshot.topics and name not in failures]
    existing = snapshot.names or tuple(snapshot.topics)
    if missing and not chosen:
        raise unknown_topics(missing, existing)
    for name in missing:
        failures[name] = unknown_topics([name], existing)
    return Found(chosen, failures, snapshot.cluster_id)


def unknown_topics(names: Sequence[str], existing: Sequence[str]) -> OperationFailed:
    """The refusal for topics that do not exist, with names that look alike."""
    what = f"topic {names[0]} does not exist" if len(names) == 1 else f"topics do not exist: {', '.join(names)}"
    near = near_names(names[0], existing)
    if near:
        return OperationFailed(what, f"did you mean {' or '.join(near)}?")
    return OperationFailed(what, f"create it with `logctl topic create {names[0]}`" if legal(names[0]) else "")


def near_names(name: str, existing: Iterable[str]) -> list[str]:
    """At most three existing names that look like `name`, nearest first."""
    from difflib import get_close_matches

    return get_close_matches(name, list(existing), n=3, cutoff=0.7)


def legal(name: str) -> bool:
    return _LEGAL_NAME.fullmatch(name) is not None and name not in (".", "..")


def check_name(name: str) -> None:
    """Raises UsageError for a name that Kafka would refuse."""
    if not legal(name):
        raise UsageError(
            f"{name!r} cannot be a topic's name",
            "use 1 to 249 of the letters, digits, '.', '_' and '-', and neither '.' nor '..' alone",
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
        change = Change(Resource("topic", self.name), None, self._after())
        step = Step("topic.create", self._sentence(), self._arguments())
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
            return f"create topic {self.name} with {_count(len(self.assignment), 'partition')} placed as given"
        partitions = "the cluster's default of partitions"
        if self.partitions is not None:
            partitions = _count(self.partitions, "partition")
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


# -- deleting --------------------------------------------------------------------------------------------------------


class DeleteTopics(NamedTuple):
    """Delete topics with everything in them."""

    names: tuple[str, ...]
    if_exists: bool = False

    def wants(self) -> Wants:
        return Wants(self.names, near=not self.if_exists)

    def plan(self, snapshot: Snapshot) -> Plan:
        title = "delete " + (f"topic {self.names[0]}" if len(self.names) == 1 else _count(len(self.names), "topic"))
        for failure in snapshot.failures.values():
            raise failure
        absent = [name for name in self.names if name not in snapshot.topics]
        if absent and not self.if_exists:
            raise unknown_topics(absent, snapshot.names)
        present = [snapshot.topics[name] for name in self.names if name in snapshot.topics]
        return Plan(
            title,
            tuple(Change(Resource("topic", topic.name), _brief(topic), None) for topic in present),
            tuple(_deletion(topic) for topic in present),
            tuple(f"topic {name} does not exist" for name in absent),
            tuple(f"topic {topic.name} is the cluster's own" for topic in present if topic.internal),
            snapshot.cluster_id,
            Wants(self.names),
        )


def _brief(topic: Topic) -> dict[str, Any]:
    return {key: value for key, value in topic.state().items() if key in ("id", "partitions", "replication_factor")}


def _deletion(topic: Topic) -> Step:
    sentence = f"delete topic {topic.name}, its {_count(len(topic.partitions), 'partition')} and every record in it"
    return Step("topic.delete", sentence, {"name": topic.name}, Risk.DESTRUCTIVE)


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


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
