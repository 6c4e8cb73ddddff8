"""Three real nodes share one metadata log: whoever leads may go, and the cluster goes on."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from kafka import KafkaConsumer, KafkaProducer
from support.node import Node
from support.trio import running_nodes
from support.waiting import wait_until

from logctl.admin.client import Client, parse_addresses
from logctl.admin.deadline import Deadline
from logctl.admin.link import NotOffered
from logctl.admin.quorum import Quorum, describe_quorum
from logctl.admin.routing import Cluster
from logctl.wire.messages.vote import VoteRequest


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[dict[int, Node]]:
    with running_nodes(tmp_path, 3) as running:
        yield running


def bootstrap(nodes: dict[int, Node]) -> str:
    return ",".join(node.address for node in nodes.values() if node.running)


def asked(nodes: dict[int, Node]) -> Quorum:
    with Client(parse_addresses(bootstrap(nodes))) as client:
        return describe_quorum(Cluster(client), Deadline(10))


def topics(node: Node) -> set[str]:
    return set(AdminClient({"bootstrap.servers": node.address}).list_topics(timeout=10).topics)


def _knows(node: Node, names: set[str]) -> bool:
    return names <= topics(node)


def create(nodes: dict[int, Node], name: str, partitions: int = 3) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap(nodes)})
    admin.create_topics([NewTopic(name, partitions, 1)])[name].result(30)


def test_what_one_node_is_told_every_node_knows(nodes: dict[int, Node]) -> None:
    create(nodes, "orders")
    for node in nodes.values():
        wait_until(partial(_knows, node, {"orders"}), f"{node.address} to know the topic")


def test_the_leader_of_the_quorum_is_killed_and_comes_back(nodes: dict[int, Node]) -> None:
    create(nodes, "before")
    first = asked(nodes)
    nodes[first.leader_id].kill()
    wait_until(lambda: asked(nodes).leader_id not in (first.leader_id, -1), "another to lead")
    create(nodes, "meanwhile")
    nodes[first.leader_id].start()
    create(nodes, "after")
    back = nodes[first.leader_id]
    wait_until(partial(_knows, back, {"before", "meanwhile", "after"}), "it to know what it missed")
    assert asked(nodes).leader_id != first.leader_id, "nobody was unseated by its return"


def test_a_process_that_ends_is_missed_before_its_session_is_over(nodes: dict[int, Node]) -> None:
    leader = asked(nodes).leader_id
    follower = leader % 3 + 1
    nodes[follower].kill()
    wait_until(lambda: "it is fenced" in nodes[leader].diary, "the broker to be fenced")
    assert f"Nobody listens at the address of broker {follower}" in nodes[leader].diary


def test_an_orderly_stop_hands_the_quorum_over(nodes: dict[int, Node]) -> None:
    first = asked(nodes).leader_id
    nodes[first].stop()
    assert f"Node {first} resigns" in nodes[first].diary
    wait_until(lambda: asked(nodes).leader_id not in (first, -1), "another to lead")
    create(nodes, "orders")


def test_each_partition_lives_on_its_node_and_comes_back_with_it(nodes: dict[int, Node]) -> None:
    create(nodes, "spread", partitions=6)
    producer = KafkaProducer(bootstrap_servers=bootstrap(nodes), acks="all")
    for number in range(60):
        producer.send("spread", str(number).encode(), partition=number % 6)
    producer.flush()
    producer.close()
    nodes[2].kill()
    nodes[2].start()
    consumer = KafkaConsumer(
        "spread", bootstrap_servers=bootstrap(nodes), auto_offset_reset="earliest", consumer_timeout_ms=20_000
    )
    seen = set()
    for record in consumer:
        seen.add(int(record.value))
        if len(seen) == 60:
            break
    consumer.close()
    assert seen == set(range(60))


def test_a_client_may_not_speak_as_a_voter(nodes: dict[int, Node]) -> None:
    with Client(parse_addresses(nodes[1].address)) as client:
        address = client.entrance(Deadline(10))
        with pytest.raises(NotOffered, match="does not offer Vote"):
            client.ask(address, VoteRequest(), Deadline(10))
