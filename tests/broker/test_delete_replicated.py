"""Deleted records of a replicated partition are gone on every node before anybody is told so."""

from __future__ import annotations

from typing import Any

from support.replica_room import TOPIC, Asked, Room

from logctl.engine.broker.request import PARKED
from logctl.wire import errors
from logctl.wire.messages.delete_records import DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic

TIMEOUT_MS = 3_000


def five_records() -> Room:
    room = Room()
    room.heal()
    for _ in range(5):
        room.produce(1)
    room.heal()
    return room


def settle(room: Room, milliseconds: int) -> None:
    for _ in range(milliseconds // 100):
        for node in room.nodes.values():
            node.hear()
            node.flush()
        while room.wire:
            room.deliver()
        room.pass_time(100)


def delete(room: Room, node_id: int, offset: int) -> list[tuple[int, int]]:
    """Ask a node; (error, low watermark) is in the list once it has answered."""
    node = room.nodes[node_id]
    asked = DeleteRecordsTopic(TOPIC, [DeleteRecordsPartition(0, offset)])
    request = room._request(node, DeleteRecordsRequest(topics=[asked], timeout_ms=TIMEOUT_MS), 2)
    told: list[tuple[int, int]] = []

    def done(response: Any) -> None:
        [found] = response.topics[0].partitions
        told.append((found.error_code, found.low_watermark))

    room.parked[request] = Asked(node_id, node_id, b"", done, node)
    answer = node.broker.handle(request, room.now_ms)
    if answer is not PARKED:
        room.answered(node, request, answer)
    room.acknowledged = {at: value for at, value in room.acknowledged.items() if at >= offset}
    room.seen = {}
    return told


def starts(room: Room) -> list[int]:
    return [node.replica.log.start_offset for node in room.nodes.values()]


def test_it_is_answered_when_all_have_let_them_go() -> None:
    room = five_records()
    told = delete(room, 1, 3)
    assert told == [], "nobody else knows yet"
    settle(room, 300)
    assert told == [(errors.NONE, 3)]
    assert starts(room) == [3, 3, 3]


def test_after_the_answer_no_failover_and_no_power_cut_brings_them_back() -> None:
    room = five_records()
    for node in room.nodes.values():
        node.replicas._checkpoint_due_ms = room.now_ms + 1_000_000
    told = delete(room, 1, 3)
    settle(room, 300)
    assert told == [(errors.NONE, 3)]
    for node_id in room.ids:
        room.crash(node_id, power=True)
    room.fence(1)
    for node_id in (2, 3):
        room.register(node_id)
        room.unfence(node_id)
    room.nodes[2].hear()
    room.nodes[3].hear()
    assert starts(room) == [3, 3]
    assert room.partition.leader != 1


def test_a_follower_that_cannot_be_reached_is_waited_for_until_the_time_is_up() -> None:
    room = five_records()
    room.cut = {(1, 3), (3, 1)}
    told = delete(room, 1, 3)
    settle(room, TIMEOUT_MS - 500)
    assert told == []
    settle(room, 1_000)
    assert told == [(errors.REQUEST_TIMED_OUT, 0)]
    room.heal()
    settle(room, 500)
    assert starts(room) == [3, 3, 3], "it learns of it when it is back"


def test_a_broker_that_is_fenced_is_not_waited_for() -> None:
    room = five_records()
    room.crash(3, power=False)
    room.fence(3)
    settle(room, 100)
    told = delete(room, 1, 3)
    settle(room, 300)
    assert told == [(errors.NONE, 3)]
    room.heal()
    assert starts(room) == [3, 3, 3]


def test_a_leader_that_goes_says_so() -> None:
    room = five_records()
    room.cut = {(1, 2), (2, 1), (1, 3), (3, 1)}
    told = delete(room, 1, 3)
    room.fence(1)
    settle(room, 100)
    assert told == [(errors.NOT_LEADER_OR_FOLLOWER, -1)]
