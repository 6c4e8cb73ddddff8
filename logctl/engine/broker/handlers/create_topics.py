"""CreateTopics (19), versions 2 to 7: new topics, with replicas placed by the cluster or by hand.

Version 4 takes -1 for the default numbers of partitions and replicas, version 5 answers with the configs that hold,
version 7 with the topic's id. The list of configs is never null for a topic that was created, and each entry has a
source: Java clients fail otherwise. The answer leaves when the topic is committed and its logs are open on this node.

Not implemented: create.topic.policy.class.name (a Java class).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from logctl.engine.broker.request import PARKED, Answer, Request
from logctl.engine.controller.topics import create_topics
from logctl.security.acl import CLUSTER_NAME, Operation, Resource
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.create_topics import CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 19
VERSIONS = (2, 7)


def handle(broker: Broker, request: Request[CreateTopicsRequest], now_ms: int) -> Answer:
    body = request.body
    forbidden = [topic.name for topic in body.topics if not _may_create(broker, request, topic.name)]
    allowed = [topic for topic in body.topics if topic.name not in forbidden]
    wanted = CreateTopicsRequest(topics=allowed, timeout_ms=body.timeout_ms, validate_only=body.validate_only)

    def decided(decision: Any) -> None:
        response: CreateTopicsResponse = decision.response
        response.topics += [_refusal(name, errors.TOPIC_AUTHORIZATION_FAILED) for name in forbidden]
        broker.reply(request, response)

    def failed(error: WireError) -> None:
        broker.reply(request, refused(request, error))

    broker.metadata.decide(lambda controller: create_topics(controller, wanted), decided, failed)
    return PARKED


def _may_create(broker: Broker, request: Request[Any], name: str) -> bool:
    return broker.may(request, Operation.CREATE, Resource.CLUSTER, CLUSTER_NAME) or broker.may(
        request, Operation.CREATE, Resource.TOPIC, name
    )


def _refusal(name: str, code: int, message: str | None = None) -> CreatableTopicResult:
    return CreatableTopicResult(name=name, error_code=code, error_message=message)


def refused(request: Request[CreateTopicsRequest], error: WireError) -> CreateTopicsResponse:
    """The whole request was refused: every topic says so."""
    return CreateTopicsResponse(topics=[_refusal(t.name, error.code, error.message) for t in request.body.topics])
