"""Play one seed and print its trace as it happens: `python -m logctl.engine.simulation --seed N`, of one node with
`--events M`, of several with `--nodes 3 --minutes 10`. What it cost is told on the error output."""

from __future__ import annotations

import argparse
import sys
import time
import traceback

from logctl.engine.simulation.cluster import Cluster
from logctl.engine.simulation.promises import Broken
from logctl.engine.simulation.world import World

EVENTS = 150
MINUTES = 1.0


def main(arguments: list[str] | None = None) -> int:
    """0 when every promise was kept, 1 when one was broken."""
    parser = argparse.ArgumentParser(prog="python -m logctl.engine.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--events", type=int, default=EVENTS, help=f"how many things happen to the node ({EVENTS})")
    parser.add_argument("--nodes", type=int, default=1, help="how many nodes (1)")
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"of several nodes: virtual time ({MINUTES})")
    parser.add_argument("--last", type=int, default=0, help="print only so many lines of the end")
    given = parser.parse_args(arguments)
    world = World(given.seed) if given.nodes == 1 else Cluster(given.seed, given.nodes)
    begun_s = time.process_time()
    if not given.last:
        print(*world.trace.lines, sep="\n")
        world.trace.listener = print
    try:
        world.run(given.events if isinstance(world, World) else given.minutes)
    except Exception as problem:
        outcome = f"seed {given.seed}: BROKEN: {problem}"
        if not isinstance(problem, Broken):
            outcome += f"\n{''.join(traceback.format_exception(problem))}"
    else:
        outcome = f"seed {given.seed}: every promise was kept"
    if given.last:
        print(world.trace.last(given.last))
    print(outcome)
    cpu_s, lines = time.process_time() - begun_s, len(world.trace.lines)
    print(f"{world.time():.0f} s, {lines} lines, in {cpu_s:.1f} s of CPU", file=sys.stderr)
    return 0 if world.problem is None else 1


if __name__ == "__main__":
    sys.exit(main())
