"""Cloning a topic's definition: its partitions, its replication factor and the settings made on it, not its records."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from logctl.admin.deadline import Deadline
from logctl.admin.observe import Snapshot, Topic, Wants
from logctl.admin.operation import Plan
from logctl.admin.partitions import Moves, replication_factor
from logctl.admin.routing import Cluster
from logctl.admin.topic_changes import CreateTopic
from logctl.admin.topics import Selection, describe_topics, unknown_topics
from logctl.errors import UsageError

OF_A_MOVE: Final = ("leader.replication.throttled.replicas", "follower.replication.throttled.replicas")
"""Settings that name partitions and brokers of the topic they are made on: of no use on another."""


class Definition(NamedTuple):
    """What a clone is made of."""

    name: str
    partitions: int
    replication_factor: int
    configs: Mapping[str, str]


def definition_of(topic: Topic, moving: Moves | None = None) -> Definition:
    factor = replication_factor(topic, moving)
    return Definition(topic.name, len(topic.partitions), factor, dict(topic.configs or {}))


def read_definition(cluster: Cluster, name: str, deadline: Deadline) -> Definition:
    """The definition of a topic of this cluster. Raises OperationFailed, with near names, when there is none."""
    found = describe_topics(cluster, Selection((name,)), deadline)
    for failure in found.failures.values():
        raise failure
    return definition_of(found.topics[0], found.moving)


class CloneTopic(NamedTuple):
    """Create `target` as `source` is. `definition`: the source as another cluster has it; None: it is in this one.
    What is given besides takes the place of what the source has."""

    source: str
    target: str
    definition: Definition | None = None
    partitions: int | None = None
    replication_factor: int | None = None
    configs: Mapping[str, str] = MappingProxyType({})
    if_not_exists: bool = False

    def check(self) -> None:
        """What can be told without asking anybody. Raises UsageError."""
        if self.source == self.target and self.definition is None:
            raise UsageError(f"{self.source} cannot be a clone of itself", "name the new topic as well")
        CreateTopic(self.target, self.partitions, self.replication_factor, self.configs).check()

    def wants(self) -> Wants:
        names = (self.target,) if self.definition is not None else (self.source, self.target)
        return Wants(names, configs=True, near=True)

    def plan(self, snapshot: Snapshot) -> Plan:
        self.check()
        definition = self.definition or self._seen(snapshot)
        left = [name for name in OF_A_MOVE if name in definition.configs]
        create = CreateTopic(
            self.target,
            self.partitions or definition.partitions,
            self.replication_factor or definition.replication_factor,
            {**{key: value for key, value in definition.configs.items() if key not in left}, **self.configs},
            if_not_exists=self.if_not_exists,
        )
        plan = create.plan(snapshot)
        notes = tuple(f"{name} of {self.source} is about its own partitions and is not taken over" for name in left)
        warnings = (*plan.warnings, *notes) if plan.steps else plan.warnings
        return plan._replace(title=f"clone topic {self.source} as {self.target}", warnings=warnings)

    def _seen(self, snapshot: Snapshot) -> Definition:
        if self.source in snapshot.failures:
            raise snapshot.failures[self.source]
        if self.source not in snapshot.topics:
            raise unknown_topics([self.source], snapshot.names)
        return definition_of(snapshot.topics[self.source])
