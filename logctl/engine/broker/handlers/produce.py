"""Produce (0), versions 3 to 13: append one record batch to each partition named. Topics by name, from 13 on by id.

Versions 0 to 2 are advertised, because old clients decide by them whether they may compress, and refused, as in Apache.
acks: 0 is never answered (an error closes the connection), 1 is answered once the batches are written, -1 once they are
on disk (`log.flush.policy=acks`) or written (`os`). Where others copy the partition, the answer to -1 waits until the
high watermark has passed the batch (`acknowledgements.py`), for `timeout_ms` at most; what the connection asks next is
handled meanwhile. From version 8 on refusals carry a sentence, from 10 on NOT_LEADER_OR_FOLLOWER names the leader
(KIP-951).

Not implemented: transactions; a transactional batch is answered with INVALID_TXN_STATE, because nobody can have begun
the transaction here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from logctl.engine.broker.acknowledgements import AfterCopies, Several
from logctl.engine.broker.appends import AfterAppend, Lost
from logctl.engine.broker.exchange import answer_parts
from logctl.engine.broker.locate import leader_of, replica_of, topic_name
from logctl.engine.broker.replica import Replica
from logctl.engine.broker.request import Answer, Request
from logctl.engine.controller.names import INTERNAL_TOPICS
from logctl.engine.log.disk import DiskFault
from logctl.engine.log.validation import RecordsRefused
from logctl.security.acl import Operation, Resource
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.produce import (
    BatchIndexAndErrorMessage,
    LeaderIdAndEpoch,
    NodeEndpoint,
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
    TopicProduceResponse,
)
from logctl.wire.records import COMPRESSION_MASK, HEADER_BYTES, LENGTH_PREFIX_BYTES, MAGIC, TRANSACTIONAL

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 0
VERSIONS = (3, 13)

ACKS: Final = (-1, 0, 1)
_ADMIN_CLIENT: Final = "__admin_client"
"""The client id that may write to internal topics; it is how Apache's own tools repair them."""
_SAYS_NOTHING_OF_THE_LOG: Final = {
    errors.CORRUPT_MESSAGE,
    errors.KAFKA_STORAGE_ERROR,
    errors.MESSAGE_TOO_LARGE,
    errors.NOT_LEADER_OR_FOLLOWER,
    errors.RECORD_LIST_TOO_LARGE,
    errors.UNKNOWN_TOPIC_OR_PARTITION,
}
"""Refusals that leave the log start offset out; with all others Apache tells it."""
_ZSTD: Final = 4
_ZSTD_FROM: Final = 7


class Outcome(NamedTuple):
    """What became of one partition. `replica` is where its batch was appended, None when it was refused."""

    answer: PartitionProduceResponse
    replica: Replica | None
    waits: bool
    last_offset: int = -1


def handle(broker: Broker, request: Request[ProduceRequest], now_ms: int) -> Answer:
    body = request.body
    if body.acks not in ACKS:
        raise WireError(errors.INVALID_REQUIRED_ACKS, f"acks is -1, 0 or 1, not {body.acks}")
    outcomes = [
        (topic, [_produce(broker, request, topic, partition, now_ms) for partition in topic.partition_data])
        for topic in body.topic_data
    ]
    flat = [outcome for _, several in outcomes for outcome in several]
    if body.acks == -1 and any(one.replica is not None and one.replica.is_shared for one in flat):
        return _owe(broker, request, outcomes, now_ms)
    response = _response(broker, request, [(topic, [one.answer for one in several]) for topic, several in outcomes])
    if body.acks == 0:
        return _unanswered(broker, request, flat)

    def without(lost: Lost) -> ProduceResponse:
        corrected = [(topic, [_unless_lost(one, lost) for one in several]) for topic, several in outcomes]
        return _response(broker, request, corrected)

    return AfterAppend(response, any(one.waits for one in flat), without, _only(flat))


