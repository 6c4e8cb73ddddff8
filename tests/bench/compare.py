"""Apache Kafka and our node side by side: same machine, same clients, same clock, one table with ratios.

    .venv/bin/python tests/bench/compare.py [--seconds 8] [--rounds 3] [--rows produce,latency] [--json FILE]

Needs a JDK 17 and Maven (once, for Apache's artifacts). For each flush mode both brokers run throughout; after a
warm-up on each, every load runs on the one and then on the other, `--rounds` times over, and the table shows medians.
The broker that is not measured stands idle (Apache Kafka takes about a percent of a core for that, ours nothing).
Before each run dirty pages are written out, so that no broker pays for the other's, and each run has a fresh topic of
4 partitions. CPU is what the kernel counts for the broker's process; its client's is not in it. On a machine with other
work, `--quiet 15` repeats each run that others disturbed, whatever it had shown.
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
from typing import NamedTuple

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
OTHERS = "others' share of the machine, percent"
"""Of whatever else ran, kernel threads that write pages out included. High figures spoil throughput and latency."""
DISCARDED = "discarded runs, others' percent"
REPEATS_MAX = 20
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
    print(circumstances(options, samples))
    if options.json:
        facts = {"samples": samples, "goals": GOALS, "circumstances": circumstances(options, samples)}
        Path(options.json).write_text(json.dumps(facts, indent=1) + "\n")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = ",".join([*(row.name for row in ROWS), "start"])
    parser.add_argument("--seconds", type=float, default=8.0, help="of each run")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each load on each broker")
    parser.add_argument("--rows", default=every, type=lambda text: text.split(","), help=f"which loads: {every}")
    parser.add_argument("--quiet", type=float, help="repeat runs in which other processes took more percent than this")
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
            measure(brokers[name], name, mode, row, options, samples)
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


class Run(NamedTuple):
    """One load on one broker: what load.py told, what the broker and everybody else used meanwhile."""

    result: dict[str, float]
    cpu_s: float
    others_percent: float


def measure(one: Broker, name: str, mode: str, row: Row, options: argparse.Namespace, samples: Samples) -> None:
    run = run_once(one, row, options.seconds)
    for _ in range(REPEATS_MAX):
        if options.quiet is None or run.others_percent <= options.quiet:
            break
        say(f"  disturbed: others took {run.others_percent:.0f} % of the machine; again")
        samples[DISCARDED]["runs"].append(run.others_percent)
        run = run_once(one, row, options.seconds)
    note(run, name, f"{row.name}, {mode}", row, samples)


def run_once(one: Broker, row: Row, seconds: float) -> Run:
    os.sync()
    with ExitStack() as after:
        where = FILLED if row.load == "consume" else after.enter_context(topic(one, f"{row.name}-{next(_numbers)}"))
        before, client, busy = process.cpu_s(one.pid), process.children_cpu_s(), process.machine_busy_s()
        began = time.monotonic()
        result = load(one, row.load, where, "--seconds", str(seconds), *row.args)
        used = process.cpu_s(one.pid) - before
        others = process.machine_busy_s() - busy - used - (process.children_cpu_s() - client)
        share = others / (time.monotonic() - began) / (os.cpu_count() or 1)
    return Run(result, used, 100 * share)


def note(run: Run, name: str, label: str, row: Row, samples: Samples) -> None:
    result, used = run.result, run.cpu_s
    samples[OTHERS][name].append(run.others_percent)
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


def circumstances(options: argparse.Namespace, samples: Samples) -> str:
    facts = [
        f"Apache Kafka {VERSION} (heap 1 GiB, G1)",
        f"logctl on Python {platform.python_version()}",
        f"client confluent-kafka {version('confluent-kafka')}",
        f"{os.cpu_count()} cores",
        f"Linux {platform.release()}",
        f"{options.rounds} rounds of {options.seconds:g} s",
        time.strftime("%Y-%m-%d"),
    ]
    others = sorted(share for shares in samples[OTHERS].values() for share in shares)
    if others:
        typical, worst = statistics.median(others), others[-1]
        facts.append(f"other processes took {typical:.0f} % of the machine (up to {worst:.0f} %)")
    if options.quiet is not None:
        facts.append(f"{len(samples[DISCARDED]['runs'])} runs above {options.quiet:g} % repeated")
    return ", ".join(facts)


def say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
