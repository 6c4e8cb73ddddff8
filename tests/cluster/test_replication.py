"""Three real nodes keep each partition three times: any may be killed, and nothing acknowledged goes with it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from support.node import Node
from support.trio import running_nodes
from support.waiting import wait_until

from logctl.wire.records import iter_batches, iter_records


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[dict[int, Node]]:
    with running_nodes(tmp_path, 3) as running:
        yield running


def bootstrap(nodes: dict[int, Node]) -> str:
    return ",".join(node.address for node in nodes.values() if node.running)


def create(nodes: dict[int, Node], name: str, partitions: int = 1, **configs: str) -> None:
    given = {key.replace("_", "."): value for key, value in configs.items()}
    admin = AdminClient({"bootstrap.servers": bootstrap(nodes)})
    admin.create_topics([NewTopic(name, partitions, 3, config=given)])[name].result(30)
    for node in nodes.values():
        wait_until(partial(_knows, node, name), f"{node.address} to know {name}")


def _knows(node: Node, name: str) -> bool:
    return name in AdminClient({"bootstrap.servers": node.address}).list_topics(timeout=10).topics


def leader_of(nodes: dict[int, Node], topic: str, partition: int = 0) -> int:
    metadata = AdminClient({"bootstrap.servers": bootstrap(nodes)}).list_topics(topic, timeout=10)
    leader: int = metadata.topics[topic].partitions[partition].leader
    return leader


def isr_of(nodes: dict[int, Node], topic: str, partition: int = 0) -> list[int]:
    metadata = AdminClient({"bootstrap.servers": bootstrap(nodes)}).list_topics(topic, timeout=10)
    return sorted(metadata.topics[topic].partitions[partition].isrs)


def on_disk(node: Node, topic: str, partition: int = 0) -> list[bytes | None]:
    """The values that lie in the node's own files."""
    folder = node.log_dir / f"{topic}-{partition}"
    found = []
    for segment in sorted(folder.glob("*.log")):
        for batch in iter_batches(memoryview(segment.read_bytes())):
            found += [record.value for record in iter_records(batch)]
    return found


def produce(nodes: dict[int, Node], topic: str, numbers: range) -> None:
    """All of them acknowledged by all in-sync replicas."""
    failures: list[object] = []
    producer = Producer({"bootstrap.servers": bootstrap(nodes), "acks": "all", "linger.ms": 0})

    def noted(error: object, message: object) -> None:
        if error:
            failures.append(error)

    for number in numbers:
        producer.produce(topic, str(number), partition=0, on_delivery=noted)
    assert producer.flush(30) == 0
    assert not failures


def read(nodes: dict[int, Node], topic: str, count: int) -> list[int]:
    """The values of the first `count` records."""
    consumer = Consumer({"bootstrap.servers": bootstrap(nodes), "group.id": "none", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    found: list[int] = []

    def more() -> bool:
        messages = [one for one in consumer.consume(500, 0.2) if one.error() is None]
        found.extend(int(one.value()) for one in messages)
        return len(found) >= count

    wait_until(more, f"{count} records of {topic}")
    consumer.close()
    return found


def test_an_acknowledged_record_is_on_every_node_and_survives_its_leader(nodes: dict[int, Node]) -> None:
    create(nodes, "orders")
    produce(nodes, "orders", range(100))
    for node in nodes.values():
        assert on_disk(node, "orders") == [str(number).encode() for number in range(100)]
    leader = leader_of(nodes, "orders")
    nodes[leader].kill()
    assert read(nodes, "orders", 100) == list(range(100))
    produce(nodes, "orders", range(100, 150))
    assert read(nodes, "orders", 150) == list(range(150))
    nodes[leader].start()
    wait_until(lambda: on_disk(nodes[leader], "orders")[-1:] == [b"149"], "the node that was away to catch up")


def test_a_node_that_comes_back_is_in_sync_again_and_may_lead(nodes: dict[int, Node]) -> None:
    create(nodes, "orders", min_insync_replicas="2")
    for round_ in range(2):
        leader = leader_of(nodes, "orders")
        nodes[leader].kill()
        produce(nodes, "orders", range(round_ * 50, round_ * 50 + 50))
        assert leader not in isr_of(nodes, "orders")
        nodes[leader].start()
        wait_until(lambda: isr_of(nodes, "orders") == [1, 2, 3], "all to be in sync")
    assert read(nodes, "orders", 100) == list(range(100))
