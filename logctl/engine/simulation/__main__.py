"""`python -m logctl.engine.simulation --seed N [--events M] [--last L]`: play one seed and print its trace."""

from __future__ import annotations

import argparse
import sys

from logctl.engine.simulation.world import World

EVENTS = 150


def main(arguments: list[str] | None = None) -> int:
    """0 when every promise was kept, 1 when one was broken."""
    parser = argparse.ArgumentParser(prog="python -m logctl.engine.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--events", type=int, default=EVENTS, help=f"how many things happen to the node ({EVENTS})")
    parser.add_argument("--last", type=int, default=0, help="print only so many lines of the end")
    given = parser.parse_args(arguments)
    world = World(given.seed)
    try:
        world.run(given.events)
    except Exception as problem:
        outcome = f"seed {given.seed}: BROKEN: {problem}"
    else:
        outcome = f"seed {given.seed}: every promise was kept"
    print(world.trace.last(given.last))
    print(outcome)
    return 0 if world.problem is None else 1


if __name__ == "__main__":
    sys.exit(main())
