"""Partitions get other replicas: started, replaced, taken back, and completed by the in-sync set."""

from __future__ import annotations

from typing import Any

import pytest
from support.controller import Cluster, new_topic
from support.isr import propose

from logctl.engine.controller.brokers import fence_broker
from logctl.engine.controller.reassignments import alter_reassignments, list_reassignments
from logctl.wire import errors
from logctl.wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
    ReassignableTopic,
)
from logctl.wire.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsTopics,
)


@pytest.fixture
def cluster() -> Cluster:
    """orders-0 on brokers 1 and 2 of five."""
    cluster = Cluster(brokers=5)
    cluster.create(new_topic("orders", assignment={0: [1, 2]}))
    return cluster


def reassign(
    cluster: Cluster, replicas: list[int] | None, *, number: int = 0, topic: str = "orders", **said: Any
) -> int:
    wanted = [ReassignableTopic(topic, [ReassignablePartition(number, replicas)])]
    answer = cluster.decide(alter_reassignments, AlterPartitionReassignmentsRequest(topics=wanted, **said))
    line = answer.responses[0].partitions[0]
    assert bool(line.error_code) == bool(line.error_message)
    code: int = line.error_code
    return code


def moving(cluster: Cluster) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    partition = cluster.partition()
    return partition.replicas, partition.adding, partition.removing


def test_the_last_newcomer_in_sync_completes_it() -> None:
    cluster = Cluster(brokers=5)
    cluster.create(new_topic("orders", assignment={0: [1, 2]}))
    assert reassign(cluster, [3, 4]) == errors.NONE
    assert moving(cluster) == ((3, 4, 1, 2), (3, 4), (1, 2))
    assert cluster.partition().leader == 1
    propose(cluster, [1, 2, 3])
    assert moving(cluster) == ((3, 4, 1, 2), (3, 4), (1, 2)), "one of two is not enough"
    epoch = cluster.partition().leader_epoch
    assert propose(cluster, [1, 2, 3, 4]).error_code == errors.NEW_LEADER_ELECTED
    partition = cluster.partition()
    assert (partition.replicas, partition.isr, partition.leader) == ((3, 4), (3, 4), 3)
    assert (partition.adding, partition.removing, partition.leader_epoch) == ((), (), epoch + 1)
    assert len(partition.directories) == 2


def test_a_leader_that_stays_starts_a_new_epoch_when_others_go(cluster: Cluster) -> None:
    reassign(cluster, [1, 3])
    told = propose(cluster, [1, 2, 3])
    assert (told.error_code, told.isr, told.leader_epoch) == (errors.NONE, [1, 3], 1)


def test_another_order_is_a_matter_of_one_record(cluster: Cluster) -> None:
    assert reassign(cluster, [2, 1]) == errors.NONE
    assert moving(cluster) == ((2, 1), (), ())
    assert cluster.partition().leader == 1, "who prefers to lead is for an election"
    before = len(cluster.log)
    assert reassign(cluster, [2, 1]) == errors.NONE
    assert len(cluster.log) == before


def test_fewer_replicas_are_there_at_once_if_they_are_in_sync(cluster: Cluster) -> None:
    reassign(cluster, [2])
    assert (moving(cluster), cluster.partition().leader) == (((2,), (), ()), 2)


def test_fewer_replicas_wait_for_those_that_are_not_in_sync(cluster: Cluster) -> None:
    cluster.decide(fence_broker, 2)
    reassign(cluster, [2])
    assert moving(cluster) == ((2, 1), (), (1,))
    assert cluster.partition().leader == 1


def test_taking_it_back_leaves_what_was(cluster: Cluster) -> None:
    reassign(cluster, [3, 4])
    propose(cluster, [1, 2, 3])
    assert reassign(cluster, None) == errors.NONE
    partition = cluster.partition()
    assert (moving(cluster), partition.isr, partition.leader) == (((1, 2), (), ()), (1, 2), 1)
    assert reassign(cluster, None) == errors.NO_REASSIGNMENT_IN_PROGRESS


