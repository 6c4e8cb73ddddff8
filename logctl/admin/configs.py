"""Settings: whose they are, what they are, and where each value comes from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from logctl.admin.deadline import Deadline
from logctl.admin.routing import Cluster, refusal
from logctl.errors import OperationFailed, UsageError
from logctl.wire import errors

HIDDEN: Final = "(not shown)"
"""What is said of the value of a secret."""

_TYPES: Final = {"topic": 2, "broker": 4, "all": 4, "client-metrics": 16, "group": 32}
_SOURCES: Final = {
    1: "topic",
    2: "broker",
    3: "all brokers",
    4: "settings file",
    5: "default",
    6: "logger",
    7: "client metrics",
    8: "group",
}
_SET_ON: Final = {"topic": 1, "broker": 2, "all": 3, "client-metrics": 7, "group": 8}
_VALUE_TYPES: Final = ("unknown", "boolean", "string", "int", "short", "long", "double", "list", "class", "password")


class Entity(NamedTuple):
    """Whose settings: ('topic', 'orders'), ('broker', '1'), ('group', 'billing') or ALL_BROKERS."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def resource(self) -> tuple[int, str]:
        """(type, name) as the protocol has it: the broker without a name stands for all."""
        return _TYPES[self.kind], "" if self == ALL_BROKERS else self.name

    def check(self) -> None:
        """Raises UsageError when there can be no such thing."""
        if not self.name:
            raise UsageError(f"which {self.kind}? It needs a name")
        if self.kind == "broker" and not self.name.isdecimal():
            raise UsageError(f"a broker is named by its id, not by {self.name!r}", "all of them: --broker-defaults")


ALL_BROKERS: Final = Entity("all", "brokers")


class Layer(NamedTuple):
    """A value that lies below another, or holds; `value` is None for a secret."""

    name: str
    value: str | None
    source: str


class Config(NamedTuple):
    """One setting. `is_set`: on the entity itself rather than inherited. `layers`: strongest first."""

    name: str
    value: str | None
    source: str
    is_set: bool
    read_only: bool
    sensitive: bool
    type: str
    documentation: str | None
    layers: tuple[Layer, ...]

    @property
    def shown(self) -> str:
        """The value as a human is told."""
        if self.sensitive:
            return HIDDEN
        return "" if self.value is None else self.value


def describe_settings(
    cluster: Cluster, entity: Entity, deadline: Deadline, names: Iterable[str] | None = None
) -> list[Config]:
    """The settings of one entity, by name. Raises OperationFailed, AccessDenied."""
    from logctl.wire.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResource

    kind, name = entity.resource
    wanted = None if names is None else list(names)
    request = DescribeConfigsRequest(
        resources=[DescribeConfigsResource(resource_type=kind, resource_name=name, configuration_keys=wanted)],
        include_synonyms=True,
        include_documentation=True,
    )
    [result] = ask_about(cluster, entity, request, deadline).results
    if result.error_code == errors.UNKNOWN_TOPIC_OR_PARTITION:
        raise OperationFailed(f"{entity} does not exist", "`logctl topic list` shows those that do")
    if result.error_code != errors.NONE:
        raise refusal(f"settings of {entity}", result.error_code, result.error_message)
    return sorted((_config(entity, entry) for entry in result.configs), key=lambda config: config.name)


def ask_about(cluster: Cluster, entity: Entity, request: Any, deadline: Deadline) -> Any:
    """A broker's settings are that broker's business; others' any broker's."""
    if entity.kind != "broker":
        return cluster.ask(request, deadline)
    if int(entity.name) not in cluster.brokers:
        cluster.refresh(deadline)
    return cluster.client.ask(cluster.address(int(entity.name)), request, deadline)


def _config(entity: Entity, entry: Any) -> Config:
    return Config(
        name=entry.name,
        value=entry.value,
        source=_SOURCES.get(entry.config_source, str(entry.config_source)),
        is_set=entry.config_source == _SET_ON[entity.kind],
        read_only=entry.read_only,
        sensitive=entry.is_sensitive,
        type=_VALUE_TYPES[entry.config_type] if 0 <= entry.config_type < len(_VALUE_TYPES) else "unknown",
        documentation=entry.documentation,
        layers=tuple(Layer(one.name, one.value, _SOURCES.get(one.source, str(one.source))) for one in entry.synonyms),
    )
