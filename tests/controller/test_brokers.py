"""Brokers register, come back, and go; producer ids are handed out to those that are registered."""

from __future__ import annotations

from typing import Any

import pytest
from support.controller import Cluster, new_topic, numbered_id, registration

from logctl.engine.controller.brokers import fence_broker, register_broker, start_broker, stop_broker, unregister_broker
from logctl.engine.controller.image import NO_LEADER
from logctl.engine.controller.producer_ids import allocate_producer_ids
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.allocate_producer_ids import AllocateProducerIdsRequest
from logctl.wire.messages.broker_registration import Feature
from logctl.wire.messages.unregister_broker import UnregisterBrokerRequest
from logctl.wire.stored.feature_level_record import FeatureLevelRecord
from logctl.wire.stored.partition_change_record import PartitionChangeRecord


def test_the_first_registration_gets_its_offset_as_epoch() -> None:
    cluster = Cluster(brokers=0)
    offset = len(cluster.log)
    answer = cluster.decide(start_broker, registration(1))
    broker = cluster.image.brokers[1]
    assert answer.broker_epoch == broker.epoch == offset
    assert broker.active
    endpoint = broker.endpoint("PLAINTEXT")
    assert endpoint is not None
    assert (endpoint.host, endpoint.port) == ("host1", 9092)
    assert broker.endpoint("SSL") is None


def test_after_a_crash_every_partition_starts_a_new_leader_epoch() -> None:
    cluster = Cluster()
    cluster.create(new_topic("orders", partitions=2))
    cluster.decide(start_broker, registration(1, incarnation_id=numbered_id(5)))
    partitions = cluster.image.topics["orders"].partitions
    assert [(partition.leader, partition.leader_epoch) for partition in partitions.values()] == [(1, 1), (1, 1)]


def test_after_an_orderly_stop_the_leader_epochs_go_on() -> None:
    cluster = Cluster()
    cluster.create(new_topic("orders"))
    last = cluster.image.brokers[1].epoch
    cluster.decide(start_broker, registration(1, incarnation_id=numbered_id(5), previous_broker_epoch=last))
    assert cluster.image.topics["orders"].partitions[0].leader_epoch == 0


def test_a_partition_without_leader_gets_one_when_its_broker_is_back() -> None:
    cluster = Cluster()
    cluster.create(new_topic("orders"))
    broker = cluster.image.brokers[1]
    cluster.decide(fence_broker, 1)
    partition = cluster.image.topics["orders"].partitions[0]
    assert (partition.leader, partition.isr) == (NO_LEADER, (1,)), "the last in-sync replica stays in sync"
    cluster.decide(start_broker, registration(1, incarnation_id=numbered_id(5), previous_broker_epoch=broker.epoch))
    assert cluster.image.topics["orders"].partitions[0].leader == 1


@pytest.mark.parametrize("known", ["eligible_leader_replicas", "last_known_elr"])
def test_a_partition_that_nobody_is_in_sync_with_is_led_by_an_eligible_replica(known: str) -> None:
    """What Apache Kafka leaves behind when eligible.leader.replicas.version is finalized."""
    cluster = Cluster()
    cluster.create(new_topic("orders"))
    topic_id = cluster.image.topics["orders"].topic_id
    lost = PartitionChangeRecord(partition_id=0, topic_id=topic_id, leader=NO_LEADER, isr=[], **{known: [1]})
    cluster.take([lost])
    cluster.decide(start_broker, registration(1, incarnation_id=numbered_id(5)))
    partition = cluster.image.topics["orders"].partitions[0]
    assert (partition.leader, partition.isr, partition.elr, partition.last_known_elr) == (1, (1,), (), ())