def test_taking_back_a_removal_keeps_everybody(cluster: Cluster) -> None:
    cluster.decide(fence_broker, 2)
    reassign(cluster, [2])
    assert reassign(cluster, None) == errors.NONE
    assert moving(cluster)[1:] == ((), ())
    assert set(cluster.partition().replicas) == {1, 2}


def test_replacing_it_drops_newcomers_that_nobody_wants_any_more(cluster: Cluster) -> None:
    reassign(cluster, [1, 3])
    assert reassign(cluster, [1, 4]) == errors.NONE
    assert moving(cluster) == ((1, 4, 2), (4,), (2,))
    assert reassign(cluster, None) == errors.NONE
    assert moving(cluster) == ((1, 2), (), ())


def test_asking_for_what_there_was_takes_it_back(cluster: Cluster) -> None:
    reassign(cluster, [3, 4])
    assert reassign(cluster, [1, 2]) == errors.NONE
    assert moving(cluster) == ((1, 2), (), ())


@pytest.mark.parametrize("target", [None, [1, 4]])
def test_nothing_is_lost_by_going_back(cluster: Cluster, target: list[int] | None) -> None:
    reassign(cluster, [3, 4])
    propose(cluster, [1, 2, 3])
    cluster.decide(fence_broker, 2)
    cluster.decide(fence_broker, 1)
    assert (cluster.partition().leader, cluster.partition().isr) == (3, (3,))
    before = len(cluster.log)
    assert reassign(cluster, target) == errors.INVALID_REPLICA_ASSIGNMENT
    assert len(cluster.log) == before


def test_the_number_of_replicas_can_be_held(cluster: Cluster) -> None:
    """KIP-860: counted without those that go."""
    held: dict[str, Any] = {"allow_replication_factor_change": False}
    assert reassign(cluster, [1, 2, 3], **held) == errors.INVALID_REPLICATION_FACTOR
    assert reassign(cluster, [3, 4], **held) == errors.NONE
    assert reassign(cluster, [3, 5], **held) == errors.NONE
    assert reassign(cluster, [1, 2, 3]) == errors.NONE


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"replicas": []}, errors.INVALID_REPLICA_ASSIGNMENT),
        ({"replicas": [1, 1]}, errors.INVALID_REPLICA_ASSIGNMENT),
        ({"replicas": [1, 77]}, errors.INVALID_REPLICA_ASSIGNMENT),
        ({"replicas": [1], "number": 8}, errors.UNKNOWN_TOPIC_OR_PARTITION),
        ({"replicas": [1], "topic": "gone"}, errors.UNKNOWN_TOPIC_OR_PARTITION),
        ({"replicas": None}, errors.NO_REASSIGNMENT_IN_PROGRESS),
    ],
)
def test_each_mistake_has_its_error(cluster: Cluster, said: dict[str, Any], code: int) -> None:
    assert reassign(cluster, **said) == code


def test_a_partition_named_twice_is_a_mistake(cluster: Cluster) -> None:
    wanted = [ReassignableTopic("orders", [ReassignablePartition(0, [3, 4]), ReassignablePartition(0, [4, 5])])]
    answer = cluster.decide(alter_reassignments, AlterPartitionReassignmentsRequest(topics=wanted))
    assert [one.error_code for one in answer.responses[0].partitions] == [errors.NONE, errors.INVALID_REQUEST]


def test_what_is_under_way_is_listed(cluster: Cluster) -> None:
    def listed(topics: list[ListPartitionReassignmentsTopics] | None) -> list[Any]:
        answer = cluster.decide(list_reassignments, ListPartitionReassignmentsRequest(topics=topics))
        return [
            (topic.name, one.partition_index, one.replicas, one.adding_replicas, one.removing_replicas)
            for topic in answer.topics
            for one in topic.partitions
        ]

    cluster.create(new_topic("quiet"))
    assert listed(None) == []
    reassign(cluster, [1, 3])
    expected = [("orders", 0, [1, 3, 2], [3], [2])]
    assert listed(None) == expected
    assert listed([ListPartitionReassignmentsTopics("orders", [0, 9])]) == expected
    assert listed([ListPartitionReassignmentsTopics("gone", [0]), ListPartitionReassignmentsTopics("quiet", [0])]) == []
