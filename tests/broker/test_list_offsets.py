"""ListOffsets: offsets by time and by the questions below 0, each from its version on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.broker_room import NOW_MS, Room

from logctl.engine.log.disk import DiskFault
from logctl.wire import errors
from logctl.wire.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from logctl.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from logctl.wire.records import NewRecord, build_batch

LATEST, EARLIEST, MAX_TIMESTAMP, EARLIEST_LOCAL, LATEST_TIERED, EARLIEST_PENDING = -1, -2, -3, -4, -5, -6


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """Offsets 0 to 3, written at +0, +100, +300 and +200 ms; the last one in epoch 2."""
    room = Room(tmp_path)
    room.create("orders", partitions=2)
    produce(room, 0, 100)
    produce(room, 300)
    room.change("orders", leader_epoch=2)
    produce(room, 200)
    return room


def produce(room: Room, *after_ms: int, flush: bool = True) -> None:
    records = build_batch([NewRecord(None, b"v", (), NOW_MS + ms) for ms in after_ms])
    data = [TopicProduceData("orders", partition_data=[PartitionProduceData(0, records)])]
    request = ProduceRequest(acks=-1, topic_data=data)
    if flush:
        room.answer(request, 12)
    else:
        room.ask(request, 12)
        room.end_tick()


def ask(
    room: Room, timestamp: int, version: int = 11, *, partition: int = 0, topic: str = "orders", **more: Any
) -> Any:
    epoch = more.pop("current_leader_epoch", -1)
    asked = ListOffsetsPartition(partition, current_leader_epoch=epoch, timestamp=timestamp)
    request = ListOffsetsRequest(topics=[ListOffsetsTopic(topic, [asked])], **more)
    return room.answer(request, version).topics[0].partitions[0]


@pytest.mark.parametrize("version", range(1, 12))
def test_the_beginning_and_the_end_in_every_version(room: Room, version: int) -> None:
    latest, earliest = ask(room, LATEST, version), ask(room, EARLIEST, version)
    assert (latest.error_code, latest.offset, latest.timestamp) == (errors.NONE, 4, -1)
    assert (earliest.error_code, earliest.offset, earliest.timestamp) == (errors.NONE, 0, -1)
    assert (latest.leader_epoch, earliest.leader_epoch) == ((2, 0) if version >= 4 else (-1, -1))


@pytest.mark.parametrize(
    ("after_ms", "offset", "found_ms"), [(0, 0, 0), (1, 1, 100), (100, 1, 100), (101, 2, 300), (300, 2, 300)]
)
def test_a_time_finds_the_first_record_not_older(room: Room, after_ms: int, offset: int, found_ms: int) -> None:
    found = ask(room, NOW_MS + after_ms)
    assert (found.error_code, found.offset, found.timestamp) == (errors.NONE, offset, NOW_MS + found_ms)


def test_a_time_after_everything_finds_nothing_without_an_error(room: Room) -> None:
    found = ask(room, NOW_MS + 301)
    assert (found.error_code, found.offset, found.timestamp, found.leader_epoch) == (errors.NONE, -1, -1, -1)


def test_the_greatest_timestamp(room: Room) -> None:
    found = ask(room, MAX_TIMESTAMP)
    assert (found.offset, found.timestamp) == (2, NOW_MS + 300)


def test_a_log_without_tiers_has_all_its_records_here(room: Room) -> None:
    assert ask(room, EARLIEST_LOCAL).offset == 0
    for question in (LATEST_TIERED, EARLIEST_PENDING):
        found = ask(room, question)
        assert (found.error_code, found.offset, found.timestamp) == (errors.NONE, -1, -1)


@pytest.mark.parametrize(
    ("question", "first"),
    [(MAX_TIMESTAMP, 7), (EARLIEST_LOCAL, 8), (LATEST_TIERED, 9), (EARLIEST_PENDING, 11), (-7, 99)],
)
def test_a_question_is_unsupported_before_its_version(room: Room, question: int, first: int) -> None:
    for version in range(1, 12):
        expected = errors.NONE if version >= first else errors.UNSUPPORTED_VERSION
        assert ask(room, question, version).error_code == expected


def test_what_is_not_visible_yet_is_not_found(room: Room) -> None:
    produce(room, 900, flush=False)
    assert ask_now(room, LATEST).offset == 4
    assert ask_now(room, NOW_MS + 900).offset == -1
    assert ask_now(room, MAX_TIMESTAMP).offset == -1
    room.flush()
    assert ask_now(room, MAX_TIMESTAMP).offset == 4
    assert ask_now(room, LATEST).offset == 5
    assert ask_now(room, NOW_MS + 900).offset == 4


def ask_now(room: Room, timestamp: int) -> Any:
    """Without the flush that `ask` ends with."""
    asked = ListOffsetsPartition(0, timestamp=timestamp)
    response = room.ask(ListOffsetsRequest(topics=[ListOffsetsTopic("orders", [asked])]), 11)
    return response.topics[0].partitions[0]


def test_refusals(room: Room) -> None:
    assert ask(room, LATEST, topic="nowhere").error_code == errors.UNKNOWN_TOPIC_OR_PARTITION
    assert ask(room, LATEST, partition=9).error_code == errors.UNKNOWN_TOPIC_OR_PARTITION
    assert ask(room, LATEST, current_leader_epoch=1).error_code == errors.FENCED_LEADER_EPOCH
    assert ask(room, LATEST, current_leader_epoch=3).error_code == errors.UNKNOWN_LEADER_EPOCH
    room.change("orders", partition=1, leader=2)
    assert ask(room, LATEST, partition=1).error_code == errors.NOT_LEADER_OR_FOLLOWER
    log = room.replica("orders").log
    room.broker.log_dir_failed(log, DiskFault("Flushing", log.path, 5))
    assert ask(room, LATEST).error_code == errors.KAFKA_STORAGE_ERROR


def test_a_partition_asked_for_twice_is_refused_twice(room: Room) -> None:
    asked = [ListOffsetsPartition(index, timestamp=LATEST) for index in (0, 1, 0)]
    response = room.answer(ListOffsetsRequest(topics=[ListOffsetsTopic("orders", asked)]), 11)
    codes = [one.error_code for one in response.topics[0].partitions]
    assert codes == [errors.INVALID_REQUEST, errors.NONE, errors.INVALID_REQUEST]
