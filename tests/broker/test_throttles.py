"""Replicas that catch up are copied no faster than their throttles allow; who is in sync is not held back."""

from __future__ import annotations

import pytest
from support.replica_room import TOPIC, Room

from logctl.engine.broker.fetcher import Pace
from logctl.engine.broker.throttles import Rate
from logctl.engine.controller.image import ResourceType

PIECE = Pace(wait_max_ms=200, partition_max_bytes=100)
"""A batch or so at a time."""


def throttled(side: str, replicas: str, rate: int) -> Room:
    """Broker 3 is down and 40 batches behind; each side's throttle is set alone."""
    room = Room()
    room.heal()
    room.crash(3, power=False)
    room.fence(3)
    for _ in range(40):
        room.produce(1)
    settle(room, 500)
    room.settings.overlay({"replica.lag.time.max.ms": "2000", f"{side}.replication.throttled.rate": str(rate)})
    configs = {(ResourceType.TOPIC, TOPIC): {f"{side}.replication.throttled.replicas": replicas}}
    room.image = room.image._replace(configs=configs)
    room.register(3)
    room.unfence(3)
    room.nodes[3].replication._pace = PIECE
    return room


def settle(room: Room, milliseconds: int) -> None:
    for _ in range(milliseconds // 50):
        for node in room.nodes.values():
            node.hear()
            node.flush()
        while room.wire:
            room.deliver()
        room.pass_time(50)


def behind(room: Room) -> int:
    return room.nodes[1].replica.log.end_offset - room.nodes[3].replica.log.end_offset


@pytest.mark.parametrize(("side", "replicas"), [("leader", "0:1"), ("follower", "0:3"), ("leader", "*")])
def test_a_replica_that_is_behind_catches_up_no_faster_than_it_may(side: str, replicas: str) -> None:
    room = throttled(side, replicas, rate=100)
    room.nodes[3].hear()
    settle(room, 5_000)
    assert 25 < behind(room) < 40, "500 bytes are seven batches or eight"
    room.settings.overlay({"replica.lag.time.max.ms": "2000"})
    settle(room, 15_000)
    assert behind(room) == 0
    assert sorted(room.partition.isr) == [1, 2, 3]


@pytest.mark.parametrize(("side", "replicas"), [("leader", "0:3,1:1"), ("follower", "0:1")])
def test_replicas_that_are_not_named_are_copied_at_once(side: str, replicas: str) -> None:
    room = throttled(side, replicas, rate=1)
    settle(room, 5_000)
    assert behind(room) == 0


def test_a_leader_does_not_hold_back_who_is_in_sync() -> None:
    room = throttled("leader", "*", rate=1)
    settle(room, 1_000)
    before = len(room.acknowledged)
    for _ in range(20):
        room.produce(1)
        settle(room, 100)
    assert len(room.acknowledged) == before + 20
    assert behind(room) > 20


def test_a_rate_forgets_what_is_older_than_its_samples() -> None:
    rate = Rate(samples=3, sample_ms=1_000)
    rate.record(500, now_ms=10_000)
    assert rate.per_second(10_000) == 500, "less than one sample counts as one"
    rate.record(500, now_ms=11_500)
    assert rate.per_second(12_000) == 500
    assert rate.per_second(13_000) == 500 * 1000 / 1_500
    assert rate.per_second(14_500) == 0
