"""DescribeConfigs (32), versions 1 to 4: settings of topics, brokers, groups, client metrics and loggers.

Version 3 adds types and documentation, version 4 is flexible. Every value tells where it comes from, and on demand
which layers lie below it (`described_configs.py`). The broker named "" stands for all brokers and has only what was
set for them; other brokers are asked themselves. Passwords, and dynamic settings that nobody knows, are never shown. A
setting that this node does not act on says so in its documentation.

Not implemented: loggers with levels; the diary is the one logger, named root, at INFO.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

from logctl.engine.broker import described_configs
from logctl.engine.broker.described_configs import Shown
from logctl.engine.broker.request import Request
from logctl.engine.controller.config_types import Setting as Layer
from logctl.engine.controller.config_types import Source
from logctl.engine.controller.image import ResourceType
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

API_KEY = 32
VERSIONS = (1, 4)


class _Kind(NamedTuple):
    """How one type of resource is described, and who may ask."""

    describe: Callable[[Broker, str], Iterable[Shown]]
    resource: Resource
    forbidden: int


def _broker_or_all(broker: Broker, name: str) -> Iterable[Shown]:
    return described_configs.of_broker(broker, name) if name else described_configs.of_all_brokers(broker)


_KINDS: Final = {
    ResourceType.TOPIC: _Kind(described_configs.of_topic, Resource.TOPIC, errors.TOPIC_AUTHORIZATION_FAILED),
    ResourceType.BROKER: _Kind(_broker_or_all, Resource.CLUSTER, errors.CLUSTER_AUTHORIZATION_FAILED),
    ResourceType.BROKER_LOGGER: _Kind(
        described_configs.of_logger, Resource.CLUSTER, errors.CLUSTER_AUTHORIZATION_FAILED
    ),
    ResourceType.CLIENT_METRICS: _Kind(
        described_configs.of_metrics, Resource.CLUSTER, errors.CLUSTER_AUTHORIZATION_FAILED
    ),
    ResourceType.GROUP: _Kind(described_configs.of_group, Resource.GROUP, errors.GROUP_AUTHORIZATION_FAILED),
}


def handle(broker: Broker, request: Request[DescribeConfigsRequest], now_ms: int) -> DescribeConfigsResponse:
    return DescribeConfigsResponse(results=[_result(broker, request, one) for one in request.body.resources])


def _result(
    broker: Broker, request: Request[DescribeConfigsRequest], asked: DescribeConfigsResource
) -> DescribeConfigsResult:
    result = DescribeConfigsResult(
        error_message=None, resource_type=asked.resource_type, resource_name=asked.resource_name
    )
    wanted = asked.configuration_keys
    try:
        result.configs = [
            _line(one, request.body)
            for one in _configs(broker, request, asked.resource_type, asked.resource_name)
            if not wanted or one.name in wanted
        ]
    except WireError as refusal:
        result.error_code, result.error_message = refusal.code, refusal.message
    return result


def _configs(
    broker: Broker, request: Request[DescribeConfigsRequest], resource_type: int, name: str
) -> Iterable[Shown]:
    kind = _KINDS.get(resource_type)
    if kind is None:
        raise WireError(errors.INVALID_REQUEST, f"There are no settings for resources of type {resource_type}")
    asked = CLUSTER_NAME if kind.resource is Resource.CLUSTER else name
    if not broker.may(request, Operation.DESCRIBE_CONFIGS, kind.resource, asked):
        raise WireError(kind.forbidden)
    return kind.describe(broker, name)


def _line(config: Shown, asked: DescribeConfigsRequest) -> DescribeConfigsResourceResult:
    holds = config.holds
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
