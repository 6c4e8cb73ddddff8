"""Partitions that several brokers hold, in a room where everything may fail: `support/replica_room.py`."""

from __future__ import annotations

import os

import pytest
from support.replica_room import Room

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
