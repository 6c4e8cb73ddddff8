"""DeleteTopics (20), versions 1 to 6: topics by name, and by id in version 6.

Version 5 adds messages to the errors. The answer leaves when the deletion is committed; the files go
`file.delete.delay.ms` later. Without `delete.topic.enable` every topic answers TOPIC_DELETION_DISABLED (INVALID_REQUEST
before version 3). Not implemented: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from logctl.engine.broker.request import PARKED, Answer, Request
from logctl.engine.controller.topics import delete_topics
from logctl.security.acl import CLUSTER_NAME, Operation, Resource
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.delete_topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)
from logctl.wire.primitives import ZERO_UUID

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 20
VERSIONS = (1, 6)


def handle(broker: Broker, request: Request[DeleteTopicsRequest], now_ms: int) -> Answer:
    forbidden: list[DeletableTopicResult] = []
    allowed: list[DeleteTopicState] = []
    for state in _wanted(request.body):
        refusal = _authorise(broker, request, state)
        if refusal is None:
            allowed.append(state)
        else:
            forbidden.append(refusal)
    if not allowed:
        return DeleteTopicsResponse(responses=forbidden)
    wanted = DeleteTopicsRequest(topics=allowed, timeout_ms=request.body.timeout_ms)

    def decided(decision: Any) -> None:
        response: DeleteTopicsResponse = decision.response
        response.responses += forbidden
        broker.reply(request, response)

    def failed(error: WireError) -> None:
        broker.reply(request, refused(request, error))

    broker.metadata.decide(lambda controller: delete_topics(controller, wanted), decided, failed)
    return PARKED


def _wanted(body: DeleteTopicsRequest) -> list[DeleteTopicState]:
    return body.topics or [DeleteTopicState(name=name) for name in body.topic_names]


def _authorise(broker: Broker, request: Request[Any], state: DeleteTopicState) -> DeletableTopicResult | None:
    """None when the sender may delete it; who may not even describe it does not learn its name from its id."""
    if broker.may(request, Operation.DELETE, Resource.CLUSTER, CLUSTER_NAME):
        return None
    name = state.name
    by_id = name is None
    if by_id:
        topic = broker.metadata.image.topic_by_id(state.topic_id)
        name = topic.name if topic is not None else None
    if name is None or broker.may(request, Operation.DELETE, Resource.TOPIC, name):
        return None
    visible = not by_id or broker.may(request, Operation.DESCRIBE, Resource.TOPIC, name)
    return DeletableTopicResult(
        name=name if visible else None, topic_id=state.topic_id, error_code=errors.TOPIC_AUTHORIZATION_FAILED
    )


def refused(request: Request[DeleteTopicsRequest], error: WireError) -> DeleteTopicsResponse:
    """The whole request was refused: every topic says so."""
    code = error.code
    if code == errors.TOPIC_DELETION_DISABLED and request.version < 3:
        code = errors.INVALID_REQUEST
    return DeleteTopicsResponse(
        responses=[
            DeletableTopicResult(state.name, state.topic_id or ZERO_UUID, code, error.message)
            for state in _wanted(request.body)
        ]
    )
