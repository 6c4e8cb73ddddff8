"""Three nodes that hold five thousand partitions, three replicas of each: ours, and Apache Kafka's beside them.

    .venv/bin/python tests/bench/nodes_at_scale.py [--measures up,many,idle] [--engines apache,logctl] [--json FILE]

Needs a JDK 17 and Maven (once) for Apache Kafka. Each engine is brought up by `logctl up --nodes 3` with nothing set,
one after the other. CPU is what the kernel counts for a node's process: trust it, and ratios, above seconds, which
other work on the machine makes longer. Measures, in this order; all but the first two need `many`:

    up          from the command until a topic with three replicas is created; memory of the three, empty
    elections   busy loops, one a core, beside an empty cluster for --minutes: leader epochs, in-sync sets that change
    many        5,000 partitions are created: until each has a leader and three replicas in sync
    idle        CPU of each node while nobody asks for anything; memory of each
    controller  kill -9 of the active controller: until a topic with two replicas is created by one that remains
    clean       a node is stopped in order and started again: until it leads what it led
    killed      the same after kill -9
    used        a record in each partition; then `clean`, `killed` and `idle` again
    loaded      busy loops as above beside the 5,000 partitions
    deleted     the topic goes: until no node holds a folder of it under its name

What a node led it leads again once it is let in, its replicas are in sync and a preferred election was asked for, which
the bench does every quarter of a second (both engines would do it by themselves, but minutes later). Of other work on
the machine the last line tells.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from bench import process  # noqa: E402
from bench.table import Goal, Samples, render  # noqa: E402
from bench.wire import Conversation  # noqa: E402

from logctl import local  # noqa: E402
from logctl.wire.messages.create_topics import CreatableTopic, CreateTopicsRequest  # noqa: E402
from logctl.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState  # noqa: E402
from logctl.wire.messages.elect_leaders import ElectLeadersRequest  # noqa: E402
from logctl.wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponsePartition  # noqa: E402
from logctl.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData  # noqa: E402
from logctl.wire.records import NewRecord, build_batch  # noqa: E402

ENGINES: Final = ("apache", "logctl")
NODES: Final = 3
MANY: Final = "many"
PORTION: Final = 200
"""Partitions in one Produce request."""
PATIENCE_S: Final = 300.0
AGAIN_S: Final = 0.01
LOOK_S: Final = 0.05
"""Metadata of 5,000 partitions costs the nodes some milliseconds each time it is asked for."""
ELECT_EVERY_S: Final = 0.25

GOALS = (
    Goal("up and a topic with three replicas: s", "up: s", 1.5, at_most=True, ratio=False),
    Goal("memory of the three, empty: MiB", "up: MiB", 250, at_most=True, ratio=False),
    Goal("5,000 partitions created and in sync: s", "create: s", 0, at_most=True),
    Goal("... CPU of the three: s", "create: CPU s", 0, at_most=True),
    Goal("idle with them, the busiest node: percent of a core", "idle: percent", 5.0, at_most=True, ratio=False),
    Goal("memory of the three with them: MiB", "idle: MiB", 0, at_most=True),
    Goal("controller killed, until a topic is created: s", "controller: s", 2.0, at_most=True, ratio=False),
    Goal("node stopped in order: s", "clean: stop s", 0, at_most=True),
    Goal("... started, until it leads again: s", "clean: s", 3.0, at_most=True, ratio=False),
    Goal("node started after kill -9, until it leads again: s", "killed: s", 5.0, at_most=True, ratio=False),
    Goal("a record in each, acknowledged: s", "used: s", 0, at_most=True),
    Goal("a record in each: stopped in order: s", "used: stop s", 0, at_most=True),
    Goal("... until it leads again, orderly: s", "used: clean s", 0, at_most=True),
    Goal("... after kill -9: s", "used: killed s", 0, at_most=True),
    Goal("... idle, the busiest node: percent of a core", "used: idle percent", 0, at_most=True),
    Goal("... memory of the three: MiB", "used: MiB", 0, at_most=True),
    Goal("full CPU load, empty: elections and in-sync changes", "elections: changes", 0.5, at_most=True, ratio=False),
    Goal("full CPU load, 5,000 partitions: the same", "loaded: changes", 0.5, at_most=True, ratio=False),
    Goal("5,000 partitions deleted: s", "deleted: s", 0, at_most=True),
    Goal("brokers fenced, beside those that were killed", "fenced", 0.5, at_most=True, ratio=False),
)


def main() -> int:
    options = parse()
    samples: Samples = defaultdict(lambda: defaultdict(list))
    before, began = process.machine_busy_s(), time.monotonic()
    scratch = Path(tempfile.mkdtemp(prefix="logctl-scale-", dir=options.directory))
    try:
        for _ in range(options.rounds):
            for engine in options.engines:
                measure(engine, scratch / engine, options, samples)
    finally:
        if options.keep:
            say(f"kept in {scratch}")
        else:
            shutil.rmtree(scratch, ignore_errors=True)
    print(render(samples, GOALS))
    busy = (process.machine_busy_s() - before) / (time.monotonic() - began) / (os.cpu_count() or 1)
    print(f"\n{os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}; all processes took {100 * busy:.0f} % of it")
    if options.json:
        Path(options.json).write_text(json.dumps({"samples": samples, "goals": GOALS}, indent=1) + "\n")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measures", default=",".join(MEASURES), type=lambda text: text.split(","))
    parser.add_argument("--engines", default=",".join(ENGINES), type=lambda text: text.split(","))
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=10.0, help="of full load (10)")
    parser.add_argument("--idle", type=float, default=20.0, help="seconds of standing by (20)")
    parser.add_argument("--partitions", type=int, default=5000)
    parser.add_argument("--port", type=int, default=0, help="of the first node; 0 takes free ones")
    parser.add_argument("-c", dest="settings", action="append", default=[], metavar="NAME=VALUE", help="for the nodes")
    parser.add_argument("--json", help="write every sample to this file")
    parser.add_argument("--directory", help="where the nodes keep their data (default: the temporary directory)")
    parser.add_argument("--keep", action="store_true", help="leave data and diaries there")
    return parser.parse_args()


def measure(engine: str, folder: Path, options: argparse.Namespace, samples: Samples) -> None:
    trio = Trio(engine, folder, options)

    def note(quantity: str, value: float) -> None:
        samples[quantity][engine].append(value)
        say(f"    {engine}: {quantity} {value:.3g}")

    try:
        for name in MEASURES:
            if name in options.measures or name == "up":
                say(f"{name} on {engine}")
                MEASURES[name](trio, note)
        if engine == "logctl":
            note("fenced", trio.fenced_without_cause())
    finally:
        trio.close()


Note = Callable[[str, float], None]


class Trio:
    """Three nodes of one engine in a folder, through the commands an operator has."""

    def __init__(self, engine: str, folder: Path, options: argparse.Namespace) -> None:
        self.engine = engine
        self.partitions: int = options.partitions
        self.minutes: float = options.minutes
        self.idle_s: float = options.idle
        self._folder = folder
        self._options = options
        self.killed = 0

    def up(self) -> None:
        arguments = ["--engine", self.engine, "--nodes", str(NODES), "--port", str(self._options.port), "--detach"]
        for setting in self._options.settings:
            arguments += ["-c", setting]
        self._logctl("up", *arguments)
        self.addresses = {one.node_id: one.addresses[0] for one in self.running()}

    def _logctl(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "logctl", *arguments, "--data", str(self._folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def running(self) -> list[local.LocalNode]:
        return [one for one in local.nodes_in(self._folder) if one.is_running]

    def pids(self) -> dict[int, int]:
        return {one.node_id: one.pid for one in self.running() if one.pid is not None}

    def send(self, node_id: int, number: signal.Signals) -> None:
        """A signal for a node that ends it; returns when its process has ended."""
        pid = self.pids()[node_id]
        os.kill(pid, number)
        wait(lambda: not Path(f"/proc/{pid}").exists() or is_zombie(pid), f"node {node_id} to end")
        if number == signal.SIGKILL:
            self.killed += 1

    def start_again(self) -> subprocess.Popen[bytes]:
        """Begin to bring up the node that is down; the command returns when it is in."""
        command = [sys.executable, "-m", "logctl", "up", "--detach", "--timeout", "300s", "--data", str(self._folder)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def controller(self) -> int:
        """The active controller; of Apache's brokers the quorum has to be asked, which Metadata doesn't tell."""
        bootstrap = ",".join(self.addresses.values())
        command = [sys.executable, "-m", "logctl", "cluster", "quorum", "-o", "json", "-b", bootstrap]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return int(json.loads(done.stdout)["clusters"][0]["leader"])

    def folders(self) -> int:
        """Of the topic with many partitions, under its name."""
        found = [name for place in self._data_folders() for name in os.listdir(place)]
        return sum(name.startswith(f"{MANY}-") and not name.endswith("-delete") for name in found)

    def _data_folders(self) -> set[str]:
        return {folder for one in local.nodes_in(self._folder) for folder in one.log_dirs or [one.log_dir]}

    def fenced_without_cause(self) -> int:
        """How often a diary says that a broker was not heard of, beyond those that were killed."""
        diaries = [path.read_text() for path in self._folder.glob("node-*.log")]
        return max(0, sum(text.count("was not heard of for") for text in diaries) - self.killed)

    def close(self) -> None:
        with suppress(AssertionError):
            self._logctl("down")
        if not self._options.keep:
            shutil.rmtree(self._folder, ignore_errors=True)


# Questions.


def wait(come: Callable[[], Any], what: str, every_s: float = AGAIN_S) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not come():
        assert time.monotonic() < deadline, f"waited {PATIENCE_S:.0f} s in vain for {what}"
        time.sleep(every_s)


def listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with suppress(OSError), socket.create_connection((host, int(port)), 1.0):
        return True
    return False


def is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z")
    except OSError:
        return True


def partitions(address: str, topic: str = MANY) -> list[MetadataResponsePartition]:
    with Conversation(address) as line:
        [found] = line.ask(MetadataRequest(topics=[MetadataRequestTopic(name=topic)]), 12).topics
        return [] if found.error_code else found.partitions


def try_to_create(address: str, topic: str, count: int, replicas: int) -> bool:
    with suppress(OSError), Conversation(address, timeout_s=60.0) as line:
        request = CreateTopicsRequest(topics=[CreatableTopic(topic, count, replicas)], timeout_ms=60_000)
        [result] = line.ask(request, 7).topics
        return result.error_code in (0, 36)
    return False


def are_in_sync(address: str, count: int) -> bool:
    found = partitions(address)
    return len(found) == count and all(one.leader_id >= 0 and len(one.isr_nodes) == NODES for one in found)


def state(trio: Trio) -> dict[tuple[str, int], tuple[int, int, tuple[int, ...]]]:
    """Leader, leader epoch and in-sync set of each partition."""
    address = next(iter(trio.addresses.values()))
    with Conversation(address) as line:
        found = line.ask(MetadataRequest(topics=None), 12).topics
    return {
        (topic.name, one.partition_index): (one.leader_id, one.leader_epoch, tuple(sorted(one.isr_nodes)))
        for topic in found
        for one in topic.partitions
    }


def quorum_epoch(trio: Trio) -> int:
    bootstrap = ",".join(trio.addresses.values())
    command = [sys.executable, "-m", "logctl", "cluster", "quorum", "-o", "json", "-b", bootstrap]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(json.loads(done.stdout)["clusters"][0]["leader_epoch"])


def elect_preferred(address: str) -> None:
    with Conversation(address) as line:
        line.ask(ElectLeadersRequest(election_type=0, topic_partitions=None, timeout_ms=60_000), 2)


# Measures.


def up(trio: Trio, note: Note) -> None:
    began = time.monotonic()
    trio.up()
    address = next(iter(trio.addresses.values()))
    wait(lambda: try_to_create(address, "first", 1, NODES), "the first topic")
    note("up: s", time.monotonic() - began)
    time.sleep(2)
    note("up: MiB", sum(map(process.rss_mib, trio.pids().values())))


def many(trio: Trio, note: Note) -> None:
    used = {pid: process.cpu_s(pid) for pid in trio.pids().values()}
    began = time.monotonic()
    address = next(iter(trio.addresses.values()))
    assert try_to_create(address, MANY, trio.partitions, NODES)
    for address in trio.addresses.values():
        wait(lambda address=address: are_in_sync(address, trio.partitions), "all partitions", LOOK_S)
    note("create: s", time.monotonic() - began)
    time.sleep(5)
    note("create: CPU s", sum(process.cpu_s(pid) - before for pid, before in used.items()))


def idle(trio: Trio, note: Note, what: str = "idle: percent", memory: str = "idle: MiB") -> None:
    time.sleep(5)
    pids = trio.pids().values()
    used, began = {pid: process.cpu_s(pid) for pid in pids}, time.monotonic()
    time.sleep(trio.idle_s)
    passed = time.monotonic() - began
    note(what, max(100 * (process.cpu_s(pid) - before) / passed for pid, before in used.items()))
    note(memory, sum(map(process.rss_mib, pids)))


def controller(trio: Trio, note: Note) -> None:
    gone = trio.controller()
    address = next(address for node_id, address in trio.addresses.items() if node_id != gone)
    trio.send(gone, signal.SIGKILL)
    began = time.monotonic()
    wait(lambda: try_to_create(address, f"after-{trio.killed}", 1, 2), "a topic to be created")
    note("controller: s", time.monotonic() - began)
    until_it_leads(trio, gone)


def until_it_leads(trio: Trio, node_id: int) -> float:
    """Start the node again; seconds until it leads what it is the preferred leader of."""
    others = [address for one, address in trio.addresses.items() if one != node_id]
    began = elected = time.monotonic()
    coming = trio.start_again()
    wait(lambda: listens(trio.addresses[node_id]), "the node to listen")
    while True:
        found = partitions(others[0])
        preferred = [one for one in found if one.replica_nodes[0] == node_id]
        if all(one.leader_id == node_id for one in preferred):
            with suppress(OSError):
                here = Counter(one.leader_id for one in partitions(trio.addresses[node_id]))
                if here[node_id] >= len(preferred):
                    break
        if time.monotonic() - elected > ELECT_EVERY_S and all(node_id in one.isr_nodes for one in preferred):
            elected = time.monotonic()
            elect_preferred(others[0])
        assert time.monotonic() - began < PATIENCE_S, f"node {node_id} does not lead again"
        time.sleep(LOOK_S)
    passed = time.monotonic() - began
    assert coming.wait() == 0, coming.stderr.read() if coming.stderr else ""
    wait(lambda: are_in_sync(others[0], trio.partitions), "all to be in sync", LOOK_S)
    return passed


def a_follower(trio: Trio) -> int:
    """A node that is not the active controller."""
    leader = trio.controller()
    return next(one for one in trio.addresses if one != leader)


def clean(trio: Trio, note: Note, stopping: str = "clean: stop s", starting: str = "clean: s") -> None:
    node_id = a_follower(trio)
    began = time.monotonic()
    trio.send(node_id, signal.SIGTERM)
    note(stopping, time.monotonic() - began)
    note(starting, until_it_leads(trio, node_id))


def killed(trio: Trio, note: Note, starting: str = "killed: s") -> None:
    node_id = a_follower(trio)
    trio.send(node_id, signal.SIGKILL)
    note(starting, until_it_leads(trio, node_id))


def used(trio: Trio, note: Note) -> None:
    batch = bytes(build_batch([NewRecord(None, b"x" * 200)]))
    of_leader: dict[int, list[PartitionProduceData]] = defaultdict(list)
    for one in partitions(next(iter(trio.addresses.values()))):
        of_leader[one.leader_id].append(PartitionProduceData(one.partition_index, batch))
    began = time.monotonic()
    for leader, data in of_leader.items():
        with Conversation(trio.addresses[leader]) as line:
            for first in range(0, len(data), PORTION):
                topics = [TopicProduceData(MANY, partition_data=data[first : first + PORTION])]
                answer = line.ask(ProduceRequest(acks=-1, timeout_ms=120_000, topic_data=topics), 7)
                codes = Counter(one.error_code for topic in answer.responses for one in topic.partition_responses)
                assert set(codes) == {0}, codes
    note("used: s", time.monotonic() - began)
    clean(trio, note, "used: stop s", "used: clean s")
    killed(trio, note, "used: killed s")
    idle(trio, note, "used: idle percent", "used: MiB")


@contextmanager
def full_load() -> Iterator[None]:
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for one in loops:
            one.kill()
            one.wait()


def elections(trio: Trio, note: Note, what: str = "elections: changes") -> None:
    before, epoch = state(trio), quorum_epoch(trio)
    with full_load():
        ends = time.monotonic() + 60 * trio.minutes
        while time.monotonic() < ends:
            time.sleep(1)
    after = state(trio)
    changed = sum(after[place] != seen for place, seen in before.items())
    note(what, changed + quorum_epoch(trio) - epoch)


def loaded(trio: Trio, note: Note) -> None:
    elections(trio, note, "loaded: changes")


def deleted(trio: Trio, note: Note) -> None:
    began = time.monotonic()
    with Conversation(trio.addresses[trio.controller()]) as line:
        request = DeleteTopicsRequest(topics=[DeleteTopicState(name=MANY)], timeout_ms=60_000)
        [result] = line.ask(request, 6).responses
        assert result.error_code == 0, result
    wait(lambda: trio.folders() == 0, "all folders to be gone")
    note("deleted: s", time.monotonic() - began)
    time.sleep(3)


MEASURES: dict[str, Callable[[Trio, Note], None]] = {
    "up": up,
    "elections": elections,
    "many": many,
    "idle": idle,
    "controller": controller,
    "clean": clean,
    "killed": killed,
    "used": used,
    "loaded": loaded,
    "deleted": deleted,
}


def say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
