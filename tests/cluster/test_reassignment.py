"""Partitions move between three real nodes at the word of Apache's own tools, and leadership with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic
from support.node import Node
from support.tools import Shell, Tools
from support.trio import running_nodes
from support.waiting import wait_until

from logctl.admin.client import Client, parse_addresses
from logctl.admin.deadline import Deadline
from logctl.admin.quorum import Quorum, describe_quorum
from logctl.admin.routing import Cluster
from logctl.wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
    ReassignableTopic,
)
from logctl.wire.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsTopics,
)

REASSIGN: Final = "reassign.ReassignPartitionsCommand"
PREFERENCE: Final = {"leader.imbalance.check.interval.seconds": "1"}


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[dict[int, Node]]:
    with running_nodes(tmp_path, 3, PREFERENCE) as running:
        yield running


def create(node: Node, name: str, replicas: list[int]) -> None:
    admin = KafkaAdminClient(bootstrap_servers=node.address)
    admin.create_topics([NewTopic(name, -1, -1, replica_assignments={0: replicas})])
    admin.close()


def seen(node: Node, topic: str) -> tuple[int, list[int], list[int]]:
    """(leader, replicas, in sync) of the first partition, as a node tells it."""
    admin = KafkaAdminClient(bootstrap_servers=node.address)
    told: Any = admin.describe_topics([topic])[0]["partitions"][0]
    admin.close()
    leader, replicas, isr = (told[name] for name in _NAMES if name in told)
    return leader, list(replicas), sorted(isr)


_NAMES: Final = ("leader", "leader_id", "replicas", "replica_nodes", "isr", "isr_nodes")


def is_so(node: Node, topic: str, expected: tuple[int, list[int], list[int]]) -> bool:
    return seen(node, topic) == expected


def plan(folder: Path, topic: str, replicas: list[int]) -> str:
    file = folder / "reassignment.json"
    wanted = {"version": 1, "partitions": [{"topic": topic, "partition": 0, "replicas": replicas}]}
    file.write_text(json.dumps(wanted))
    return str(file)


def reassign(node: Node, topic: str, replicas: list[int] | None) -> None:
    """Apache's tool names no broker that is fenced, and to take something back it wants to ask every broker."""
    wanted = [ReassignableTopic(topic, [ReassignablePartition(0, replicas)])]
    with Client(parse_addresses(node.address)) as client:
        answer: Any = Cluster(client).ask(AlterPartitionReassignmentsRequest(topics=wanted), Deadline(10))
    assert [one.error_code for one in answer.responses[0].partitions] == [0]


def under_way(node: Node, topic: str) -> list[int]:
    """Of the first two partitions."""
    asked = ListPartitionReassignmentsRequest(topics=[ListPartitionReassignmentsTopics(topic, [0, 1])])
    with Client(parse_addresses(node.address)) as client:
        answer: Any = Cluster(client).ask(asked, Deadline(10))
    return [one.partition_index for topic in answer.topics for one in topic.partitions]


@pytest.mark.java
def test_a_partition_moves_with_all_that_is_in_it(nodes: dict[int, Node], tmp_path: Path) -> None:
    create(nodes[1], "orders", [1, 2])
    producer = KafkaProducer(bootstrap_servers=nodes[1].address, acks="all")
    for number in range(500):
        producer.send("orders", b"%d" % number)
    producer.close()
    file = plan(tmp_path, "orders", [3, 2])
    with Tools() as tools:
        shell = Shell(tools, nodes[2])
        assert "Successfully started" in shell.ask(REASSIGN, "--reassignment-json-file", file, "--execute")
        wait_until(lambda: seen(nodes[1], "orders")[1:] == ([3, 2], [2, 3]), "the partition to lie on 3 and 2")
        assert "is completed" in shell.ask(REASSIGN, "--reassignment-json-file", file, "--verify")
        assert "No partition reassignments found" in shell.ask(REASSIGN, "--list")
    wait_until(partial(is_so, nodes[1], "orders", (3, [3, 2], [2, 3])), "the preferred replica to lead")
    consumer = KafkaConsumer(
        "orders", bootstrap_servers=nodes[1].address, auto_offset_reset="earliest", consumer_timeout_ms=5_000
    )
    values = []
    for record in consumer:
        values.append(int(record.value))
        if len(values) == 500:
            break
    consumer.close()
    assert values == list(range(500))


@pytest.mark.java
def test_what_cannot_be_completed_is_listed_and_taken_back(nodes: dict[int, Node]) -> None:
    create(nodes[1], "orders", [1, 2])
    nodes[3].kill()
    reassign(nodes[1], "orders", [1, 3])
    with Tools() as tools:
        shell = Shell(tools, nodes[2])
        listed = shell.ask(REASSIGN, "--list")
        assert "orders-0: replicas: 1,3,2. adding: 3. removing: 2." in listed
        assert under_way(nodes[1], "orders") == under_way(nodes[2], "orders") == [0]
        reassign(nodes[1], "orders", None)
        assert "No partition reassignments found" in shell.ask(REASSIGN, "--list")
    wait_until(partial(is_so, nodes[1], "orders", (1, [1, 2], [1, 2])), "everything to be as before")


def quorum(nodes: dict[int, Node]) -> Quorum:
    with Client(parse_addresses(nodes[1].address)) as client:
        return describe_quorum(Cluster(client), Deadline(10))


def all_are_level(nodes: dict[int, Node]) -> bool:
    voters = quorum(nodes).voters
    return len(voters) == 3 and all(one.behind_records == 0 and one.caught_up_ms is not None for one in voters)


def test_every_voter_is_known_to_be_level(nodes: dict[int, Node]) -> None:
    create(nodes[1], "orders", [1, 2])
    wait_until(partial(all_are_level, nodes), "all voters to have everything")


def test_a_node_that_was_killed_waits_for_its_own_session_to_end(nodes: dict[int, Node]) -> None:
    nodes[3].kill()
    nodes[3].start()
    create(nodes[1], "orders", [3, 1])
    wait_until(partial(is_so, nodes[1], "orders", (3, [3, 1], [1, 3])), "it to lead")
