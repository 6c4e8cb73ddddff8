"""Incremental fetch sessions (KIP-227), told as dialogues between a client and the broker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.broker_room import Room, batch

from logctl.engine.broker.fetch_sessions import EVICTABLE_AFTER_MS
from logctl.wire import errors
from logctl.wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic, ForgottenTopic
from logctl.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData

VERSION = 12


@pytest.fixture
def room(tmp_path: Path) -> Room:
    room = Room(tmp_path)
    room.create("orders", partitions=4)
    return room


def fetch(
    *partitions: int, session: int = 0, epoch: int = 0, offset: int = 0, forget: tuple[int, ...] = ()
) -> FetchRequest:
    """A fetch that does not wait."""
    asked = [FetchPartition(index, fetch_offset=offset, partition_max_bytes=1 << 20) for index in partitions]
    return FetchRequest(
        max_wait_ms=0,
        session_id=session,
        session_epoch=epoch,
        topics=[FetchTopic("orders", partitions=asked)] if asked else [],
        forgotten_topics_data=[ForgottenTopic("orders", partitions=list(forget))] if forget else [],
    )


def told(response: Any) -> list[int]:
    """The partitions that an answer speaks of."""
    return [one.partition_index for topic in response.responses for one in topic.partitions]


def produce(room: Room, partition: int) -> None:
    data = [TopicProduceData("orders", partition_data=[PartitionProduceData(partition, batch(b"news"))])]
    room.answer(ProduceRequest(acks=-1, topic_data=data), VERSION)


def test_a_session_tells_everything_once_and_then_only_news(room: Room) -> None:
    first = room.answer(fetch(0, 1, 2), VERSION)
    session = first.session_id
    assert session > 0
    assert told(first) == [0, 1, 2]

    assert told(room.answer(fetch(session=session, epoch=1), VERSION)) == []
    produce(room, 1)
    assert told(room.answer(fetch(session=session, epoch=2), VERSION)) == [1]
    assert told(room.answer(fetch(1, session=session, epoch=3, offset=1), VERSION)) == []


def test_partitions_are_added_and_forgotten(room: Room) -> None:
    session = room.answer(fetch(0, 1), VERSION).session_id
    for partition in (0, 1, 2):
        produce(room, partition)
    assert told(room.answer(fetch(2, session=session, epoch=1, forget=(1,)), VERSION)) == [0, 2]


def test_partitions_with_data_go_to_the_end_of_the_line(room: Room) -> None:
    session = room.answer(fetch(0, 1, 2), VERSION).session_id
    produce(room, 0)
    assert told(room.answer(fetch(session=session, epoch=1), VERSION)) == [0]
    for partition in (1, 2):
        produce(room, partition)
    assert told(room.answer(fetch(session=session, epoch=2), VERSION)) == [1, 2, 0]


def test_an_error_is_told_every_time_and_its_end_is_news(room: Room) -> None:
    session = room.answer(fetch(0), VERSION).session_id
    room.change("orders", leader=2)
    assert told(room.answer(fetch(session=session, epoch=1), VERSION)) == [0]
    assert told(room.answer(fetch(session=session, epoch=2), VERSION)) == [0]
    room.change("orders", leader=1)
    assert told(room.answer(fetch(session=session, epoch=3), VERSION)) == [0]
    assert told(room.answer(fetch(session=session, epoch=4), VERSION)) == []


def test_no_session_is_begun_when_the_client_wants_none(room: Room) -> None:
    response = room.answer(fetch(0, epoch=-1), VERSION)
    assert response.session_id == 0
    assert told(response) == [0]
    assert len(room.broker.sessions) == 0


def test_a_closed_session_is_gone(room: Room) -> None:
    session = room.answer(fetch(0), VERSION).session_id
    room.answer(fetch(0, session=session, epoch=-1), VERSION)
    response = room.answer(fetch(session=session, epoch=1), VERSION)
    assert response.error_code == errors.FETCH_SESSION_ID_NOT_FOUND


def test_a_session_begun_anew_ends_the_old_one(room: Room) -> None:
    old = room.answer(fetch(0), VERSION).session_id
    new = room.answer(fetch(0, session=old), VERSION).session_id
    assert new not in (0, old)
    assert len(room.broker.sessions) == 1


@pytest.mark.parametrize("epoch", [2, 7])
def test_an_epoch_out_of_turn_is_refused_and_the_session_lives_on(room: Room, epoch: int) -> None:
    session = room.answer(fetch(0), VERSION).session_id
    response = room.answer(fetch(session=session, epoch=epoch), VERSION)
    assert (response.error_code, response.session_id) == (errors.INVALID_FETCH_SESSION_EPOCH, 0)
    assert room.answer(fetch(session=session, epoch=1), VERSION).error_code == errors.NONE


def test_epochs_start_again_at_1_after_the_largest(room: Room) -> None:
    session = room.answer(fetch(0), VERSION).session_id
    room.broker.sessions._sessions[session].epoch = (1 << 31) - 1
    assert room.answer(fetch(session=session, epoch=(1 << 31) - 1), VERSION).error_code == errors.NONE
    assert room.answer(fetch(session=session, epoch=1), VERSION).error_code == errors.NONE


def test_a_session_that_lost_its_last_partition_ends(room: Room) -> None:
    session = room.answer(fetch(0), VERSION).session_id
    response = room.answer(fetch(session=session, epoch=1, forget=(0,)), VERSION)
    assert (response.error_code, response.session_id) == (errors.NONE, 0)
    assert len(room.broker.sessions) == 0


def test_a_session_speaks_of_names_or_of_ids_not_of_both(room: Room) -> None:
    session = room.answer(fetch(0), VERSION).session_id
    response = room.answer(fetch(session=session, epoch=1), 13)
    assert response.error_code == errors.FETCH_SESSION_TOPIC_ID_ERROR


def test_a_full_house_answers_without_a_session_until_somebody_is_old(tmp_path: Path) -> None:
    room = Room(tmp_path, session_slots=2)
    room.create("orders", partitions=4)
    first, second = (room.answer(fetch(0), VERSION).session_id for _ in range(2))
    assert room.answer(fetch(0, 1, 2), VERSION).session_id == 0

    room.now_ms += EVICTABLE_AFTER_MS
    room.answer(fetch(session=second, epoch=1), VERSION)
    room.now_ms += 1
    assert room.answer(fetch(0), VERSION).session_id > 0
    assert room.answer(fetch(session=first, epoch=1), VERSION).error_code == errors.FETCH_SESSION_ID_NOT_FOUND


def test_a_large_session_takes_the_place_of_a_smaller_one_that_has_had_its_time(tmp_path: Path) -> None:
    room = Room(tmp_path, session_slots=2)
    room.create("orders", partitions=4)
    small, middle = room.answer(fetch(0), VERSION).session_id, room.answer(fetch(0, 1), VERSION).session_id
    for minute in range(3):
        room.now_ms += EVICTABLE_AFTER_MS // 2
        for session in (small, middle):
            assert room.answer(fetch(session=session, epoch=minute + 1), VERSION).error_code == errors.NONE
    assert room.answer(fetch(3), VERSION).session_id == 0, "it is no larger than the smallest"
    assert room.answer(fetch(1, 2, 3), VERSION).session_id > 0
    assert room.answer(fetch(session=small, epoch=4), VERSION).error_code == errors.FETCH_SESSION_ID_NOT_FOUND
    assert room.answer(fetch(session=middle, epoch=4), VERSION).error_code == errors.NONE
