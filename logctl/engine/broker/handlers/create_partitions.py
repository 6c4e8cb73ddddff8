"""CreatePartitions (37), versions 0 to 3: give topics more partitions.

The count is that of all partitions afterwards. Replicas of the new ones are placed by the cluster, with the topic's
replication factor, or by hand. The answer leaves when the change is committed and the new logs are open on this node;
with `validate_only` nothing changes and the answer is the same. At most 10,000 partitions are added in one request
(POLICY_VIOLATION).

Not implemented: the quota of controller changes (KIP-599), so THROTTLING_QUOTA_EXCEEDED is never answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.deciding import answer_decided
from logctl.engine.broker.request import Answer, Request
from logctl.engine.controller.partitions import create_partitions
from logctl.security.acl import Operation, Resource
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopicResult,
)

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 37
VERSIONS = (0, 3)


def handle(broker: Broker, request: Request[CreatePartitionsRequest], now_ms: int) -> Answer:
    body = request.body
    names = dict.fromkeys(topic.name for topic in body.topics)
    forbidden = [name for name in names if not broker.may(request, Operation.ALTER, Resource.TOPIC, name)]
    allowed = [topic for topic in body.topics if topic.name not in forbidden]
    wanted = CreatePartitionsRequest(topics=allowed, timeout_ms=body.timeout_ms, validate_only=body.validate_only)

    def complete(response: CreatePartitionsResponse) -> None:
        response.results += [_refusal(name, errors.TOPIC_AUTHORIZATION_FAILED) for name in forbidden]

    return answer_decided(
        broker, request, lambda controller: create_partitions(controller, wanted), refused=refused, complete=complete
    )


def _refusal(name: str, code: int, message: str | None = None) -> CreatePartitionsTopicResult:
    return CreatePartitionsTopicResult(name=name, error_code=code, error_message=message)


def refused(request: Request[CreatePartitionsRequest], error: WireError) -> CreatePartitionsResponse:
    """The whole request was refused: every topic says so."""
    return CreatePartitionsResponse(results=[_refusal(t.name, error.code, error.message) for t in request.body.topics])
