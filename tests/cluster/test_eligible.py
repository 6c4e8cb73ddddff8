"""Eligible leader replicas on three real nodes: turned on, shown and led by, with Apache's own tools (KIP-966)."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic
from support.node import Node
from support.tools import Shell, Tools
from support.trio import running_nodes
from support.waiting import wait_until

FEATURES = "FeatureCommand"
TOPICS = "TopicCommand"
PLACE = re.compile(r"Leader: (\S+)\s.*Isr: (\S*)\s+Elr: (\S*)")


def create(node: Node) -> None:
    """Without the second node nobody else has all there is, and the minimum is not reached."""
    admin = KafkaAdminClient(bootstrap_servers=node.address)
    least = {"min.insync.replicas": "2"}
    admin.create_topics([NewTopic("orders", -1, -1, replica_assignments={0: [1, 2]}, topic_configs=least)])
    admin.close()
    producer = KafkaProducer(bootstrap_servers=node.address, acks="all")
    producer.send("orders", b"paid").get(10)
    producer.close()


def is_so(shell: Shell, leader: str, isr: str, elr: str) -> bool:
    described = shell.run(TOPICS, "--describe", "--topic", "orders").stdout
    found = PLACE.search(described)
    return found is not None and found.groups() == (leader, isr, elr)


@pytest.mark.java
def test_who_left_in_order_leads_when_nobody_else_can(tmp_path: Path) -> None:
    with running_nodes(tmp_path, 3) as nodes, Tools() as tools:
        shell = Shell(tools, nodes[3])
        shell.ask(FEATURES, "upgrade", "--feature", "eligible.leader.replicas.version=1")
        create(nodes[1])
        nodes[2].stop()
        wait_until(partial(is_so, shell, "1", "1", "2"), "node 2 to be eligible")
        nodes[1].stop()
        nodes[2].start()
        wait_until(partial(is_so, shell, "2", "2", "1"), "node 2 to lead")
        nodes[2].kill()
        nodes[2].start()
        nodes[1].start()
        wait_until(partial(is_so, shell, "1", "1,2", ""), "both to be in sync")
