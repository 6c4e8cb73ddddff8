"""Play many seeds of the simulation, and name those that fail: `python tests/bench/soak.py --seeds 1000 --nodes 3`.

Each line of the outcome is a seed that broke a promise, with the sentence; play it again with its trace by
`python -m logctl.engine.simulation --seed N --nodes 3 --minutes M`. `--processes` plays several at a time. With
`--journal FILE` every seed that is done is written down there, and begun again after an end the soak goes on from it.
The exit code is 1 when there was a failure.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Iterator
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from logctl.engine.simulation.cluster import Cluster
from logctl.engine.simulation.world import World

_COLUMNS = 5


class Outcome(NamedTuple):
    seed: int
    cpu_s: float
    virtual_s: float
    lines: int
    problem: str

    def __str__(self) -> str:
        return f"{self.seed}\t{self.cpu_s:.2f}\t{self.virtual_s:.1f}\t{self.lines}\t{self.problem or 'kept'}"


def play(nodes: int, minutes: float, events: int, seed: int) -> Outcome:
    begun_s = time.process_time()
    world = World(seed) if nodes == 1 else Cluster(seed, nodes)
    problem = ""
    try:
        world.run(events if isinstance(world, World) else minutes)
    except Exception as broken:
        problem = " | ".join(f"{type(broken).__name__}: {broken}".split("\n"))
    outcome = Outcome(seed, time.process_time() - begun_s, world.time(), len(world.trace.lines), problem)
    del world
    gc.collect()
    return outcome


def read_journal(path: Path, what: str) -> list[Outcome]:
    """What has been played already. The journal of another soak is refused."""
    if not path.exists():
        path.write_text(f"{what}\n")
        return []
    first, *lines = path.read_text().splitlines()
    if first != what:
        sys.exit(f"{path} is the journal of another soak ({first}); this one is {what}")
    rows = [line.split("\t", _COLUMNS - 1) for line in lines if line.count("\t") >= _COLUMNS - 1]
    return [
        Outcome(int(seed), float(cpu_s), float(virtual_s), int(count), "" if problem == "kept" else problem)
        for seed, cpu_s, virtual_s, count, problem in rows
    ]


def play_all(seeds: list[int], processes: int, one: partial[Outcome]) -> Iterator[Outcome]:
    if processes == 1:
        yield from map(one, seeds)
        return
    with get_context("spawn").Pool(processes, maxtasksperchild=50) as pool:
        yield from pool.imap_unordered(one, seeds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100, help="how many (100)")
    parser.add_argument("--first", type=int, default=0, help="the first one (0)")
    parser.add_argument("--nodes", type=int, default=3, help="how many nodes (3)")
    parser.add_argument("--minutes", type=float, default=0.5, help="of several nodes: virtual time of each (0.5)")
    parser.add_argument("--events", type=int, default=150, help="of one node: how many events (150)")
    parser.add_argument("--processes", type=int, default=1, help="how many at a time (1)")
    parser.add_argument("--journal", type=Path, help="where to write down what is done, and to go on from")
    given = parser.parse_args()
    length = f"{given.events} events" if given.nodes == 1 else f"{given.minutes} minutes"
    done = read_journal(given.journal, f"{given.nodes} nodes, {length}") if given.journal else []
    wanted = range(given.first, given.first + given.seeds)
    left = sorted(set(wanted) - {outcome.seed for outcome in done})
    outcomes = [outcome for outcome in done if outcome.seed in wanted]
    begun_s = time.monotonic()
    for outcome in play_all(left, given.processes, partial(play, given.nodes, given.minutes, given.events)):
        outcomes.append(outcome)
        if given.journal:
            with given.journal.open("a") as journal:
                journal.write(f"{outcome}\n")
        if outcome.problem:
            print(f"seed {outcome.seed}: {outcome.problem[:400]}", flush=True)
    return tell(outcomes, time.monotonic() - begun_s)


def tell(outcomes: list[Outcome], real_s: float) -> int:
    failed = [outcome.seed for outcome in outcomes if outcome.problem]
    cpu_s = sum(outcome.cpu_s for outcome in outcomes) or 1.0
    virtual_s, lines = sum(one.virtual_s for one in outcomes), sum(one.lines for one in outcomes)
    print(
        f"{len(outcomes)} seeds, {len(failed)} failed{': ' if failed else ''}{' '.join(map(str, sorted(failed)))}\n"
        f"{virtual_s:.0f} s of virtual time in {cpu_s:.0f} s of CPU ({virtual_s / cpu_s:.1f} times as fast), "
        f"{lines / cpu_s:.0f} lines of trace per s of CPU; {real_s:.0f} s by the clock"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
