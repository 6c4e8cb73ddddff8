"""The lag of all groups of a large cluster: 1,000 groups x 100 partitions, 100,000 commits, on three brokers.

    .venv/bin/python tests/bench/admin_lag.py [--groups 1000] [--partitions 100] [--shared] [--rounds 3]

The cluster is scripted, in a process of its own, and answers from prepared bytes, so that what is measured is logctl:
the time until everything is known (`lag`), the time of the whole command with its output (`first row`, `all rows`), the
peak of its memory, and how many requests each coordinator and leader saw. Every group reads a topic of its own, which
is the worst case, or with --shared all read the same one. Goals: first row within 1 s, all within 5 s, at most 200 MiB.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from support.scripted import ScriptedBroker, ScriptedCluster, topic_id  # noqa: E402
from tabulate import tabulate  # noqa: E402

from logctl.wire.api import API  # noqa: E402
from logctl.wire.frames import read_request_header  # noqa: E402
from logctl.wire.messages.list_groups import ListedGroup, ListGroupsResponse  # noqa: E402
from logctl.wire.messages.list_offsets import (  # noqa: E402
    ListOffsetsPartitionResponse,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)
from logctl.wire.messages.offset_fetch import (  # noqa: E402
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopics,
)

BROKERS = (1, 2, 3)


class Prepared(ScriptedBroker):
    """Answers a request that it has seen before with the bytes that it sent then."""

    def __init__(self, node_id: int) -> None:
        super().__init__(node_id)
        self.seen: Counter[str] = Counter()
        self._kept: dict[tuple[Any, ...], bytes] = {}

    def _one(self, connection: Any, frame: bytes) -> bool:
        header, position = read_request_header(frame)
        name = API[header.api_key].name
        self.seen[name] += 1
        body = frame[position:] if name != "ListOffsets" else (frame[position : position + 5], frame[-24:-12])
        key = name, header.version, len(frame), body
        if key not in self._kept:
            caught = _Caught()
            super()._one(caught, frame)
            self.asked.clear()
            self._kept[key] = bytes(caught.data)
        answer = bytearray(self._kept[key])
        answer[4:8] = header.correlation_id.to_bytes(4, "big")
        connection.sendall(answer)
        return True


class _Caught:
    """Stands for a connection, and keeps what is sent."""

    def __init__(self) -> None:
        self.data = bytearray()

    def sendall(self, data: bytes) -> None:
        self.data += data


class Large(ScriptedCluster):
    """`groups` groups, dealt out to the brokers, each with a commit in every partition of its topic."""

    def __init__(self, groups: int, partitions: int, shared: bool) -> None:
        topics = 1 if shared else groups
        leaders = [BROKERS[number % 3] for number in range(partitions)]
        super().__init__(*BROKERS, topics={f"topic-{number:04}": leaders for number in range(topics)})
        for broker in self.brokers.values():
            broker.close()
        self.brokers = {node_id: Prepared(node_id) for node_id in BROKERS}
        self.reads = {f"group-{number:04}": f"topic-{number % topics:04}" for number in range(groups)}
        self.home = {name: BROKERS[number % 3] for number, name in enumerate(self.reads)}
        self.answer("Metadata", self._metadata)
        self.answer("OffsetFetch", self.offsets)
        self.answer("ListOffsets", self.ends)
        for name in ("FindCoordinator", "DescribeGroups", "ConsumerGroupDescribe"):
            self.answer(name, lambda request, version: None)
        for node_id, broker in self.brokers.items():
            broker.answer("ListGroups", lambda request, version, node_id=node_id: self.listed(node_id))

    def listed(self, node_id: int) -> Any:
        mine = [name for name, home in self.home.items() if home == node_id]
        return ListGroupsResponse(groups=[ListedGroup(name, "consumer", "Empty", "classic") for name in mine])

    def offsets(self, request: Any, version: int) -> Any:
        def group(name: str) -> OffsetFetchResponseGroup:
            topic = self.reads[name]
            held = [
                OffsetFetchResponsePartitions(partition_index=number, committed_offset=1_000_000_000 + number)
                for number in range(len(self.topics[topic]))
            ]
            told = OffsetFetchResponseTopics(name=topic, topic_id=topic_id(topic), partitions=held)
            return OffsetFetchResponseGroup(group_id=name, topics=[told])

        return OffsetFetchResponse(groups=[group(one.group_id) for one in request.groups])

    def ends(self, request: Any, version: int) -> Any:
        def partition(entry: Any) -> ListOffsetsPartitionResponse:
            offset = 0 if entry.timestamp == -2 else 1_000_000_000 + 2 * entry.partition_index
            return ListOffsetsPartitionResponse(partition_index=entry.partition_index, offset=offset)

        return ListOffsetsResponse(
            topics=[
                ListOffsetsTopicResponse(name=topic.name, partitions=[partition(entry) for entry in topic.partitions])
                for topic in request.topics
            ]
        )

    def seen(self) -> dict[str, list[int]]:
        names = sorted({name for broker in self.brokers.values() for name in broker.seen})
        return {name: [broker.seen[name] for broker in self.brokers.values()] for name in names}


def main() -> None:
    options = parse()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # compiled modules are kept, as where logctl is installed
    if options.look:
        print(json.dumps(look(options.look, options.at)))
        return
    with Large(options.groups, options.partitions, options.shared) as cluster:
        rows = []
        for what in ("lag", "-o table", "-o csv", "-o csv --summary", "-o json --summary"):
            measured = [child(what, cluster.bootstrap) for _ in range(options.rounds + 1)][1:]
            for broker in cluster.brokers.values():
                broker.seen.clear()
            child(what, cluster.bootstrap)
            rows.append([what, *(median(measured, key) for key in ("first_s", "all_s", "cpu_s", "peak_mib"))])
        print(tabulate(rows, ["what", "first row s", "all s", "CPU s", "peak MiB"], disable_numparse=True))
        print("requests by broker:", ", ".join(f"{name} {counts}" for name, counts in cluster.seen().items()))


def median(measured: list[dict[str, float]], key: str) -> str:
    return f"{statistics.median(one[key] for one in measured):.2f}"


def child(what: str, bootstrap: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--look", what, "--at", bootstrap], capture_output=True, check=True, text=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def look(what: str, bootstrap: str) -> dict[str, float]:
    """In the child: one look, from the first import on."""
    first: list[float] = []
    began_s = time.perf_counter()
    if what == "lag":
        ask(bootstrap)
        first.append(time.perf_counter())
    else:
        show(what.split(), bootstrap, lambda: first.append(time.perf_counter()))
    ended_s = time.perf_counter()
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "first_s": first[0] - began_s,
        "all_s": ended_s - began_s,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_mib": used.ru_maxrss / 1024,
    }


def ask(bootstrap: str) -> None:
    """What the command does before it shows anything."""
    import gc

    from logctl.admin.client import Client, parse_addresses
    from logctl.admin.deadline import Deadline
    from logctl.admin.group_lag import lag_of_groups
    from logctl.admin.groups import Selection
    from logctl.admin.routing import Cluster

    gc.disable()
    with Client(parse_addresses(bootstrap)) as client:
        found = lag_of_groups(Cluster(client), Selection(), Deadline(60.0))
    assert found.groups
    assert not found.failures
    assert all(group.total is not None for group in found.groups)


def show(flags: list[str], bootstrap: str, first: Callable[[], None]) -> None:
    from logctl.cli.main import main as command

    class Watched(io.StringIO):
        def write(self, text: str) -> int:
            if not self.tell():
                first()
            return super().write(text[:1])

    kept, sys.stdout = sys.stdout, Watched()
    os.environ["LOGCTL_BOOTSTRAP_SERVER"] = bootstrap
    try:
        assert command(["group", "lag", *flags]) == 0
    finally:
        sys.stdout = kept


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=1000)
    parser.add_argument("--partitions", type=int, default=100)
    parser.add_argument("--shared", action="store_true", help="all groups read one topic")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--look", help=argparse.SUPPRESS)
    parser.add_argument("--at", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
