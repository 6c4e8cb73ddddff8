"""OffsetCommit (8), versions 2 to 10: how far a group has come.

Versions 2 to 4 may say how long the offsets are kept, version 6 adds leader epochs, 7 static members, 9 is for members
of consumer groups too (KIP-848), 10 names topics by id. Topics and partitions that do not exist get their own errors;
the rest is committed all or nothing, except that metadata that is too large fails for its partition alone. The answer
leaves when the offsets are on disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.groups.reply import Later, caller_of
from logctl.engine.broker.locate import topic_name
from logctl.engine.broker.request import PARKED, Answer, Request
from logctl.engine.controller.image import Image
from logctl.security.acl import Operation, Resource
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 8
VERSIONS = (2, 10)


def handle(broker: Broker, request: Request[OffsetCommitRequest], now_ms: int) -> Answer:
    body = request.body
    if not broker.may(request, Operation.READ, Resource.GROUP, body.group_id):
        raise WireError(errors.GROUP_AUTHORIZATION_FAILED)
    image = broker.metadata.image
    wanted: list[OffsetCommitRequestTopic] = []
    failed: list[OffsetCommitResponseTopic] = []
    for topic in body.topics:
        try:
            wanted.append(_known(broker, request, image, topic, failed))
        except WireError as error:
            failed.append(_failed(topic, error.code))
    wanted = [topic for topic in wanted if topic.partitions]
    if not wanted:
        return OffsetCommitResponse(topics=failed)
    body.topics = wanted
    caller = caller_of(request)
    reply = Later(broker, request, lambda response: _joined(response, failed))
    broker.groups.run(body.group_id, now_ms, reply, lambda shard, turn: shard.commit(turn, caller, body))
    return PARKED


def _known(
    broker: Broker,
    request: Request[OffsetCommitRequest],
    image: Image,
    asked: OffsetCommitRequestTopic,
    failed: list[OffsetCommitResponseTopic],
) -> OffsetCommitRequestTopic:
    """The topic by name and id with the partitions it has; the others go to `failed`. Raises WireError."""
    name = topic_name(image, asked.name, asked.topic_id)
    if not broker.may(request, Operation.READ, Resource.TOPIC, name):
        raise WireError(errors.TOPIC_AUTHORIZATION_FAILED)
    topic = image.topics.get(name)
    if topic is None:
        raise WireError(errors.UNKNOWN_TOPIC_OR_PARTITION)
    known = [one for one in asked.partitions if one.partition_index in topic.partitions]
    if len(known) < len(asked.partitions):
        missing = [one for one in asked.partitions if one.partition_index not in topic.partitions]
        failed.append(
            _failed(OffsetCommitRequestTopic(name, topic.topic_id, missing), errors.UNKNOWN_TOPIC_OR_PARTITION)
        )
    return OffsetCommitRequestTopic(name, topic.topic_id, known)


def _failed(topic: OffsetCommitRequestTopic, code: int) -> OffsetCommitResponseTopic:
    results = [OffsetCommitResponsePartition(one.partition_index, code) for one in topic.partitions]
    return OffsetCommitResponseTopic(topic.name, topic.topic_id, results)


def _joined(response: OffsetCommitResponse, failed: list[OffsetCommitResponseTopic]) -> OffsetCommitResponse:
    """One entry for each topic, also for one of which only some partitions exist."""
    topics = {(topic.name, topic.topic_id): topic for topic in response.topics}
    for topic in failed:
        place = topics.setdefault((topic.name, topic.topic_id), topic)
        if place is not topic:
            place.partitions += topic.partitions
    response.topics = list(topics.values())
    return response


def refused(request: Request[OffsetCommitRequest], error: WireError) -> OffsetCommitResponse:
    """The whole request was refused: every partition says so."""
    return OffsetCommitResponse(topics=[_failed(topic, error.code) for topic in request.body.topics])
