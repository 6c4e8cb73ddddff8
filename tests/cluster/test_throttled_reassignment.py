"""Apache's reassignment tool with a throttle, against three real nodes: begun, watched, hastened, taken back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic
from support.node import Node
from support.tools import CONFIGS, Shell, Tools
from support.trio import running_nodes
from support.waiting import wait_until

pytestmark = [pytest.mark.java, pytest.mark.xdist_group("throttled-reassignment")]

REASSIGN: Final = "reassign.ReassignPartitionsCommand"
RATES: Final = "leader.replication.throttled.rate", "follower.replication.throttled.rate"
REPLICAS: Final = "leader.replication.throttled.replicas", "follower.replication.throttled.replicas"


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Node]]:
    with running_nodes(tmp_path_factory.mktemp("trio"), 3) as running:
        yield running


@pytest.fixture(scope="module")
def shell(nodes: dict[int, Node]) -> Iterator[Shell]:
    with Tools() as tools:
        yield Shell(tools, nodes[2])


def fill(node: Node, topic: str) -> None:
    """Three megabytes on brokers 1 and 2: three answers of a leader at the least."""
    admin = KafkaAdminClient(bootstrap_servers=node.address)
    admin.create_topics([NewTopic(topic, -1, -1, replica_assignments={0: [1, 2]})])
    admin.close()
    producer = KafkaProducer(bootstrap_servers=node.address, acks="all", batch_size=100_000)
    for _ in range(30):
        producer.send(topic, b"x" * 99_000)
    producer.close()


def plan(folder: Path, topic: str, replicas: list[int]) -> str:
    file = folder / "reassignment.json"
    wanted = {"version": 1, "partitions": [{"topic": topic, "partition": 0, "replicas": replicas}]}
    file.write_text(json.dumps(wanted))
    return str(file)


def replicas_of(node: Node, topic: str) -> list[int]:
    admin = KafkaAdminClient(bootstrap_servers=node.address)
    told: Any = admin.describe_topics([topic])[0]["partitions"][0]
    admin.close()
    return sorted(told.get("replicas", told.get("replica_nodes")))


def is_on(node: Node, topic: str, replicas: list[int]) -> bool:
    return replicas_of(node, topic) == replicas


def throttles(shell: Shell, topic: str) -> list[str]:
    """Which throttles are set on broker 3 and on the topic."""
    broker = shell.ask(CONFIGS, "--describe", "--entity-type", "brokers", "--entity-name", "3")
    own = shell.ask(CONFIGS, "--describe", "--entity-type", "topics", "--entity-name", topic)
    return [name for name in (*RATES, *REPLICAS) if name in broker + own]


def test_a_throttled_reassignment_waits_until_it_is_given_more(
    nodes: dict[int, Node], shell: Shell, tmp_path: Path
) -> None:
    fill(nodes[1], "orders")
    file = plan(tmp_path, "orders", [1, 3])
    wanted = "--reassignment-json-file", file
    said = shell.ask(REASSIGN, *wanted, "--execute", "--throttle", "1000")
    assert "The inter-broker throttle limit was set to 1000 B/s" in said
    assert "Successfully started" in said
    assert throttles(shell, "orders") == [*RATES, *REPLICAS]
    assert "is still in progress" in shell.ask(REASSIGN, *wanted, "--verify")
    assert throttles(shell, "orders") == [*RATES, *REPLICAS], "they stay while it goes on"
    shell.ask(REASSIGN, *wanted, "--execute", "--additional", "--throttle", "500000000")
    wait_until(partial(is_on, nodes[1], "orders", [1, 3]), "the partition to lie on 1 and 3")
    said = shell.ask(REASSIGN, *wanted, "--verify")
    assert "is completed" in said
    assert "Clearing topic-level throttles" in said
    assert throttles(shell, "orders") == []


def test_a_throttled_reassignment_is_taken_back_with_its_throttles(
    nodes: dict[int, Node], shell: Shell, tmp_path: Path
) -> None:
    fill(nodes[1], "payments")
    file = plan(tmp_path, "payments", [3, 2])
    wanted = "--reassignment-json-file", file
    shell.ask(REASSIGN, *wanted, "--execute", "--throttle", "1000")
    assert is_on(nodes[1], "payments", [1, 2, 3])
    said = shell.ask(REASSIGN, *wanted, "--cancel")
    assert "Successfully cancelled partition reassignment for: payments-0" in said
    wait_until(partial(is_on, nodes[1], "payments", [1, 2]), "the partition to lie where it was")
    assert throttles(shell, "payments") == []
