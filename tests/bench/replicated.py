"""Three nodes of ours beside three of Apache Kafka: what is produced with acks=all, copied to all of them.

    .venv/bin/python tests/bench/replicated.py [--seconds 6] [--rounds 3] [--rows one,twelve,latency] [--json FILE]

Needs a JDK 17 and Maven (once, for Apache's artifacts). Three clusters of three nodes run throughout: Apache Kafka with
its default (nothing is flushed), ours with `log.flush.policy=os` (the same), and ours as it comes (acknowledged is
flushed on every in-sync replica). Topics have replication factor 3 and min.insync.replicas 2. After a warm-up every
load runs on the one and then on the others, `--rounds` times over; the tables show medians, the spread in brackets.
CPU is what the kernel counts for the three nodes together; the client's is not in it. Rows:

    one, twelve          librdkafka as fast as it goes, records of 1 KiB to one partition and to twelve
    raw-one, raw-twelve  the same by requests that are made beforehand (`pipeline.py`), 64 records each, 5 in flight
    latency              1,000 records a second in an open loop, 12 partitions
    alone                one record at a time: the next when the one before was acknowledged
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from bench import process  # noqa: E402
from bench.brokers import JVM  # noqa: E402
from bench.table import Goal, Samples, render  # noqa: E402
from kafka.admin import KafkaAdminClient, NewTopic  # noqa: E402
from support.ports import free_ports_in_a_row  # noqa: E402

from logctl import local  # noqa: E402

NODES = 3
SETTINGS = {"log.segment.delete.delay.ms": "1000", "min.insync.replicas": "2"}
CLUSTERS = {
    "apache": ("--engine", "apache"),
    "os": ("-c", "log.flush.policy=os"),
    "acks": ("-c", "log.flush.policy=acks"),
}
"""Cluster -> what `logctl up` is told besides."""


@dataclass(frozen=True)
class Row:
    """One load: the program that makes it, its arguments, the partitions of its topic."""

    name: str
    program: str
    args: tuple[str, ...]
    partitions: int


ROWS = (
    Row("one", "load.py", ("produce",), 1),
    Row("twelve", "load.py", ("produce",), 12),
    Row("raw-one", "pipeline.py", (), 1),
    Row("raw-twelve", "pipeline.py", (), 12),
    Row("latency", "load.py", ("pace",), 12),
    Row("alone", "pipeline.py", ("--batch-records", "1", "--in-flight", "1"), 1),
)
THROUGHPUT = ("one", "twelve", "raw-one", "raw-twelve")
WORDS = {
    "one": "1 KiB, one partition",
    "twelve": "1 KiB, twelve partitions",
    "raw-one": "raw, one partition",
    "raw-twelve": "raw, twelve partitions",
    "latency": "1000 records/s",
    "alone": "one at a time",
}
WANTED = {"os": 1.5, "acks": 1.0}


def main() -> int:
    options = parse()
    rows = [row for row in ROWS if row.name in options.rows]
    samples: Samples = defaultdict(lambda: defaultdict(list))
    others: list[float] = []
    with tempfile.TemporaryDirectory(prefix="logctl-bench-", dir=options.directory) as scratch, ExitStack() as running:
        clusters = {name: running.enter_context(started(name, Path(scratch) / name)) for name in options.clusters}
        for name, cluster in clusters.items():
            say(f"warming {name} up")
            for row in rows:
                run_once(cluster, row, options.warm_up)
        for (number, row), (name, cluster) in itertools.product(
            enumerate(rows * options.rounds), clusters.items()
        ):
            say(f"{row.name} on {name} ({number // len(rows) + 1}/{options.rounds})")
            run = run_once(cluster, row, options.seconds)
            others.append(run.others_percent)
            note(run, name, row, samples)
        for name, cluster in clusters.items():
            samples["memory"][name].append(sum(process.rss_mib(pid) for pid in cluster.pids))
    for ours in ("os", "acks"):
        print(f"\n`log.flush.policy={ours}`\n")
        print(render(against_apache(samples, ours), goals(ours)))
    print(
        f"\n{os.cpu_count()} cores, {options.rounds} rounds of {options.seconds:g} s, {time.strftime('%Y-%m-%d')}, "
        f"other processes took {sorted(others)[len(others) // 2]:.0f} % of the machine (up to {max(others):.0f} %)"
    )
    if options.json:
        Path(options.json).write_text(json.dumps(samples, indent=1) + "\n")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = ",".join(row.name for row in ROWS)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each run")
    parser.add_argument("--warm-up", type=float, default=5.0, help="seconds of each load on each cluster")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each load on each cluster")
    parser.add_argument("--rows", default=every, type=lambda text: text.split(","), help=f"which loads: {every}")
    parser.add_argument("--clusters", default=",".join(CLUSTERS), type=lambda text: text.split(","))
    parser.add_argument("--json", help="write every sample to this file")
    parser.add_argument("--directory", help="where the nodes keep their data (default: the temporary directory)")
    return parser.parse_args()


class Cluster(NamedTuple):
    address: str
    pids: list[int]

    @property
    def cpu_s(self) -> float:
        return sum(map(process.cpu_s, self.pids))


@contextmanager
def started(name: str, folder: Path) -> Iterator[Cluster]:
    """Three nodes, as `logctl up` starts them; stopped at the end, and their data gone."""
    first = free_ports_in_a_row(NODES)
    logctl = [sys.executable, "-m", "logctl"]
    command = [*logctl, "up", "--nodes", str(NODES), "--data", str(folder), "--port", str(first), "--detach"]
    for setting, value in SETTINGS.items():
        command += ["-c", f"{setting}={value}"]
    environment = {**os.environ, "KAFKA_JVM_PERFORMANCE_OPTS": " ".join(JVM)}
    try:
        ask([*command, *CLUSTERS[name]], environment)
        pids = [node.pid for node in local.nodes_in(folder) if node.pid is not None]
        assert len(pids) == NODES, pids
        yield Cluster(",".join(f"127.0.0.1:{first + number}" for number in range(NODES)), pids)
    finally:
        subprocess.run([*logctl, "down", "--data", str(folder)], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def ask(command: list[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=environment)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command[1:])} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


class Run(NamedTuple):
    result: dict[str, float]
    cpu_s: float
    client_cpu_s: float
    others_percent: float


_numbers = itertools.count(1)


def run_once(cluster: Cluster, row: Row, seconds: float) -> Run:
    os.sync()
    with topic(cluster, f"{row.name}-{next(_numbers)}", row.partitions) as name:
        used, client, busy = cluster.cpu_s, process.children_cpu_s(), process.machine_busy_s()
        began = time.monotonic()
        command = [sys.executable, str(HERE / row.program)]
        where = [*row.args[:1], cluster.address, name, *row.args[1:]]
        if row.program == "pipeline.py":
            where = [cluster.address, name, *row.args]
        told = ask([*command, *where, "--seconds", str(seconds), "--partitions", str(row.partitions)])
        used, client = cluster.cpu_s - used, process.children_cpu_s() - client
        others = process.machine_busy_s() - busy - used - client
        share = others / (time.monotonic() - began) / (os.cpu_count() or 1)
    result: dict[str, float] = json.loads(told.splitlines()[-1])
    return Run(result, used, client, 100 * share)


@contextmanager
def topic(cluster: Cluster, name: str, partitions: int) -> Iterator[str]:
    with closing(KafkaAdminClient(bootstrap_servers=cluster.address.split(","))) as admin:
        admin.create_topics([NewTopic(name, partitions, NODES)], wait_for_metadata=True)
        time.sleep(1.0)  # followers of Apache's find their leaders
        yield name
        admin.delete_topics([name])


def note(run: Run, name: str, row: Row, samples: Samples) -> None:
    result = run.result
    if row.name not in THROUGHPUT:
        for quantity in ("p50_ms", "p99_ms"):
            samples[f"{row.name}: {quantity}"][name].append(result[quantity])
        return
    samples[f"{row.name}: MB/s"][name].append(result["mb_s"])
    samples[f"{row.name}: CPU s/GB"][name].append(run.cpu_s / result["bytes"] * 1e9)
    samples[f"{row.name}: client CPU s/GB"][name].append(run.client_cpu_s / result["bytes"] * 1e9)


def against_apache(samples: Samples, ours: str) -> Samples:
    return {
        quantity: {name: of[key] for name, key in (("apache", "apache"), ("logctl", ours)) if key in of}
        for quantity, of in samples.items()
    }


def goals(ours: str) -> list[Goal]:
    found = []
    for name in THROUGHPUT:
        wanted = 0 if name.startswith("raw") else WANTED[ours]
        found.append(Goal(f"{WORDS[name]}: MB/s", f"{name}: MB/s", wanted, at_most=False))
        found.append(Goal(f"{WORDS[name]}: CPU s/GB of the three", f"{name}: CPU s/GB", 0, at_most=True))
    for name in ("latency", "alone"):
        found += [Goal(f"{WORDS[name]}: {one} ms", f"{name}: {one}_ms", 0, at_most=True) for one in ("p50", "p99")]
    return [*found, Goal("memory of the three: MiB", "memory", 250, at_most=True, ratio=False)]


def say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
