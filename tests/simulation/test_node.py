"""A whole node in virtual time: power cuts, kills, full and failing disks, and clients that know what they were told.

`LOGCTL_NODE_SEEDS` seeds are played from `LOGCTL_NODE_FIRST_SEED` on. One that fails prints the end of its trace, and
`python -m logctl.engine.simulation --seed N` prints all of it. What seeds have found is told again, by name, beside
the file it was found in: docs/reliability.md lists it. `LOGCTL_PLANTED=all` looks for every planted bug, also for those
that take long.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from support.history import check
from support.planted import BUGS, FOUND_SOON, Plant
from support.told import history

from logctl.engine.log.disk import DiskFault
from logctl.engine.simulation.world import World
from logctl.wire.errors import WireError

SEEDS = int(os.environ.get("LOGCTL_NODE_SEEDS", "2"))
FIRST_SEED = int(os.environ.get("LOGCTL_NODE_FIRST_SEED", "0"))
EVENTS = int(os.environ.get("LOGCTL_NODE_EVENTS", "60"))
PLANTED = list(BUGS if os.environ.get("LOGCTL_PLANTED") == "all" else FOUND_SOON)
TRACE_LINES = 60
ATTEMPTS = 6


def play(seed: int, events: int) -> World:
    world = World(seed)
    try:
        world.run(events)
    except BaseException as problem:
        command = f"python -m logctl.engine.simulation --seed {seed} --events {events}"
        problem.add_note(f"{command}\n{world.trace.last(TRACE_LINES)}")
        raise
    return world


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEEDS))
def test_every_promise_is_kept(seed: int) -> None:
    world = play(seed, EVENTS)
    sends, polls = history(world.promises)
    assert not check(sends, polls)


def test_a_seed_decides_everything() -> None:
    """Also where the order of sets and dictionaries differs from process to process."""
    command = [sys.executable, "-m", "logctl.engine.simulation", "--seed", "3", "--events", "12"]
    traces = {
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("1", "2")
    }
    assert len(traces) == 1


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    first_seed = BUGS[plant]
    plant(monkeypatch)
    for seed in range(first_seed, first_seed + ATTEMPTS):
        world = World(seed)
        try:
            world.run(100)
        except (AssertionError, DiskFault, WireError):
            return
    pytest.fail(f"{ATTEMPTS} seeds from {first_seed} on did not find it")
