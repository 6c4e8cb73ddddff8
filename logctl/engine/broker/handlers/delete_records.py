"""DeleteRecords (21), versions 0 to 2: let the logs of partitions begin later.

Each log begins at the offset named from then on, or at its high watermark for -1; what lies before cannot be read any
more, in the middle of a batch neither, and whole segments of it go with the next retention check. An offset that is
below the beginning changes nothing. Refused: above the high watermark or negative (OFFSET_OUT_OF_RANGE), a topic that
is compacted only (POLICY_VIOLATION), a topic of the cluster's own (INVALID_TOPIC_EXCEPTION). The new beginnings are
written down before the answer leaves, so a crash does not bring the records back.

The answer waits until every follower that is let in begins its log there too and has written that down: whoever leads
next does not bring the records back either. When that has not happened within `timeout_ms`, the answer is
REQUEST_TIMED_OUT, with the lowest beginning among them; the records are gone here all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from logctl.engine.broker.locate import replica_of
from logctl.engine.broker.request import PARKED, Answer, Request
from logctl.engine.broker.waiting import Parked
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
    cuts: list[Cut] = []
    response = DeleteRecordsResponse(
        topics=[
            DeleteRecordsTopicResult(
                topic.name, [_result(broker, request, topic.name, one, cuts) for one in topic.partitions]
            )
            for topic in request.body.topics
        ]
    )
    try:
        broker.replicas.notes.save_start_offsets([cut.replica for cut in cuts if cut.moved])
    except DiskFault as fault:
        return refused(request, WireError(errors.KAFKA_STORAGE_ERROR, fault.message))
    for cut in cuts:
        broker.waiting.stir(cut.replica)
    waiting = ParkedDeletion(broker, request, response, cuts, now_ms + request.body.timeout_ms)
    if waiting.is_done():
        return response
    broker.waiting.park(waiting)
    return PARKED


class Cut(NamedTuple):
    """A log that is to begin later, on all who hold it."""

    replica: Replica
    offset: int
    leader_epoch: int
    moved: bool
    result: DeleteRecordsPartitionResult


class ParkedDeletion(Parked):
    """A deletion that followers are still to hear of."""

    __slots__ = ("_broker", "_open", "_response")

    def __init__(
        self,
        broker: Broker,
        request: Request[DeleteRecordsRequest],
        response: DeleteRecordsResponse,
        cuts: list[Cut],
        deadline_ms: int,
    ) -> None:
        super().__init__(request, [cut.replica for cut in cuts], deadline_ms)
        self._broker = broker
        self._response = response
        self._open = cuts

    def is_done(self) -> bool:
        self._open = [cut for cut in self._open if not self._is_known(cut)]
        return not self._open

    def _is_known(self, cut: Cut) -> bool:
        replica, result = cut.replica, cut.result
        if replica.refusal or replica.leader_epoch != cut.leader_epoch:
            result.error_code = replica.refusal or errors.NOT_LEADER_OR_FOLLOWER
            result.low_watermark = _UNKNOWN
            return True
        brokers = self._broker.metadata.image.brokers
        let_in = {broker.broker_id for broker in brokers.values() if not broker.fenced}
        result.low_watermark = replica.lowest_start(let_in)
        return result.low_watermark >= cut.offset

    def attempt(self, now_ms: int) -> bool:
        if not self.is_done():
            return False
        self._broker.reply(self.request, self._response)
        return True

    def give_up(self, now_ms: int) -> None:
        self.is_done()
        for cut in self._open:
            cut.result.error_code = errors.REQUEST_TIMED_OUT
        self._broker.reply(self.request, self._response)


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
    cuts: list[Cut],
) -> DeleteRecordsPartitionResult:
    try:
        if not broker.may(request, Operation.DELETE, Resource.TOPIC, topic):
            raise WireError(errors.TOPIC_AUTHORIZATION_FAILED)
        if topic in INTERNAL_TOPICS:
            raise WireError(errors.INVALID_TOPIC_EXCEPTION)
        replica = replica_of(broker, topic, asked.partition_index)
        replica.check_serving()
        moved = _cut(replica, asked.offset)
    except WireError as error:
        return _failed(asked, error.code)
    result = DeleteRecordsPartitionResult(asked.partition_index, replica.log.start_offset, errors.NONE)
    offset = replica.high_watermark if asked.offset == HIGH_WATERMARK else asked.offset
    cuts.append(Cut(replica, offset, replica.leader_epoch, moved, result))
    return result


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
