"""Records in, image out, records back: nothing is lost on the way, and nothing changes under a reader."""

from __future__ import annotations

from typing import Any

import pytest
from support.controller import Cluster, new_topic, numbered_id

from logctl.engine.controller.delta import difference
from logctl.engine.controller.image import Image, Partition, ResourceType
from logctl.engine.controller.replay import InconsistentRecord, apply
from logctl.engine.controller.snapshot import image_records
from logctl.engine.controller.topics import delete_topics
from logctl.engine.controller.versions import NEWEST_METADATA_LEVEL, level_name, record_version
from logctl.wire.messages.delete_topics import DeleteTopicsRequest
from logctl.wire.stored.abort_transaction_record import AbortTransactionRecord
from logctl.wire.stored.access_control_entry_record import AccessControlEntryRecord
from logctl.wire.stored.begin_transaction_record import BeginTransactionRecord
from logctl.wire.stored.broker_registration_change_record import BrokerRegistrationChangeRecord
from logctl.wire.stored.clear_elr_record import ClearElrRecord
from logctl.wire.stored.client_quota_record import ClientQuotaRecord, EntityData
from logctl.wire.stored.config_record import ConfigRecord
from logctl.wire.stored.delegation_token_record import DelegationTokenRecord
from logctl.wire.stored.end_transaction_record import EndTransactionRecord
from logctl.wire.stored.feature_level_record import FeatureLevelRecord
from logctl.wire.stored.fence_broker_record import FenceBrokerRecord
from logctl.wire.stored.no_op_record import NoOpRecord
from logctl.wire.stored.partition_change_record import PartitionChangeRecord
from logctl.wire.stored.producer_ids_record import ProducerIdsRecord
from logctl.wire.stored.register_controller_record import ControllerEndpoint, RegisterControllerRecord
from logctl.wire.stored.remove_access_control_entry_record import RemoveAccessControlEntryRecord
from logctl.wire.stored.remove_delegation_token_record import RemoveDelegationTokenRecord
from logctl.wire.stored.remove_topic_record import RemoveTopicRecord
from logctl.wire.stored.remove_user_scram_credential_record import RemoveUserScramCredentialRecord
from logctl.wire.stored.topic_record import TopicRecord
from logctl.wire.stored.unfence_broker_record import UnfenceBrokerRecord
from logctl.wire.stored.unregister_broker_record import UnregisterBrokerRecord
from logctl.wire.stored.user_scram_credential_record import UserScramCredentialRecord


def full_cluster() -> Cluster:
    """A bit of everything that an image can hold."""
    cluster = Cluster(brokers=2, racks=("north", "south"))
    cluster.create(new_topic("orders", 2, 2, {"retention.ms": "5"}), new_topic("events"))
    quota = [EntityData("user", "ann"), EntityData("client-id", None)]
    cluster.take(
        [
            ConfigRecord(resource_type=ResourceType.BROKER, resource_name="", name="min.insync.replicas", value="1"),
            ProducerIdsRecord(broker_id=1, broker_epoch=1, next_producer_id=3000),
            RegisterControllerRecord(controller_id=1, end_points=[ControllerEndpoint("CONTROLLER", "h", 1, 0)]),
            ClientQuotaRecord(entity=quota, key="producer_byte_rate", value=1024.0),
            UserScramCredentialRecord(
                name="ann", mechanism=1, salt=memoryview(b"salt"), stored_key=b"k", server_key=b"s", iterations=4096
            ),
            AccessControlEntryRecord(id=numbered_id(50), resource_type=2, resource_name="orders", principal="User:ann"),
            DelegationTokenRecord(owner="User:ann", token_id="t"),
        ]
    )
    return cluster


def test_a_snapshot_replays_to_an_equal_image() -> None:
    image = full_cluster().image
    assert apply(Image(), image_records(image)) == image


