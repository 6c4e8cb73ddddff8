"""DeleteRecords (21), versions 0 to 2: let the logs of partitions begin later.

Each log begins at the offset named from then on, or at its high watermark for -1; what lies before cannot be read any
more, in the middle of a batch neither, and whole segments of it go with the next retention check. An offset that is
below the beginning changes nothing. Refused: above the high watermark or negative (OFFSET_OUT_OF_RANGE), a topic that
is compacted only (POLICY_VIOLATION), a topic of the cluster's own (INVALID_TOPIC_EXCEPTION). The new beginnings are
written down before the answer leaves, so a crash does not bring the records back.

Not implemented: waiting for followers (`timeout_ms`); they begin their logs there too with their next fetch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from logctl.engine.broker.locate import replica_of
from logctl.engine.broker.request import Answer, Request
from logctl.engine.controller.names import INTERNAL_TOPICS
from logctl.engine.log.disk import DiskFault
from logctl.security.acl import Operation, Resource
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsPartitionResult,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopicResult,
)

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker
    from logctl.engine.broker.replica import Replica

API_KEY = 21
VERSIONS = (0, 2)

HIGH_WATERMARK: Final = -1
_UNKNOWN: Final = -1


def handle(broker: Broker, request: Request[DeleteRecordsRequest], now_ms: int) -> Answer:
    moved: list[Replica] = []
    response = DeleteRecordsResponse(
        topics=[
            DeleteRecordsTopicResult(
                topic.name, [_result(broker, request, topic.name, one, moved) for one in topic.partitions]
            )
            for topic in request.body.topics
        ]
    )
    try:
        broker.replicas.save_start_offsets(moved)
    except DiskFault as fault:
        return refused(request, WireError(errors.KAFKA_STORAGE_ERROR, fault.message))
    return response


def refused(request: Request[DeleteRecordsRequest], error: WireError) -> DeleteRecordsResponse:
    """Every partition of the request is answered with the error."""
    return DeleteRecordsResponse(
        topics=[
            DeleteRecordsTopicResult(topic.name, [_failed(one, error.code) for one in topic.partitions])
            for topic in request.body.topics
        ]
    )


def _result(
    broker: Broker,
    request: Request[DeleteRecordsRequest],
    topic: str,
    asked: DeleteRecordsPartition,
    moved: list[Replica],
) -> DeleteRecordsPartitionResult:
    try:
        if not broker.may(request, Operation.DELETE, Resource.TOPIC, topic):
            raise WireError(errors.TOPIC_AUTHORIZATION_FAILED)
        if topic in INTERNAL_TOPICS:
            raise WireError(errors.INVALID_TOPIC_EXCEPTION)
        replica = replica_of(broker, topic, asked.partition_index)
        replica.check_serving()
        if _cut(replica, asked.offset):
            moved.append(replica)
            broker.waiting.stir(replica)
    except WireError as error:
        return _failed(asked, error.code)
    return DeleteRecordsPartitionResult(asked.partition_index, replica.log.start_offset, errors.NONE)


def _cut(replica: Replica, wanted: int) -> bool:
    """Whether the beginning has moved. Raises WireError."""
    log = replica.log
    if log.config.compacts and not log.config.deletes:
        raise WireError(errors.POLICY_VIOLATION)
    offset = replica.high_watermark if wanted == HIGH_WATERMARK else wanted
    if not 0 <= offset <= replica.high_watermark:
        raise WireError(errors.OFFSET_OUT_OF_RANGE)
    before = log.start_offset
    log.delete_before(offset)
    return log.start_offset > before


def _failed(asked: DeleteRecordsPartition, code: int) -> DeleteRecordsPartitionResult:
    return DeleteRecordsPartitionResult(asked.partition_index, _UNKNOWN, code)
