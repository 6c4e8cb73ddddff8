"""Settings: whose they are, what they are, and where each value comes from.

The settings of several things are asked for at once: a broker's (and those of its loggers) of that broker, the others'
of any broker in one request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from logctl.admin.capabilities import need
from logctl.admin.client import Gathered
from logctl.admin.deadline import Deadline
from logctl.admin.routing import Cluster, refusal
from logctl.errors import LogctlError, OperationFailed, Unreachable, UsageError
from logctl.wire import errors
from logctl.wire.schema import Message

HIDDEN: Final = "(not shown)"
"""What is said of the value of a secret."""

_TYPES: Final = {"topic": 2, "broker": 4, "all": 4, "broker-logger": 8, "client-metrics": 16, "group": 32}
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
_SET_ON: Final = {"topic": 1, "broker": 2, "all": 3, "broker-logger": 6, "client-metrics": 7, "group": 8}
_VALUE_TYPES: Final = ("unknown", "boolean", "string", "int", "short", "long", "double", "list", "class", "password")
_ALL_KINDS_SINCE: Final = 1
"""ListConfigResources 1 lists every kind; before, client metrics alone."""


class Entity(NamedTuple):
    """Whose settings: ('topic', 'orders'), ('broker', '1'), ('broker-logger', '1'), ('group', 'billing'),
    ('client-metrics', 'slow-clients') or ALL_BROKERS."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{_WORDS.get(self.kind, self.kind)} {self.name}"

    @property
    def resource(self) -> tuple[int, str]:
        """(type, name) as the protocol has it: the broker without a name stands for all."""
        return _TYPES[self.kind], "" if self == ALL_BROKERS else self.name

    @property
    def broker(self) -> int | None:
        """The broker whose business these settings are; None where any broker answers."""
        return int(self.name) if self.kind in ("broker", "broker-logger") else None

    def check(self) -> None:
        """Raises UsageError when there can be no such thing."""
        if self.kind not in _TYPES:
            raise UsageError(f"there are no settings of a {self.kind}")
        if not self.name:
            raise UsageError(f"which {self.kind}? It needs a name")
        if self.kind in ("broker", "broker-logger") and not self.name.isdecimal():
            raise UsageError(f"a broker is named by its id, not by {self.name!r}", "all of them: --broker-defaults")


ALL_BROKERS: Final = Entity("all", "brokers")
_WORDS: Final = {"broker-logger": "loggers of broker", "client-metrics": "client metrics"}


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

    @property
    def default(self) -> str | None:
        """What holds when nobody sets it anywhere; None where that is not told."""
        if self.source == "default":
            return self.value
        return next((layer.value for layer in self.layers if layer.source == "default"), None)


def describe_settings(
    cluster: Cluster, entity: Entity, deadline: Deadline, names: Iterable[str] | None = None
) -> list[Config]:
    """The settings of one entity, by name. Raises OperationFailed, AccessDenied, NotOffered, Unreachable."""
    found = describe_each(cluster, (entity,), deadline, names)
    for error in found.missing.values():
        raise error
    configs: list[Config] = found.answers[entity]
    return configs


def describe_each(
    cluster: Cluster, entities: Iterable[Entity], deadline: Deadline, names: Iterable[str] | None = None
) -> Gathered:
    """By entity: its settings (list of Config, by name), or why they could not be had."""
    from logctl.wire.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResource

    wanted = None if names is None else list(names)

    def request(asked: list[Entity]) -> Message:
        resources = [
            DescribeConfigsResource(resource_type=kind, resource_name=name, configuration_keys=wanted)
            for kind, name in (entity.resource for entity in asked)
        ]
        return DescribeConfigsRequest(resources=resources, include_synonyms=True, include_documentation=True)

    chosen = list(dict.fromkeys(entities))
    if not chosen:
        return Gathered({}, {})
    need(cluster, "DescribeConfigs", deadline)
    gathered = ask_owners(cluster, chosen, request, deadline)
    found: dict[Any, list[Config]] = {}
    missing = dict(gathered.missing)
    by_resource = {entity.resource: entity for entity in chosen}
    for response in {id(one): one for one in gathered.answers.values()}.values():
        for result in response.results:
            entity = by_resource[result.resource_type, result.resource_name]
            error = _refusal(entity, result)
            if error is None:
                configs = (_config(entity, entry) for entry in result.configs)
                found[entity] = sorted(configs, key=lambda config: config.name)
            else:
                missing[entity] = error
    return Gathered(found, missing)


