"""How long planted bugs take to be found: `python tests/bench/planted.py [NAME ...]`, rows of docs/reliability.md.

Every bug is looked for in a process of its own, seed after seed from 0 on, until a promise is broken or its time is up.
"""

from __future__ import annotations

import argparse
import sys
import time
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import pytest
from support.planted import Plant
from support.planted_in_clusters import HARD, QUORUM
from support.planted_in_replicas import HARD as HARD_REPLICATION
from support.planted_in_replicas import REPLICATION

from logctl.engine.log.disk import DiskFault
from logctl.engine.simulation.cluster import Cluster
from logctl.wire.errors import WireError

OF_THE_QUORUM = (*QUORUM, *HARD)
ALL: dict[str, Plant] = {
    **{f"{plant.__name__} (quorum)": plant for plant in OF_THE_QUORUM},
    **{plant.__name__: plant for plant in (*REPLICATION, *HARD_REPLICATION)},
}


def look_for(name: str, minutes: float, seconds: float, first: int) -> str:
    """A row of the table."""
    begun_s, seed = time.process_time(), first
    with pytest.MonkeyPatch.context() as patch:
        ALL[name](patch)
        while time.process_time() - begun_s < seconds:
            try:
                Cluster(seed).run(minutes)
            except (AssertionError, DiskFault, WireError) as broken:
                return f"| {name} | {seed} | {time.process_time() - begun_s:.1f} s | {str(broken)[:160]} |"
            except Exception as problem:
                return f"| {name} | {seed} | the simulation itself: {type(problem).__name__} {problem} |"
            seed += 1
    return f"| {name} | not within {seed - first} seeds, {time.process_time() - begun_s:.0f} s | | |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="parts of names; all if none is given")
    parser.add_argument("--minutes", type=float, default=0.5, help="virtual time of each seed (0.5)")
    parser.add_argument("--seconds", type=float, default=60, help="of CPU that each bug is looked for (60)")
    parser.add_argument("--first", type=int, default=0, help="seed to begin with (0)")
    given = parser.parse_args()
    wanted = [name for name in ALL if not given.names or any(part in name for part in given.names)]
    with get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        for name in wanted:
            print(pool.apply(look_for, (name, given.minutes, given.seconds, given.first)), flush=True)


if __name__ == "__main__":
    main()
