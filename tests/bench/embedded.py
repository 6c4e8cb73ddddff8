"""A node inside a test suite: how long it takes to have one, to have it clean again, and to be rid of it.

    .venv/bin/python tests/bench/embedded.py [--times 20] [--apache-times 3]

Needs a JDK 17 and Maven (once) for the comparison; without them only our node is measured. Each round starts a new
node until it answers and stops it in order: data made anew, as `logctl.embedded.Node` and a fixture around Apache Kafka
do it. Apache's storage is formatted outside of the measurement, which spares it a second JVM. Starts of our node and of
Apache's take turns. `reset` is measured with ten topics and a group with committed offsets on the node.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from confluent_kafka import Consumer, TopicPartition  # noqa: E402
from support.apache import new_apache_node  # noqa: E402

from logctl.embedded import MODES, Node  # noqa: E402
from logctl.engine import apache  # noqa: E402

GOAL_S = 0.4
Samples = dict[str, list[float]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20, help="rounds of our node in each mode")
    parser.add_argument("--apache-times", type=int, default=3, help="rounds of Apache Kafka")
    options = parser.parse_args()
    reason = apache.available()
    if reason:
        print(f"without Apache Kafka: {reason}", file=sys.stderr)
    samples: Samples = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="logctl-bench-") as bytecode:
        compile_once(bytecode)
        run(options, reason, samples)
    print(render(samples))
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {options.times} rounds, {time.strftime('%Y-%m-%d')}")
    return 0


def compile_once(folder: str) -> None:
    """Nodes load bytecode, as those of an installed package do, whatever this environment says about writing it."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = folder
    with Node():
        pass


def run(options: argparse.Namespace, reason: str | None, samples: Samples) -> None:
    every = max(1, options.times // max(1, options.apache_times))
    for number in range(options.times):
        for mode in MODES:
            measure(mode, samples)
        if not reason and number % every == 0 and number // every < options.apache_times:
            measure_apache(samples)


def measure(mode: str, samples: Samples) -> None:
    node = Node(mode=mode)
    with timed(samples[f"{mode}: start and stop"]):
        with timed(samples[f"{mode}: start"]):
            node.start()
        began = time.monotonic()
        fill(node)
        with timed(samples[f"{mode}: reset"]):
            node.reset()
        spent = time.monotonic() - began
        with timed(samples[f"{mode}: stop"]):
            node.stop()
    samples[f"{mode}: start and stop"][-1] -= spent


def fill(node: Node) -> None:
    topics = [node.create_topic() for _ in range(10)]
    consumer = Consumer({"bootstrap.servers": node.bootstrap_servers, "group.id": "bench"})
    consumer.commit(offsets=[TopicPartition(topic, 0, 0) for topic in topics], asynchronous=False)
    consumer.close()


def measure_apache(samples: Samples) -> None:
    with tempfile.TemporaryDirectory(prefix="logctl-bench-") as folder:
        node = new_apache_node(Path(folder))
        node.format()
        with timed(samples["apache: start and stop"]):
            with timed(samples["apache: start"]):
                node.start()
            with timed(samples["apache: stop"]):
                node.stop()


@contextmanager
def timed(into: list[float]) -> Iterator[None]:
    began = time.monotonic()
    yield
    into.append(time.monotonic() - began)


def render(samples: Samples) -> str:
    lines = ["| seconds | median | least | most | goal | |", "| --- | --- | --- | --- | --- | --- |"]
    for name, values in samples.items():
        middle = statistics.median(values)
        goal = f"at most {GOAL_S} | {'yes' if middle <= GOAL_S else '**no**'}" if is_goal(name) else " | "
        lines.append(f"| {name} | {middle:.3f} | {min(values):.3f} | {max(values):.3f} | {goal} |")
    return "\n".join(lines)


def is_goal(name: str) -> bool:
    return name.endswith("start and stop") and not name.startswith("apache")


if __name__ == "__main__":
    sys.exit(main())
