"""Who leads, and who is eligible to: one rule on every occasion (KIP-966)."""

from __future__ import annotations

import pytest
from support.controller import Cluster, new_topic, numbered_id, registration
from support.isr import propose

from logctl.engine.controller.balancing import fill_leaderless
from logctl.engine.controller.brokers import fence_broker, register_broker, unregister_broker
from logctl.engine.controller.configs import incremental_alter_configs
from logctl.engine.controller.directories import assign_replicas, assignment
from logctl.engine.controller.elections import Election, elect_leaders
from logctl.engine.controller.heartbeats import heartbeat
from logctl.engine.controller.image import LOST_DIRECTORY, NO_LEADER, ResourceType
from logctl.wire.messages import incremental_alter_configs as alter
from logctl.wire.messages.broker_heartbeat import BrokerHeartbeatRequest
from logctl.wire.messages.elect_leaders import ElectLeadersRequest, TopicPartitions
from logctl.wire.messages.unregister_broker import UnregisterBrokerRequest
from logctl.wire.stored.partition_change_record import PartitionChangeRecord


def cluster_of(*, eligible: bool = True, least: int = 2, unclean: bool = False) -> Cluster:
    """orders-0 on brokers 1, 2 and 3, led by 1."""
    cluster = Cluster(brokers=3)
    if eligible:
        cluster.keep_eligible()
    configs: dict[str, str | None] = {"min.insync.replicas": str(least)}
    if unclean:
        configs["unclean.leader.election.enable"] = "true"
    cluster.create(new_topic("orders", assignment={0: [1, 2, 3]}, configs=configs))
    return cluster


def fence(cluster: Cluster, *brokers: int) -> None:
    for broker_id in brokers:
        cluster.decide(fence_broker, broker_id)


def let_in(cluster: Cluster, broker_id: int) -> None:
    caught_up = BrokerHeartbeatRequest(
        broker_id=broker_id, broker_epoch=cluster.epoch(broker_id), current_metadata_offset=10_000
    )
    cluster.decide(heartbeat, caught_up)


def come_back(cluster: Cluster, broker_id: int, *, orderly: bool) -> None:
    previous = cluster.epoch(broker_id) if orderly else -1
    fresh = registration(broker_id, incarnation_id=numbered_id(500 + len(cluster.log)), previous_broker_epoch=previous)
    cluster.decide(register_broker, fresh)
    let_in(cluster, broker_id)


