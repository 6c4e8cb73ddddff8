"""ListOffsets (2), versions 1 to 11: the offset that belongs to a point in time.

A timestamp of 0 or more asks for the first record of that time or later. Below 0 stand questions, each understood from
some version on: -1 the end of what the client may read, -2 the beginning, -3 (from 7 on) the record with the greatest
timestamp, -4 (8, KIP-405) the beginning of what is on this node, -5 (9, KIP-1005) the end and -6 (11) the beginning of
what has and has not been moved to remote storage. A log without tiers has all its records here, and answers -5 and -6
with no offset. Older versions of those questions are answered with UNSUPPORTED_VERSION.

An offset that is not there is -1, without an error. Readers of committed records (from version 2 on) see no further
than the last stable offset. `timeout_ms` means nothing here: no answer waits for remote storage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from logctl.engine.broker.locate import replica_of
from logctl.engine.broker.replica import Replica
from logctl.engine.broker.request import Answer, Request
from logctl.engine.log.disk import DiskFault
from logctl.security.acl import Operation, Resource
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 2
VERSIONS = (1, 11)

LATEST: Final = -1
EARLIEST: Final = -2
MAX_TIMESTAMP: Final = -3
EARLIEST_LOCAL: Final = -4
LATEST_TIERED: Final = -5
EARLIEST_PENDING_UPLOAD: Final = -6
_UNDERSTOOD_FROM: Final = {
    LATEST: 1,
    EARLIEST: 1,
    MAX_TIMESTAMP: 7,
    EARLIEST_LOCAL: 8,
    LATEST_TIERED: 9,
    EARLIEST_PENDING_UPLOAD: 11,
}

READ_COMMITTED: Final = 1


class Found(NamedTuple):
    """An answer; -1 stands for unknown in each place."""

    offset: int = -1
    timestamp: int = -1
    leader_epoch: int = -1


NOTHING: Final = Found()


def handle(broker: Broker, request: Request[ListOffsetsRequest], now_ms: int) -> Answer:
    seen: set[tuple[str, int]] = set()
    twice: set[tuple[str, int]] = set()
    for topic in request.body.topics:
        for one in topic.partitions:
            key = topic.name, one.partition_index
            (twice if key in seen else seen).add(key)
    return ListOffsetsResponse(
        topics=[
            ListOffsetsTopicResponse(
                topic.name, [_answer(broker, request, topic.name, one, twice) for one in topic.partitions]
            )
            for topic in request.body.topics
        ]
    )


def refused(request: Request[ListOffsetsRequest], error: WireError) -> ListOffsetsResponse:
    """Every partition of the request is answered with the error."""
    return ListOffsetsResponse(
        topics=[
            ListOffsetsTopicResponse(topic.name, [_failed(one, error.code) for one in topic.partitions])
            for topic in request.body.topics
        ]
    )


def _answer(
    broker: Broker,
    request: Request[ListOffsetsRequest],
    topic: str,
    asked: ListOffsetsPartition,
    twice: set[tuple[str, int]],
) -> ListOffsetsPartitionResponse:
    try:
        if not broker.may(request, Operation.DESCRIBE, Resource.TOPIC, topic):
            raise WireError(errors.TOPIC_AUTHORIZATION_FAILED)
        if (topic, asked.partition_index) in twice:
            raise WireError(errors.INVALID_REQUEST)
        if asked.timestamp < 0 and request.version < _UNDERSTOOD_FROM.get(asked.timestamp, request.version + 1):
            raise WireError(errors.UNSUPPORTED_VERSION)
        replica = replica_of(broker, topic, asked.partition_index)
        replica.check_serving(asked.current_leader_epoch)
        if not replica.is_established and asked.timestamp not in (EARLIEST, EARLIEST_LOCAL):
            raise WireError(errors.OFFSET_NOT_AVAILABLE if request.version >= 5 else errors.LEADER_NOT_AVAILABLE)
        committed = request.body.isolation_level == READ_COMMITTED
        found = _find(replica, asked.timestamp, replica.last_stable_offset if committed else replica.high_watermark)
    except WireError as error:
        return _failed(asked, error.code)
    except DiskFault:
        return _failed(asked, errors.KAFKA_STORAGE_ERROR)
    return ListOffsetsPartitionResponse(
        asked.partition_index, errors.NONE, found.timestamp, found.offset, found.leader_epoch
    )


def _find(replica: Replica, timestamp: int, up_to: int) -> Found:
    log = replica.log
    if timestamp == LATEST:
        return Found(up_to, leader_epoch=replica.leader_epoch)
    if timestamp in (EARLIEST, EARLIEST_LOCAL):
        return Found(log.start_offset, leader_epoch=log.epoch_at(log.start_offset))
    if timestamp in (LATEST_TIERED, EARLIEST_PENDING_UPLOAD):
        return NOTHING
    found = log.max_timestamp() if timestamp == MAX_TIMESTAMP else log.offset_for_timestamp(timestamp, up_to)
    if found is None or found[0] >= up_to:
        return NOTHING
    offset, found_timestamp, leader_epoch = found
    return Found(offset, found_timestamp, leader_epoch)


def _failed(asked: ListOffsetsPartition, code: int) -> ListOffsetsPartitionResponse:
    return ListOffsetsPartitionResponse(asked.partition_index, code)
