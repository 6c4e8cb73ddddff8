"""Partitions that several brokers hold, in a room where everything may fail: `support/replica_room.py`."""

from __future__ import annotations

import os

import pytest
from support.replica_room import LAG_MS, Room

SEEDS = int(os.environ.get("LOGCTL_REPLICA_SEEDS", "4"))
FIRST_SEED = int(os.environ.get("LOGCTL_REPLICA_FIRST_SEED", "0"))
STEPS = int(os.environ.get("LOGCTL_REPLICA_STEPS", "1500"))


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEEDS))
def test_whatever_happens_what_was_acknowledged_stays(seed: int) -> None:
    _play(Room(seed))


def test_without_flushes_what_was_acknowledged_survives_killed_processes() -> None:
    _play(Room(FIRST_SEED, flush_every_batch=False))


def test_five_replicas_keep_what_three_keep() -> None:
    _play(Room(FIRST_SEED, size=5))


def _play(room: Room) -> None:
    try:
        room.play(STEPS)
        room.heal()
    except BaseException as problem:
        problem.add_note("\n".join(room.diary[-40:]))
        raise
    assert room.acknowledged, "nothing was ever acknowledged"


def test_a_follower_that_is_cut_off_leaves_the_in_sync_set_and_comes_back() -> None:
    room = calm()
    room.cut = {(3, 1), (1, 3)}
    for _ in range(8):
        room.produce(1)
        settle(room, 1_000)
    assert room.partition.isr == (1, 2)
    before = len(room.acknowledged)
    room.produce(1)
    settle(room, 1_000)
    assert len(room.acknowledged) == before + 1, "the others are enough"
    room.heal()
    assert sorted(room.partition.isr) == [1, 2, 3]
    assert room.nodes[3].records() == room.nodes[1].records()


def test_logs_that_hold_nothing_are_copied_without_being_opened() -> None:
    room = Room()
    for node_id in room.ids:
        room.register(node_id)
    for node_id in room.ids:
        room.unfence(node_id)
    settle(room, 2_000)
    assert sorted(room.partition.isr) == [1, 2, 3]
    assert not any(node.replica.awake for node in room.nodes.values())
    room.produce(room.partition.leader)
    settle(room, 500)
    assert len(room.acknowledged) == 1
    assert all(node.replica.awake for node in room.nodes.values())
    room.heal()


def test_after_an_orderly_stop_a_log_with_nothing_new_is_not_opened() -> None:
    room = calm()
    leader = room.partition.leader
    room.produce(leader)
    settle(room, 1_000)
    gone = next(one for one in room.ids if one != leader)
    _stop(room, gone)
    room.register(gone)
    room.unfence(gone)
    settle(room, 2_000)
    assert sorted(room.partition.isr) == [1, 2, 3]
    assert not room.nodes[gone].replica.awake
    room.produce(leader)
    settle(room, 500)
    assert len(room.acknowledged) == 2
    room.heal()


def test_after_an_orderly_stop_a_log_is_led_again_without_being_opened() -> None:
    room = calm()
    room.produce(1)
    settle(room, 1_000)
    _stop(room, 1)
    settle(room, 1_000)
    room.register(1)
    room.unfence(1)
    settle(room, 2_000)
    room._decide(leader=1)
    settle(room, 2_000)
    assert sorted(room.partition.isr) == [1, 2, 3]
    assert not room.nodes[1].replica.awake
    room.produce(1)
    settle(room, 500)
    assert len(room.acknowledged) == 2
    room.heal()


def test_after_an_orderly_stop_a_log_that_parts_from_the_leaders_is_opened_and_cut() -> None:
    room = calm()
    room.cut = {(1, 2), (2, 1), (1, 3), (3, 1)}
    room.produce(1, acks=1)
    room.nodes[1].end_tick()
    room.nodes[1].flush()
    _stop(room, 1)
    room.fence(1)
    room.cut = set()
    room.produce(room.partition.leader)
    room.heal()
    assert room.nodes[1].records() == room.nodes[2].records()


def _stop(room: Room, node_id: int) -> None:
    """In order."""
    node = room.nodes[node_id]
    node.replicas.close()
    for directory in node.replicas.directories:
        directory.mark_clean(node.epoch)
    room.crash(node_id, power=False)
    room.fence(node_id)


def test_a_follower_that_has_everything_is_read_again_only_when_something_moves() -> None:
    room = calm()
    room.produce(1)
    settle(room, 2_000)
    sessions = [room.nodes[1].broker.sessions._of_followers[one] for one in (2, 3)]
    assert [list(one.restless) for one in sessions] == [[], []]
    asked = [one.epoch for one in sessions]
    settle(room, 2_000)
    assert all(one.epoch > before for one, before in zip(sessions, asked, strict=True)), "they go on asking"
    room.produce(1)
    settle(room, 200)
    assert len(room.acknowledged) == 2
    settle(room, 2_000)
    assert [list(one.restless) for one in sessions] == [[], []]


def test_a_follower_that_had_nothing_to_copy_for_long_is_not_late_at_once() -> None:
    room = calm()
    room.produce(1)
    settle(room, 5 * LAG_MS)
    room.cut = {(3, 1), (1, 3)}
    room.produce(1)
    settle(room, LAG_MS // 2)
    assert sorted(room.partition.isr) == [1, 2, 3]
    settle(room, 2 * LAG_MS)
    assert sorted(room.partition.isr) == [1, 2]


def test_a_fence_in_between_makes_a_resting_follower_ask_anew() -> None:
    room = calm()
    room.produce(1)
    settle(room, 2_000)
    room.fence(3)
    settle(room, 1_000)
    assert sorted(room.partition.isr) == [1, 2]
    room.unfence(3)
    settle(room, 2_000)
    assert sorted(room.partition.isr) == [1, 2, 3]


def test_followers_begin_their_logs_where_the_leader_does() -> None:
    room = calm()
    for _ in range(5):
        room.produce(1)
    room.heal()
    room.nodes[1].replica.log.delete_before(3)
    room.nodes[1].waiting.stir(room.nodes[1].replica)
    room.acknowledged = {offset: value for offset, value in room.acknowledged.items() if offset >= 3}
    settle(room, 1_000)
    assert [node.replica.log.start_offset for node in room.nodes.values()] == [3, 3, 3]


def test_a_follower_that_was_away_too_long_begins_anew() -> None:
    room = calm()
    room.crash(3, power=False)
    room.fence(3)
    for _ in range(5):
        room.produce(1)
    settle(room, 1_000)
    room.nodes[1].replica.log.truncate_fully_at(5)
    room.acknowledged = {}
    room.heal()
    assert room.nodes[3].replica.log.start_offset == room.nodes[3].replica.log.end_offset == 5


def calm() -> Room:
    room = Room()
    room.heal()
    return room


def settle(room: Room, milliseconds: int) -> None:
    """Time passes, and all that is written and sent arrives."""
    for _ in range(milliseconds // 100):
        for node in room.nodes.values():
            node.hear()
            node.flush()
        while room.wire:
            room.deliver()
        room.pass_time(100)
