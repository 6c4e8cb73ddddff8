"""OffsetForLeaderEpoch (23), versions 2 to 4: where the records of a leader epoch end.

Consumers ask it after a change of leader, to learn whether what they have read is still part of the log (KIP-320). An
epoch this log has not seen is answered with the one before it; -1 for epoch and offset means that nothing is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.locate import replica_of
from logctl.engine.broker.request import Answer, Request
from logctl.security.acl import Operation, Resource
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.offset_for_leader_epoch import (
    EpochEndOffset,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition,
    OffsetForLeaderTopicResult,
)

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 23
VERSIONS = (2, 4)


def handle(broker: Broker, request: Request[OffsetForLeaderEpochRequest], now_ms: int) -> Answer:
    return OffsetForLeaderEpochResponse(
        topics=[
            OffsetForLeaderTopicResult(
                topic.topic, [_answer(broker, request, topic.topic, one) for one in topic.partitions]
            )
            for topic in request.body.topics
        ]
    )


def refused(request: Request[OffsetForLeaderEpochRequest], error: WireError) -> OffsetForLeaderEpochResponse:
    """Every partition of the request is answered with the error."""
    return OffsetForLeaderEpochResponse(
        topics=[
            OffsetForLeaderTopicResult(topic.topic, [_failed(one, error.code) for one in topic.partitions])
            for topic in request.body.topics
        ]
    )


def _answer(
    broker: Broker, request: Request[OffsetForLeaderEpochRequest], topic: str, asked: OffsetForLeaderPartition
) -> EpochEndOffset:
    try:
        if not broker.may(request, Operation.DESCRIBE, Resource.TOPIC, topic):
            raise WireError(errors.TOPIC_AUTHORIZATION_FAILED)
        replica = replica_of(broker, topic, asked.partition)
        replica.check_serving(asked.current_leader_epoch)
        epoch, end_offset = replica.log.end_offset_for_epoch(asked.leader_epoch)
    except WireError as error:
        return _failed(asked, error.code)
    return EpochEndOffset(errors.NONE, asked.partition, epoch, end_offset)


def _failed(asked: OffsetForLeaderPartition, code: int) -> EpochEndOffset:
    return EpochEndOffset(code, asked.partition)
