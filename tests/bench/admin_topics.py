"""The topics of a large cluster: 10,000 topics x 5 partitions on three brokers, listed and described.

    .venv/bin/python tests/bench/admin_topics.py [--topics 10000] [--partitions 5] [--rounds 3]

The cluster is scripted, in a process of its own, and answers from prepared bytes, so that what is measured is logctl,
from the start of its process: the time until the first byte is out and until all is (`first row`, `all`), its CPU, and
the peak of its memory. Every topic has the 33 settings that Apache Kafka 4.3 tells of, one of them its own. Goals of
`topic describe`: first row within 1 s, all within 5 s, at most 200 MiB.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from bisect import bisect_left
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from bench.admin_lag import BROKERS, Prepared  # noqa: E402
from support.scripted import ScriptedCluster, topic_id  # noqa: E402
from tabulate import tabulate  # noqa: E402

from logctl.wire.messages.describe_configs import (  # noqa: E402
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
)
from logctl.wire.messages.describe_topic_partitions import (  # noqa: E402
    DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponseCursor,
    DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
)
from logctl.wire.messages.list_partition_reassignments import ListPartitionReassignmentsResponse  # noqa: E402

PAGE = 2000
SETTINGS = 33
COMMANDS = (
    "topic list",
    "topic list --topics-with-overrides",
    "topic describe",
    "topic describe -o csv",
    "topic describe -o json",
    "partition list",
)


class Large(ScriptedCluster):
    """So many topics, their leaders dealt out to the brokers."""

    def __init__(self, topics: int, partitions: int) -> None:
        leaders = [BROKERS[number % 3] for number in range(partitions)]
        super().__init__(*BROKERS, topics={f"topic-{number:06}": leaders for number in range(topics)})
        for broker in self.brokers.values():
            broker.close()
        self.brokers = {node_id: Prepared(node_id) for node_id in BROKERS}
        self.names = sorted(self.topics)
        self.answer("Metadata", self._metadata)
        self.answer("DescribeTopicPartitions", self.described)
        self.answer("DescribeConfigs", self.settings)
        self.answer("ListPartitionReassignments", lambda request, version: ListPartitionReassignmentsResponse())

    def described(self, request: Any, version: int) -> Any:
        wanted = [topic.name for topic in request.topics] or self.names
        start = bisect_left(wanted, request.cursor.topic_name) if request.cursor else 0
        end = start + PAGE // len(self.topics[wanted[0]])
        after = DescribeTopicPartitionsResponseCursor(wanted[end], 0) if end < len(wanted) else None
        page = [self._told(name) for name in wanted[start:end]]
        return DescribeTopicPartitionsResponse(topics=page, next_cursor=after)

    def _told(self, name: str) -> DescribeTopicPartitionsResponseTopic:
        partitions = [
            DescribeTopicPartitionsResponsePartition(
                partition_index=number,
                leader_id=leader,
                leader_epoch=7,
                replica_nodes=list(BROKERS),
                isr_nodes=list(BROKERS),
                eligible_leader_replicas=[],
                last_known_elr=[],
            )
            for number, leader in enumerate(self.topics[name])
        ]
        return DescribeTopicPartitionsResponseTopic(name=name, topic_id=topic_id(name), partitions=partitions)

    def settings(self, request: Any, version: int) -> Any:
        def rows(keys: list[str] | None) -> list[DescribeConfigsResourceResult]:
            names = ["retention.ms", "min.insync.replicas", *(f"some.other.setting.{n}" for n in range(SETTINGS - 2))]
            return [
                DescribeConfigsResourceResult(name=name, value="2", config_source=1 if name == "retention.ms" else 5)
                for name in names
                if keys is None or name in keys
            ]

        return DescribeConfigsResponse(
            results=[
                DescribeConfigsResult(resource_name=one.resource_name, configs=rows(one.configuration_keys))
                for one in request.resources
            ]
        )


def main() -> None:
    options = parse()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # compiled modules are kept, as where logctl is installed
    if options.serve:
        serve(options.topics, options.partitions)
        return
    size = ["--topics", str(options.topics), "--partitions", str(options.partitions)]
    rows = []
    with subprocess.Popen(
        [sys.executable, __file__, "--serve", *size], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as cluster:
        assert cluster.stdout is not None
        bootstrap = cluster.stdout.readline().strip()
        for command in COMMANDS:
            measured = [run(command, bootstrap) for _ in range(options.rounds + 1)][1:]
            medians = [f"{statistics.median(column):.2f}" for column in zip(*measured, strict=True)]
            rows.append([command, *medians])
    print(tabulate(rows, ["what", "first row s", "all s", "CPU s", "peak MiB"], disable_numparse=True))


def serve(topics: int, partitions: int) -> None:
    """In a process of its own, so that those that are measured do not begin with the memory of this one: until stdin
    ends."""
    with Large(topics, partitions) as cluster:
        print(cluster.bootstrap, flush=True)
        sys.stdin.read()


def run(command: str, bootstrap: str) -> tuple[float, float, float, float]:
    """Seconds to the first byte and to the end, CPU seconds, and the peak of memory in MiB, of one process."""
    began_s = time.perf_counter()
    arguments = [sys.executable, "-m", "logctl", *command.split(), "-b", bootstrap]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, cwd=HERE.parents[1]) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        first_s = time.perf_counter() - began_s
        while process.stdout.read(1 << 20):
            pass
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return first_s, time.perf_counter() - began_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--topics", type=int, default=10_000)
    parser.add_argument("--partitions", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
