"""CreatePartitions: the new partitions are open when the answer comes, whatever the version."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.broker_room import NODE, Room, batch

from logctl.wire import errors
from logctl.wire.messages.create_partitions import (
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from logctl.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData

HERE = CreatePartitionsAssignment([NODE])


def grow(
    room: Room, version: int, *topics: CreatePartitionsTopic, validate_only: bool = False
) -> list[tuple[str, int]]:
    response = room.decided(CreatePartitionsRequest(topics=list(topics), validate_only=validate_only), version)
    assert all(bool(result.error_code) == bool(result.error_message) for result in response.results)
    return [(result.name, result.error_code) for result in response.results]


@pytest.mark.parametrize("version", range(4))
def test_a_new_partition_takes_records_at_once(tmp_path: Path, version: int) -> None:
    room = Room(tmp_path)
    room.create("orders")
    assert grow(room, version, CreatePartitionsTopic("orders", 3, [HERE, HERE])) == [("orders", errors.NONE)]
    assert [room.replica("orders", number).is_leader for number in range(3)] == [True] * 3
    data = [TopicProduceData("orders", partition_data=[PartitionProduceData(2, batch(b"first"))])]
    answer = room.answer(ProduceRequest(acks=-1, topic_data=data), 9)
    assert answer.responses[0].partition_responses[0].error_code == errors.NONE
    assert ("topic", "orders got 2 more partitions here") in room.diary


def test_validating_changes_nothing(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.create("orders")
    wanted = CreatePartitionsTopic("orders", 2, [HERE])
    assert grow(room, 3, wanted, validate_only=True) == [("orders", errors.NONE)]
    assert room.replicas.get("orders", 1) is None


def test_each_topic_is_answered_for_itself(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.create("orders")
    asked = [CreatePartitionsTopic("orders", 2), CreatePartitionsTopic("orders", 1), CreatePartitionsTopic("gone", 2)]
    assert grow(room, 2, *asked) == [
        ("orders", errors.INVALID_REQUEST),
        ("gone", errors.UNKNOWN_TOPIC_OR_PARTITION),
    ]
