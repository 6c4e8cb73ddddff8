"""What a change of configs means to the operator, as sentences for the diary: who got which values, and which of them
this node does not act on. Values of passwords, and of names nobody knows, are not repeated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from logctl.engine.broker.described import Described
from logctl.engine.broker.groups.names import OFFSETS_TOPIC
from logctl.engine.controller import group_configs, metrics_configs, topic_configs
from logctl.engine.controller.config_types import Config
from logctl.engine.controller.delta import Delta
from logctl.engine.controller.image import EMPTY, Resource, ResourceType

_NOUNS: Final = {
    ResourceType.TOPIC: "topic",
    ResourceType.BROKER: "broker",
    ResourceType.CLIENT_METRICS: "client metrics subscription",
    ResourceType.GROUP: "group",
}
_TABLES: Final[Mapping[int, Mapping[str, Config]]] = {
    ResourceType.TOPIC: topic_configs.CATALOGUE,
    ResourceType.CLIENT_METRICS: metrics_configs.CATALOGUE,
    ResourceType.GROUP: group_configs.CATALOGUE,
}


class About(NamedTuple):
    """What is known of one config."""

    known: bool
    secret: bool
    acted_on: bool


def news(delta: Delta, settings: Iterable[Described]) -> Iterator[str]:
    """One sentence for each resource whose configs changed, and one for each value that has no effect here. Of a new
    topic only the latter: that it was created is said elsewhere."""
    brokers_too = any(kind == ResourceType.BROKER for kind, _ in delta.configs)
    known = {one.name: one for one in settings} if brokers_too else {}
    gone, created = ({(ResourceType.TOPIC, topic.name) for topic in some} for some in (delta.deleted, delta.created))
    for resource in delta.configs:
        if resource in gone:
            continue
        before, after = (image.configs.get(resource, EMPTY) for image in (delta.old, delta.new))
        yield from _of_resource(resource, before, after, known, new=resource in created)


def _of_resource(
    resource: Resource,
    before: Mapping[str, str],
    after: Mapping[str, str],
    settings: Mapping[str, Described],
    *,
    new: bool,
) -> Iterator[str]:
    whose = called(resource)
    changes: list[str] = []
    without_effect: list[str] = []
    for name in sorted({*before, *after}):
        if before.get(name) == after.get(name):
            continue
        about = _about(resource[0], name, settings)
        changes.append(_change(name, after.get(name), about))
        if name in after:
            without_effect += _objections(resource, name, after[name], about)
    if changes and not new:
        yield f"Settings of {whose} changed: {', '.join(changes)}"
    yield from (f"{sentence} ({whose})" for sentence in without_effect)


def called(resource: Resource) -> str:
    """'topic orders', 'broker 1', 'all brokers'."""
    kind, name = resource
    if kind == ResourceType.BROKER and not name:
        return "all brokers"
    return f"{_NOUNS.get(kind, f'resource type {kind}')} {name}"


def _about(kind: int, name: str, settings: Mapping[str, Described]) -> About:
    if kind == ResourceType.BROKER:
        setting = settings.get(name)
        if setting is None:
            return About(known=False, secret=True, acted_on=False)
        return About(known=True, secret=setting.sensitive, acted_on=setting.acted_on)
    line = _TABLES.get(kind, {}).get(name)
    return About(line is not None, secret=False, acted_on=line is not None and line.acted_on)


def _change(name: str, value: str | None, about: About) -> str:
    if value is None:
        return f"{name} back to its default"
    return f"{name}=(not shown)" if about.secret else f"{name}={value}"


def _objections(resource: Resource, name: str, value: str, about: About) -> Iterator[str]:
    if not about.known:
        yield f"{name} is no setting that this node knows; it is kept, and has no effect"
    elif not about.acted_on:
        yield f"{name} is kept, but this node does not act on it"
    elif name == "cleanup.policy" and "compact" in value and _waits_for_the_cleaner(resource):
        yield "cleanup.policy asks for compaction, which this version does not do: every record is kept until deleted"


def _waits_for_the_cleaner(resource: Resource) -> bool:
    """The offsets topic is kept small by its coordinator (`groups/home.py`)."""
    return resource[0] == ResourceType.TOPIC and resource[1] != OFFSETS_TOPIC
