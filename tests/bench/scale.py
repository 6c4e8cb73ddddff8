"""Thousands of partitions, groups and connections: our node, and Apache Kafka beside it.

    .venv/bin/python tests/bench/scale.py [--rounds 3] [--rows many,groups] [--brokers apache,logctl] [--json FILE]

Needs a C compiler, and for Apache a JDK 17 and Maven (once). Runs of the two brokers alternate; the table shows
medians. Every node starts under a soft limit of 1,024 open files. CPU is what the kernel counts for the broker's
process: trust it, and ratios, above seconds, which other work on the machine makes longer. Rows:

    many         5,000 partitions: creating them, starting again in order and after kill -9, what standing by costs
    records      the same starts with a record in each partition (no goal; what a used cluster is like)
    produce      CPU of a produce request to 4 partitions, with 5,000 others on the node and without
    recovery     starting after kill -9 with a million records of 200 B behind the last checkpoint
    groups       1,000 groups of 10 members that send heartbeats; a group of 200 members that all join anew
    connections  2,000 that say nothing: memory, and what they do to others' latency
    commits      OffsetCommit requests for one partition each
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from bench import process  # noqa: E402
from bench.brokers import BROKERS, JVM, Broker, OurNode  # noqa: E402
from bench.table import Goal, Samples, render  # noqa: E402
from bench.wire import Conversation  # noqa: E402
from support.ports import free_port  # noqa: E402

from logctl.engine.apache import ApacheNode  # noqa: E402
from logctl.wire.frames import request_frame  # noqa: E402
from logctl.wire.messages.create_topics import CreatableTopic, CreateTopicsRequest  # noqa: E402
from logctl.wire.messages.find_coordinator import FindCoordinatorRequest  # noqa: E402
from logctl.wire.messages.metadata import MetadataRequest, MetadataRequestTopic  # noqa: E402
from logctl.wire.messages.offset_commit import (  # noqa: E402
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from logctl.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData  # noqa: E402
from logctl.wire.records import NewRecord, build_batch  # noqa: E402

PARTITIONS = 5000
MANY, FEW = "many", "few"
CONNECTIONS = 2000
RECORDS, RECORD_BYTES = 1_000_000, 200
OPEN_FILES = 1024
START_TIMEOUT_S = 300.0
SETTINGS = {
    "offsets.topic.num.partitions": "50",
    "max.connections": "20000",
    "max.connections.per.ip": "20000",
    "log.flush.offset.checkpoint.interval.ms": "3600000",
}

GOALS = (
    Goal("create 5,000 partitions: s", "create: s", 1.0, at_most=True, ratio=False),
    Goal("start with them after an orderly stop, until all lead: s", "orderly: s", 1.0, at_most=True, ratio=False),
    Goal("... after kill -9: s", "killed: s", 2.0, at_most=True, ratio=False),
    Goal("stop in order: s", "stop: s", 0, at_most=True, ratio=False),
    Goal("idle with them: percent of a core", "idle: percent", 2.0, at_most=True, ratio=False),
    Goal("idle with them: MiB", "idle: MiB", 128.0, at_most=True, ratio=False),
    Goal("a record in each, orderly: s", "orderly, used: s", 0, at_most=True, ratio=False),
    Goal("a record in each, killed: s", "killed, used: s", 0, at_most=True, ratio=False),
    Goal("a record in each, stop in order: s", "stop, used: s", 0, at_most=True, ratio=False),
    Goal("CPU of a produce request, with them / without", "produce: ratio", 1.2, at_most=True, ratio=False),
    Goal("start after kill -9 with 1 M records to recover: s", "recovery: s", 1.0, at_most=True, ratio=False),
    Goal("10,000 members' heartbeats: percent of a core", "heartbeats: percent", 10.0, at_most=True, ratio=False),
    Goal("200 members join anew: s", "rebalance: s", 1.0, at_most=True, ratio=False),
    Goal("an idle connection: KiB", "connection: KiB", 2.0, at_most=True, ratio=False),
    Goal("p99 of produce, with 2,000 of them / without", "connections: p99 ratio", 1.1, at_most=True, ratio=False),
    Goal("offset commits/s, one partition each", "commits: /s", 2.0, at_most=False),
    Goal("offset commits: broker CPU us each", "commits: us", 0, at_most=True),
)


def main() -> int:
    options = parse()
    samples: Samples = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory(prefix="logctl-scale-", dir=options.directory) as scratch:
        tools = Path(scratch) / "load"
        subprocess.run(["cc", "-O2", "-o", str(tools), str(HERE / "raw" / "load.c")], check=True)
        for row in options.rows:
            for number in range(options.rounds):
                for name in options.brokers:
                    say(f"{row} on {name} ({number + 1}/{options.rounds})")
                    place = Path(scratch) / f"{row}-{name}-{number}"
                    ROWS[row](name, place, Recorder(samples, name, tools))
                    shutil.rmtree(place, ignore_errors=True)
    print(render(samples, GOALS))
    if options.json:
        Path(options.json).write_text(json.dumps({"samples": samples, "goals": GOALS}, indent=1) + "\n")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", default=",".join(ROWS), type=lambda text: text.split(","))
    parser.add_argument("--brokers", default=",".join(BROKERS), type=lambda text: text.split(","))
    parser.add_argument("--json", help="write every sample to this file")
    parser.add_argument("--directory", help="where the brokers keep their data (default: the temporary directory)")
    return parser.parse_args()


class Recorder:
    """Where a run of one broker puts what it has measured."""

    def __init__(self, samples: Samples, broker: str, load: Path) -> None:
        self._samples = samples
        self._broker = broker
        self.load = load

    def __call__(self, quantity: str, value: float) -> None:
        self._samples[quantity][self._broker].append(value)
        say(f"    {quantity} {value:.3g}")


# Brokers.


def broker(name: str, directory: Path) -> Broker:
    """Neither flushes what it appends, as Apache comes."""
    if name == "logctl":
        return OurNode(directory, free_port(), SETTINGS | {"log.flush.policy": "os"})
    return ApacheNode(
        directory, free_port(), free_port(), settings=SETTINGS, heap="1g", jvm_flags=JVM, dies_with_parent=True
    )


@contextmanager
def running(name: str, directory: Path) -> Iterator[Broker]:
    one = broker(name, directory)
    try:
        begin(one)
        yield one
    finally:
        stop(one)


def stop(one: Broker) -> None:
    """In order, however long that takes."""
    if isinstance(one, OurNode):
        one.stop()
    else:
        one.stop(timeout_s=300)


def begin(one: Broker) -> float:
    """Start it under the soft limit; seconds until it answers."""
    began = time.monotonic()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, most), most))
    try:
        one.start(timeout_s=START_TIMEOUT_S)
        return time.monotonic() - began
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def begin_until_all_lead(one: Broker) -> float:
    began = time.monotonic()
    begin(one)
    until_all_lead(one, MANY, PARTITIONS)
    return time.monotonic() - began


def kill(one: Broker) -> None:
    if isinstance(one, OurNode):
        assert one.process is not None
        one.process.kill()
        one.process.wait()
    else:
        one.kill()


def until_all_lead(one: Broker, topic: str, count: int) -> None:
    deadline = time.monotonic() + 300
    with Conversation(one.address) as line:
        while leaders(line, topic) < count:
            assert time.monotonic() < deadline, "not all partitions have a leader"
            time.sleep(0.005)


def leaders(line: Conversation, topic: str) -> int:
    [found] = line.ask(MetadataRequest(topics=[MetadataRequestTopic(name=topic)]), 12).topics
    return sum(one.leader_id >= 0 and not one.error_code for one in found.partitions)


def create(one: Broker, topic: str, count: int) -> None:
    with Conversation(one.address) as line:
        request = CreateTopicsRequest(topics=[CreatableTopic(topic, count, 1)], timeout_ms=120_000)
        [result] = line.ask(request, 7).topics
        assert result.error_code == 0, result
    until_all_lead(one, topic, count)


# Rows.


def many(name: str, place: Path, note: Recorder) -> None:
    with running(name, place) as one:
        began = time.monotonic()
        create(one, MANY, PARTITIONS)
        note("create: s", time.monotonic() - began)
        began = time.monotonic()
        stop(one)
        note("stop: s", time.monotonic() - began)
        note("orderly: s", begin_until_all_lead(one))
        kill(one)
        note("killed: s", begin_until_all_lead(one))
        time.sleep(10)
        before, began = process.cpu_s(one.pid), time.monotonic()
        time.sleep(20)
        note("idle: percent", 100 * (process.cpu_s(one.pid) - before) / (time.monotonic() - began))
        note("idle: MiB", process.rss_mib(one.pid))


def records(name: str, place: Path, note: Recorder) -> None:
    with running(name, place) as one:
        create(one, MANY, PARTITIONS)
        with Conversation(one.address) as line:
            batch = bytes(build_batch([NewRecord(None, b"x" * RECORD_BYTES)]))
            data = [PartitionProduceData(number, batch) for number in range(PARTITIONS)]
            topics = [TopicProduceData(MANY, partition_data=data)]
            line.ask(ProduceRequest(acks=-1, timeout_ms=120_000, topic_data=topics), 7)
        kill(one)
        note("killed, used: s", begin_until_all_lead(one))
        began = time.monotonic()
        stop(one)
        note("stop, used: s", time.monotonic() - began)
        note("orderly, used: s", begin_until_all_lead(one))


def produce(name: str, place: Path, note: Recorder) -> None:
    """The two states follow each other closely on one node, since a topic can be deleted again."""
    with running(name, place) as one:
        create(one, FEW, 4)
        frames = [produce_frame(number) for number in range(4)]
        error_at = 4 + 4 + 4 + 2 + len(FEW) + 4 + 4
        blast(one, note, frames, error_at, seconds=3)
        alone = blast(one, note, frames, error_at)
        create(one, MANY, PARTITIONS)
        time.sleep(5)
        crowded = blast(one, note, frames, error_at)
        note("produce: us alone", alone.us)
        note("produce: us crowded", crowded.us)
        note("produce: ratio", crowded.us / alone.us)


def produce_frame(partition: int) -> bytes:
    batch = bytes(build_batch([NewRecord(None, b"x" * RECORD_BYTES)]))
    data = [TopicProduceData(FEW, partition_data=[PartitionProduceData(partition, batch)])]
    return request_frame(0, 7, 1, "bench", ProduceRequest(acks=-1, timeout_ms=30_000, topic_data=data))


class Blast:
    """What load.c told, and the broker's CPU per answer."""

    def __init__(self, told: dict[str, float], cpu_s: float) -> None:
        assert not told["failures"], told
        self.per_s = told["answers"] / told["seconds"]
        self.us = 1e6 * cpu_s / told["answers"]


