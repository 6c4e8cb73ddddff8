"""DescribeConfigs (32), versions 1 to 4: settings of topics and of this broker, with where each value comes from.

Version 3 adds types and documentation, version 4 is flexible. A topic's value is the first of: the topic's own, the
broker's dynamic ones, those of all brokers, the settings file, the default; the same without the first for a broker.
The broker named "" stands for all brokers and has only what was set for them. Values of passwords are never shown.

Not implemented: settings of groups, of client metrics and of loggers (INVALID_REQUEST).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from logctl.engine.broker.request import Request
from logctl.engine.controller.image import ResourceType
from logctl.engine.controller.names import check_topic_name
from logctl.engine.controller.topic_configs import CATALOGUE, Layers, Source, effective
from logctl.engine.controller.topic_configs import Setting as Layer
from logctl.security.acl import CLUSTER_NAME, Operation, Resource
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
    DescribeConfigsSynonym,
)

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker
    from logctl.engine.broker.described import Described

API_KEY = 32
VERSIONS = (1, 4)

_RANKED = (
    ("log.roll.ms", "log.roll.hours"),
    ("log.roll.jitter.ms", "log.roll.jitter.hours"),
    ("log.flush.interval.ms", "log.flush.scheduler.interval.ms"),
    ("log.retention.ms", "log.retention.minutes", "log.retention.hours"),
)
_SYNONYMS = {names[place]: names[place:] for names in _RANKED for place in range(len(names))}
"""Broker settings that stand in for one another when the first is not given."""


class _Config(NamedTuple):
    """One setting with its layers, strongest first; the first one's value holds. No layers: there is no value."""

    name: str
    layers: list[Layer]
    read_only: bool
    sensitive: bool
    type_code: int
    meaning: str


def handle(broker: Broker, request: Request[DescribeConfigsRequest], now_ms: int) -> DescribeConfigsResponse:
    return DescribeConfigsResponse(results=[_result(broker, request, one) for one in request.body.resources])


def _result(
    broker: Broker, request: Request[DescribeConfigsRequest], resource: DescribeConfigsResource
) -> DescribeConfigsResult:
    result = DescribeConfigsResult(resource_type=resource.resource_type, resource_name=resource.resource_name)
    try:
        configs = list(_configs(broker, request, resource))
    except WireError as refusal:
        result.error_code, result.error_message = refusal.code, refusal.message
        return result
    wanted = resource.configuration_keys
    result.error_message = None
    result.configs = [_line(one, request.body) for one in configs if not wanted or one.name in wanted]
    return result


def _configs(
    broker: Broker, request: Request[DescribeConfigsRequest], resource: DescribeConfigsResource
) -> Iterable[_Config]:
    kind, name = resource.resource_type, resource.resource_name
    if kind == ResourceType.TOPIC:
        if not broker.may(request, Operation.DESCRIBE_CONFIGS, Resource.TOPIC, name):
            raise WireError(errors.TOPIC_AUTHORIZATION_FAILED)
        return _of_topic(broker, name)
    if kind == ResourceType.BROKER:
        if not broker.may(request, Operation.DESCRIBE_CONFIGS, Resource.CLUSTER, CLUSTER_NAME):
            raise WireError(errors.CLUSTER_AUTHORIZATION_FAILED)
        return _of_all_brokers(broker) if name == "" else _of_broker(broker, name)
    raise WireError(errors.INVALID_REQUEST, f"This node has no settings for resources of type {kind}")


def _of_topic(broker: Broker, name: str) -> Iterable[_Config]:
    check_topic_name(name)
    image = broker.metadata.image
    if name not in image.topics:
        raise WireError(errors.UNKNOWN_TOPIC_OR_PARTITION, f"There is no topic '{name}'")
    layers = Layers(
        image.broker_configs(broker.node_id), image.broker_configs(None), broker.settings.given_texts()
    )
    for config, found in effective(image.topic_configs(name), layers):
        yield _Config(config.name, found, False, False, int(config.type), config.documentation)


def _of_all_brokers(broker: Broker) -> Iterator[_Config]:
    described = {one.name: one for one in broker.settings.described()}
    for name, value in sorted(broker.metadata.image.broker_configs(None).items()):
        about = described.get(name)
        layers = [Layer(name, value, Source.ALL_BROKERS)]
        yield _shown(about, layers) if about else _Config(name, layers, False, True, 0, "")


def _of_broker(broker: Broker, name: str) -> Iterable[_Config]:
    if name != str(broker.node_id):
        raise WireError(errors.INVALID_REQUEST, f"This is broker {broker.node_id}; ask broker {name} itself")
    described = {one.name: one for one in broker.settings.described()}
    image = broker.metadata.image
    dynamic = (
        (Source.BROKER, image.broker_configs(broker.node_id)),
        (Source.ALL_BROKERS, image.broker_configs(None)),
    )
    for one in described.values():
        yield _shown(one, list(_broker_layers(one, described, dynamic)))


def _broker_layers(
    one: Described, described: dict[str, Described], dynamic: Iterable[tuple[Source, Mapping[str, str]]]
) -> Iterator[Layer]:
    names = [name for name in _SYNONYMS.get(one.name, (one.name,)) if name in described]
    for source, values in dynamic:
        yield from (Layer(name, values[name], source) for name in names if name in values)
    yield from (Layer(name, described[name].value, Source.SETTINGS_FILE) for name in names if described[name].given)
    defaults = ((name, described[name].default) for name in names)
    yield from (Layer(name, default, Source.DEFAULT) for name, default in defaults if default is not None)


def _shown(about: Described, layers: list[Layer]) -> _Config:
    return _Config(about.name, layers, about.read_only, about.sensitive, about.type_code, about.meaning)


def _line(config: _Config, asked: DescribeConfigsRequest) -> DescribeConfigsResourceResult:
    # A value that only a synonym gives is in the synonym's unit: it is listed among them, not shown as ours.
    holds = next((layer for layer in config.layers if layer.name == config.name or config.name in CATALOGUE), None)
    line = DescribeConfigsResourceResult(
        name=config.name,
        value=None if config.sensitive or holds is None else holds.value,
        read_only=config.read_only,
        config_source=int(holds.source) if holds else int(Source.DEFAULT),
        is_sensitive=config.sensitive,
        config_type=config.type_code,
        documentation=config.meaning if asked.include_documentation else None,
    )
    if asked.include_synonyms:
        line.synonyms = [_synonym(layer, config.sensitive) for layer in config.layers]
    return line


def _synonym(layer: Layer, sensitive: bool) -> DescribeConfigsSynonym:
    return DescribeConfigsSynonym(layer.name, None if sensitive else layer.value, int(layer.source))
