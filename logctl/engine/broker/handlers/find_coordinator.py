"""FindCoordinator (10), versions 0 to 6: which node looks after a group or a transactional id.

Version 1 adds the key's type (0 groups, 1 transactions), version 4 asks for several keys at once. The coordinator of a
key is the leader of its partition of `__consumer_offsets` or `__transaction_state`; the topic is made when somebody
first asks, and the answer waits for that. Without a leader, or without a listener like the client's:
COORDINATOR_NOT_AVAILABLE. Share groups (type 2, from version 6 on) are not served: INVALID_REQUEST.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from logctl.engine.broker.auto_creation import create_missing
from logctl.engine.broker.endpoints import endpoint_for
from logctl.engine.broker.groups.names import OFFSETS_TOPIC, partition_for
from logctl.engine.broker.request import PARKED, Answer, Request
from logctl.security.acl import Operation, Resource
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.find_coordinator import Coordinator, FindCoordinatorRequest, FindCoordinatorResponse

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 10
VERSIONS = (0, 6)

FIRST_VERSION_WITH_MANY: Final = 4
NOBODY: Final = -1

TOPICS: Final = {0: OFFSETS_TOPIC, 1: "__transaction_state"}
RESOURCES: Final = {0: Resource.GROUP, 1: Resource.TRANSACTIONAL_ID}


def handle(broker: Broker, request: Request[FindCoordinatorRequest], now_ms: int) -> Answer:
    topic = TOPICS.get(request.body.key_type)
    if topic is None:
        raise WireError(errors.INVALID_REQUEST, f"There are no coordinators of type {request.body.key_type} here")
    if topic in broker.metadata.image.topics:
        return _answer(broker, request, topic)
    create_missing(broker, [topic], lambda failures: broker.reply(request, _answer(broker, request, topic)))
    return PARKED


def _keys(request: Request[FindCoordinatorRequest]) -> list[str]:
    body = request.body
    return body.coordinator_keys if request.version >= FIRST_VERSION_WITH_MANY else [body.key]


def _answer(broker: Broker, request: Request[FindCoordinatorRequest], topic: str) -> FindCoordinatorResponse:
    return _formed(request, [_find(broker, request, topic, key) for key in _keys(request)])


def _find(broker: Broker, request: Request[FindCoordinatorRequest], topic: str, key: str) -> Coordinator:
    if not broker.may(request, Operation.DESCRIBE, RESOURCES[request.body.key_type], key):
        is_group = request.body.key_type == 0
        code = errors.GROUP_AUTHORIZATION_FAILED if is_group else errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        return _nobody(key, WireError(code))
    image = broker.metadata.image
    made = image.topics.get(topic)
    placed = made.partitions[partition_for(key, len(made.partitions))] if made else None
    registered = image.brokers.get(placed.leader) if placed else None
    endpoint = endpoint_for(registered, request.peer.listener) if registered else None
    if registered is None or endpoint is None:
        return _nobody(key, WireError(errors.COORDINATOR_NOT_AVAILABLE))
    return Coordinator(key, registered.broker_id, endpoint.host, endpoint.port, errors.NONE, None)


def _nobody(key: str, error: WireError) -> Coordinator:
    return Coordinator(key, NOBODY, "", NOBODY, error.code, error.message)


def _formed(request: Request[FindCoordinatorRequest], found: list[Coordinator]) -> FindCoordinatorResponse:
    if request.version >= FIRST_VERSION_WITH_MANY:
        return FindCoordinatorResponse(coordinators=found)
    (one,) = found
    return FindCoordinatorResponse(
        error_code=one.error_code,
        error_message=one.error_message,
        node_id=one.node_id,
        host=one.host,
        port=one.port,
    )


def refused(request: Request[FindCoordinatorRequest], error: WireError) -> FindCoordinatorResponse:
    return _formed(request, [_nobody(key, error) for key in _keys(request)])
