"""Who left the in-sync set while too few remained may lead: it has everything that anybody was promised (KIP-966)."""

from __future__ import annotations

import os

import pytest
from support.eligible_room import EligibleRoom
from support.replica_room import TOPIC_ID

from logctl.engine.controller.directories import assign_replicas, assignment
from logctl.engine.controller.image import LOST_DIRECTORY, NO_LEADER

SEEDS = int(os.environ.get("LOGCTL_REPLICA_SEEDS", "2"))
STEPS = int(os.environ.get("LOGCTL_REPLICA_STEPS", "1500"))


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("flush_every_batch", [True, False])
def test_whatever_happens_what_was_shown_or_acknowledged_stays(seed: int, flush_every_batch: bool) -> None:
    room = EligibleRoom(seed, flush_every_batch=flush_every_batch)
    try:
        room.play(STEPS)
        room.heal()
    except BaseException as problem:
        problem.add_note("\n".join(room.diary[-40:]))
        raise
    room.produce(room.partition.leader)
    settle(room, 300)
    assert room.acknowledged


def settle(room: EligibleRoom, milliseconds: int) -> None:
    for _ in range(milliseconds // 100):
        for node in room.nodes.values():
            node.hear()
            node.flush()
        while room.wire:
            room.deliver()
        room.pass_time(100)


def calm() -> EligibleRoom:
    room = EligibleRoom()
    room.heal()
    return room


def test_with_too_few_in_sync_readers_see_no_more() -> None:
    room = calm()
    for node_id in (2, 3):
        room.crash(node_id, power=False)
        room.fence(node_id)
    settle(room, 200)
    mark = room.nodes[1].replica.high_watermark
    room.produce(1, acks=1)
    settle(room, 200)
    assert room.nodes[1].replica.log.flushed_end > mark
    assert room.nodes[1].replica.high_watermark == mark
    room.heal()
    assert room.nodes[1].replica.high_watermark > mark


def test_who_is_eligible_leads_when_the_last_in_sync_is_gone() -> None:
    room = calm()
    room.cut = {(1, 3), (3, 1)}
    for node_id in (3, 2):
        room.fence(node_id)
    settle(room, 200)
    assert (room.partition.isr, room.partition.elr) == ((1,), (2,))
    room.produce(1, acks=1)
    settle(room, 200)
    room.crash(1, power=True)
    room.fence(1)
    assert room.partition.leader == NO_LEADER
    room.unfence(2)
    assert (room.partition.leader, room.partition.isr) == (2, (2,))
    assert not room.partition.leader_recovery_state, "nothing was lost that anybody had seen"


def test_who_stopped_without_order_is_neither_in_sync_nor_eligible() -> None:
    room = calm()
    for node_id in (3, 2):
        room.fence(node_id)
    assert room.partition.elr == (2,)
    room.crash(2, power=True)
    room.register(2)
    room.crash(1, power=True)
    room.fence(1)
    room.unfence(2)
    assert room.partition.leader == NO_LEADER
    assert room.partition.isr == (1,)


def test_who_is_eligible_and_has_lost_it_all_says_so_though_another_leads() -> None:
    room = calm()
    for _ in range(3):
        room.produce(1)
        settle(room, 300)
    for node_id in (3, 2):
        room.fence(node_id)
    assert room.partition.elr == (2,)
    room.crash(2, power=False)
    for name in room.disks[2].listdir("/data/orders-0"):
        room.disks[2].remove(f"/data/orders-0/{name}")
    room.disks[2].remove_dir("/data/orders-0")
    room.register(2, orderly=True)
    assert room.partition.elr == (2,)
    told = room.nodes[2].replicas.untold
    assert told == {(TOPIC_ID, 0): LOST_DIRECTORY}
    room.decide(assign_replicas, assignment(2, room.image.brokers[2].epoch, dict(told)))
    assert room.partition.elr == ()
    assert room.partition.leader == 1
    room.nodes[2].hear()
    assert told == {(TOPIC_ID, 0): bytes([2]) * 16}, "now it may be copied anew"
