"""Adding partitions."""

from __future__ import annotations

import pytest
from support.controller import Cluster, new_topic

from logctl.engine.controller.partitions import create_partitions
from logctl.wire import errors
from logctl.wire.messages.create_partitions import (
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)


def wanted(name: str, count: int, replicas: list[list[int]] | None = None) -> CreatePartitionsTopic:
    by_hand = None if replicas is None else [CreatePartitionsAssignment(brokers) for brokers in replicas]
    return CreatePartitionsTopic(name=name, count=count, assignments=by_hand)


def test_new_partitions_continue_the_numbering_with_the_topic_s_replication_factor() -> None:
    cluster = Cluster(brokers=3)
    cluster.create(new_topic("orders", partitions=2, replicas=2))
    answer = cluster.decide(create_partitions, CreatePartitionsRequest(topics=[wanted("orders", 5)]))
    assert [(result.error_code, result.error_message) for result in answer.results] == [(errors.NONE, None)]
    partitions = cluster.image.topics["orders"].partitions
    assert sorted(partitions) == [0, 1, 2, 3, 4]
    assert all(len(partition.replicas) == 2 for partition in partitions.values())


@pytest.mark.parametrize(
    ("request_for", "code"),
    [
        (wanted("orders", 2), errors.INVALID_PARTITIONS),
        (wanted("orders", 1), errors.INVALID_PARTITIONS),
        (wanted("orders", -1), errors.INVALID_PARTITIONS),
        (wanted("gone", 2), errors.UNKNOWN_TOPIC_OR_PARTITION),
        (wanted("orders", 4, [[1]]), errors.INVALID_REPLICA_ASSIGNMENT),
        (wanted("orders", 3, []), errors.INVALID_REPLICA_ASSIGNMENT),
        (wanted("orders", 3, [[7]]), errors.INVALID_REPLICA_ASSIGNMENT),
        (wanted("orders", 3, [[]]), errors.INVALID_REPLICA_ASSIGNMENT),
        (wanted("orders", 20_000), errors.POLICY_VIOLATION),
        (wanted("orders", 3, [[1]]), errors.NONE),
    ],
)
def test_each_mistake_has_its_error(request_for: CreatePartitionsTopic, code: int) -> None:
    cluster = Cluster()
    cluster.create(new_topic("orders", partitions=2))
    answer = cluster.decide(create_partitions, CreatePartitionsRequest(topics=[request_for], validate_only=True))
    assert [result.error_code for result in answer.results] == [code]
    assert len(cluster.image.topics["orders"].partitions) == 2, "only validated"


def test_a_topic_named_twice_is_refused() -> None:
    cluster = Cluster()
    cluster.create(new_topic("orders"))
    request = CreatePartitionsRequest(topics=[wanted("orders", 2), wanted("orders", 3)])
    assert [result.error_code for result in cluster.decide(create_partitions, request).results] == [
        errors.INVALID_REQUEST
    ]