def _refusal(entity: Entity, result: Any) -> LogctlError | None:
    if result.error_code == errors.NONE:
        return None
    if result.error_code == errors.UNKNOWN_TOPIC_OR_PARTITION:
        return OperationFailed(f"{entity} does not exist", "`logctl topic list` shows those that do")
    return refusal(f"settings of {entity}", result.error_code, result.error_message)


def ask_owners(
    cluster: Cluster, entities: Iterable[Entity], request: Any, deadline: Deadline
) -> Gathered:
    """By entity: the response that speaks of it (shared by those that were asked about together), or why there is none.

    `request` makes the message for a list of entities. Those that are any broker's business are asked about in one;
    what goes wrong with that one is raised.
    """
    by_owner: dict[int | None, list[Entity]] = {}
    for entity in entities:
        by_owner.setdefault(entity.broker, []).append(entity)
    answers: dict[Any, Any] = {}
    missing: dict[Any, LogctlError] = {}
    for entity in by_owner.get(None, ()):
        answers[entity] = None
    if None in by_owner:
        response = cluster.ask(request(by_owner.pop(None)), deadline)
        answers = dict.fromkeys(answers, response)
    if by_owner:
        _ask_brokers(cluster, by_owner, request, deadline, answers, missing)
    return Gathered(answers, missing)


def _ask_brokers(
    cluster: Cluster,
    by_owner: Mapping[int | None, list[Entity]],
    request: Any,
    deadline: Deadline,
    answers: dict[Any, Any],
    missing: dict[Any, LogctlError],
) -> None:
    owners = {owner: entities for owner, entities in by_owner.items() if owner is not None}
    if not owners.keys() <= cluster.brokers.keys():
        cluster.refresh(deadline)
    known = {owner: request(entities) for owner, entities in owners.items() if owner in cluster.brokers}
    gathered = cluster.scatter(known, deadline)
    for owner, entities in owners.items():
        stranger = Unreachable(f"broker {owner} is not among the brokers the cluster lists", "see `logctl node list`")
        for entity in entities:
            if owner in gathered.answers:
                answers[entity] = gathered.answers[owner]
            else:
                missing[entity] = gathered.missing.get(owner, stranger)


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


def existing(cluster: Cluster, kind: str, deadline: Deadline) -> list[Entity]:
    """Every entity of a kind that has, or could have, settings of its own, as the cluster knows them.

    Groups and client metrics are known by having been configured (ListConfigResources, KIP-1142). Raises NotOffered.
    """
    if kind == "topic":
        metadata = cluster.refresh(deadline, None)
        return [Entity(kind, name) for name in sorted(topic.name for topic in metadata.topics)]
    if kind in ("broker", "broker-logger"):
        cluster.refresh(deadline)
        return [Entity(kind, str(node)) for node in sorted(cluster.brokers)]
    if kind == "all":
        return [ALL_BROKERS]
    return [Entity(kind, name) for name in sorted(_configured(cluster, kind, deadline))]


def _configured(cluster: Cluster, kind: str, deadline: Deadline) -> list[str]:
    from logctl.admin.coordinators import newest
    from logctl.admin.link import NotOffered
    from logctl.wire.messages.list_config_resources import ListConfigResourcesRequest

    need(cluster, "ListConfigResources", deadline)
    if kind != "client-metrics" and newest(cluster, "ListConfigResources", deadline) < _ALL_KINDS_SINCE:
        raise NotOffered(f"this cluster does not list what has settings of kind {kind}; Apache Kafka does since 4.1")
    response = cluster.ask(ListConfigResourcesRequest(resource_types=[_TYPES[kind]]), deadline)
    if response.error_code:
        raise refusal("what has settings", response.error_code)
    return [one.resource_name for one in response.config_resources]
