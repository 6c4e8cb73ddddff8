"""Apache Kafka and our node side by side: same machine, same clients, same clock, one table with ratios.

    .venv/bin/python tests/bench/compare.py [--seconds 8] [--rounds 3] [--rows produce,latency] [--json FILE]

Needs a JDK 17 and Maven (once, for Apache's artifacts). For each flush mode both brokers run throughout; after a
warm-up on each, every load runs on the one and then on the other, `--rounds` times over, and the table shows medians.
The broker that is not measured stands idle (Apache Kafka takes about a percent of a core for that, ours nothing).
Before each run dirty pages are written out, so that no broker pays for the other's, and each run has a fresh topic of
4 partitions. CPU is what the kernel counts for the broker's process; its client's is not in it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from bench import process  # noqa: E402
from bench.brokers import BROKERS, Broker, broker, starting_s  # noqa: E402
from bench.table import GOALS, Samples, render  # noqa: E402
from kafka.admin import KafkaAdminClient, NewTopic  # noqa: E402

from logctl.engine.apache import VERSION  # noqa: E402


@dataclass(frozen=True)
class Row:
    """One load: arguments of load.py, and which flush modes it runs in."""

    name: str
    load: str
    args: tuple[str, ...] = ()
    modes: tuple[str, ...] = ("os",)


ROWS = (
    Row("produce", "produce", modes=("os", "every append")),
    Row("lz4", "produce", ("--codec", "lz4")),
    Row("singles", "singles", modes=("os", "every append")),
    Row("consume", "consume"),
    Row("latency", "pace", modes=("os", "every append")),
)
FILLED = "filled"
FILL_BYTES = 1 << 30


def main() -> int:
    options = parse()
    rows = [row for row in ROWS if row.name in options.rows]
    samples: Samples = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory(prefix="logctl-bench-", dir=options.directory) as scratch:
        for mode in ("os", "every append"):
            wanted = [row for row in rows if mode in row.modes]
            if wanted:
                run_mode(mode, wanted, Path(scratch) / mode.replace(" ", "-"), options, samples)
        if "start" in options.rows:
            run_starts(Path(scratch) / "start", options, samples)
    print(render(samples))
    print(circumstances(options))
    if options.json:
        facts = {"samples": samples, "goals": GOALS, "circumstances": circumstances(options)}
        Path(options.json).write_text(json.dumps(facts, indent=1) + "\n")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = ",".join([*(row.name for row in ROWS), "start"])
    parser.add_argument("--seconds", type=float, default=8.0, help="of each run")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each load on each broker")
    parser.add_argument("--rows", default=every, type=lambda text: text.split(","), help=f"which loads: {every}")
    parser.add_argument("--brokers", default=",".join(BROKERS), type=lambda text: text.split(","))
    parser.add_argument("--json", help="write every sample to this file")
    parser.add_argument("--directory", help="where the brokers keep their data (default: the temporary directory)")
    return parser.parse_args()


def run_mode(mode: str, rows: list[Row], scratch: Path, options: argparse.Namespace, samples: Samples) -> None:
    with ExitStack() as running:
        brokers = {name: running.enter_context(started(name, scratch / name, mode)) for name in options.brokers}
        for name, one in brokers.items():
            if mode == "os":
                samples["memory idle"][name].append(process.rss_mib(one.pid))
            say(f"{mode}: warming {name} up")
            prepare(one, rows)
        for (number, row), name in itertools.product(enumerate(rows * options.rounds), options.brokers):
            say(f"{mode}: {row.name} on {name} ({number // len(rows) + 1}/{options.rounds})")
            measure(brokers[name], name, mode, row, options.seconds, samples)
        for name, one in brokers.items():
            if mode == "os":
                samples["memory after"][name].append(process.rss_mib(one.pid))


@contextmanager
def started(name: str, directory: Path, mode: str) -> Iterator[Broker]:
    one = broker(name, directory, mode)
    try:
        one.start()
        yield one
    finally:
        one.stop()
        shutil.rmtree(directory, ignore_errors=True)


def prepare(one: Broker, rows: list[Row]) -> None:
    """Ten seconds of load of two kinds bring a JVM to speed; the consumers' topic is filled."""
    with topic(one, "warm-up"):
        load(one, "produce", "warm-up", "--seconds", "5")
        load(one, "singles", "warm-up", "--seconds", "5")
        load(one, "consume", "warm-up", "--seconds", "3")
    if any(row.load == "consume" for row in rows):
        create(one, FILLED)
        load(one, "fill", FILLED, "--total", str(FILL_BYTES))


_numbers = itertools.count(1)


def measure(one: Broker, name: str, mode: str, row: Row, seconds: float, samples: Samples) -> None:
    os.sync()
    with ExitStack() as after:
        where = FILLED if row.load == "consume" else after.enter_context(topic(one, f"{row.name}-{next(_numbers)}"))
        before = process.cpu_s(one.pid)
        result = load(one, row.load, where, "--seconds", str(seconds), *row.args)
        used = process.cpu_s(one.pid) - before
    label = f"{row.name}, {mode}"
    if row.load == "pace":
        for quantity in ("p50_ms", "p99_ms", "p999_ms", "max_ms"):
            samples[f"{label}: {quantity}"][name].append(result[quantity])
        return
    samples[f"{label}: MB/s"][name].append(result["mb_s"])
    samples[f"{label}: records/s"][name].append(result["records_s"])
    samples[f"{label}: CPU s/GB"][name].append(used / result["bytes"] * 1e9)
    samples[f"{label}: CPU us/record"][name].append(used / result["records"] * 1e6)


def load(one: Broker, kind: str, where: str, *args: str) -> dict[str, float]:
    command = [sys.executable, str(HERE / "load.py"), kind, one.address, where, *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command[1:])} failed:\n{done.stderr}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


@contextmanager
def topic(one: Broker, name: str) -> Iterator[str]:
    create(one, name)
    yield name
    with closing(KafkaAdminClient(bootstrap_servers=one.address)) as admin:
        admin.delete_topics([name])


def create(one: Broker, name: str) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=one.address)) as admin:
        admin.create_topics([NewTopic(name, 4, 1)], wait_for_metadata=True)


def run_starts(scratch: Path, options: argparse.Namespace, samples: Samples) -> None:
    """A formatted, orderly stopped, empty node: the first start is not counted."""
    for name in options.brokers:
        one = broker(name, scratch / name, "os")
        for number in range(options.rounds + 1):
            say(f"start {name} ({number}/{options.rounds})")
            took = starting_s(one)
            one.stop()
            if number:
                samples["start: s"][name].append(took)


def circumstances(options: argparse.Namespace) -> str:
    facts = [
        f"Apache Kafka {VERSION} (heap 1 GiB, G1)",
        f"logctl on Python {platform.python_version()}",
        f"client confluent-kafka {version('confluent-kafka')}",
        f"{os.cpu_count()} cores",
        f"Linux {platform.release()}",
        f"{options.rounds} rounds of {options.seconds:g} s",
        time.strftime("%Y-%m-%d"),
    ]
    return ", ".join(facts)


def say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def median(values: list[float]) -> float:
    return statistics.median(values)


if __name__ == "__main__":
    sys.exit(main())
