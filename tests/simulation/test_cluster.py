"""Three nodes in virtual time: votes, fencing, forwarding and replication under power cuts, kills, suspended processes,
cut cables and failing disks, with clients that know what they were told.

`LOGCTL_CLUSTER_SEEDS` seeds of `LOGCTL_CLUSTER_MINUTES` virtual minutes are played from `LOGCTL_CLUSTER_FIRST_SEED` on;
`tests/bench/soak.py` plays thousands. One that fails prints the end of its trace.

Of the bugs planted those are looked for that are found soon; `LOGCTL_PLANTED=all` looks for every one, and
`tests/bench/planted.py` says how long that takes.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from support.history import check
from support.planted import Plant
from support.planted_in_clusters import FOUND_SOON, QUORUM
from support.planted_in_replicas import FOUND_SOON as REPLICATION_FOUND_SOON
from support.planted_in_replicas import REPLICATION
from support.told import history

from logctl.engine.log.disk import DiskFault
from logctl.engine.simulation.cluster import Cluster
from logctl.wire.errors import WireError

SEEDS = int(os.environ.get("LOGCTL_CLUSTER_SEEDS", "2"))
FIRST_SEED = int(os.environ.get("LOGCTL_CLUSTER_FIRST_SEED", "0"))
MINUTES = float(os.environ.get("LOGCTL_CLUSTER_MINUTES", "0.3"))
TRACE_LINES = 80
ATTEMPTS = 6
ALL: dict[Plant, int] = {**QUORUM, **REPLICATION}
PLANTED = list(ALL) if os.environ.get("LOGCTL_PLANTED") == "all" else [*FOUND_SOON, *REPLICATION_FOUND_SOON]


def play(seed: int, minutes: float = MINUTES) -> Cluster:
    cluster = Cluster(seed)
    try:
        cluster.run(minutes)
    except BaseException as problem:
        command = f"python -m logctl.engine.simulation --seed {seed} --nodes 3 --minutes {minutes}"
        problem.add_note(f"{command}\n{cluster.trace.last(TRACE_LINES)}")
        raise
    return cluster


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEEDS))
def test_three_nodes_keep_every_promise(seed: int) -> None:
    sends, polls = history(play(seed).promises)
    assert not check(sends, polls)


def test_a_seed_decides_everything_of_three_nodes() -> None:
    """Also where the order of sets and dictionaries differs from process to process."""
    command = [sys.executable, "-m", "logctl.engine.simulation", "--seed", "3", "--nodes", "3", "--minutes", "0.1"]
    traces = {
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True).stdout
        for seed in ("1", "2")
    }
    assert len(traces) == 1


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_bug_planted_into_a_cluster_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    first_seed = ALL[plant]
    plant(monkeypatch)
    for seed in range(first_seed, first_seed + ATTEMPTS):
        try:
            Cluster(seed).run(0.5)
        except (AssertionError, DiskFault, WireError):
            return
    pytest.fail(f"{ATTEMPTS} seeds from {first_seed} on did not find it")
