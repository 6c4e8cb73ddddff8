"""Apache's own command line tools against our node, and over the directory it leaves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.clients import CODECS, Message, Sending, produce
from support.clients.librdkafka import Librdkafka
from support.node import Node, running_node

from logctl.engine.apache import ToolResult, run_tool

pytestmark = pytest.mark.java

TOOLS = "org.apache.kafka.tools"
Tool = Callable[..., ToolResult]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running_node(tmp_path_factory.mktemp("node")) as node:
        yield node


def tool(node: Node, name: str, *args: str, stdin: str | None = None) -> str:
    """What the tool said, all of it; it must have succeeded."""
    done = run_tool(f"{TOOLS}.{name}", "--bootstrap-server", node.address, *args, stdin=stdin)
    assert done.code == 0, done.stdout + done.stderr
    return done.stdout


def test_kafka_topics(node: Node) -> None:
    tool(node, "TopicCommand", "--create", "--topic", "orders", "--partitions", "3", "--config", "retention.ms=60000")
    assert "orders" in tool(node, "TopicCommand", "--list").split()
    described = tool(node, "TopicCommand", "--describe", "--topic", "orders")
    assert re.search(r"PartitionCount: 3\s+ReplicationFactor: 1\s+Configs: .*retention\.ms=60000", described)
    assert len(re.findall(r"Partition: \d\s+Leader: 1\s+Replicas: 1\s+Isr: 1", described)) == 3
    tool(node, "TopicCommand", "--delete", "--topic", "orders")
    assert "orders" not in tool(node, "TopicCommand", "--list").split()


def test_kafka_console_producer_and_consumer(node: Node) -> None:
    keyed = "--reader-property", "parse.key=true", "--reader-property", "key.separator=:"
    tool(node, "ConsoleProducer", "--topic", "spoken", *keyed, stdin="a:1\nb:2\na:3\n")
    from_the_beginning = "--topic", "spoken", "--partition", "0", "--offset", "earliest", "--max-messages", "3"
    said = tool(node, "consumer.ConsoleConsumer", *from_the_beginning, "--formatter-property", "print.key=true")
    assert said.splitlines() == ["a\t1", "b\t2", "a\t3"]


def test_kafka_get_offsets(node: Node) -> None:
    produce(Librdkafka(), node.address, "counted", [Message(b"x", timestamp_ms=1_700_000_000_000)] * 5)
    assert "counted:0:5" in tool(node, "GetOffsetShell", "--topic", "counted", "--time", "latest")
    assert "counted:0:0" in tool(node, "GetOffsetShell", "--topic", "counted", "--time", "earliest")
    assert "counted:0:" in tool(node, "GetOffsetShell", "--topic", "counted", "--time", "max-timestamp")


def test_kafka_broker_api_versions(node: Node) -> None:
    said = tool(node, "BrokerApiVersionsCommand")
    assert f"{node.address} (id: 1 rack: null isFenced: false)" in said
    assert re.search(r"Produce\(0\): 0 to 13", said)


def test_kafka_producer_perf_test(node: Node) -> None:
    done = run_tool(
        f"{TOOLS}.ProducerPerformance", "--bootstrap-server", node.address, "--topic", "perf", "--num-records", "5000",
        "--record-size", "100", "--throughput", "-1",
    )  # fmt: skip
    assert done.code == 0, done.stdout + done.stderr
    assert "5000 records sent" in done.stdout


@pytest.mark.timeout(240)
def test_kafka_dump_log_reads_what_a_node_leaves(tmp_path: Path) -> None:
    """Every codec, several segments, an idempotent producer, a restart after SIGKILL; then every file."""
    settings = {"log.segment.bytes": "1048576", "log.index.interval.bytes": "1024"}
    client, count = Librdkafka(), 1000
    with running_node(tmp_path, settings) as node:
        for codec in CODECS:
            messages = [Message(b"%d " % number * 600, key=b"%d" % number) for number in range(count)]
            produce(client, node.address, "dumped", messages, sending=Sending(codec=codec, idempotent=True))
        node.kill()
        node.start()
        produce(client, node.address, "dumped", [Message(b"after the kill")])
        node.stop()
    [folder] = node.log_dir.glob("dumped-0")
    segments = sorted(folder.glob("*.log"))
    assert len(segments) > 1
    read = [dumped(segment, "--deep-iteration", "--print-data-log") for segment in segments]
    offsets = [int(offset) for said in read for offset in re.findall(r"\| offset: (\d+)", said)]
    assert offsets == list(range(count * len(CODECS) + 1))
    assert "isvalid: false" not in "".join(read)
    for other in sorted([*folder.glob("*.index"), *folder.glob("*.timeindex"), *folder.glob("*.snapshot")]):
        dumped(other)


def dumped(path: Path, *how: str) -> str:
    done = run_tool(f"{TOOLS}.DumpLogSegments", "--files", str(path), *how)
    assert done.code == 0, done.stdout + done.stderr
    assert not re.search(r"(?i)mismatch|corrupt|exception|could not|invalid", done.stdout + done.stderr), done.stdout
    return done.stdout
