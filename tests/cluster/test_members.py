"""Nodes come to a running cluster and leave it: brokers without a vote, new voters, voters that go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from kafka import KafkaConsumer, KafkaProducer
from support.controller import CLUSTER_ID
from support.dump_log import dump
from support.node import Node
from support.ports import free_port
from support.tools import Tools
from support.trio import running_nodes
from support.waiting import wait_until

from logctl import local
from logctl.admin.client import Client, parse_addresses
from logctl.admin.deadline import Deadline
from logctl.admin.quorum import Quorum, describe_quorum
from logctl.admin.routing import Cluster
from logctl.engine.directory import format_directories, read_identity
from logctl.engine.log.disk import RealDisk
from logctl.engine.node import new_uuid, wall_ms
from logctl.errors import LogctlError
from logctl.wire import errors
from logctl.wire.messages.add_raft_voter import AddRaftVoterRequest, Listener
from logctl.wire.messages.remove_raft_voter import RemoveRaftVoterRequest
from logctl.wire.messages.update_features import FeatureUpdateKey, UpdateFeaturesRequest
from logctl.wire.primitives import uuid_text
from logctl.wire.schema import Message

OTHER_CLUSTER = "bbbbbbbbbbbbbbbbbbbbbb"


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


def as_controller(node: Node) -> Listener:
    """From its next start on it may vote: it has a listener for that."""
    inner = free_port()
    node.settings = {
        **node.settings,
        "process.roles": "broker,controller",
        "listeners": f"{node.settings['listeners']},CONTROLLER://127.0.0.1:{inner}",
    }
    return Listener("CONTROLLER", "127.0.0.1", inner)


def directory_of(node: Node) -> bytes:
    identity = read_identity(RealDisk(), str(node.log_dir))
    assert identity is not None
    return identity.directory_id


def seeds_of(nodes: dict[int, Node]) -> str:
    given = nodes[1].settings
    if "controller.quorum.voters" in given:
        return ",".join(one.partition("@")[2] for one in given["controller.quorum.voters"].split(","))
    return given["controller.quorum.bootstrap.servers"]


def quorum_seen_by(*nodes: Node) -> Quorum:
    with Client(parse_addresses(",".join(node.address for node in nodes))) as client:
        return describe_quorum(Cluster(client), Deadline(10))


def voters_seen_by(*nodes: Node) -> list[int]:
    return [one.node_id for one in quorum_seen_by(*nodes).voters]


def ask(node: Node, request: Message) -> Any:
    with Client(parse_addresses(node.address)) as client:
        return client.ask(client.entrance(Deadline(10)), request, Deadline(20))


def leader_of(node: Node, topic: str) -> int:
    found = AdminClient({"bootstrap.servers": node.address}).list_topics(topic, timeout=10)
    return int(found.topics[topic].partitions[0].leader)


def create(node: Node, name: str, replicas: list[int]) -> None:
    admin = AdminClient({"bootstrap.servers": node.address})
    admin.create_topics([NewTopic(name, 1, replica_assignment=[replicas])])[name].result(30)


def produce(node: Node, topic: str, numbers: range) -> None:
    producer = KafkaProducer(bootstrap_servers=node.address, acks="all")
    for number in numbers:
        producer.send(topic, str(number).encode())
    producer.flush()
    producer.close()


def read(node: Node, topic: str, count: int) -> list[int]:
    consumer = KafkaConsumer(
        topic, bootstrap_servers=node.address, auto_offset_reset="earliest", consumer_timeout_ms=20_000
    )
    seen = [int(next(consumer).value) for _ in range(count)]
    consumer.close()
    return seen


def test_a_broker_without_a_vote_leads_then_votes_and_a_voter_goes(tmp_path: Path) -> None:
    with running_nodes(tmp_path, 3, named=True) as nodes, newcomer(tmp_path, 4, seeds_of(nodes)) as fourth:
        quorum = quorum_seen_by(fourth)
        assert [one.node_id for one in quorum.voters] == [1, 2, 3]
        assert [one.node_id for one in quorum.observers] == [4]
        create(fourth, "orders", [4, 1, 2])
        assert leader_of(fourth, "orders") == 4
        produce(fourth, "orders", range(20))

        fourth.stop()
        wait_until(lambda: leader_of(nodes[1], "orders") in (1, 2), "another to lead when it is gone")
        listener = as_controller(fourth)
        fourth.start()
        answer = ask(
            fourth,
            AddRaftVoterRequest(
                cluster_id=CLUSTER_ID,
                timeout_ms=10_000,
                voter_id=4,
                voter_directory_id=directory_of(fourth),
                listeners=[listener],
            ),
        )
        assert (answer.error_code, answer.error_message) == (errors.NONE, None)
        assert voters_seen_by(fourth) == [1, 2, 3, 4]

        leader = quorum_seen_by(fourth).leader_id
        assert leader is not None
        everybody = {**nodes, 4: fourth}
        answer = ask(nodes[1], RemoveRaftVoterRequest(None, leader, directory_of(everybody[leader])))
        assert (answer.error_code, answer.error_message) == (errors.NONE, None)
        rest = sorted(set(everybody) - {leader})
        wait_until(lambda: quorum_seen_by(*everybody.values()).leader_id in rest, "another to lead the quorum")
        assert voters_seen_by(*everybody.values()) == rest
        wait_until(
            lambda: leader in [one.node_id for one in quorum_seen_by(*everybody.values()).observers],
            "the old leader to follow without a vote",
        )

        second = quorum_seen_by(*everybody.values()).leader_id
        assert second is not None
        everybody.pop(second).kill()
        alive = list(everybody.values())
        wait_until(lambda: quorum_seen_by(*alive).leader_id not in (second, None), "the two others to elect")
        create(everybody[leader], "after", sorted(everybody))
        wait_until(lambda: leader_of(alive[0], "orders") in everybody, "the partition to be led")
        produce(everybody[leader], "orders", range(20, 40))
        assert read(everybody[leader], "orders", 40) == list(range(40))


def test_fixed_voters_are_named_by_the_log_from_one_day_on(tmp_path: Path) -> None:
    with running_nodes(tmp_path, 3) as nodes:
        request = UpdateFeaturesRequest(
            timeout_ms=10_000, feature_updates=[FeatureUpdateKey("kraft.version", 1, upgrade_type=1)]
        )
        wait_until(lambda: ask(nodes[1], request).error_code == errors.NONE, "every voter to have told its directory")
        described = quorum_seen_by(nodes[2])
        assert [one.directory_id for one in described.voters] != [None, None, None]
        for node in nodes.values():
            node.stop()
            node.start()
        create(nodes[3], "orders", [1, 2, 3])
        assert voters_seen_by(nodes[1]) == [1, 2, 3]


def test_a_controller_that_may_join_by_itself_gets_a_vote(tmp_path: Path) -> None:
    with running_nodes(tmp_path, 1, named=True) as nodes:
        second = newcomer(tmp_path, 2, seeds_of(nodes))
        as_controller(second)
        second.settings = {**second.settings, "controller.quorum.auto.join.enable": "true"}
        with second:
            wait_until(lambda: voters_seen_by(nodes[1]) == [1, 2], "it to vote")
            assert quorum_seen_by(nodes[1]).addresses[2] in second.settings["listeners"]


def test_a_broker_of_another_cluster_is_turned_away(tmp_path: Path) -> None:
    with running_nodes(tmp_path, 1, named=True) as nodes:
        stranger = newcomer(tmp_path, 4, seeds_of(nodes), OTHER_CLUSTER)
        before = sorted(path.name for path in stranger.log_dir.rglob("*"))
        with pytest.raises(LogctlError, match="belongs to another cluster than this node"):
            stranger.start()
        after = sorted(path.name for path in stranger.log_dir.rglob("*"))
        assert set(before) <= set(after)
        assert read_identity(RealDisk(), str(stranger.log_dir)) is not None


@pytest.mark.java
def test_apache_s_tool_adds_and_removes_voters_and_apache_s_reader_knows_the_records(tmp_path: Path) -> None:
    with running_nodes(tmp_path, 1, named=True) as nodes, Tools() as tools:
        second = newcomer(tmp_path, 2, seeds_of(nodes))
        as_controller(second)
        with second:
            told = tmp_path / "second.properties"
            given = {
                "node.id": "2",
                "log.dirs": str(second.log_dir),
                "advertised.listeners": second.settings["listeners"],
                "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,PLAINTEXT:PLAINTEXT",
                **second.settings,
            }
            told.write_text("".join(f"{name}={value}\n" for name, value in given.items()), encoding="utf-8")
            where = "--bootstrap-server", nodes[1].address
            added = tools.run("MetadataQuorumCommand", *where, "--command-config", str(told), "add-controller")
            assert added.stdout.startswith("Added controller 2 with directory id"), added
            seeds = "--bootstrap-controller", seeds_of(nodes)
            described = tools.run("MetadataQuorumCommand", *seeds, "describe", "--status")
            assert described.stdout.count('"directoryId"') == 2, described
            first = uuid_text(directory_of(nodes[1]))
            removal = "remove-controller", "--controller-id", "1", "--controller-directory-id", first
            removed = tools.run("MetadataQuorumCommand", *where, *removal)
            assert removed.stdout.startswith("Removed"), removed
            wait_until(lambda: quorum_seen_by(second).leader_id == 2, "the voter that is left to lead")
            second.stop()
        log_dir = second.log_dir / "__cluster_metadata-0"
        said = dump(sorted(log_dir.glob("*.log")), "--cluster-metadata-decoder")
        assert said.count("KRaftVoters") == 3, "one voter, two, and one again"
