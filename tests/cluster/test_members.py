"""Nodes come to a running cluster and leave it: brokers without a vote, new voters, voters that go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from kafka import KafkaConsumer, KafkaProducer
from support.controller import CLUSTER_ID
from support.node import Node
from support.ports import free_port
from support.trio import running_nodes
from support.waiting import wait_until

from logctl import local
from logctl.admin.client import Client, parse_addresses
from logctl.admin.deadline import Deadline
from logctl.admin.quorum import Quorum, describe_quorum
from logctl.admin.routing import Cluster
from logctl.engine.directory import format_directories
from logctl.engine.log.disk import RealDisk
from logctl.engine.node import new_uuid, wall_ms


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[dict[int, Node]]:
    with running_nodes(tmp_path, 3) as running:
        yield running


def newcomer(folder: Path, node_id: int, seeds: str, cluster_id: str = CLUSTER_ID) -> Node:
    """A broker without a vote, formatted and not started."""
    outer, inner = free_port(), free_port()
    settings = {
        "process.roles": "broker",
        "listeners": f"PLAINTEXT://127.0.0.1:{outer},INTERNAL://127.0.0.1:{inner}",
        "inter.broker.listener.name": "INTERNAL",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.bootstrap.servers": seeds,
    }
    log_dir = str(local.log_dir_of(folder, node_id))
    format_directories(
        RealDisk(), [log_dir], cluster_id=cluster_id, node_id=node_id, new_uuid=new_uuid, now_ms=wall_ms()
    )
    return Node(folder, outer, settings, node_id)


def seeds_of(nodes: dict[int, Node]) -> str:
    return ",".join(one.partition("@")[2] for one in nodes[1].settings["controller.quorum.voters"].split(","))


def asked(*nodes: Node) -> Quorum:
    with Client(parse_addresses(",".join(node.address for node in nodes))) as client:
        return describe_quorum(Cluster(client), Deadline(10))


def test_a_broker_without_a_vote_joins_and_leads(nodes: dict[int, Node], tmp_path: Path) -> None:
    with newcomer(tmp_path, 4, seeds_of(nodes)) as fourth:
        quorum = asked(fourth)
        assert [one.node_id for one in quorum.voters] == [1, 2, 3]
        assert [one.node_id for one in quorum.observers] == [4]
        admin = AdminClient({"bootstrap.servers": fourth.address})
        topic = NewTopic("orders", 1, replica_assignment=[[4, 1, 2]])
        admin.create_topics([topic])["orders"].result(20)
        described = admin.list_topics("orders", timeout=10).topics["orders"].partitions[0]
        assert described.leader == 4
        producer = KafkaProducer(bootstrap_servers=fourth.address, acks="all")
        for number in range(20):
            producer.send("orders", str(number).encode())
        producer.flush()
        producer.close()
        wait_until(
            lambda: sorted(admin.list_topics("orders", timeout=10).topics["orders"].partitions[0].isrs) == [1, 2, 4],
            "every replica to be in sync",
        )
    wait_until(
        lambda: AdminClient({"bootstrap.servers": nodes[1].address})
        .list_topics("orders", timeout=10)
        .topics["orders"]
        .partitions[0]
        .leader
        in (1, 2),
        "another to lead when it is gone",
    )
    consumer = KafkaConsumer(
        "orders", bootstrap_servers=nodes[1].address, auto_offset_reset="earliest", consumer_timeout_ms=10_000
    )
    seen = [next(consumer).value for _ in range(20)]
    consumer.close()
    assert seen == [str(number).encode() for number in range(20)]
