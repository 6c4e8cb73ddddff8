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
    failed: list[OffsetDeleteResponseTopic] = []
    body.topics = [_known(broker, request, topic, failed) for topic in body.topics]

    def joined(response: OffsetDeleteResponse) -> OffsetDeleteResponse:
        results = {topic.name: topic for topic in response.topics}
        for topic in failed:
            results[topic.name].partitions += topic.partitions
        return response

    reply = Later(broker, request, joined)
    broker.groups.run(body.group_id, now_ms, reply, lambda shard, turn: shard.delete_offsets(turn, body))
    return PARKED


def _known(
    broker: Broker,
    request: Request[OffsetDeleteRequest],
    asked: OffsetDeleteRequestTopic,
    failed: list[OffsetDeleteResponseTopic],
) -> OffsetDeleteRequestTopic:
    """The topic with the partitions that it has and the sender may speak of; the others go to `failed`."""
    code, known = errors.UNKNOWN_TOPIC_OR_PARTITION, []
    topic = broker.metadata.image.topics.get(asked.name)
    if not broker.may(request, Operation.READ, Resource.TOPIC, asked.name):
        code = errors.TOPIC_AUTHORIZATION_FAILED
    elif topic is not None:
        known = [one for one in asked.partitions if one.partition_index in topic.partitions]
    results = [OffsetDeleteResponsePartition(one.partition_index, code) for one in asked.partitions if one not in known]
    failed.append(OffsetDeleteResponseTopic(asked.name, results))
    return OffsetDeleteRequestTopic(asked.name, known)
