"""The cached produce path answers byte for byte what the general handler answers, and nothing it should not."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from support.broker_room import NODE, NOW_MS, Room, batch

from logctl.engine.broker.exchange import answer_parts, read_request
from logctl.engine.broker.produce_path import ANSWERED, GENERAL, WAITS, ProducePath
from logctl.engine.broker.request import Peer
from logctl.engine.log.disk import DiskFault
from logctl.wire import errors
from logctl.wire.frames import request_frame
from logctl.wire.messages.produce import PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData

PEER = Peer(1, "127.0.0.1", 5000)
QUICK_VERSIONS = range(7, 14)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    room = Room(tmp_path)
    room.create("orders", partitions=2)
    return room


def frame(
    room: Room, version: int, records: Any, *, topic: str = "orders", number: int = 7, **options: Any
) -> memoryview:
    """A Produce request for one partition as it lies in the receive buffer, without its length."""
    client_id, partition = options.pop("client_id", "app"), options.pop("partition", 0)
    data = TopicProduceData(topic, partition_data=[PartitionProduceData(partition, records)])
    if version >= 13:
        data.topic_id = room.metadata.image.topics[topic].topic_id
    body = ProduceRequest(**{"acks": -1, "timeout_ms": 1000, **options}, topic_data=[data])
    return memoryview(bytearray(request_frame(0, version, number, client_id, body)[4:]))


def generally(room: Room, path: ProducePath, data: memoryview) -> bytes:
    """Through the general handler, from which the path learns; the answer's bytes."""
    request = read_request(data, PEER, NOW_MS)
    answer = room.broker.handle(request, NOW_MS)
    if answer.only is not None:
        path.learn(data, request, answer.only)
    room.end_tick()
    room.flush()
    return b"".join(answer_parts(request, answer.response)) if answer.response else b""


def quickly(room: Room, path: ProducePath, data: memoryview) -> tuple[int, bytes, Any]:
    """Through the path; what it said, the answer's bytes and who doubts it."""
    answers: list[Any] = []
    doubts: list[Any] = []
    padded = memoryview(bytearray(b"before") + data + b"after")
    handled = path.append(padded, 6, 6 + len(data), NOW_MS, answers, doubts)
    room.end_tick()
    room.flush()
    assert len(answers) == len(doubts) == (1 if handled else 0)
    return handled, (answers or [b""])[0], (doubts or [None])[0]


def read(answer: bytes, version: int) -> Any:
    """The answer of a quick request, decoded."""
    assert struct.unpack_from(">i", answer)[0] == len(answer) - 4
    response, _ = ProduceResponse.decode(memoryview(answer), version, 9 if version >= 9 else 8)
    return response.responses[0].partition_responses[0]


@pytest.mark.parametrize("version", QUICK_VERSIONS)
@pytest.mark.parametrize("client_id", [None, "", "app"])
@pytest.mark.parametrize("topic", ["orders", "t", "x" * 120])
def test_the_short_way_answers_the_same_bytes(room: Room, version: int, client_id: str | None, topic: str) -> None:
    if topic != "orders":
        room.create(topic)
    path = ProducePath()
    options = {"topic": topic, "client_id": client_id}
    generally(room, path, frame(room, version, batch(b"0"), **options))
    for size in (1, 100, 20_000):
        base = room.replica(topic).log.end_offset
        handled, quick, _ = quickly(room, path, frame(room, version, batch(b"v" * size), number=9, **options))
        assert handled == WAITS
        general = generally(room, path, frame(room, version, batch(b"v" * size), number=9, **options))
        assert quick == general.replace(struct.pack(">q", base + 1), struct.pack(">q", base))
        assert room.replica(topic).log.end_offset == base + 2


@pytest.mark.parametrize("version", QUICK_VERSIONS)
@pytest.mark.parametrize(("acks", "handled"), [(-1, WAITS), (1, ANSWERED), (0, ANSWERED)])
def test_acks_decide_whether_and_when_it_is_answered(room: Room, version: int, acks: int, handled: int) -> None:
    path = ProducePath()
    generally(room, path, frame(room, version, batch(b"0"), acks=acks))
    said, answer, doubt = quickly(room, path, frame(room, version, batch(b"1"), acks=acks))
    assert said == handled
    assert bool(answer) == (acks != 0)
    assert doubt.replica is room.replica("orders")


def test_a_connection_may_use_many_topics_partitions_and_acks_in_turn(room: Room) -> None:
    for topic in ("a", "bb", "ccc"):
        room.create(topic, partitions=3)
    path = ProducePath()
    kinds = [(topic, partition, acks) for topic in ("a", "bb", "ccc") for partition in range(3) for acks in (-1, 1)]
    for turn in range(2):
        for topic, partition, acks in kinds:
            data = frame(room, 9, batch(b"v"), topic=topic, partition=partition, acks=acks)
            if turn == 0:
                generally(room, path, data)
            else:
                assert quickly(room, path, data)[0]
                assert room.replica(topic, partition).log.end_offset in (3, 4)


def test_another_version_is_learnt_anew(room: Room) -> None:
    path = ProducePath()
    generally(room, path, frame(room, 9, batch(b"0")))
    assert quickly(room, path, frame(room, 10, batch(b"1")))[0] == GENERAL
    generally(room, path, frame(room, 10, batch(b"1")))
    assert quickly(room, path, frame(room, 10, batch(b"2")))[0] == WAITS


