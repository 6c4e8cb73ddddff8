"""What a node tells of the quorum, of producers and features, and of what it has not: quotas and logins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.assembled import NODE, PORT, Assembled
from support.configs import create
from support.logs import numbered

from logctl.wire import errors
from logctl.wire.messages.describe_client_quotas import ComponentData, DescribeClientQuotasRequest
from logctl.wire.messages.describe_producers import DescribeProducersRequest, TopicRequest
from logctl.wire.messages.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumRequestPartitionData,
    DescribeQuorumRequestTopicData,
)
from logctl.wire.messages.describe_user_scram_credentials import DescribeUserScramCredentialsRequest, UserName
from logctl.wire.messages.elect_leaders import ElectLeadersRequest, TopicPartitions
from logctl.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from logctl.wire.messages.unregister_broker import UnregisterBrokerRequest
from logctl.wire.messages.update_features import FeatureUpdateKey, UpdateFeaturesRequest


@pytest.fixture
def node(tmp_path: Path) -> Assembled:
    node = Assembled(tmp_path)
    create(node, "orders")
    return node


def quorum(node: Assembled, topic: str, partition: int, version: int = 2) -> Any:
    asked = DescribeQuorumRequestTopicData(topic, [DescribeQuorumRequestPartitionData(partition)])
    return node.ask(DescribeQuorumRequest(topics=[asked]), version)


@pytest.mark.parametrize("version", range(3))
def test_the_one_voter_leads(node: Assembled, version: int) -> None:
    answer = quorum(node, "__cluster_metadata", 0, version)
    [told] = answer.topics[0].partitions
    assert (answer.error_code, told.error_code, told.leader_id) == (errors.NONE, errors.NONE, NODE)
    [voter] = told.current_voters
    assert (voter.replica_id, voter.log_end_offset) == (NODE, told.high_watermark)
    assert told.observers == []
    if version >= 1:
        assert voter.last_caught_up_timestamp == node.now_ms
    if version >= 2:
        assert [(one.node_id, one.listeners[0].port) for one in answer.nodes] == [(NODE, PORT)]


@pytest.mark.parametrize(("topic", "partition"), [("__cluster_metadata", 1), ("orders", 0), ("gone", 0)])
def test_other_partitions_have_no_quorum(node: Assembled, topic: str, partition: int) -> None:
    answer = quorum(node, topic, partition)
    assert answer.topics[0].partitions[0].error_code == errors.UNKNOWN_TOPIC_OR_PARTITION
    assert answer.nodes == []


def test_a_partition_remembers_its_producers(node: Assembled) -> None:
    for sequence in (0, 3):
        data = PartitionProduceData(0, numbered(77, sequence, 3, epoch=2, timestamp=node.now_ms))
        node.ask(ProduceRequest(acks=-1, topic_data=[TopicProduceData("orders", partition_data=[data])]), 9)
    asked = [TopicRequest("orders", [0, 9]), TopicRequest("gone", [0])]
    orders, gone = node.ask(DescribeProducersRequest(topics=asked), 0).topics
    [known] = orders.partitions[0].active_producers
    assert (known.producer_id, known.producer_epoch, known.last_sequence) == (77, 2, 5)
    assert (known.last_timestamp, known.coordinator_epoch, known.current_txn_start_offset) == (node.now_ms + 2, -1, -1)
    assert orders.partitions[1].error_code == errors.UNKNOWN_TOPIC_OR_PARTITION
    assert gone.partitions[0].error_code == errors.UNKNOWN_TOPIC_OR_PARTITION


@pytest.mark.parametrize("version", range(3))
def test_features_are_updated_as_a_whole(node: Assembled, version: int) -> None:
    level = node.broker.metadata.image.features["metadata.version"]
    accepted = node.ask(UpdateFeaturesRequest(feature_updates=[FeatureUpdateKey("metadata.version", level)]), version)
    assert accepted.error_code == errors.NONE
    assert [(one.feature, one.error_code) for one in accepted.results] == (
        [("metadata.version", errors.NONE)] if version < 2 else []
    )
    refused = node.ask(UpdateFeaturesRequest(feature_updates=[FeatureUpdateKey("no.such", 1)]), version)
    assert (refused.error_code, refused.results) == (errors.INVALID_UPDATE_VERSION, [])
    assert "no.such" in refused.error_message


@pytest.mark.parametrize("version", range(3))
def test_a_lone_node_needs_no_elections(node: Assembled, version: int) -> None:
    request = ElectLeadersRequest(topic_partitions=[TopicPartitions("orders", [0])])
    [result] = node.ask(request, version).replica_election_results
    assert [one.error_code for one in result.partition_result] == [errors.ELECTION_NOT_NEEDED]


def test_a_broker_that_is_alive_is_not_forgotten(node: Assembled) -> None:
    refused = node.ask(UnregisterBrokerRequest(broker_id=NODE), 0)
    assert refused.error_code == errors.INVALID_REQUEST
    assert "is alive" in refused.error_message
    assert node.ask(UnregisterBrokerRequest(broker_id=7), 0).error_code == errors.BROKER_ID_NOT_REGISTERED


@pytest.mark.parametrize(
    ("filters", "code"),
    [
        ([], errors.NONE),
        ([ComponentData("user", 0, "a"), ComponentData("client-id", 2, None)], errors.NONE),
        ([ComponentData("planet", 0, "a")], errors.UNSUPPORTED_VERSION),
        ([ComponentData("user", 9, "a")], errors.INVALID_REQUEST),
        ([ComponentData("user", 0, None)], errors.INVALID_REQUEST),
        ([ComponentData("user", 1, "x")], errors.INVALID_REQUEST),
        ([ComponentData("user", 0, "a"), ComponentData("user", 1, None)], errors.INVALID_REQUEST),
        ([ComponentData("ip", 0, "1.2.3.4"), ComponentData("user", 1, None)], errors.INVALID_REQUEST),
        ([ComponentData("", 0, "a")], errors.INVALID_REQUEST),
    ],
)
@pytest.mark.parametrize("version", range(2))
def test_there_are_no_quotas(node: Assembled, filters: list[ComponentData], code: int, version: int) -> None:
    answer = node.ask(DescribeClientQuotasRequest(components=filters, strict=False), version)
    assert (answer.error_code, answer.entries) == (code, None if code else [])


def test_nobody_logs_in(node: Assembled) -> None:
    def ask(*names: str) -> list[tuple[str, int]]:
        answer = node.ask(DescribeUserScramCredentialsRequest(users=[UserName(name) for name in names]), 0)
        return [(one.user, one.error_code) for one in answer.results]

    assert ask() == []
    assert ask("a") == [("a", errors.RESOURCE_NOT_FOUND)]
    assert ask("a", "b", "a") == [("a", errors.DUPLICATE_RESOURCE), ("b", errors.RESOURCE_NOT_FOUND)]
