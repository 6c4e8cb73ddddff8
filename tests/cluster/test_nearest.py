"""A consumer reads from the node in its rack, and from the leader when that one is gone (KIP-392)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from support.node import Node
from support.tools import Shell, Tools
from support.trio import running_nodes
from support.waiting import wait_until

from logctl.engine.broker.nearest import BY_RACK

CONSUMER = "consumer.ConsoleConsumer"


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Node]]:
    """Each in a rack of its own; node 1 leads."""
    own = {node_id: {"broker.rack": f"rack-{node_id}"} for node_id in (1, 2, 3)}
    with running_nodes(tmp_path_factory.mktemp("racks"), 3, {"replica.selector.class": BY_RACK}, own) as running:
        admin = KafkaAdminClient(bootstrap_servers=running[1].address)
        placed = {0: [1, 2, 3]}
        admin.create_topics([NewTopic(one, -1, -1, replica_assignments=placed) for one in ("orders", "payments")])
        admin.close()
        yield running


class Reader:
    """librdkafka in a rack; `source` is the node that it reads from, as its statistics say."""

    def __init__(self, node: Node, rack: str) -> None:
        self.source = -1
        self.values: list[int] = []
        self._consumer = Consumer(
            {
                "bootstrap.servers": node.address,
                "client.rack": rack,
                "group.id": "readers",
                "statistics.interval.ms": 100,
                "stats_cb": self._take_statistics,
                "enable.auto.commit": False,
            }
        )
        self._consumer.assign([TopicPartition("orders", 0, 0)])

    def _take_statistics(self, text: str) -> None:
        topic: Any = json.loads(text)["topics"].get("orders", {"partitions": {}})
        self.source = topic["partitions"].get("0", {"broker": -1})["broker"]

    def read(self) -> None:
        message = self._consumer.poll(0.1)
        if message is not None and not message.error():
            self.values.append(int(message.value()))

    def reads_from(self, node_id: int) -> bool:
        self.read()
        return self.source == node_id

    def has(self, count: int) -> bool:
        self.read()
        return len(self.values) >= count

    def close(self) -> None:
        self._consumer.close()


def produce(nodes: dict[int, Node], first: int, topic: str = "orders") -> None:
    producer = Producer({"bootstrap.servers": ",".join(one.address for one in nodes.values()), "acks": "all"})
    for number in range(first, first + 100):
        producer.produce(topic, str(number).encode())
    assert not producer.flush(20)


@pytest.mark.java
def test_apaches_consumer_reads_where_it_is_sent(nodes: dict[int, Node]) -> None:
    """The leader gives it nothing: what it got came from the follower."""
    produce(nodes, 0, "payments")
    with Tools() as tools:
        where = "--topic", "payments", "--partition", "0", "--offset", "earliest", "--max-messages", "100"
        said = Shell(tools, nodes[1]).ask(CONSUMER, *where, "--command-property", "client.rack=rack-3")
    assert [int(line) for line in said.split()] == list(range(100))


def test_a_consumer_reads_in_its_own_rack_while_it_can(nodes: dict[int, Node]) -> None:
    produce(nodes, 0)
    reader = Reader(nodes[1], "rack-2")
    wait_until(lambda: reader.has(100), "what is there")
    wait_until(lambda: reader.reads_from(2), "it to read from node 2")
    produce(nodes, 100)
    wait_until(lambda: reader.has(200), "what came later")
    assert reader.source == 2
    nodes[2].kill()
    produce(nodes, 200)
    wait_until(lambda: reader.has(300), "what came after the node in its rack was gone")
    assert reader.source == 1
    assert reader.values == list(range(300))
    reader.close()
