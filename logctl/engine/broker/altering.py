"""Who may change the settings of what, and through which broker: common to both requests that change settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from logctl.engine.controller.image import ResourceType
from logctl.security.acl import CLUSTER_NAME, Operation, Resource
from logctl.wire import errors
from logctl.wire.errors import WireError

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker
    from logctl.engine.broker.request import Request

_BY_NAME: Final = {
    ResourceType.TOPIC: (Resource.TOPIC, errors.TOPIC_AUTHORIZATION_FAILED),
    ResourceType.GROUP: (Resource.GROUP, errors.GROUP_AUTHORIZATION_FAILED),
}


def objection(broker: Broker, request: Request[Any], resource_type: int, name: str) -> WireError | None:
    """Why this broker does not pass the change on to the controller; None when it does.

    What another node passed on was asked of that one.
    """
    resource, forbidden = _BY_NAME.get(resource_type, (Resource.CLUSTER, errors.CLUSTER_AUTHORIZATION_FAILED))
    asked = CLUSTER_NAME if resource is Resource.CLUSTER else name
    if not broker.may(request, Operation.ALTER_CONFIGS, resource, asked):
        return WireError(forbidden)
    elsewhere = name.isdecimal() and int(name) != broker.node_id and not request.peer.is_node
    if resource_type == ResourceType.BROKER and elsewhere:
        sentence = f"This is broker {broker.node_id}; broker {name} changes its own settings"
        return WireError(errors.INVALID_REQUEST, sentence)
    if resource_type == ResourceType.BROKER_LOGGER:
        return WireError(errors.INVALID_REQUEST, "The diary of this node is its one logger, and has one level")
    return None