def state(cluster: Cluster) -> tuple[int, tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """(leader, in sync, eligible, known before)."""
    partition = cluster.partition()
    return partition.leader, partition.isr, partition.elr, partition.last_known_elr


def test_who_leaves_while_enough_remain_is_not_eligible() -> None:
    cluster = cluster_of()
    fence(cluster, 1)
    assert state(cluster) == (2, (2, 3), (), ())


def test_who_leaves_too_few_behind_is_eligible_until_there_are_enough_again() -> None:
    cluster = cluster_of()
    propose(cluster, [1])
    assert state(cluster) == (1, (1,), (2, 3), ())
    propose(cluster, [1, 2])
    assert state(cluster) == (1, (1, 2), (), ())


def test_an_eligible_replica_leads_when_the_last_in_sync_is_gone() -> None:
    cluster = cluster_of()
    fence(cluster, 1, 2, 3)
    assert state(cluster) == (NO_LEADER, (3,), (2,), ()), "the last one stays"
    come_back(cluster, 2, orderly=True)
    assert state(cluster) == (2, (2,), (3,), ())
    assert cluster.partition().leader_recovery_state == 0, "nothing was lost"


def test_who_was_not_eligible_waits() -> None:
    cluster = cluster_of()
    fence(cluster, 1, 2, 3)
    come_back(cluster, 1, orderly=True)
    assert cluster.partition().leader == NO_LEADER


def test_who_comes_back_without_having_stopped_in_order_is_not_trusted() -> None:
    cluster = cluster_of()
    fence(cluster, 1, 2, 3)
    come_back(cluster, 2, orderly=False)
    assert state(cluster) == (NO_LEADER, (3,), (), (2,))
    come_back(cluster, 3, orderly=True)
    assert cluster.partition().leader == 3


def test_when_nobody_is_trusted_the_last_leader_leads_and_recovers() -> None:
    cluster = cluster_of()
    fence(cluster, 1, 2, 3)
    come_back(cluster, 3, orderly=False)
    assert state(cluster) == (NO_LEADER, (), (2,), (3,)), "broker 2 has all that was committed"
    come_back(cluster, 2, orderly=False)
    assert state(cluster) == (3, (3,), (), ())
    assert cluster.partition().leader_recovery_state == 1


def test_without_the_feature_the_last_in_sync_replica_is_believed() -> None:
    cluster = cluster_of(eligible=False)
    fence(cluster, 1, 2, 3)
    assert state(cluster) == (NO_LEADER, (3,), (), ())
    come_back(cluster, 2, orderly=False)
    assert cluster.partition().leader == NO_LEADER
    come_back(cluster, 3, orderly=False)
    assert state(cluster) == (3, (3,), (), ())


@pytest.mark.parametrize("eligible", [True, False])
def test_a_topic_may_prefer_anybody_to_nobody(eligible: bool) -> None:
    cluster = cluster_of(eligible=eligible, least=1, unclean=True)
    propose(cluster, [1])
    fence(cluster, 1)
    assert state(cluster) == (2, (2,), (), ())
    assert cluster.partition().leader_recovery_state == 1


def test_a_topic_that_changes_its_mind_is_looked_at_again() -> None:
    cluster = cluster_of(eligible=False, least=1)
    propose(cluster, [1])
    fence(cluster, 1)
    assert fill_leaderless(cluster.controller).records == []
    change = alter.AlterableConfig("unclean.leader.election.enable", 0, "true")
    resource = alter.AlterConfigsResource(ResourceType.TOPIC, "orders", [change])
    cluster.decide(incremental_alter_configs, alter.IncrementalAlterConfigsRequest(resources=[resource]))
    decision = fill_leaderless(cluster.controller)
    cluster.take(decision.records)
    assert (decision.response, cluster.partition().leader) == (1, 2)


@pytest.mark.parametrize("kind", [ResourceType.TOPIC, ResourceType.BROKER])
def test_a_new_minimum_makes_who_was_eligible_by_the_old_one_forgotten(kind: int) -> None:
    cluster = cluster_of()
    propose(cluster, [1])
    ask_for_one_in_sync(cluster, kind)
    assert cluster.partition().elr == ()


@pytest.mark.parametrize("kind", [ResourceType.TOPIC, ResourceType.BROKER])
def test_a_new_minimum_does_not_make_the_last_leader_forgotten_where_nobody_is_in_sync(kind: int) -> None:
    cluster = cluster_of()
    [topic_id] = cluster.image.topic_names
    nobody = PartitionChangeRecord(partition_id=0, topic_id=topic_id, isr=[], leader=-1, last_known_elr=[2])
    cluster.take([nobody])
    ask_for_one_in_sync(cluster, kind)
    assert state(cluster) == (-1, (), (), (2,))
    fence(cluster, 2)
    let_in(cluster, 2)
    assert cluster.partition().leader == 2, "else it would wait for an unclean election, however long"


def ask_for_one_in_sync(cluster: Cluster, kind: int) -> None:
    change = alter.AlterableConfig("min.insync.replicas", 0, "1")
    resource = alter.AlterConfigsResource(kind, "orders" if kind == ResourceType.TOPIC else "", [change])
    cluster.decide(incremental_alter_configs, alter.IncrementalAlterConfigsRequest(resources=[resource]))


def test_who_is_forgotten_leads_nothing() -> None:
    cluster = cluster_of()
    fence(cluster, 1)
    cluster.decide(unregister_broker, UnregisterBrokerRequest(broker_id=1))
    assert cluster.partition().leader == 2


@pytest.mark.parametrize("eligible", [True, False])
def test_who_lost_what_it_had_leaves_as_last_member_too_and_is_elected_by_no_election(eligible: bool) -> None:
    cluster = cluster_of(eligible=eligible, least=1)
    fence(cluster, 2, 3)
    come_back(cluster, 1, orderly=True)
    assert state(cluster)[:2] == (1, (1,))
    lost = assignment(1, cluster.epoch(1), {(cluster.image.topics["orders"].topic_id, 0): LOST_DIRECTORY})
    cluster.decide(assign_replicas, lost)
    assert state(cluster)[:2] == (NO_LEADER, ())
    unclean = ElectLeadersRequest(Election.UNCLEAN, [TopicPartitions("orders", [0])])
    cluster.decide(elect_leaders, unclean)
    assert state(cluster)[:2] == (NO_LEADER, ()), "it is the only one there, and has nothing"
    come_back(cluster, 2, orderly=True)
    assert state(cluster)[:2] == (NO_LEADER, ()), "it may lack records"
    cluster.decide(elect_leaders, unclean)
    assert state(cluster)[:2] == (2, (2,))
