"""DeleteRecords: where a log begins, what it refuses, and that a crash does not bring the records back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.broker_room import Room, batch

from logctl.wire import errors
from logctl.wire.messages.delete_records import DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic
from logctl.wire.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from logctl.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """Five records in two batches."""
    room = Room(tmp_path)
    room.create("orders", partitions=2)
    for records in (batch(b"0", b"1", b"2"), batch(b"3", b"4")):
        data = [TopicProduceData("orders", partition_data=[PartitionProduceData(0, records)])]
        room.answer(ProduceRequest(acks=-1, topic_data=data), 9)
    return room


def cut(room: Room, offset: int, topic: str = "orders", partition: int = 0, version: int = 2) -> tuple[int, int]:
    """(error, low watermark)"""
    asked = DeleteRecordsTopic(topic, [DeleteRecordsPartition(partition, offset)])
    [found] = room.answer(DeleteRecordsRequest(topics=[asked], timeout_ms=1000), version).topics[0].partitions
    return found.error_code, found.low_watermark


def earliest(room: Room) -> int:
    asked = ListOffsetsTopic("orders", [ListOffsetsPartition(0, timestamp=-2)])
    answer: Any = room.answer(ListOffsetsRequest(topics=[asked]), 7)
    return int(answer.topics[0].partitions[0].offset)


@pytest.mark.parametrize("version", range(3))
def test_a_log_begins_where_it_was_told_to(room: Room, version: int) -> None:
    assert cut(room, 1, version=version) == (errors.NONE, 1)
    assert earliest(room) == 1, "also in the middle of a batch"
    assert cut(room, 0, version=version) == (errors.NONE, 1), "it never moves back"
    assert cut(room, -1, version=version) == (errors.NONE, 5), "everything below the high watermark"
    assert cut(room, 5, version=version) == (errors.NONE, 5)


def test_what_is_not_there_cannot_be_deleted(room: Room) -> None:
    assert cut(room, 6) == (errors.OFFSET_OUT_OF_RANGE, -1)
    assert cut(room, -2) == (errors.OFFSET_OUT_OF_RANGE, -1)
    assert cut(room, 0, partition=2) == (errors.UNKNOWN_TOPIC_OR_PARTITION, -1)
    assert cut(room, 0, topic="gone") == (errors.UNKNOWN_TOPIC_OR_PARTITION, -1)
    assert earliest(room) == 0


def test_unflushed_records_are_above_the_high_watermark(room: Room) -> None:
    data = [TopicProduceData("orders", partition_data=[PartitionProduceData(0, batch(b"5"))])]
    room.ask(ProduceRequest(acks=1, topic_data=data), 9)
    room.end_tick()
    assert cut(room, 6) == (errors.OFFSET_OUT_OF_RANGE, -1)


def test_a_compacted_topic_keeps_its_records_unless_it_also_deletes(room: Room) -> None:
    room.create("facts", cleanup_policy="compact")
    room.create("both", cleanup_policy="compact,delete")
    room.create("__consumer_offsets", cleanup_policy="compact")
    assert cut(room, 0, topic="facts") == (errors.POLICY_VIOLATION, -1)
    assert cut(room, 0, topic="both") == (errors.NONE, 0)
    assert cut(room, 0, topic="__consumer_offsets") == (errors.INVALID_TOPIC_EXCEPTION, -1)


def test_a_follower_does_not_decide(room: Room) -> None:
    room.change("orders", leader=2, leader_epoch=1)
    assert cut(room, 1) == (errors.NOT_LEADER_OR_FOLLOWER, -1)


def test_the_beginning_is_written_down_before_the_answer(room: Room, tmp_path: Path) -> None:
    assert cut(room, 4) == (errors.NONE, 4)
    assert (tmp_path / "log-start-offset-checkpoint").read_text() == "0\n1\norders 0 4\n"