def test_a_snapshot_survives_its_encoding() -> None:
    image = full_cluster().image
    records = []
    for record in image_records(image):
        version = record_version(record.api_key, image.metadata_version)
        records.append(type(record).decode(record.encode(version), version)[0])
    assert apply(Image(), records) == image


def test_whoever_holds_an_image_keeps_what_it_saw() -> None:
    cluster = full_cluster()
    before = cluster.image
    kept = list(image_records(before))
    cluster.decide(delete_topics, DeleteTopicsRequest(topic_names=["orders"]))
    cluster.create(new_topic("more"))
    events = before.topics["events"].topic_id
    same = cluster.image.topics["events"]
    cluster.take([PartitionChangeRecord(partition_id=0, topic_id=events, leader=2)])
    assert list(image_records(before)) == kept
    assert same is before.topics["events"], "what was not touched is shared"
    assert cluster.image.topics["events"].partitions[0].leader == 2


def test_records_are_taken_back_by_the_records_that_undo_them() -> None:
    cluster = full_cluster()
    quota = [EntityData("client-id", None), EntityData("user", "ann")]
    cluster.take(
        [
            ClientQuotaRecord(entity=quota, key="producer_byte_rate", remove=True),
            RemoveUserScramCredentialRecord(name="ann", mechanism=1),
            RemoveAccessControlEntryRecord(id=numbered_id(50)),
            RemoveDelegationTokenRecord(token_id="t"),
            ConfigRecord(resource_type=ResourceType.BROKER, resource_name="", name="min.insync.replicas", value=None),
            NoOpRecord(),
        ]
    )
    assert not cluster.image.kept
    assert not cluster.image.broker_configs(None)


def test_brokers_are_fenced_and_unfenced_by_old_records_and_new() -> None:
    cluster = Cluster()
    epoch = cluster.image.brokers[1].epoch
    cluster.take([FenceBrokerRecord(id=1, epoch=epoch)])
    assert not cluster.image.brokers[1].active
    cluster.take([UnfenceBrokerRecord(id=1, epoch=epoch)])
    assert cluster.image.brokers[1].active
    cluster.take([BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=epoch, fenced=1)])
    assert cluster.image.brokers[1].fenced
    directories = [numbered_id(7)]
    cluster.take(
        [
            BrokerRegistrationChangeRecord(
                broker_id=1, broker_epoch=epoch, fenced=-1, in_controlled_shutdown=1, log_dirs=directories
            )
        ]
    )
    broker = cluster.image.brokers[1]
    assert (broker.fenced, broker.in_controlled_shutdown, broker.log_dirs) == (False, True, tuple(directories))
    cluster.take([UnregisterBrokerRecord(broker_id=1, broker_epoch=epoch)])
    assert not cluster.image.brokers


def test_a_partition_change_says_only_what_changed() -> None:
    cluster = Cluster(brokers=2)
    cluster.create(new_topic("orders", assignment={0: [1, 2]}))
    topic = cluster.image.topics["orders"]
    change = PartitionChangeRecord(partition_id=0, topic_id=topic.topic_id, isr=[1])
    cluster.take([change])
    after = cluster.image.topics["orders"].partitions[0]
    assert after == topic.partitions[0]._replace(isr=(1,), partition_epoch=1)

    cluster.take([PartitionChangeRecord(partition_id=0, topic_id=topic.topic_id, leader=1)])
    again = cluster.image.topics["orders"].partitions[0]
    assert again == after._replace(leader_epoch=1, partition_epoch=2), "naming a leader starts a new leader epoch"


def test_eligible_leader_replicas_are_cleared_for_one_topic_or_for_all() -> None:
    cluster = Cluster()
    cluster.create(new_topic("a"), new_topic("b"))
    for name in ("a", "b"):
        topic_id = cluster.image.topics[name].topic_id
        cluster.take([PartitionChangeRecord(partition_id=0, topic_id=topic_id, eligible_leader_replicas=[1])])
    cluster.take([ClearElrRecord(topic_name="a")])
    assert [cluster.image.topics[name].partitions[0].elr for name in ("a", "b")] == [(), (1,)]
    cluster.take([ClearElrRecord()])
    assert cluster.image.topics["b"].partitions[0].elr == ()


