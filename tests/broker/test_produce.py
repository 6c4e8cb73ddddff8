"""Produce, handed to the broker as a client's bytes: what is appended, what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.broker_room import NODE, NOW_MS, Room, batch

from logctl.engine.broker.appends import AfterAppend
from logctl.engine.log.disk import DiskFault
from logctl.wire import errors
from logctl.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from logctl.wire.records import NewRecord, build_batch

BY_NAME = 12
BY_ID = 13


@pytest.fixture
def room(tmp_path: Path) -> Room:
    room = Room(tmp_path)
    room.create("orders", partitions=2)
    return room


def produce(*partitions: tuple[int, Any], topic: str = "orders", acks: int = -1, **more: Any) -> ProduceRequest:
    data = [PartitionProduceData(index, records) for index, records in partitions]
    return ProduceRequest(acks=acks, timeout_ms=1000, topic_data=[TopicProduceData(topic, partition_data=data)], **more)


def outcome(response: Any, index: int = 0) -> Any:
    return response.responses[0].partition_responses[index]


@pytest.mark.parametrize("version", range(3, 14))
def test_every_version_appends_and_tells_where(room: Room, version: int) -> None:
    room.answer(produce((0, batch(b"first"))), BY_NAME)
    request = produce((0, batch(b"a", b"b")))
    if version >= BY_ID:
        request.topic_data[0].topic_id = room.metadata.image.topics["orders"].topic_id
    response = room.answer(request, version)
    told = outcome(response)
    assert (told.error_code, told.base_offset, told.log_append_time_ms) == (errors.NONE, 1, -1)
    assert told.log_start_offset == (0 if version >= 5 else -1)
    assert response.responses[0].name == ("orders" if version < BY_ID else "")
    assert room.replica("orders").high_watermark == 3


def test_several_partitions_are_judged_one_by_one(room: Room) -> None:
    response = room.answer(produce((0, batch(b"a")), (7, batch(b"b")), (1, batch(b"c"))), BY_NAME)
    codes = [one.error_code for one in response.responses[0].partition_responses]
    assert codes == [errors.NONE, errors.UNKNOWN_TOPIC_OR_PARTITION, errors.NONE]


def test_a_topic_with_the_brokers_time_tells_it(room: Room) -> None:
    room.create("stamped", message_timestamp_type="LogAppendTime")
    told = outcome(room.answer(produce((0, batch(b"a")), topic="stamped"), BY_NAME))
    assert told.log_append_time_ms == NOW_MS


@pytest.mark.parametrize(
    ("acks", "durable", "waits"), [(-1, True, True), (1, True, False), (-1, False, False), (1, False, False)]
)
def test_only_acks_all_waits_for_the_disk_and_only_by_the_default_policy(
    tmp_path: Path, acks: int, durable: bool, waits: bool
) -> None:
    room = Room(tmp_path, flush_every_batch=durable)
    room.create("orders")
    answer = room.ask(produce((0, batch(b"a")), acks=acks), BY_NAME)
    assert isinstance(answer, AfterAppend)
    assert answer.waits is waits
    room.end_tick()
    replica = room.replica("orders")
    assert bool(room.appends.dirty) is durable
    assert replica.high_watermark == (0 if durable else 1)


def test_flush_messages_1_makes_the_os_policy_wait_too(tmp_path: Path) -> None:
    room = Room(tmp_path, flush_every_batch=False)
    room.create("orders", flush_messages="1")
    answer = room.ask(produce((0, batch(b"a"))), BY_NAME)
    assert answer.waits


def test_flush_messages_and_flush_ms_ask_for_a_flush_without_waiting(tmp_path: Path) -> None:
    room = Room(tmp_path, flush_every_batch=False)
    room.create("counted", flush_messages="3")
    room.create("timed", flush_ms="1000")

    room.answer(produce((0, batch(b"a", b"b")), topic="counted"), BY_NAME)
    assert room.replica("counted").log.flushed_end == 0
    room.answer(produce((0, batch(b"c")), topic="counted"), BY_NAME)
    assert room.replica("counted").log.flushed_end == 3

    room.answer(produce((0, batch(b"a")), topic="timed"), BY_NAME)
    assert room.appends.next_deadline_ms() == NOW_MS + 1000
    room.pass_time(999)
    assert not room.appends.dirty
    room.pass_time(1)
    assert room.appends.dirty == {room.replica("timed").log}


def test_a_batch_sent_twice_is_written_once_and_its_answer_waits_like_the_first(room: Room) -> None:
    def numbered() -> bytearray:
        return batch(b"a", b"b", producer_id=5, producer_epoch=0, base_sequence=0)

    first = room.ask(produce((0, numbered())), BY_NAME)
    room.end_tick()
    again = room.ask(produce((0, numbered())), BY_NAME)
    assert outcome(again.response).base_offset == outcome(first.response).base_offset == 0
    assert again.waits, "the original is not on disk yet"
    room.end_tick()
    room.flush()
    assert room.replica("orders").log.end_offset == 2
    assert not room.ask(produce((0, numbered())), BY_NAME).waits


def test_a_gap_in_the_sequence_is_refused(room: Room) -> None:
    room.answer(produce((0, batch(b"a", producer_id=5, producer_epoch=0, base_sequence=0))), BY_NAME)
    told = outcome(room.answer(produce((0, batch(b"b", producer_id=5, producer_epoch=0, base_sequence=4))), BY_NAME))
    assert told.error_code == errors.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert told.base_offset == -1


@pytest.mark.parametrize("acks", [-2, 2, 17])
def test_acks_must_be_one_of_three(room: Room, acks: int) -> None:
    response = room.answer(produce((0, batch(b"a")), (1, batch(b"b")), acks=acks), BY_NAME)
    assert {one.error_code for one in response.responses[0].partition_responses} == {errors.INVALID_REQUIRED_ACKS}
    assert room.replica("orders").log.end_offset == 0


def test_unknown_topics_by_name_and_by_id(room: Room) -> None:
    told = outcome(room.answer(produce((0, batch(b"a")), topic="nowhere"), BY_NAME))
    assert told.error_code == errors.UNKNOWN_TOPIC_OR_PARTITION
    request = produce((0, batch(b"a")))
    request.topic_data[0].topic_id = b"?" * 16
    response = room.answer(request, BY_ID)
    assert outcome(response).error_code == errors.UNKNOWN_TOPIC_ID
    assert response.responses[0].topic_id == b"?" * 16


@pytest.mark.parametrize("version", [9, 10, 12])
def test_a_partition_led_elsewhere_names_its_leader_from_version_10_on(room: Room, version: int) -> None:
    room.change("orders", leader=2, leader_epoch=3)
    response = room.answer(produce((0, batch(b"a"))), version)
    told = outcome(response)
    assert told.error_code == errors.NOT_LEADER_OR_FOLLOWER
    if version >= 10:
        assert (told.current_leader.leader_id, told.current_leader.leader_epoch) == (2, 3)
        assert [(node.node_id, node.port) for node in response.node_endpoints] == [(2, 9093)]
    else:
        assert response.node_endpoints == []


def test_too_few_replicas_in_sync_refuse_acks_all_only(room: Room) -> None:
    room.create("safe", min_insync_replicas="2")
    room.change("safe", replicas=(NODE, 2), isr=(NODE,))
    told = outcome(room.answer(produce((0, batch(b"a")), topic="safe"), BY_NAME))
    assert told.error_code == errors.NOT_ENOUGH_REPLICAS
    told = outcome(room.answer(produce((0, batch(b"a")), topic="safe", acks=1), BY_NAME))
    assert told.error_code == errors.NONE


def test_a_minimum_above_the_number_of_replicas_is_capped(room: Room) -> None:
    room.create("lonely", min_insync_replicas="3")
    told = outcome(room.answer(produce((0, batch(b"a")), topic="lonely"), BY_NAME))
    assert told.error_code == errors.NONE


def test_a_batch_larger_than_the_topic_takes(room: Room) -> None:
    room.create("small", max_message_bytes="200")
    told = outcome(room.answer(produce((0, batch(b"x" * 300)), topic="small"), BY_NAME))
    assert told.error_code == errors.MESSAGE_TOO_LARGE
    assert "max.message.bytes" in told.error_message


def corrupted() -> bytearray:
    spoilt = batch(b"payload")
    spoilt[-1] ^= 1
    return spoilt


@pytest.mark.parametrize(
    ("records", "code"),
    [
        (None, errors.INVALID_RECORD),
        (b"", errors.INVALID_RECORD),
        (batch(b"a") + batch(b"b"), errors.INVALID_RECORD),
        (batch(b"a")[:-3], errors.INVALID_RECORD),
        (corrupted(), errors.CORRUPT_MESSAGE),
        (batch(b"a", transactional=True, producer_id=1, producer_epoch=0, base_sequence=0), errors.INVALID_TXN_STATE),
    ],
)
def test_records_that_are_not_one_sound_batch(room: Room, records: Any, code: int) -> None:
    told = outcome(room.answer(produce((0, records)), BY_NAME))
    assert told.error_code == code
    assert told.base_offset == -1
    assert told.error_message
    assert room.replica("orders").log.end_offset == 0


def test_a_keyless_record_in_a_compacted_topic_is_named(room: Room) -> None:
    room.create("table", cleanup_policy="compact")
    records = build_batch([NewRecord(b"k", b"1", (), NOW_MS), NewRecord(None, b"2", (), NOW_MS)])
    told = outcome(room.answer(produce((0, records), topic="table"), BY_NAME))
    assert told.error_code == errors.INVALID_RECORD
    assert [one.batch_index for one in told.record_errors] == [1]


@pytest.mark.parametrize(("version", "code"), [(6, errors.UNSUPPORTED_COMPRESSION_TYPE), (7, errors.NONE)])
def test_zstd_is_understood_from_version_7_on(room: Room, version: int, code: int) -> None:
    told = outcome(room.answer(produce((0, batch(b"a" * 100, compression="zstd"))), version))
    assert told.error_code == code


def test_internal_topics_are_for_the_node_and_for_apaches_admin_client(room: Room) -> None:
    room.create("__consumer_offsets")
    request = produce((0, batch(b"a")), topic="__consumer_offsets")
    assert outcome(room.answer(request, BY_NAME)).error_code == errors.INVALID_TOPIC_EXCEPTION
    request = produce((0, batch(b"a")), topic="__consumer_offsets")
    assert outcome(room.answer(request, BY_NAME, client_id="__admin_client")).error_code == errors.NONE


def test_acks_0_is_never_answered_and_an_error_hangs_up(room: Room) -> None:
    answer = room.ask(produce((0, batch(b"a")), acks=0), BY_NAME)
    assert answer.response is None
    room.end_tick()
    assert room.replica("orders").log.written_end == 1

    assert room.ask(produce((9, batch(b"a")), acks=0), BY_NAME) is None
    assert "acks=0" in room.diary[-1][1]


def test_a_full_disk_turns_the_answer_into_a_storage_error_and_the_next_one_is_fine(room: Room) -> None:
    replica = room.replica("orders")
    room.answer(produce((0, batch(b"kept"))), BY_NAME)
    answer = room.ask(produce((0, batch(b"lost")), (1, batch(b"kept too"))), BY_NAME)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(replica.log), "write", refuse_to_write(replica.log))
        [(loser, fault)] = room.end_tick()
    assert (loser, fault.is_full) == (replica, True)

    corrected = room.read(answer.without(lambda one: one is loser), BY_NAME)
    assert outcome(corrected, 0).error_code == errors.KAFKA_STORAGE_ERROR
    assert outcome(corrected, 0).base_offset == -1
    assert outcome(corrected, 1).error_code == errors.NONE

    told = outcome(room.answer(produce((0, batch(b"after"))), BY_NAME))
    assert (told.error_code, told.base_offset) == (errors.NONE, 1)


def refuse_to_write(victim: Any) -> Any:
    genuine = type(victim).write

    def write(log: Any) -> None:
        if log is victim:
            raise DiskFault("Writing to", log.path, 28)
        genuine(log)

    return write


def test_a_fenced_directory_answers_storage_errors(room: Room) -> None:
    replica = room.replica("orders")
    room.broker.log_dir_failed(replica.log, DiskFault("Flushing", replica.log.path, 5))
    told = outcome(room.answer(produce((0, batch(b"a"))), BY_NAME))
    assert told.error_code == errors.KAFKA_STORAGE_ERROR


def test_a_topic_deleted_in_the_same_tick_takes_its_appends_along(room: Room) -> None:
    room.ask(produce((0, batch(b"a"))), BY_NAME)
    room.delete("orders")
    assert room.end_tick() == []
    assert not room.appends.dirty
