"""Elections on demand: preferred replicas take their office back, and at a price any replica that lives."""

from __future__ import annotations

import pytest
from support.controller import Cluster, new_topic

from logctl.engine.controller.brokers import fence_broker
from logctl.engine.controller.elections import Election, elect_leaders
from logctl.engine.controller.image import NO_LEADER
from logctl.wire import errors
from logctl.wire.messages.elect_leaders import ElectLeadersRequest, TopicPartitions
from logctl.wire.stored.broker_registration_change_record import BrokerRegistrationChangeRecord


@pytest.fixture
def cluster() -> Cluster:
    """Two partitions on brokers 1 and 2, preferring one each."""
    cluster = Cluster(brokers=2)
    cluster.create(new_topic("orders", assignment={0: [1, 2], 1: [2, 1]}))
    return cluster


def elect(cluster: Cluster, election: int, *numbers: int, topic: str = "orders") -> list[int]:
    asked = [TopicPartitions(topic, list(numbers))]
    answer = cluster.decide(elect_leaders, ElectLeadersRequest(election_type=election, topic_partitions=asked))
    [result] = answer.replica_election_results
    assert all(bool(one.error_code) == bool(one.error_message) for one in result.partition_result)
    return [one.error_code for one in result.partition_result]


def leaders(cluster: Cluster) -> list[int]:
    return [partition.leader for partition in cluster.image.topics["orders"].partitions.values()]


def fence(cluster: Cluster, broker_id: int) -> None:
    cluster.decide(fence_broker, broker_id)


def unfence(cluster: Cluster, broker_id: int) -> None:
    epoch = cluster.image.brokers[broker_id].epoch
    cluster.take([BrokerRegistrationChangeRecord(broker_id=broker_id, broker_epoch=epoch, fenced=-1)])


def test_a_leader_that_is_preferred_needs_no_election(cluster: Cluster) -> None:
    assert elect(cluster, Election.PREFERRED, 0, 1) == [errors.ELECTION_NOT_NEEDED] * 2
    assert elect(cluster, Election.UNCLEAN, 0) == [errors.ELECTION_NOT_NEEDED]


def test_the_preferred_replica_leads_again_once_it_is_in_sync(cluster: Cluster) -> None:
    fence(cluster, 1)
    assert leaders(cluster) == [2, 2]
    assert elect(cluster, Election.PREFERRED, 0, 1) == [
        errors.PREFERRED_LEADER_NOT_AVAILABLE,
        errors.ELECTION_NOT_NEEDED,
    ]
    unfence(cluster, 1)
    assert elect(cluster, Election.PREFERRED, 0) == [errors.PREFERRED_LEADER_NOT_AVAILABLE], "it is behind"
    partition = cluster.image.topics["orders"].partitions[0]
    assert (partition.isr, leaders(cluster)) == ((2,), [2, 2])


def test_without_a_leader_any_replica_that_lives_may_lead(cluster: Cluster) -> None:
    fence(cluster, 1)
    fence(cluster, 2)
    assert leaders(cluster) == [NO_LEADER, NO_LEADER]
    assert elect(cluster, Election.UNCLEAN, 0) == [errors.ELIGIBLE_LEADERS_NOT_AVAILABLE]
    unfence(cluster, 1)
    assert elect(cluster, Election.UNCLEAN, 0, 1) == [errors.NONE, errors.NONE]
    partition = cluster.image.topics["orders"].partitions[0]
    assert (partition.leader, partition.isr, partition.leader_recovery_state) == (1, (1,), 1)


def test_all_partitions_are_asked_about_at_once(cluster: Cluster) -> None:
    answer = cluster.decide(elect_leaders, ElectLeadersRequest(election_type=0, topic_partitions=None))
    assert [(one.topic, one.partition_result) for one in answer.replica_election_results] == [("orders", [])]


@pytest.mark.parametrize(
    ("topic", "number", "election", "code"),
    [
        ("gone", 0, 0, errors.UNKNOWN_TOPIC_OR_PARTITION),
        ("orders", 9, 0, errors.UNKNOWN_TOPIC_OR_PARTITION),
        ("orders", 0, 7, errors.INVALID_REQUEST),
    ],
)
def test_each_mistake_has_its_error(cluster: Cluster, topic: str, number: int, election: int, code: int) -> None:
    assert elect(cluster, election, number, topic=topic) == [code]


def test_a_leader_in_office_with_another_preferred_is_replaced() -> None:
    cluster = Cluster(brokers=2)
    cluster.create(new_topic("orders", assignment={0: [1, 2]}))
    from logctl.wire.stored.partition_change_record import PartitionChangeRecord

    topic = cluster.image.topics["orders"]
    cluster.take([PartitionChangeRecord(partition_id=0, topic_id=topic.topic_id, leader=2)])
    assert elect(cluster, Election.PREFERRED, 0) == [errors.NONE]
    assert leaders(cluster) == [1]
