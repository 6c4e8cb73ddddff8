"""Play many seeds of the simulation, and name those that fail: `python tests/bench/soak.py --seeds 1000 --nodes 3`.

Each line of the outcome is a seed that broke a promise, with the sentence; play it again with its trace by
`python -m logctl.engine.simulation --seed N --nodes 3 --minutes M`. The exit code is 1 when there was one.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import NamedTuple

from logctl.engine.simulation.cluster import Cluster
from logctl.engine.simulation.world import World


class Outcome(NamedTuple):
    seed: int
    cpu_s: float
    virtual_s: float
    problem: str


def play(seed: int, nodes: int, minutes: float, events: int) -> Outcome:
    begun_s = time.process_time()
    world = World(seed) if nodes == 1 else Cluster(seed, nodes)
    problem = ""
    try:
        world.run(events if isinstance(world, World) else minutes)
    except Exception as broken:
        problem = f"{type(broken).__name__}: {broken}".strip().replace("\n", " | ")
    return Outcome(seed, time.process_time() - begun_s, world.time(), problem)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100, help="how many (100)")
    parser.add_argument("--first", type=int, default=0, help="the first one (0)")
    parser.add_argument("--nodes", type=int, default=3, help="how many nodes (3)")
    parser.add_argument("--minutes", type=float, default=0.5, help="of several nodes: virtual time of each (0.5)")
    parser.add_argument("--events", type=int, default=150, help="of one node: how many events (150)")
    given = parser.parse_args()
    failed, cpu_s, virtual_s = 0, 0.0, 0.0
    for seed in range(given.first, given.first + given.seeds):
        outcome = play(seed, given.nodes, given.minutes, given.events)
        cpu_s, virtual_s = cpu_s + outcome.cpu_s, virtual_s + outcome.virtual_s
        if outcome.problem:
            failed += 1
            print(f"seed {seed}: {outcome.problem[:400]}", flush=True)
    print(f"{given.seeds} seeds, {failed} failed; {virtual_s:.0f} s of virtual time in {cpu_s:.0f} s of CPU")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
