"""Leaders propose in-sync sets; the controller agrees, or says in which way they look at the past."""

from __future__ import annotations

from typing import Any

import pytest
from support.controller import Cluster, new_topic, numbered_id, registration
from support.isr import proposal, propose

from logctl.engine.controller.brokers import fence_broker, register_broker
from logctl.engine.controller.elections import Election, elect_leaders
from logctl.engine.controller.heartbeats import heartbeat
from logctl.engine.controller.isr import alter_partition
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.alter_partition import AlterPartitionRequestTopicData, BrokerState
from logctl.wire.messages.broker_heartbeat import BrokerHeartbeatRequest
from logctl.wire.messages.elect_leaders import ElectLeadersRequest, TopicPartitions


@pytest.fixture
def cluster() -> Cluster:
    """orders-0 on brokers 1, 2 and 3, led by 1."""
    cluster = Cluster(brokers=4)
    cluster.create(new_topic("orders", assignment={0: [1, 2, 3]}))
    return cluster


def test_a_leader_lets_a_replica_go_and_takes_it_back(cluster: Cluster) -> None:
    told = propose(cluster, [1, 3])
    assert (told.error_code, told.leader_id, told.isr, told.partition_epoch) == (errors.NONE, 1, [1, 3], 1)
    told = propose(cluster, [1, 2, 3])
    assert (told.isr, told.partition_epoch, told.leader_epoch) == ([1, 2, 3], 2, 0)
    assert cluster.partition().isr == (1, 2, 3)


def test_what_is_so_already_is_answered_without_a_record(cluster: Cluster) -> None:
    before = len(cluster.log)
    assert propose(cluster, [1, 2, 3]).isr == [1, 2, 3]
    assert len(cluster.log) == before


def test_in_version_2_members_come_without_epochs(cluster: Cluster) -> None:
    request = proposal(cluster, [], new_isr=[1, 2])
    decision = alter_partition(cluster.controller, request, version=2)
    assert decision.response.topics[0].partitions[0].isr == [1, 2]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"leader_epoch": -1}, errors.FENCED_LEADER_EPOCH),
        ({"leader_epoch": 1}, errors.NOT_CONTROLLER),
        ({"partition_epoch": 9}, errors.NOT_CONTROLLER),
        ({"partition_epoch": -1}, errors.INVALID_UPDATE_VERSION),
        ({"partition_index": 5}, errors.UNKNOWN_TOPIC_OR_PARTITION),
        ({"leader": 2}, errors.INVALID_REQUEST),
        ({"isr": [2, 3]}, errors.INVALID_REQUEST),
        ({"isr": []}, errors.INVALID_REQUEST),
        ({"isr": [1, 1]}, errors.INVALID_REQUEST),
        ({"isr": [1, 4]}, errors.INVALID_REQUEST),
        ({"leader_recovery_state": 1, "isr": [1]}, errors.INVALID_REQUEST),
        ({"leader_recovery_state": 7, "isr": [1]}, errors.INVALID_REQUEST),
        ({"new_isr_with_epochs": [BrokerState(1), BrokerState(2, 999)]}, errors.INELIGIBLE_REPLICA),
    ],
)
def test_each_mistake_has_its_error(cluster: Cluster, changes: dict[str, Any], code: int) -> None:
    before = len(cluster.log)
    assert propose(cluster, **({"isr": [1, 2]} | changes)).error_code == code
    assert len(cluster.log) == before


def test_a_topic_that_is_gone_and_a_broker_of_the_past(cluster: Cluster) -> None:
    request = proposal(cluster, [1])
    request.topics = [AlterPartitionRequestTopicData(numbered_id(99), request.topics[0].partitions)]
    decision = alter_partition(cluster.controller, request)
    assert decision.response.topics[0].partitions[0].error_code == errors.UNKNOWN_TOPIC_ID
    request.broker_epoch = 999
    with pytest.raises(WireError) as refusal:
        alter_partition(cluster.controller, request)
    assert refusal.value.code == errors.STALE_BROKER_EPOCH


def test_who_is_fenced_or_stopping_does_not_join(cluster: Cluster) -> None:
    cluster.decide(fence_broker, 2)
    assert propose(cluster, [1, 2, 3]).error_code == errors.INELIGIBLE_REPLICA
    leaving = BrokerHeartbeatRequest(broker_id=3, broker_epoch=cluster.epoch(3), want_shut_down=True)
    cluster.decide(heartbeat, leaving)
    assert propose(cluster, [1, 3]).error_code == errors.INELIGIBLE_REPLICA


def test_who_caught_up_in_an_earlier_life_does_not_join(cluster: Cluster) -> None:
    """KIP-903: a broker that came back with an empty disk is not let in by a proposal that was made before."""
    propose(cluster, [1, 3])
    late = proposal(cluster, [1, 2, 3])
    cluster.decide(register_broker, registration(2, incarnation_id=numbered_id(9)))
    again = BrokerHeartbeatRequest(broker_id=2, broker_epoch=cluster.epoch(2), current_metadata_offset=10_000)
    cluster.decide(heartbeat, again)
    answer = cluster.decide(alter_partition, late)
    assert answer.topics[0].partitions[0].error_code == errors.INELIGIBLE_REPLICA


def test_a_recovered_leader_says_so_before_others_join(cluster: Cluster) -> None:
    propose(cluster, [1])
    cluster.decide(fence_broker, 1)
    asked = ElectLeadersRequest(election_type=Election.UNCLEAN, topic_partitions=[TopicPartitions("orders", [0])])
    cluster.decide(elect_leaders, asked)
    assert (cluster.partition().leader, cluster.partition().leader_recovery_state) == (2, 1)
    assert propose(cluster, [2, 3], leader_recovery_state=1).error_code == errors.INVALID_REQUEST
    assert propose(cluster, [2, 3], leader_recovery_state=0).leader_recovery_state == 0
