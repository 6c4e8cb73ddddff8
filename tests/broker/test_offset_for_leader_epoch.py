"""OffsetForLeaderEpoch: where the records of each epoch end, and what is said of epochs nobody has seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.broker_room import Room, batch

from logctl.wire import errors
from logctl.wire.messages.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from logctl.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """Epoch 1 wrote offsets 0 and 1, epoch 4 offset 2; epoch 6 leads and has written nothing."""
    room = Room(tmp_path)
    room.create("orders")
    for epoch, values in ((1, (b"a", b"b")), (4, (b"c",)), (6, ())):
        room.change("orders", leader_epoch=epoch)
        if values:
            data = [TopicProduceData("orders", partition_data=[PartitionProduceData(0, batch(*values))])]
            room.answer(ProduceRequest(acks=-1, topic_data=data), 12)
    return room


def ask(room: Room, epoch: int, version: int = 4, current: int = -1, topic: str = "orders") -> Any:
    asked = OffsetForLeaderPartition(0, current, epoch)
    request = OffsetForLeaderEpochRequest(topics=[OffsetForLeaderTopic(topic, [asked])])
    return room.answer(request, version).topics[0].partitions[0]


@pytest.mark.parametrize("version", [2, 3, 4])
@pytest.mark.parametrize(("epoch", "answer"), [(1, (1, 2)), (2, (1, 2)), (3, (1, 2)), (4, (4, 3))])
def test_an_epoch_ends_where_the_next_begins(room: Room, version: int, epoch: int, answer: tuple[int, int]) -> None:
    found = ask(room, epoch, version)
    assert (found.error_code, found.leader_epoch, found.end_offset) == (errors.NONE, *answer)


def test_an_epoch_that_is_still_to_come_is_unknown(room: Room) -> None:
    found = ask(room, 9)
    assert (found.error_code, found.leader_epoch, found.end_offset) == (errors.NONE, -1, -1)


def test_refusals(room: Room) -> None:
    assert ask(room, 1, topic="nowhere").error_code == errors.UNKNOWN_TOPIC_OR_PARTITION
    assert ask(room, 1, current=5).error_code == errors.FENCED_LEADER_EPOCH
    assert ask(room, 1, current=7).error_code == errors.UNKNOWN_LEADER_EPOCH
    room.change("orders", leader=2)
    assert ask(room, 1).error_code == errors.NOT_LEADER_OR_FOLLOWER
