"""Changing settings: of a topic, a broker, all brokers, a group; as an operation and as the action of its step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from logctl.admin.configs import HIDDEN, Config, Entity, ask_about
from logctl.admin.deadline import Deadline
from logctl.admin.observe import Resource, Snapshot, Wants
from logctl.admin.operation import Change, Plan, Step
from logctl.admin.routing import Cluster, refusal
from logctl.admin.topics import near_names, unknown_topics
from logctl.errors import LogctlError, UsageError
from logctl.wire import errors

_SET: Final = 0
_DELETE: Final = 1


class ChangeSettings(NamedTuple):
    """Set each setting to its value, or put it back to its default where the value is None."""

    entity: Entity
    changes: Mapping[str, str | None]

    def wants(self) -> Wants:
        topics = (self.entity.name,) if self.entity.kind == "topic" else ()
        return Wants(topics, near=True, settings=(self.entity,))

    def check(self) -> None:
        """What can be told without asking anybody. Raises UsageError."""
        self.entity.check()
        if not self.changes:
            raise UsageError("no setting was named")

    def plan(self, snapshot: Snapshot) -> Plan:
        self.check()
        for failure in snapshot.failures.values():
            raise failure
        if self.entity not in snapshot.settings:
            raise unknown_topics([self.entity.name], snapshot.names)
        known = {config.name: config for config in snapshot.settings[self.entity]}
        needed = {name: value for name, value in self.changes.items() if not _is_so(known.get(name), value)}
        title = f"change settings of {self.entity}"
        notes = tuple(_already(self.entity, name, self.changes[name]) for name in self.changes if name not in needed)
        warnings = tuple(self._doubts(known))
        if not needed:
            return Plan(title, (), (), notes, warnings, snapshot.cluster_id)
        before = {name: known[name].shown if name in known and known[name].is_set else None for name in needed}
        change = Change(Resource(*self.entity), {"configs": before}, {"configs": needed})
        arguments = {"kind": self.entity.kind, "name": self.entity.name, "changes": dict(needed)}
        step = Step("config.change", _sentence(self.entity, needed, known), arguments)
        return Plan(title, (change,), (step,), notes, warnings, snapshot.cluster_id, self.wants())

    def _doubts(self, known: Mapping[str, Config]) -> list[str]:
        """Names that the cluster does not list: it may refuse them, or keep them without any effect."""
        doubts = []
        for name, value in self.changes.items():
            if value is not None and known and name not in known and self.entity.kind != "all":
                near = near_names(name, known)
                hint = f"; did you mean {' or '.join(near)}?" if near else ""
                doubts.append(f"{self.entity} lists no setting {name}{hint}")
        return doubts


def _is_so(config: Config | None, value: str | None) -> bool:
    if config is None or not config.is_set:
        return value is None
    return not config.sensitive and config.value == value


def _already(entity: Entity, name: str, value: str | None) -> str:
    return f"{name} is not set on {entity}" if value is None else f"{name} is {value} on {entity} already"


def _sentence(entity: Entity, changes: Mapping[str, str | None], known: Mapping[str, Config]) -> str:
    given = [f"{name}={_shown(name, value, known)}" for name, value in changes.items() if value is not None]
    dropped = [name for name, value in changes.items() if value is None]
    parts = [f"set {', '.join(given)}"] if given else []
    parts += [f"put {', '.join(dropped)} back to the default"] if dropped else []
    return f"{' and '.join(parts)} on {entity}"


def _shown(name: str, value: str, known: Mapping[str, Config]) -> str:
    return HIDDEN if name in known and known[name].sensitive else value


def change_settings(
    cluster: Cluster, arguments: Mapping[str, Any], deadline: Deadline, dry: bool
) -> dict[Any, LogctlError | None]:
    """The action of a ChangeSettings' step. `dry`: the broker validates only."""
    from logctl.wire.messages.incremental_alter_configs import (
        AlterableConfig,
        AlterConfigsResource,
        IncrementalAlterConfigsRequest,
    )

    entity = Entity(arguments["kind"], arguments["name"])
    kind, name = entity.resource
    configs = [
        AlterableConfig(key, _DELETE if value is None else _SET, value) for key, value in arguments["changes"].items()
    ]
    request = IncrementalAlterConfigsRequest(resources=[AlterConfigsResource(kind, name, configs)], validate_only=dry)
    [result] = ask_about(cluster, entity, request, deadline).responses
    if result.error_code == errors.NONE:
        return {Resource(*entity): None}
    if result.error_code == errors.UNKNOWN_TOPIC_OR_PARTITION:
        return {Resource(*entity): unknown_topics([entity.name], ())}
    return {Resource(*entity): refusal(f"cannot change {entity}", result.error_code, result.error_message)}


ACTIONS: Final = {"change": change_settings}
