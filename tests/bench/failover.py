"""How long writing stands still when a leader goes: killed, or stopped in order; Apache Kafka and our nodes in one run.

    .venv/bin/python tests/bench/failover.py [--kills 30] [--stops 10] [--peer-kills 5] [--peer-stops 10] [--json FILE]

Needs a JDK 17 and Maven (once, for Apache's artifacts). Three nodes of each engine are brought up by `logctl up --nodes
3` with nothing set, one engine after the other. An idempotent producer (librdkafka, its defaults but for
reconnect.backoff.max.ms: it would wait up to 10 s with calling a node that was away a moment ago) sends a record every
5 ms to one partition with three replicas and acks=all. Each time the partition's leader goes; a gap is the longest time
between two acknowledgements from a moment before until a second after the first one that came in. Then the node is
started again, and the next goes when all are in sync. In the end everything is read: each acknowledged record has to be
there once. The gaps of kills in which the leader was the active controller, too, are told beside the others.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from typing import Final, NamedTuple

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402

from logctl import local  # noqa: E402
from logctl.engine.apache import VERSION  # noqa: E402

TOPIC: Final = "orders"
PACE_S: Final = 0.005
BEFORE_S: Final = 0.2
AFTER_S: Final = 1.0
PATIENCE_S: Final = 120.0


class Gap(NamedTuple):
    """`seconds` without an acknowledgement after a node went; was it the active controller as well?"""

    seconds: float
    was_controller: bool


class Trio:
    """Three nodes of one engine in a folder, through the commands an operator has."""

    def __init__(self, engine: str, folder: Path) -> None:
        self.engine = engine
        self._folder = folder
        self._logctl("up", "--engine", engine, "--nodes", "3", "--port", "0", "--detach")
        self.bootstrap = ",".join(one.addresses[0] for one in self._running())

    def _logctl(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "logctl", *arguments, "--data", str(self._folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def _running(self) -> list[local.LocalNode]:
        return [one for one in local.nodes_in(self._folder) if one.is_running]

    def _process(self, node_id: int) -> int:
        return next(one.pid for one in self._running() if one.node_id == node_id and one.pid)

    def kill(self, node_id: int) -> None:
        self._signal(node_id, signal.SIGKILL)

    def stop(self, node_id: int) -> None:
        self._signal(node_id, signal.SIGTERM)

    def _signal(self, node_id: int, number: signal.Signals) -> None:
        pid = self._process(node_id)
        os.kill(pid, number)
        self._going = pid

    def start_again(self) -> None:
        wait(lambda: self._going not in {one.pid for one in self._running()}, "the node to be gone")
        self._logctl("up", "--detach")

    def close(self) -> None:
        self._logctl("down")


def wait(come: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not come():
        assert time.monotonic() < deadline, f"waited {PATIENCE_S:.0f} s in vain for {what}"
        time.sleep(0.02)


class Load:
    """One record every 5 ms, and when each was acknowledged."""

    def __init__(self, bootstrap: str) -> None:
        self.acknowledged_s: list[float] = []
        self.values: list[int] = []
        self.errors: list[str] = []
        settings = {"enable.idempotence": True, "linger.ms": 0, "reconnect.backoff.max.ms": 100}
        self._producer = Producer({"bootstrap.servers": bootstrap, **settings})
        self._resting = Event()
        self._thread = Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        value, due = 0, time.monotonic()
        while not self._resting.is_set():
            now = time.monotonic()
            while due <= now:
                value, due = value + 1, due + PACE_S
                self._producer.produce(TOPIC, str(value), partition=0, on_delivery=self._noted)
            self._producer.poll(max(0.0, due - now))

    def _noted(self, error: object, message: object) -> None:
        if error:
            self.errors.append(str(error))
        else:
            self.acknowledged_s.append(time.monotonic())
            self.values.append(int(message.value()))  # type: ignore[attr-defined]

    def longest_gap_s(self, since_s: float) -> float:
        times = [one for one in list(self.acknowledged_s) if one >= since_s - BEFORE_S]
        return max(later - sooner for sooner, later in pairwise(times))

    def flows_since(self, since_s: float) -> bool:
        """Has the first acknowledgement of a record sent afterwards been followed by a second of others?"""
        times = self.acknowledged_s
        late = time.monotonic() - AFTER_S
        return bool(times) and any(late > one > since_s + BEFORE_S for one in times[-2000:]) and times[-1] > late

    def rest(self) -> None:
        self._resting.set()
        self._thread.join()
        self._producer.flush(60)


class Stage:
    """The nodes, the load on them, and the questions that are asked of them."""

    def __init__(self, trio: Trio) -> None:
        self.trio = trio
        self._admin = AdminClient({"bootstrap.servers": trio.bootstrap})
        new = NewTopic(TOPIC, 1, 3, config={"min.insync.replicas": "2"})
        self._admin.create_topics([new])[TOPIC].result(60)
        wait(lambda: len(self._partition().isrs) == 3, "the topic")
        self.load = Load(trio.bootstrap)
        wait(lambda: len(self.load.values) > 100, "the first acknowledgements")

    def _partition(self):  # type: ignore[no-untyped-def]
        return self._admin.list_topics(TOPIC, timeout=30).topics[TOPIC].partitions[0]

    def _controller(self) -> int:
        """The active controller; of Apache's brokers the quorum has to be asked, which Metadata doesn't tell."""
        command = [sys.executable, "-m", "logctl", "cluster", "quorum", "-o", "json", "-b", self.trio.bootstrap]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return int(json.loads(done.stdout)["clusters"][0]["leader"])

    def lose_the_leader(self, lose: Callable[[int], None]) -> Gap:
        leader, controller = self._partition().leader, self._controller()
        since_s = time.monotonic()
        lose(leader)
        wait(lambda: self.load.flows_since(since_s), "acknowledgements to go on")
        self.trio.start_again()
        wait(lambda: len(self._partition().isrs) == 3, "all to be in sync")
        wait(lambda: self.load.flows_since(time.monotonic() - 2 * AFTER_S), "acknowledgements")
        return Gap(self.load.longest_gap_s(since_s), leader == controller)

    def judge(self) -> tuple[int, int]:
        """(lost, duplicated) of what was acknowledged."""
        self.load.rest()
        settings = {"bootstrap.servers": self.trio.bootstrap, "group.id": "judge", "enable.auto.commit": False}
        consumer = Consumer({**settings, "isolation.level": "read_uncommitted"})
        _, end = consumer.get_watermark_offsets(TopicPartition(TOPIC, 0), timeout=30)
        consumer.assign([TopicPartition(TOPIC, 0, OFFSET_BEGINNING)])
        seen: Counter[int] = Counter()
        position = 0
        while position < end:
            for one in consumer.consume(5000, 1.0):
                assert one.error() is None, one.error()
                seen[int(one.value())] += 1
                position = one.offset() + 1
        consumer.close()
        return sum(seen[value] == 0 for value in self.load.values), sum(many > 1 for many in seen.values())


@contextmanager
def stage(engine: str, folder: Path) -> Iterator[Stage]:
    trio = Trio(engine, folder)
    made = Stage(trio)
    try:
        yield made
    finally:
        made.load.rest()
        trio.close()


def measure(engine: str, kills: int, stops: int, folder: Path) -> dict[str, object]:
    with stage(engine, folder) as made:
        gaps = {}
        for name, lose, times in (("kill", made.trio.kill, kills), ("stop", made.trio.stop, stops)):
            gaps[name] = []
            for number in range(times):
                gap = made.lose_the_leader(lose)
                gaps[name].append(gap)
                also = ", controller as well" if gap.was_controller else ""
                print(f"{engine} {name} {number + 1} of {times}: {gap.seconds:.3f} s{also}", file=sys.stderr)
        lost, duplicated = made.judge()
        told = len(made.load.values)
        return {"gaps": gaps, "lost": lost, "duplicated": duplicated, "errors": made.load.errors, "records": told}


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def row(engine: str, name: str, gaps: Sequence[Gap]) -> str:
    seconds = [gap.seconds for gap in gaps]
    both = [gap.seconds for gap in gaps if gap.was_controller]
    of_both = f"{len(both)}: {statistics.median(both):.2f}" if both else ""
    middle, worst = statistics.median(seconds), percentile(seconds, 0.99)
    cells = (engine, name, len(seconds), f"{middle:.3f}", f"{worst:.3f}", of_both)
    return "| " + " | ".join(map(str, cells)) + " |"


def render(found: dict[str, dict]) -> str:  # type: ignore[type-arg]
    lines = [
        "| engine | the leader is | times | gap p50, s | p99, s | of these the controller: p50, s |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for engine, outcome in found.items():
        lines += [row(engine, name, gaps) for name, gaps in outcome["gaps"].items() if gaps]
    for engine, outcome in found.items():
        sentence = "{records} acknowledged, {lost} lost, {duplicated} duplicated, {0} errors told to the client"
        lines.append(f"\n{engine}: " + sentence.format(len(outcome["errors"]), **outcome))
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30, help="of our leaders (30)")
    parser.add_argument("--stops", type=int, default=10, help="of our leaders, in order (10)")
    parser.add_argument("--peer-kills", type=int, default=5, help="of Apache Kafka's leaders (5); 0 of both: none")
    parser.add_argument("--peer-stops", type=int, default=10, help="of Apache Kafka's leaders, in order (10)")
    parser.add_argument("--directory", help="where the data lies meanwhile")
    parser.add_argument("--json", type=Path, help="write what was measured to this file")
    given = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory(prefix="logctl-bench-", dir=given.directory) as scratch:
        if given.peer_kills or given.peer_stops:
            folder = Path(scratch) / "apache"
            found[f"Apache Kafka {VERSION}"] = measure("apache", given.peer_kills, given.peer_stops, folder)
        found["logctl"] = measure("logctl", given.kills, given.stops, Path(scratch) / "logctl")
    print(render(found))
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