def _owe(
    broker: Broker,
    request: Request[ProduceRequest],
    outcomes: list[tuple[TopicProduceData, list[Outcome]]],
    now_ms: int,
) -> AfterCopies:
    """Some of the batches are copied by others: the answer waits for them."""

    def make(broken: Mapping[tuple[int, int], WireError]) -> list[Any]:
        answers = []
        for place, (topic, several) in enumerate(outcomes):
            errors_of = [broken.get((place, number)) for number in range(len(several))]
            kept = [_kept(broker, request, one, error) for one, error in zip(several, errors_of, strict=True)]
            answers.append((topic, kept))
        return answer_parts(request, _response(broker, request, answers))

    owed = Several(now_ms + max(0, request.body.timeout_ms), make)
    owed.await_all([
        ((place, number), outcome.replica, outcome.last_offset)
        for place, (_, several) in enumerate(outcomes)
        for number, outcome in enumerate(several)
        if outcome.replica is not None
    ])
    only = _only([one for _, several in outcomes for one in several])
    return AfterCopies(owed, only, None if only is None else _refuse(broker, request))


def _refuse(broker: Broker, request: Request[ProduceRequest]) -> Callable[[int, WireError], bytes]:
    """How requests like this one, with one batch each, are answered when it turns out later that it failed."""
    topic, data = request.body.topic_data[0], request.body.topic_data[0].partition_data[0]
    name = topic_name(broker.metadata.image, topic.name, topic.topic_id)  # now: it may be deleted when that is asked
    index, place = data.index, TopicProduceData(topic.name, topic.topic_id)
    like: Request[Any] = Request(
        request.api_key, request.version, 0, request.client_id, None, request.peer, request.received_ms
    )  # without the batch, which lies in a buffer that is used again

    def refuse(correlation_id: int, error: WireError) -> bytes:
        answer = _with_leader(broker, like, name, _failed(index, error))
        response = _response(broker, like, [(place, [answer])])
        return b"".join(answer_parts(replace(like, correlation_id=correlation_id), response))

    return refuse


def _kept(
    broker: Broker, request: Request[ProduceRequest], outcome: Outcome, error: WireError | None
) -> PartitionProduceResponse:
    if error is None or outcome.replica is None:
        return outcome.answer
    return _with_leader(broker, request, outcome.replica.topic, _failed(outcome.answer.index, error))


def refused(request: Request[ProduceRequest], error: WireError) -> ProduceResponse | None:
    """Every partition of the request is answered with the error; with acks=0 the connection is closed."""
    if request.body.acks == 0:
        return None
    return ProduceResponse(
        responses=[
            TopicProduceResponse(one.name, one.topic_id, [_failed(data.index, error) for data in one.partition_data])
            for one in request.body.topic_data
        ]
    )


def _produce(
    broker: Broker, request: Request[ProduceRequest], topic: TopicProduceData, data: PartitionProduceData, now_ms: int
) -> Outcome:
    name = topic.name
    try:
        name = topic_name(broker.metadata.image, topic.name, topic.topic_id)
        replica = _replica_for(broker, request, name, data.index)
        _check_batch(request.version, data.records)
    except WireError as error:
        return Outcome(_with_leader(broker, request, name, _failed(data.index, error)), None, waits=False)
    return _append(broker, request, replica, data, now_ms)


def _append(
    broker: Broker, request: Request[ProduceRequest], replica: Replica, data: PartitionProduceData, now_ms: int
) -> Outcome:
    try:
        appended = replica.append(data.records, request.body.acks, now_ms)
    except DiskFault as fault:
        return Outcome(_failed(data.index, WireError(errors.KAFKA_STORAGE_ERROR, fault.message)), None, waits=False)
    except WireError as error:
        answer = _with_leader(broker, request, replica.topic, _failed(data.index, error))
        if error.code not in _SAYS_NOTHING_OF_THE_LOG and _is_one_batch(data.records):
            answer.log_start_offset = replica.log.start_offset
        return Outcome(answer, None, waits=False)
    answer = PartitionProduceResponse(
        data.index, errors.NONE, appended.base_offset, appended.log_append_time_ms, appended.log_start_offset
    )
    waits = replica.must_wait(request.body.acks, appended.last_offset)
    return Outcome(answer, replica, waits, appended.last_offset)


def _replica_for(broker: Broker, request: Request[ProduceRequest], name: str, partition: int) -> Replica:
    if not broker.may(request, Operation.WRITE, Resource.TOPIC, name):
        raise WireError(errors.TOPIC_AUTHORIZATION_FAILED)
    replica = replica_of(broker, name, partition)
    if name in INTERNAL_TOPICS and request.client_id != _ADMIN_CLIENT:
        raise WireError(errors.INVALID_TOPIC_EXCEPTION, f"Clients may not write to the internal topic {name}")
    return replica


