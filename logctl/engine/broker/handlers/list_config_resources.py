"""ListConfigResources (74), versions 0 and 1: the names of what carries settings.

Version 0 asks for subscriptions to client metrics alone (KIP-714), version 1 for any types, or for all of them with an
empty list (KIP-1142): topics and live brokers by their existence, groups and subscriptions by having been configured.
A type that carries no settings is answered with UNSUPPORTED_VERSION, as by Apache.

Not implemented: nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from logctl.engine.broker.request import Request
from logctl.engine.controller.image import ResourceType
from logctl.wire import errors
from logctl.wire.messages.list_config_resources import (
    ConfigResource,
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
)

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 74
VERSIONS = (0, 1)

_TYPES: Final = (
    ResourceType.GROUP,
    ResourceType.CLIENT_METRICS,
    ResourceType.BROKER_LOGGER,
    ResourceType.BROKER,
    ResourceType.TOPIC,
)


def handle(broker: Broker, request: Request[ListConfigResourcesRequest], now_ms: int) -> ListConfigResourcesResponse:
    wanted = [ResourceType.CLIENT_METRICS] if request.version == 0 else request.body.resource_types or _TYPES
    if any(kind not in _TYPES for kind in wanted):
        return ListConfigResourcesResponse(error_code=errors.UNSUPPORTED_VERSION)
    return ListConfigResourcesResponse(
        config_resources=[
            ConfigResource(name, kind) for kind in _TYPES if kind in wanted for name in _names(broker, kind)
        ]
    )


def _names(broker: Broker, kind: int) -> Iterable[str]:
    image = broker.metadata.image
    if kind == ResourceType.TOPIC:
        return sorted(image.topics)
    if kind in (ResourceType.BROKER, ResourceType.BROKER_LOGGER):
        return [str(one.broker_id) for one in image.brokers.values() if not one.fenced]
    return sorted(name for (of_kind, name), configs in image.configs.items() if of_kind == kind and configs)
