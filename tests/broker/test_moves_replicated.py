"""Replicas move between the directories of their broker while they lead, while they copy, and while they are cut."""

from __future__ import annotations

import os

import pytest
from support.replica_room import Room

SEEDS = int(os.environ.get("LOGCTL_REPLICA_SEEDS", "3"))
STEPS = int(os.environ.get("LOGCTL_REPLICA_STEPS", "1500"))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_happens_what_was_acknowledged_stays(seed: int) -> None:
    room = Room(seed)
    room.events["move"] = 60
    try:
        room.play(STEPS)
        room.heal()
    except BaseException as problem:
        problem.add_note("\n".join(room.diary[-40:]))
        raise
    assert room.acknowledged
    assert sum("has moved" in sentence for sentence in room.diary) > 5


def settle(room: Room, milliseconds: int) -> None:
    for _ in range(milliseconds // 50):
        for node in room.nodes.values():
            node.hear()
            node.flush()
        while room.wire:
            room.deliver()
        room.pass_time(50)


def filled() -> Room:
    room = Room()
    room.heal()
    for _ in range(10):
        room.produce(1)
    room.heal()
    return room


def home(room: Room, node_id: int) -> str:
    node = room.nodes[node_id]
    return node.replicas.home_of(node.replica).path


def begin(room: Room, node_id: int) -> None:
    replicas = room.nodes[node_id].replicas
    replicas.move(room.nodes[node_id].replica, replicas.directories[1], room.now_ms)


@pytest.mark.parametrize("node_id", [1, 2])
def test_leader_and_follower_move_with_all_they_have(node_id: int) -> None:
    room = filled()
    before = room.nodes[node_id].replica.log.epochs.entries
    begin(room, node_id)
    for _ in range(10):
        room.produce(1)
        settle(room, 50)
    settle(room, 500)
    assert home(room, node_id) == "/more"
    assert len(room.acknowledged) == 20
    assert [node.records() for node in room.nodes.values()] == [room.acknowledged] * 3
    assert room.nodes[node_id].replica.log.epochs.entries == before
    assert room.nodes[node_id].replicas.untold, "the controller is told"
    room.crash(node_id, power=True)
    room.register(node_id)
    assert home(room, node_id) == "/more"
    room.heal()


def test_a_copy_is_cut_with_its_log() -> None:
    """Broker 3 takes over without what broker 1 had alone, while that is on its way between two directories."""
    room = filled()
    room.cut = {(1, 2), (2, 1), (1, 3), (3, 1)}
    for _ in range(5):
        room.produce(1, acks=1)
    room.nodes[1].flush()
    begin(room, 1)
    move = room.nodes[1].replicas.moves.of(room.nodes[1].replica)
    assert move is not None
    while move.lag:
        room.nodes[1].replicas.moves._advance(move, room.now_ms)
    room.fence(1)
    for node_id in (2, 3):
        room.nodes[node_id].hear()
    room.produce(room.partition.leader, acks=1)
    room.cut = set()
    room.unfence(1)
    settle(room, 1_000)
    room.heal()
    assert any("is cut from offset 15 to 10" in sentence for sentence in room.diary)
    settle(room, 500)
    assert home(room, 1) == "/more"
    assert room.nodes[1].records() == room.nodes[2].records() == room.nodes[3].records()