def _check_batch(version: int, records: memoryview | None) -> None:
    """What depends on the request rather than on the log; the log judges the rest."""
    if not records:
        raise WireError(errors.INVALID_RECORD, "The request has no record batch for this partition")
    if len(records) > 22 and records[16] == MAGIC:
        attributes = records[22]
        if attributes & TRANSACTIONAL:
            raise WireError(errors.INVALID_TXN_STATE, "No transaction of this producer is under way on this node")
        if attributes & COMPRESSION_MASK == _ZSTD and version < _ZSTD_FROM:
            message = f"zstd is understood from version {_ZSTD_FROM} of Produce on; this request has version {version}"
            raise WireError(errors.UNSUPPORTED_COMPRESSION_TYPE, message)


def _is_one_batch(records: memoryview) -> bool:
    """Whether it was a batch of our format, and not what lies in it, that the log refused."""
    size = LENGTH_PREFIX_BYTES + int.from_bytes(records[8:12], "big", signed=True)
    return len(records) > 16 and records[16] == MAGIC and size <= len(records) < size + HEADER_BYTES


def _failed(index: int, error: WireError) -> PartitionProduceResponse:
    several = error.record_errors if isinstance(error, RecordsRefused) else ()
    return PartitionProduceResponse(
        index,
        error.code,
        base_offset=-1,
        record_errors=[BatchIndexAndErrorMessage(place, sentence) for place, sentence in several],
        error_message=error.message,
    )


def _unless_lost(outcome: Outcome, lost: Lost) -> PartitionProduceResponse:
    if outcome.replica is None or not lost(outcome.replica):
        return outcome.answer
    message = "The disk under this partition failed; the batch may not have been kept"
    return _failed(outcome.answer.index, WireError(errors.KAFKA_STORAGE_ERROR, message))


def _with_leader(
    broker: Broker, request: Request[ProduceRequest], name: str, answer: PartitionProduceResponse
) -> PartitionProduceResponse:
    if request.version >= 10 and answer.error_code == errors.NOT_LEADER_OR_FOLLOWER:
        leader = leader_of(broker, request, name, answer.index)
        if leader is not None:
            answer.current_leader = LeaderIdAndEpoch(leader.node_id, leader.epoch)
    return answer


def _response(
    broker: Broker,
    request: Request[ProduceRequest],
    answers: list[tuple[TopicProduceData, list[PartitionProduceResponse]]],
) -> ProduceResponse:
    response = ProduceResponse(
        responses=[TopicProduceResponse(topic.name, topic.topic_id, several) for topic, several in answers]
    )
    if request.version >= 10:
        response.node_endpoints = _endpoints(broker, request, response)
    return response


def _endpoints(broker: Broker, request: Request[ProduceRequest], response: ProduceResponse) -> list[NodeEndpoint]:
    """The addresses of the leaders that the answers name."""
    named: dict[int, NodeEndpoint] = {}
    for topic in response.responses:
        for one in topic.partition_responses:
            if one.current_leader.leader_id >= 0:
                name = topic_name(broker.metadata.image, topic.name, topic.topic_id)
                leader = leader_of(broker, request, name, one.index)
                if leader is not None and leader.host:
                    named[leader.node_id] = NodeEndpoint(leader.node_id, leader.host, leader.port, leader.rack)
    return list(named.values())


def _unanswered(broker: Broker, request: Request[ProduceRequest], outcomes: list[Outcome]) -> Answer:
    """acks=0: the client hears nothing, so that an error can only be told by hanging up, as Apache does."""
    for outcome in outcomes:
        if outcome.replica is None:
            peer, why = request.peer, errors.describe(outcome.answer.error_code).name
            address = f"{peer.host}:{peer.port}"
            broker.say("connection", f"Closed the connection of {address}: it produced with acks=0, and got {why}")
            return None
    replicas = [outcome.replica for outcome in outcomes]

    def without(lost: Lost) -> ProduceResponse | None:
        return None if any(lost(one) for one in replicas if one is not None) else ProduceResponse()

    return AfterAppend(None, waits=False, without=without, only=_only(outcomes))


def _only(outcomes: list[Outcome]) -> Replica | None:
    return outcomes[0].replica if len(outcomes) == 1 else None