def test_an_idempotent_producer_is_checked_on_the_short_way_too(room: Room) -> None:
    path = ProducePath()

    def numbered(sequence: int) -> memoryview:
        return frame(room, 9, batch(b"v", producer_id=4, producer_epoch=0, base_sequence=sequence))

    generally(room, path, numbered(0))
    assert quickly(room, path, numbered(1))[0] == WAITS
    assert quickly(room, path, numbered(1))[0] == GENERAL, "the duplicate is for the general handler to answer"
    assert quickly(room, path, numbered(5))[0] == GENERAL, "and so is the gap"
    assert room.replica("orders").log.end_offset == 2


def spoil(data: memoryview) -> memoryview:
    data[-10] ^= 1
    return data


def tagged(data: memoryview) -> memoryview:
    """The request with one unknown tagged field at its end: number 9, one byte."""
    return memoryview(bytearray(data[:-1]) + b"\1\x09\1x")


@pytest.mark.parametrize(
    "odd",
    [
        lambda room: spoil(frame(room, 9, batch(b"v" * 50))),
        lambda room: tagged(frame(room, 9, batch(b"v"))),
        lambda room: frame(room, 9, batch(b"v"), partition=1),
        lambda room: frame(room, 9, batch(b"v"), timeout_ms=1001),
        lambda room: frame(room, 9, batch(b"v"), transactional_id="tx"),
        lambda room: frame(room, 9, batch(b"v"), client_id="other"),
        lambda room: frame(room, 9, batch(b"v", transactional=True, producer_id=1, producer_epoch=0, base_sequence=0)),
        lambda room: frame(room, 9, batch(b"a") + batch(b"b")),
        lambda room: frame(room, 9, None),
        lambda room: frame(room, 9, b""),
        lambda room: frame(room, 9, batch(b"v"))[:-1],
        lambda room: frame(room, 9, batch(b"v"))[:20],
        lambda room: frame(room, 9, batch(b"v"))[:8],
    ],
)
def test_anything_unusual_is_left_to_the_general_handler(room: Room, odd: Any) -> None:
    path = ProducePath()
    generally(room, path, frame(room, 9, batch(b"0")))
    assert quickly(room, path, odd(room))[0] == GENERAL
    assert room.replica("orders").log.end_offset == 1
    assert quickly(room, path, frame(room, 9, batch(b"1")))[0] == WAITS


@pytest.mark.parametrize(
    "happens",
    [
        lambda room: room.delete("orders"),
        lambda room: room.change("orders", leader=2, leader_epoch=1),
        lambda room: room.change("orders", replicas=(NODE, 2, 3), isr=()),
        lambda room: room.broker.log_dir_failed(room.replica("orders").log, DiskFault("Flushing", "x", 5)),
    ],
)
def test_what_happens_to_a_partition_closes_the_short_way_to_it(room: Room, happens: Any) -> None:
    path = ProducePath()
    generally(room, path, frame(room, 9, batch(b"0")))
    happens(room)
    assert quickly(room, path, frame(room, 9, batch(b"1")))[0] == GENERAL


def test_a_topic_deleted_and_created_again_is_learnt_anew(room: Room) -> None:
    path = ProducePath()
    generally(room, path, frame(room, 9, batch(b"0")))
    room.delete("orders")
    room.create("orders")
    assert quickly(room, path, frame(room, 9, batch(b"1")))[0] == GENERAL
    generally(room, path, frame(room, 9, batch(b"1")))
    assert quickly(room, path, frame(room, 9, batch(b"2")))[0] == WAITS
    assert room.replica("orders").log.end_offset == 2


def test_what_was_refused_is_not_learnt(room: Room) -> None:
    room.create("__consumer_offsets")
    path = ProducePath()
    for topic in ("__consumer_offsets", "nowhere"):
        generally(room, path, frame(room, 9, batch(b"0"), topic=topic))
        assert quickly(room, path, frame(room, 9, batch(b"0"), topic=topic))[0] == GENERAL


@pytest.mark.parametrize("version", QUICK_VERSIONS)
def test_a_lost_append_is_answered_with_a_storage_error(room: Room, version: int) -> None:
    path = ProducePath()
    generally(room, path, frame(room, version, batch(b"0")))
    _, answer, doubt = quickly(room, path, frame(room, version, batch(b"1"), number=99))
    assert doubt.instead(answer, lambda replica: False) == answer
    corrected = doubt.instead(answer, lambda replica: replica is room.replica("orders"))
    assert struct.unpack_from(">i", corrected, 4)[0] == 99
    told = read(corrected, version)
    assert (told.error_code, told.base_offset) == (errors.KAFKA_STORAGE_ERROR, -1)


def test_a_lost_append_without_an_answer_closes_the_connection(room: Room) -> None:
    path = ProducePath()
    generally(room, path, frame(room, 9, batch(b"0"), acks=0))
    _, answer, doubt = quickly(room, path, frame(room, 9, batch(b"1"), acks=0))
    assert doubt.instead(answer, lambda replica: True) is None


def test_what_a_connection_may_do_can_be_forgotten(room: Room) -> None:
    path = ProducePath()
    generally(room, path, frame(room, 9, batch(b"0")))
    path.forget()
    assert quickly(room, path, frame(room, 9, batch(b"1")))[0] == GENERAL
