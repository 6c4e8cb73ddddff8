"""OffsetDelete (47), version 0: forget how far a group has come with topics it does not read (KIP-496)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.groups.reply import Later
from logctl.engine.broker.request import PARKED, Answer, Request
from logctl.security.acl import Operation, Resource
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 47
VERSIONS = (0, 0)


def handle(broker: Broker, request: Request[OffsetDeleteRequest], now_ms: int) -> Answer:
    body = request.body
    if not body.group_id:
        raise WireError(errors.INVALID_GROUP_ID)
    if not broker.may(request, Operation.DELETE, Resource.GROUP, body.group_id):
        raise WireError(errors.GROUP_AUTHORIZATION_FAILED)
    codes = {topic.name: _objection(broker, request, topic) for topic in body.topics}
    failed = [_failed(topic, codes[topic.name]) for topic in body.topics if codes[topic.name]]
    body.topics = [topic for topic in body.topics if not codes[topic.name]]

    def joined(response: OffsetDeleteResponse) -> OffsetDeleteResponse:
        response.topics += failed
        return response

    reply = Later(broker, request, joined)
    broker.groups.run(body.group_id, now_ms, reply, lambda shard, turn: shard.delete_offsets(turn, body))
    return PARKED


def _objection(broker: Broker, request: Request[OffsetDeleteRequest], topic: OffsetDeleteRequestTopic) -> int:
    if not broker.may(request, Operation.READ, Resource.TOPIC, topic.name):
        return errors.TOPIC_AUTHORIZATION_FAILED
    return errors.NONE if topic.name in broker.metadata.image.topics else errors.UNKNOWN_TOPIC_OR_PARTITION


def _failed(topic: OffsetDeleteRequestTopic, code: int) -> OffsetDeleteResponseTopic:
    results = [OffsetDeleteResponsePartition(one.partition_index, code) for one in topic.partitions]
    return OffsetDeleteResponseTopic(topic.name, results)
