"""Metadata: who is there, what is where, and topics that come into being by being asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.assembled import CLUSTER, NODE, PORT, Assembled

from logctl.wire import errors
from logctl.wire.messages.create_topics import CreatableTopic, CreateTopicsRequest
from logctl.wire.messages.metadata import MetadataRequest, MetadataRequestTopic

ALL_VERSIONS = range(14)


@pytest.fixture
def node(tmp_path: Path) -> Assembled:
    return Assembled(tmp_path)


def create(node: Assembled, name: str, partitions: int = 1) -> bytes:
    topic = CreatableTopic(name=name, num_partitions=partitions, replication_factor=1)
    [result] = node.ask(CreateTopicsRequest(topics=[topic]), 7).topics
    assert result.error_code == errors.NONE
    topic_id: bytes = result.topic_id
    return topic_id


def named(*names: str, **how: Any) -> MetadataRequest:
    return MetadataRequest(topics=[MetadataRequestTopic(name=name) for name in names], **how)


@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_the_cluster_and_a_topic_in_every_version(node: Assembled, version: int) -> None:
    topic_id = create(node, "orders", 3)
    answer = node.ask(named("orders"), version)
    [broker] = answer.brokers
    assert (broker.node_id, broker.host, broker.port, broker.rack) == (NODE, "127.0.0.1", PORT, None)
    assert answer.cluster_id == (CLUSTER if version >= 2 else None)
    assert answer.controller_id == (NODE if version >= 1 else -1)
    [topic] = answer.topics
    assert (topic.error_code, topic.name, topic.is_internal) == (errors.NONE, "orders", False)
    assert topic.topic_id == (topic_id if version >= 10 else bytes(16))
    assert [partition.partition_index for partition in topic.partitions] == [0, 1, 2]
    for partition in topic.partitions:
        assert (partition.error_code, partition.leader_id) == (errors.NONE, NODE)
        assert (list(partition.replica_nodes), list(partition.isr_nodes)) == ([NODE], [NODE])
        assert partition.leader_epoch == (0 if version >= 7 else -1)
        assert partition.offline_replicas == []


@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_all_topics_and_no_topics(node: Assembled, version: int) -> None:
    """All is an empty list in version 0 and null later; later an empty list means none."""
    create(node, "orders")
    create(node, "payments")
    everything = node.ask(MetadataRequest(topics=[] if version == 0 else None), version)
    assert [topic.name for topic in everything.topics] == ["orders", "payments"]
    if version > 0:
        assert node.ask(MetadataRequest(topics=[]), version).topics == []


def test_a_topic_by_its_id(node: Assembled) -> None:
    topic_id = create(node, "orders")
    answer = node.ask(MetadataRequest(topics=[MetadataRequestTopic(topic_id=topic_id, name=None)]), 12)
    assert [(topic.name, topic.topic_id) for topic in answer.topics] == [("orders", topic_id)]


def test_names_beside_ids_do_not_count_and_create_nothing(node: Assembled) -> None:
    topic_id, stranger = create(node, "orders"), b"x" * 16
    asked = [
        MetadataRequestTopic(topic_id=topic_id, name=""),
        MetadataRequestTopic(topic_id=stranger, name=""),
        MetadataRequestTopic(name="other"),
    ]
    answer = node.ask(MetadataRequest(topics=asked), 13)
    told = [(topic.error_code, topic.name, topic.topic_id) for topic in answer.topics]
    assert told == [(errors.NONE, "orders", topic_id), (errors.UNKNOWN_TOPIC_ID, None, stranger)]
    assert [topic.name for topic in node.ask(MetadataRequest(topics=None), 13).topics] == ["orders"]


def test_an_id_that_nobody_has(node: Assembled) -> None:
    stranger = b"x" * 16
    [topic] = node.ask(MetadataRequest(topics=[MetadataRequestTopic(topic_id=stranger, name=None)]), 13).topics
    assert (topic.error_code, topic.name, topic.topic_id) == (errors.UNKNOWN_TOPIC_ID, None, stranger)


@pytest.mark.parametrize(
    ("version", "asked"),
    [
        (10, MetadataRequestTopic(name=None, topic_id=b"x" * 16)),
        (11, MetadataRequestTopic(name="orders", topic_id=b"x" * 16)),
        (12, MetadataRequestTopic(name=None)),
    ],
)
def test_ids_that_make_no_sense_are_an_invalid_request(
    node: Assembled, version: int, asked: MetadataRequestTopic
) -> None:
    [topic] = node.ask(MetadataRequest(topics=[asked]), version).topics
    assert topic.error_code == errors.INVALID_REQUEST


def test_a_topic_asked_for_twice_is_told_once(node: Assembled) -> None:
    create(node, "orders")
    assert len(node.ask(named("orders", "orders"), 12).topics) == 1


# -- auto-creation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [0, 1, 3, 4, 9, 12, 13])
def test_asking_for_a_topic_creates_it(tmp_path: Path, version: int) -> None:
    node = Assembled(tmp_path, {"num.partitions": "4"})
    [topic] = node.ask(named("orders"), version).topics
    assert topic.error_code == errors.NONE
    assert len(topic.partitions) == 4
    assert node.broker.replicas.get("orders", 3) is not None
    assert node.said("topic") == ["Created orders with 4 partitions here"]


def test_a_client_may_ask_without_creating(node: Assembled) -> None:
    [topic] = node.ask(named("orders", allow_auto_topic_creation=False), 12).topics
    assert (topic.error_code, topic.name) == (errors.UNKNOWN_TOPIC_OR_PARTITION, "orders")
    assert node.ask(MetadataRequest(topics=None), 12).topics == []


def test_the_operator_may_forbid_it(tmp_path: Path) -> None:
    node = Assembled(tmp_path, {"auto.create.topics.enable": "false"})
    [topic] = node.ask(named("orders"), 12).topics
    assert topic.error_code == errors.UNKNOWN_TOPIC_OR_PARTITION


def test_a_name_that_cannot_be_is_told_and_the_others_are_created(node: Assembled) -> None:
    answer = node.ask(named("orders", "not/possible", ""), 12)
    assert {topic.name: topic.error_code for topic in answer.topics} == {
        "orders": errors.NONE,
        "not/possible": errors.INVALID_TOPIC_EXCEPTION,
        "": errors.INVALID_TOPIC_EXCEPTION,
    }


def test_listing_all_topics_creates_nothing(node: Assembled) -> None:
    node.ask(MetadataRequest(topics=None), 12)
    assert node.broker.metadata.image.topics == {}


def test_the_topic_of_committed_offsets_is_made_as_it_must_be(tmp_path: Path) -> None:
    node = Assembled(tmp_path, {"offsets.topic.num.partitions": "5"})
    [topic] = node.ask(named("__consumer_offsets"), 12).topics
    assert (topic.error_code, topic.is_internal, len(topic.partitions)) == (errors.NONE, True, 5)
    assert node.broker.metadata.image.topic_configs("__consumer_offsets")["cleanup.policy"] == "compact"


# -- authorised operations -------------------------------------------------------------------------------------------


def test_what_may_be_done_is_told_on_demand(node: Assembled) -> None:
    create(node, "orders")
    quiet = node.ask(named("orders"), 8)
    assert quiet.topics[0].topic_authorized_operations == quiet.cluster_authorized_operations == -(2**31)
    asked = node.ask(
        named("orders", include_topic_authorized_operations=True, include_cluster_authorized_operations=True), 8
    )
    assert asked.topics[0].topic_authorized_operations == 0b110111111000
    assert asked.cluster_authorized_operations == 0b1111110100000