def blast(one: Broker, note: Recorder, frames: list[bytes], error_at: int, seconds: float = 5.0) -> Blast:
    """Over 8 connections with 4 requests under way on each."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"".join(frames))
        file.flush()
        port = one.address.rpartition(":")[2]
        command = [note.load, port, file.name, len(frames[0]), seconds, 8, 4, error_at]
        before = process.cpu_s(one.pid)
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True)
        return Blast(json.loads(done.stdout), process.cpu_s(one.pid) - before)


def recovery(name: str, place: Path, note: Recorder) -> None:
    with running(name, place) as one:
        create(one, FEW, 4)
        load(one, "fill", FEW, "--total", str(RECORDS * RECORD_BYTES), "--bytes", str(RECORD_BYTES))
        kill(one)
        began = time.monotonic()
        begin(one)
        until_all_lead(one, FEW, 4)
        note("recovery: s", time.monotonic() - began)


def groups(name: str, place: Path, note: Recorder) -> None:
    with running(name, place) as one:
        with crowd(one, "rebalance", "--members", "200") as told:
            note("rebalance: s", told()["seconds"])
        with crowd(one, "heartbeats", "--seconds", "20") as told:
            before = process.cpu_s(one.pid)
            result = told()
            used = process.cpu_s(one.pid) - before
            # Heartbeats that the client sent late are counted as if they had come in time.
            due = 10_000 / 3
            note("heartbeats: percent", 100 * used / result["heartbeats"] * due)


def connections(name: str, place: Path, note: Recorder) -> None:
    with running(name, place) as one:
        create(one, FEW, 4)
        load(one, "singles", FEW, "--seconds", "3")
        pace(one)
        before = process.rss_mib(one.pid)
        alone = pace(one)
        with crowd(one, "idle") as told:
            note("connection: KiB", (process.rss_mib(one.pid) - before) * 1024 / CONNECTIONS)
            among = pace(one)
            told()
        note("connections: p99 alone", alone)
        note("connections: p99 among them", among)
        note("connections: p99 ratio", among / alone)


def pace(one: Broker) -> float:
    return load(one, "pace", FEW, "--seconds", "8")["p99_ms"]


def commits(name: str, place: Path, note: Recorder) -> None:
    with running(name, place) as one:
        create(one, FEW, 4)
        with Conversation(one.address) as line:
            while line.ask(FindCoordinatorRequest("group-0"), 2).error_code:
                time.sleep(0.1)
        time.sleep(2)
        frames = [commit_frame(f"group-{number}", number % 4) for number in range(8)]
        error_at = 4 + 4 + 4 + 4 + 2 + len(FEW) + 4 + 4
        blast(one, note, frames, error_at, seconds=5)
        result = blast(one, note, frames, error_at)
        note("commits: /s", result.per_s)
        note("commits: us", result.us)


def commit_frame(group: str, partition: int) -> bytes:
    partitions = [OffsetCommitRequestPartition(partition, 1000)]
    request = OffsetCommitRequest(group_id=group, topics=[OffsetCommitRequestTopic(FEW, partitions=partitions)])
    return request_frame(8, 7, 1, "bench", request)


ROWS: dict[str, Callable[[str, Path, Recorder], None]] = {
    "many": many,
    "records": records,
    "produce": produce,
    "recovery": recovery,
    "groups": groups,
    "connections": connections,
    "commits": commits,
}


# Clients.


@contextmanager
def crowd(one: Broker, kind: str, *args: str) -> Iterator[Callable[[], Any]]:
    """A crowd that has arrived; the callable waits until it is done and answers what it told."""
    command = [sys.executable, str(HERE / "crowd.py"), kind, one.address, *args]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n", "the crowd did not arrive"
        yield lambda: json.loads(child.communicate()[0])
    finally:
        child.kill()
        child.wait()


def load(one: Broker, kind: str, topic: str, *args: str) -> dict[str, float]:
    command = [sys.executable, str(HERE / "load.py"), kind, one.address, topic, *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
