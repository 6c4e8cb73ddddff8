"""Altering a topic: more partitions and other settings, as one change."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from logctl.admin.config_changes import ChangeSettings
from logctl.admin.configs import Entity
from logctl.admin.observe import Resource, Snapshot, Wants
from logctl.admin.operation import Change, Operation, Plan
from logctl.admin.topic_changes import AddPartitions, merged
from logctl.admin.topics import check_name
from logctl.errors import UsageError


class AlterTopic(NamedTuple):
    """Give a topic more partitions (`total`: their number afterwards, with the replicas of each new one if they are
    to be placed by hand), and set settings, or with None put them back to their defaults."""

    name: str
    total: int | None = None
    assignment: tuple[tuple[int, ...], ...] = ()
    settings: Mapping[str, str | None] = MappingProxyType({})

    def check(self) -> None:
        """What can be told without asking anybody. Raises UsageError."""
        check_name(self.name)
        if self.total is None and not self.settings:
            raise UsageError("say what is to change: --partitions, --config or --delete-config")
        if self.total is None and self.assignment:
            raise UsageError("--replica-assignment goes with --partitions: it says where the new ones go")
        for operation in self._parts():
            operation.check()

    def wants(self) -> Wants:
        return merged([operation.wants() for operation in self._parts()])

    def plan(self, snapshot: Snapshot) -> Plan:
        plans = [operation.plan(snapshot) for operation in self._parts()]
        changed = [plan for plan in plans if plan.steps]
        return Plan(
            f"alter topic {self.name}",
            self._change(changed),
            tuple(step for plan in changed for step in plan.steps),
            tuple(note for plan in plans for note in plan.notes),
            tuple(warning for plan in plans for warning in plan.warnings),
            snapshot.cluster_id,
            Wants((self.name,), configs=bool(self.settings)),
        )

    def _parts(self) -> list[Operation]:
        parts: list[Operation] = []
        if self.total is not None:
            parts.append(AddPartitions(self.name, self.total, self.assignment))
        if self.settings:
            parts.append(ChangeSettings(Entity("topic", self.name), self.settings))
        return parts

    def _change(self, plans: list[Plan]) -> tuple[Change, ...]:
        """One change of one topic, whatever it is made of: it is looked at as a whole afterwards."""
        if not plans:
            return ()
        changes = [change for plan in plans for change in plan.changes]
        before = {key: value for change in changes for key, value in (change.before or {}).items()}
        after = {key: value for change in changes for key, value in (change.after or {}).items()}
        return (Change(Resource("topic", self.name), before, after),)