def test_an_aborted_metadata_transaction_leaves_no_trace_and_an_ended_one_stays() -> None:
    cluster = Cluster()
    before = cluster.image
    topic = TopicRecord(name="maybe", topic_id=numbered_id(9))
    cluster.take([BeginTransactionRecord(name="attempt"), topic])
    assert list(apply(Image(), image_records(cluster.image)).topics) == [], "a snapshot in its middle leaves it out"
    cluster.take([AbortTransactionRecord()])
    assert cluster.image == before
    cluster.take([BeginTransactionRecord(), topic, EndTransactionRecord()])
    assert "maybe" in cluster.image.topics
    assert cluster.image.transaction_start is None


def test_a_feature_at_level_zero_is_not_finalized() -> None:
    cluster = Cluster()
    cluster.take([FeatureLevelRecord(name="group.version", feature_level=1)])
    assert cluster.image.features == {"metadata.version": 30, "group.version": 1}
    cluster.take([FeatureLevelRecord(name="group.version", feature_level=0)])
    assert cluster.image.features == {"metadata.version": 30}


class Stranger:
    api_key = 99


@pytest.mark.parametrize(
    "record",
    [
        TopicRecord(name="orders", topic_id=numbered_id(77)),
        RemoveTopicRecord(topic_id=numbered_id(77)),
        PartitionChangeRecord(partition_id=9, topic_id=numbered_id(1)),
        PartitionChangeRecord(partition_id=0, topic_id=numbered_id(77)),
        FenceBrokerRecord(id=1, epoch=999),
        UnregisterBrokerRecord(broker_id=9),
        ProducerIdsRecord(next_producer_id=1),
        EndTransactionRecord(),
        ClearElrRecord(topic_name="nope"),
        Stranger(),
    ],
)
def test_records_that_cannot_be_true_stop_the_replay(record: Any) -> None:
    with pytest.raises(InconsistentRecord):
        apply(full_cluster().image, [record])


def test_the_difference_of_two_images_names_topics_and_configs() -> None:
    cluster = Cluster()
    cluster.create(new_topic("old"), new_topic("grown"), new_topic("same"))
    before, mark = cluster.image, len(cluster.log)
    cluster.decide(delete_topics, DeleteTopicsRequest(topic_names=["old"]))
    cluster.create(new_topic("old"), new_topic("fresh", configs={"retention.ms": "1"}))
    grown = cluster.image.topics["grown"].topic_id
    cluster.take([PartitionChangeRecord(partition_id=0, topic_id=grown, leader=1)])

    by_records = difference(before, cluster.image, cluster.log[mark:])
    for delta in (by_records, difference(before, cluster.image)):
        assert sorted(topic.name for topic in delta.created) == ["fresh", "old"]
        assert [topic.name for topic in delta.deleted] == ["old"]
        assert [after.name for _, after in delta.changed] == ["grown"]
        assert delta.configs == ((ResourceType.TOPIC, "fresh"),)
        assert not delta.brokers_changed


def test_equal_replica_lists_are_one_object() -> None:
    cluster = Cluster()
    cluster.create(new_topic("wide", partitions=50))
    partitions: list[Partition] = list(cluster.image.topics["wide"].partitions.values())
    assert len({id(partition.replicas) for partition in partitions}) == 1


def test_records_are_written_in_the_version_of_the_level() -> None:
    assert [record_version(3, level) for level in (7, 17, 23, 30)] == [0, 1, 2, 2]
    assert [record_version(0, level) for level in (7, 8, 17, 30)] == [1, 2, 3, 4]
    assert record_version(2, 30) == 0
    assert level_name(NEWEST_METADATA_LEVEL) == "4.3-IV0"
    assert level_name(99) == "99"
