"""Producing through every kind of trouble: nothing lost, nothing doubled, nothing claimed that is not known."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support.scripted import SILENCE, ScriptedCluster

from logctl.admin.client import Client, parse_addresses
from logctl.admin.deadline import Deadline
from logctl.admin.producer import ProduceOptions, Producer
from logctl.admin.routing import Cluster
from logctl.errors import AccessDenied, DeadlineExceeded, LogctlError, OperationFailed, UsageError
from logctl.wire import errors
from logctl.wire.messages.init_producer_id import InitProducerIdResponse
from logctl.wire.messages.produce import (
    BatchIndexAndErrorMessage,
    PartitionProduceResponse,
    ProduceResponse,
    TopicProduceResponse,
)
from logctl.wire.records import NewRecord, iter_records, read_header

NOW_MS = 1_700_000_000_000


class ScriptedLog:
    """Partitions as a broker keeps them: by number, with the sequences of idempotent producers.

    `troubles` is consumed one per batch before the log is consulted: an error code to answer with, or a function.
    """

    def __init__(self, cluster: ScriptedCluster) -> None:
        self.values: dict[int, list[bytes]] = {}
        self.times: list[int] = []
        self.troubles: list[Any] = []
        self._next_id = 100
        self._sequences: dict[tuple[int, int], int] = {}
        cluster.answer("Produce", self.produce)
        cluster.answer("InitProducerId", self.init)

    def init(self, request: Any, version: int) -> InitProducerIdResponse:
        self._next_id += 1
        return InitProducerIdResponse(producer_id=self._next_id, producer_epoch=0)

    def produce(self, request: Any, version: int) -> Any:
        [topic] = request.topic_data
        answers = []
        for data in topic.partition_data:
            trouble = self.troubles.pop(0) if self.troubles else None
            if callable(trouble):
                return trouble(self, data)
            answers.append(self._one(data, trouble))
        if request.acks == 0:
            return SILENCE
        answered = TopicProduceResponse(name=topic.name, topic_id=topic.topic_id, partition_responses=answers)
        return ProduceResponse(responses=[answered])

    def _one(self, data: Any, trouble: Any) -> PartitionProduceResponse:
        if isinstance(trouble, PartitionProduceResponse):
            trouble.index = data.index
            return trouble
        if trouble is not None:
            return PartitionProduceResponse(index=data.index, error_code=trouble)
        return self.append(data)

    def append(self, data: Any) -> PartitionProduceResponse:
        header = read_header(data.records)
        where = header.producer_id, data.index
        expected = self._sequences.get(where, 0)
        kept = self.values.setdefault(data.index, [])
        if header.producer_id >= 0 and header.base_sequence < expected:
            return PartitionProduceResponse(index=data.index, error_code=errors.DUPLICATE_SEQUENCE_NUMBER)
        if header.producer_id >= 0 and header.base_sequence != expected:
            return PartitionProduceResponse(index=data.index, error_code=errors.OUT_OF_ORDER_SEQUENCE_NUMBER)
        self._sequences[where] = expected + header.count
        base = len(kept)
        for record in iter_records(data.records):
            kept.append(record.value or b"")
            self.times.append(record.timestamp)
        return PartitionProduceResponse(index=data.index, base_offset=base)


@contextmanager
def producing(cluster: ScriptedCluster, **options: Any) -> Iterator[Producer]:
    with Client(parse_addresses(cluster.bootstrap)) as client:
        settings = ProduceOptions(**{"timeout_s": 10.0, **options})
        producer = Producer(Cluster(client), "t", settings, lambda: NOW_MS)
        producer.open(Deadline(10))
        yield producer


def send(producer: Producer, *values: bytes, partition: int | None = 0) -> None:
    for line, value in enumerate(values, 1):
        producer.add(NewRecord(None, value), line, partition)
    producer.flush()


def halted(producer: Producer, *values: bytes) -> LogctlError:
    with pytest.raises(LogctlError) as caught:
        send(producer, *values)
    producer.abandon()
    return caught.value


@pytest.fixture
def cluster() -> Iterator[ScriptedCluster]:
    with ScriptedCluster(1, 2, topics={"t": [1, 2, 1]}) as made:
        yield made


@pytest.fixture
def log(cluster: ScriptedCluster) -> ScriptedLog:
    return ScriptedLog(cluster)


# -- the good way ----------------------------------------------------------------------------------------------------


def test_records_arrive_in_order_and_their_offsets_are_told(cluster: ScriptedCluster, log: ScriptedLog) -> None:
    with producing(cluster) as producer:
        assert producer.idempotent
        send(producer, b"a", b"b")
        send(producer, b"c")
    assert log.values == {0: [b"a", b"b", b"c"]}
    assert producer.tally.offsets == {0: (0, 2)}
    assert (producer.tally.taken, producer.tally.acknowledged) == (3, 3)


def test_records_for_one_leader_travel_in_one_request(cluster: ScriptedCluster, log: ScriptedLog) -> None:
    with producing(cluster) as producer:
        for partition in (0, 1, 2):
            producer.add(NewRecord(None, b"x"), 1, partition)
        producer.flush()
    assert [broker.count("Produce") for broker in cluster.brokers.values()] == [1, 1]


def test_a_record_without_a_time_gets_the_time_it_was_taken(cluster: ScriptedCluster, log: ScriptedLog) -> None:
    with producing(cluster) as producer:
        producer.add(NewRecord(None, b"now"), 1, 0)
        producer.add(NewRecord(None, b"then", (), 5), 2, 0)
        producer.flush()
    assert log.times == [NOW_MS, 5]


def test_a_broker_of_old_is_given_what_it_understands(cluster: ScriptedCluster, log: ScriptedLog) -> None:
    for broker in cluster.brokers.values():
        broker.versions["Produce"] = (3, 7)
        broker.forget("InitProducerId")
    with producing(cluster) as producer:
        assert not producer.idempotent
        send(producer, b"a")
    assert log.values == {0: [b"a"]}


# -- trouble that passes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code", [errors.NOT_LEADER_OR_FOLLOWER, errors.NOT_ENOUGH_REPLICAS, errors.UNKNOWN_TOPIC_OR_PARTITION]
)
def test_a_batch_that_was_not_taken_is_sent_again(cluster: ScriptedCluster, log: ScriptedLog, code: int) -> None:
    log.troubles = [code, code]
    with producing(cluster, acks=1) as producer:
        send(producer, b"a", b"b")
    assert log.values == {0: [b"a", b"b"]}


def test_when_the_leader_moves_the_new_one_gets_the_records(cluster: ScriptedCluster, log: ScriptedLog) -> None:
    def move(log: ScriptedLog, data: Any) -> Any:
        cluster.topics["t"] = [2, 2, 2]

    log.troubles = [move]
    with producing(cluster) as producer:
        send(producer, b"a", b"b")
    assert log.values == {0: [b"a", b"b"]}
    assert cluster.brokers[2].count("Produce") == 1


def test_what_was_written_before_the_connection_broke_is_not_doubled(
    cluster: ScriptedCluster, log: ScriptedLog
) -> None:
    def write_and_hang_up(log: ScriptedLog, data: Any) -> Any:
        log.append(data)

    log.troubles = [write_and_hang_up, None, write_and_hang_up]
    with producing(cluster) as producer:
        send(producer, b"a", b"b")
        send(producer, b"c")
    assert log.values == {0: [b"a", b"b", b"c"]}
    assert producer.tally.acknowledged == 3


def test_a_batch_that_is_too_large_is_cut_until_it_fits(cluster: ScriptedCluster, log: ScriptedLog) -> None:
    log.troubles = [errors.MESSAGE_TOO_LARGE, errors.MESSAGE_TOO_LARGE]
    with producing(cluster) as producer:
        send(producer, b"a", b"b", b"c", b"d")
    assert log.values == {0: [b"a", b"b", b"c", b"d"]}


def test_a_broker_that_has_forgotten_the_producer_is_met_with_a_new_identity(
    cluster: ScriptedCluster, log: ScriptedLog
) -> None:
    log.troubles = [None, errors.UNKNOWN_PRODUCER_ID]
    with producing(cluster) as producer:
        send(producer, b"a")
        send(producer, b"b")
    assert log.values == {0: [b"a", b"b"]}


# -- trouble that stays ----------------------------------------------------------------------------------------------


def test_a_record_that_is_refused_is_named_by_its_line_and_the_others_go_on(
    cluster: ScriptedCluster, log: ScriptedLog
) -> None:
    log.troubles = [
        PartitionProduceResponse(
            error_code=errors.INVALID_RECORD,
            record_errors=[BatchIndexAndErrorMessage(batch_index=1, batch_index_error_message="no key")],
        )
    ]
    with producing(cluster) as producer:
        send(producer, b"a", b"b", b"c")
    assert log.values == {0: [b"a", b"c"]}
    assert producer.tally.failures == ["line 2: no key"]
    assert (producer.tally.acknowledged, producer.tally.failed) == (2, 1)


def test_a_single_record_that_is_too_large_is_refused_and_the_rest_go_on(
    cluster: ScriptedCluster, log: ScriptedLog
) -> None:
    log.troubles = [errors.MESSAGE_TOO_LARGE, errors.MESSAGE_TOO_LARGE]
    with producing(cluster) as producer:
        send(producer, b"too large", b"b")
    assert log.values == {0: [b"b"]}
    assert producer.tally.failed == 1
    assert "line 1: partition 0 of t: MESSAGE_TOO_LARGE" in producer.tally.failures[0]


def test_without_idempotence_a_broken_connection_halts_because_repeating_could_double(
    cluster: ScriptedCluster, log: ScriptedLog
) -> None:
    log.troubles = [lambda log, data: None]
    with producing(cluster, acks=1) as producer:
        error = halted(producer, b"a", b"b")
    assert isinstance(error, DeadlineExceeded)
    assert "could double it" in error.message
    assert (producer.tally.acknowledged, producer.tally.unknown) == (0, 2)


def test_a_silent_leader_leaves_the_outcome_unknown_when_time_is_over(
    cluster: ScriptedCluster, log: ScriptedLog
) -> None:
    log.troubles = [lambda log, data: SILENCE]
    with producing(cluster, timeout_s=0.4) as producer:
        error = halted(producer, b"a")
    assert isinstance(error, DeadlineExceeded)
    assert (producer.tally.unknown, producer.tally.unsent) == (1, 0)


def test_a_partition_without_a_leader_is_named_when_time_is_over(cluster: ScriptedCluster, log: ScriptedLog) -> None:
    cluster.topics["t"] = [-1, 2, 1]
    with producing(cluster, timeout_s=0.4) as producer:
        error = halted(producer, b"a")
    assert "partition 0 of t" in error.message
    assert "it has no leader" in error.message
    assert (producer.tally.unknown, producer.tally.unsent) == (0, 1)


def test_records_without_a_key_avoid_partitions_without_a_leader(cluster: ScriptedCluster, log: ScriptedLog) -> None:
    cluster.topics["t"] = [-1, 2, -1]
    with producing(cluster) as producer:
        send(producer, b"a", partition=None)
        send(producer, b"b", partition=None)
    assert log.values == {1: [b"a", b"b"]}


def test_who_may_not_write_is_told_so_at_once(cluster: ScriptedCluster, log: ScriptedLog) -> None:
    log.troubles = [errors.TOPIC_AUTHORIZATION_FAILED]
    with producing(cluster) as producer:
        error = halted(producer, b"a")
    assert isinstance(error, AccessDenied)


def test_an_unknown_topic_and_an_unknown_partition_are_found_before_anything_is_sent(
    cluster: ScriptedCluster, log: ScriptedLog
) -> None:
    with Client(parse_addresses(cluster.bootstrap)) as client:
        with pytest.raises(OperationFailed, match="topic tt does not exist") as caught:
            Producer(Cluster(client), "tt", ProduceOptions(), lambda: 0).open(Deadline(10))
        assert caught.value.hint
        with pytest.raises(UsageError, match="partitions 0 to 2; 3 is not one"):
            Producer(Cluster(client), "t", ProduceOptions(), lambda: 0).open(Deadline(10), partition=3)


def test_without_acknowledgements_records_are_sent_and_nothing_is_awaited(
    cluster: ScriptedCluster, log: ScriptedLog
) -> None:
    with producing(cluster, acks=0) as producer:
        send(producer, b"a", b"b")
        assert producer.tally.acknowledged == 2
        assert producer.tally.offsets == {}
