"""Fetch, handed to the broker as a client's bytes: what is returned, what waits, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.broker_room import Room, batch, values

from logctl.engine.broker.request import PARKED
from logctl.engine.log.disk import DiskFault
from logctl.wire import errors
from logctl.wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic, ReplicaState
from logctl.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData

BY_NAME = 12
BY_ID = 13


@pytest.fixture
def room(tmp_path: Path) -> Room:
    room = Room(tmp_path)
    room.create("orders", partitions=3)
    return room


def fetch(
    offset: int = 0, *, partitions: tuple[int, ...] = (0,), topic: str = "orders", max_bytes: int = 1 << 20, **more: Any
) -> FetchRequest:
    asked = [FetchPartition(index, fetch_offset=offset, partition_max_bytes=max_bytes) for index in partitions]
    more = {"max_wait_ms": 0, "min_bytes": 1, "session_epoch": -1, **more}
    return FetchRequest(topics=[FetchTopic(topic, partitions=asked)], **more)


def produce(room: Room, *records: bytes, partition: int = 0, topic: str = "orders", **options: Any) -> None:
    data = [PartitionProduceData(partition, batch(*records, **options))]
    response = room.answer(ProduceRequest(acks=-1, topic_data=[TopicProduceData(topic, partition_data=data)]), BY_NAME)
    assert response.responses[0].partition_responses[0].error_code == errors.NONE


def only(response: Any) -> Any:
    [topic] = response.responses
    [partition] = topic.partitions
    return partition


# What is returned.


@pytest.mark.parametrize("version", range(4, 19))
def test_every_version_returns_the_records_and_the_marks(room: Room, version: int) -> None:
    produce(room, b"a", b"b")
    request = fetch()
    if version >= BY_ID:
        request.topics[0].topic_id = room.metadata.image.topics["orders"].topic_id
    response = room.answer(request, version)
    told = only(response)
    assert values(told.records) == [b"a", b"b"]
    assert (told.error_code, told.high_watermark, told.last_stable_offset) == (errors.NONE, 2, 2)
    assert told.log_start_offset == (0 if version >= 5 else -1)
    assert response.responses[0].topic == ("orders" if version < BY_ID else "")


def test_an_offset_inside_a_batch_returns_the_whole_batch(room: Room) -> None:
    produce(room, b"a", b"b", b"c")
    assert values(only(room.answer(fetch(2), BY_NAME)).records) == [b"a", b"b", b"c"]


def test_the_end_of_the_log_returns_nothing_and_no_error(room: Room) -> None:
    produce(room, b"a")
    told = only(room.answer(fetch(1), BY_NAME))
    assert (told.error_code, bytes(told.records)) == (errors.NONE, b"")


def test_nothing_is_shown_before_it_is_on_disk(room: Room) -> None:
    request = ProduceRequest(
        acks=1, topic_data=[TopicProduceData("orders", partition_data=[PartitionProduceData(0, batch(b"a"))])]
    )
    room.ask(request, BY_NAME)
    room.end_tick()
    assert values(only(room.read(room.ask(fetch(), BY_NAME), BY_NAME)).records) == []
    room.flush()
    assert values(only(room.read(room.ask(fetch(), BY_NAME), BY_NAME)).records) == [b"a"]


def test_with_flush_os_it_is_shown_once_it_is_written(tmp_path: Path) -> None:
    room = Room(tmp_path, flush_every_batch=False)
    room.create("orders")
    request = ProduceRequest(
        acks=1, topic_data=[TopicProduceData("orders", partition_data=[PartitionProduceData(0, batch(b"a"))])]
    )
    room.ask(request, BY_NAME)
    room.end_tick()
    assert values(only(room.read(room.ask(fetch(), BY_NAME), BY_NAME)).records) == [b"a"]


def test_the_limit_of_a_partition_ends_on_a_batch_but_never_before_the_first(room: Room) -> None:
    for value in (b"1" * 100, b"2" * 100, b"3" * 100):
        produce(room, value)
    one = len(batch(b"1" * 100))
    assert values(only(room.answer(fetch(max_bytes=10), BY_NAME)).records) == [b"1" * 100]
    assert len(values(only(room.answer(fetch(max_bytes=2 * one), BY_NAME)).records)) == 2


def test_the_limit_of_the_request_is_shared_and_only_the_first_batch_may_exceed_it(room: Room) -> None:
    for partition in range(3):
        produce(room, b"x" * 1000, partition=partition)
    response = room.answer(fetch(partitions=(0, 1, 2), max_bytes=1 << 20), BY_NAME)
    assert [len(values(one.records)) for one in response.responses[0].partitions] == [1, 1, 1]
    request = fetch(partitions=(0, 1, 2))
    request.max_bytes = 100
    response = room.answer(request, BY_NAME)
    assert [len(values(one.records)) for one in response.responses[0].partitions] == [1, 0, 0]


def test_readers_of_committed_records_get_a_list_of_aborted_transactions(room: Room) -> None:
    produce(room, b"a")
    assert only(room.answer(fetch(isolation_level=1), BY_NAME)).aborted_transactions == []
    assert only(room.answer(fetch(isolation_level=0), BY_NAME)).aborted_transactions is None


# What is refused.


@pytest.mark.parametrize("offset", [-1, 5, 1 << 40])
def test_an_offset_out_of_range(room: Room, offset: int) -> None:
    produce(room, b"a", b"b")
    told = only(room.answer(fetch(offset), BY_NAME))
    assert (told.error_code, told.high_watermark, bytes(told.records)) == (errors.OFFSET_OUT_OF_RANGE, -1, b"")


def test_an_error_of_one_partition_leaves_the_others_alone(room: Room) -> None:
    produce(room, b"a", partition=1)
    response = room.answer(fetch(partitions=(9, 1)), BY_NAME)
    codes = [one.error_code for one in response.responses[0].partitions]
    assert codes == [errors.UNKNOWN_TOPIC_OR_PARTITION, errors.NONE]


def test_an_unknown_topic_id(room: Room) -> None:
    request = fetch()
    request.topics[0].topic_id = b"?" * 16
    response = room.answer(request, BY_ID)
    assert only(response).error_code == errors.UNKNOWN_TOPIC_ID
    assert response.responses[0].topic_id == b"?" * 16


@pytest.mark.parametrize("version", [11, 12, 16])
def test_a_partition_led_elsewhere_names_its_leader(room: Room, version: int) -> None:
    topic_id = room.metadata.image.topics["orders"].topic_id
    room.change("orders", leader=2, leader_epoch=4)
    request = fetch()
    request.topics[0].topic_id = topic_id if version >= BY_ID else bytes(16)
    response = room.answer(request, version)
    told = only(response)
    assert told.error_code == errors.NOT_LEADER_OR_FOLLOWER
    assert told.current_leader.leader_id == (2 if version >= 16 else -1)
    assert [node.port for node in response.node_endpoints] == ([9093] if version >= 16 else [])


@pytest.mark.parametrize(("epoch", "code"), [(4, errors.FENCED_LEADER_EPOCH), (6, errors.UNKNOWN_LEADER_EPOCH)])
def test_clients_that_know_another_leader_epoch_are_told(room: Room, epoch: int, code: int) -> None:
    room.change("orders", leader_epoch=5)
    request = fetch()
    request.topics[0].partitions[0].current_leader_epoch = epoch
    assert only(room.answer(request, BY_NAME)).error_code == code
    request.topics[0].partitions[0].current_leader_epoch = 5
    assert only(room.answer(request, BY_NAME)).error_code == errors.NONE


def test_a_client_whose_history_parted_from_ours_is_told_where(room: Room) -> None:
    room.change("orders", leader_epoch=1)
    produce(room, b"a", b"b")
    room.change("orders", leader_epoch=4)
    produce(room, b"c")

    request = fetch(3)
    request.topics[0].partitions[0].last_fetched_epoch = 2
    told = only(room.answer(request, BY_NAME))
    assert (told.diverging_epoch.epoch, told.diverging_epoch.end_offset) == (1, 2)
    assert bytes(told.records) == b""

    request = fetch(2)
    request.topics[0].partitions[0].last_fetched_epoch = 1
    assert values(only(room.answer(request, BY_NAME)).records) == [b"c"]


def test_nobody_may_pretend_to_be_a_replica(room: Room) -> None:
    produce(room, b"a")
    request = fetch(replica_id=2)
    assert only(room.answer(request, BY_NAME)).error_code == errors.NOT_LEADER_OR_FOLLOWER
    request = fetch(replica_state=ReplicaState(2, 1))
    request.topics[0].topic_id = room.metadata.image.topics["orders"].topic_id
    assert only(room.answer(request, 15)).error_code == errors.NOT_LEADER_OR_FOLLOWER


def test_a_failed_directory_answers_storage_errors(room: Room) -> None:
    log = room.replica("orders").log
    room.broker.log_dir_failed(log, DiskFault("Flushing", log.path, 5))
    assert only(room.answer(fetch(), BY_NAME)).error_code == errors.KAFKA_STORAGE_ERROR


# What waits.


def park(room: Room, **more: Any) -> None:
    assert room.ask(fetch(**{"max_wait_ms": 500, **more}), BY_NAME) is PARKED


def test_an_empty_fetch_waits_and_wakes_when_data_is_visible(room: Room) -> None:
    park(room)
    assert room.answers() == []
    produce(room, b"a")
    [response] = room.answers()
    assert values(only(room.read(response, BY_NAME)).records) == [b"a"]
    assert len(room.waiting) == 0


def test_a_fetch_waits_for_its_minimum_of_bytes_over_all_partitions(room: Room) -> None:
    one = len(batch(b"x" * 100))
    park(room, partitions=(0, 1), min_bytes=2 * one)
    produce(room, b"x" * 100, partition=0)
    assert room.answers() == []
    produce(room, b"x" * 100, partition=1)
    [response] = room.answers()
    assert [len(values(part.records)) for part in room.read(response, BY_NAME).responses[0].partitions] == [1, 1]


def test_at_its_deadline_a_fetch_is_answered_with_what_there_is(room: Room) -> None:
    park(room, min_bytes=1 << 20)
    produce(room, b"little")
    room.pass_time(499)
    assert room.answers() == []
    room.pass_time(1)
    [response] = room.answers()
    assert values(only(room.read(response, BY_NAME)).records) == [b"little"]


def test_data_in_another_partition_wakes_nobody(room: Room) -> None:
    park(room)
    produce(room, b"a", partition=1)
    assert room.answers() == []


@pytest.mark.parametrize(
    ("happens", "code"),
    [
        (lambda room: room.change("orders", leader=2, leader_epoch=1), errors.NOT_LEADER_OR_FOLLOWER),
        (lambda room: room.delete("orders"), errors.UNKNOWN_TOPIC_OR_PARTITION),
    ],
)
def test_a_change_of_leader_or_a_deletion_wakes_the_fetch(room: Room, happens: Any, code: int) -> None:
    park(room)
    happens(room)
    room.end_tick()
    [response] = room.answers()
    assert only(room.read(response, BY_NAME)).error_code == code


def test_a_fetch_that_cannot_be_answered_better_by_waiting_does_not_wait(room: Room) -> None:
    produce(room, b"a")
    for request in (
        fetch(max_wait_ms=500),
        fetch(99, max_wait_ms=500),
        fetch(1, max_wait_ms=500, min_bytes=0),
        FetchRequest(max_wait_ms=500, min_bytes=1, session_epoch=-1),
    ):
        assert room.ask(request, BY_NAME) is not PARKED


def test_a_session_that_went_on_while_its_fetch_waited_is_told(room: Room) -> None:
    session = room.answer(fetch(session_epoch=0), BY_NAME).session_id
    assert room.ask(fetch(max_wait_ms=500, session_id=session, session_epoch=1), BY_NAME) is PARKED
    assert room.ask(fetch(max_wait_ms=500, session_id=session, session_epoch=2), BY_NAME) is PARKED
    produce(room, b"a")
    codes = [response.error_code for response in room.answers()]
    assert codes == [errors.INVALID_FETCH_SESSION_EPOCH, errors.NONE]