def test_a_broker_that_stops_in_order_says_so_and_leads_on_afterwards() -> None:
    cluster = Cluster()
    cluster.create(new_topic("orders"))
    cluster.decide(stop_broker, 1)
    stopped = cluster.image.brokers[1]
    assert (stopped.fenced, stopped.in_controlled_shutdown) == (True, True)
    before = len(cluster.log)
    cluster.decide(stop_broker, 1)
    assert len(cluster.log) == before, "once is enough"
    cluster.decide(
        start_broker, registration(1, incarnation_id=numbered_id(5), previous_broker_epoch=stopped.epoch)
    )
    partition = cluster.image.topics["orders"].partitions[0]
    assert cluster.image.brokers[1].active
    assert (partition.leader, partition.leader_epoch) == (1, 0)


def test_a_broker_that_registers_anew_is_fenced_and_its_partitions_move() -> None:
    cluster = Cluster(brokers=2)
    cluster.create(new_topic("orders", assignment={0: [1, 2]}))
    cluster.decide(register_broker, registration(1, incarnation_id=numbered_id(5)))
    partition = cluster.image.topics["orders"].partitions[0]
    assert (partition.leader, partition.isr) == (2, (2,))
    assert cluster.image.brokers[1].fenced


def test_a_registration_sent_twice_counts_once() -> None:
    cluster = Cluster()
    before, epoch = len(cluster.log), cluster.image.brokers[1].epoch
    assert cluster.decide(register_broker, registration(1)).broker_epoch == epoch
    assert len(cluster.log) == before


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"cluster_id": "elsewhere"}, errors.INCONSISTENT_CLUSTER_ID),
        ({"log_dirs": []}, errors.INVALID_REGISTRATION),
        ({"log_dirs": [numbered_id(202)]}, errors.INVALID_REGISTRATION),
        ({"features": []}, errors.UNSUPPORTED_VERSION),
        ({"features": [Feature("metadata.version", 7, 29)]}, errors.UNSUPPORTED_VERSION),
    ],
)
def test_registrations_that_are_refused(changes: dict[str, Any], code: int) -> None:
    cluster = Cluster(brokers=2)
    with pytest.raises(WireError) as refusal:
        cluster.decide(start_broker, registration(1, **changes))
    assert refusal.value.code == code


def test_a_feature_that_was_finalized_must_be_supported() -> None:
    cluster = Cluster()
    cluster.take([FeatureLevelRecord(name="share.version", feature_level=1)])
    with pytest.raises(WireError, match=r"share\.version"):
        cluster.decide(start_broker, registration(1))


def test_a_broker_is_forgotten_on_request() -> None:
    cluster = Cluster(brokers=2)
    cluster.create(new_topic("orders", assignment={0: [2, 1]}))
    with pytest.raises(WireError) as refusal:
        cluster.decide(unregister_broker, UnregisterBrokerRequest(broker_id=2))
    assert refusal.value.code == errors.INVALID_REQUEST, "it is alive"
    cluster.decide(fence_broker, 2)
    cluster.decide(unregister_broker, UnregisterBrokerRequest(broker_id=2))
    assert list(cluster.image.brokers) == [1]
    assert cluster.image.topics["orders"].partitions[0].leader == 1
    with pytest.raises(WireError) as refusal:
        cluster.decide(unregister_broker, UnregisterBrokerRequest(broker_id=2))
    assert refusal.value.code == errors.BROKER_ID_NOT_REGISTERED


def test_producer_ids_come_in_blocks_that_never_repeat() -> None:
    cluster = Cluster()
    request = AllocateProducerIdsRequest(broker_id=1, broker_epoch=cluster.image.brokers[1].epoch)
    blocks = [cluster.decide(allocate_producer_ids, request) for _ in range(3)]
    assert [(block.producer_id_start, block.producer_id_len) for block in blocks] == [
        (0, 1000),
        (1000, 1000),
        (2000, 1000),
    ]


def test_producer_ids_are_not_given_to_a_broker_of_the_past() -> None:
    cluster = Cluster()
    with pytest.raises(WireError) as refusal:
        cluster.decide(allocate_producer_ids, AllocateProducerIdsRequest(broker_id=1, broker_epoch=999))
    assert refusal.value.code == errors.STALE_BROKER_EPOCH
