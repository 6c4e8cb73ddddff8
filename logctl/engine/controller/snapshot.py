"""The records that amount to an image, in the order Apache Kafka writes them: features, nodes, topics, configs, the
rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from logctl.engine.controller.image import METADATA_VERSION, Broker, Image, Partition, Topic
from logctl.wire.stored.config_record import ConfigRecord
from logctl.wire.stored.feature_level_record import FeatureLevelRecord
from logctl.wire.stored.partition_record import PartitionRecord
from logctl.wire.stored.producer_ids_record import ProducerIdsRecord
from logctl.wire.stored.register_broker_record import BrokerEndpoint, BrokerFeature, RegisterBrokerRecord
from logctl.wire.stored.topic_record import TopicRecord


def image_records(image: Image) -> Iterator[Any]:
    """Records that replay to an image equal to this one. An open metadata transaction is left out: it may yet be
    aborted.
    """
    image = image.transaction_start or image
    yield from _features(image)
    for _, broker in sorted(image.brokers.items()):
        yield broker_record(broker)
    for _, controller in sorted(image.controllers.items()):
        yield controller
    for _, topic in sorted(image.topics.items()):
        yield from _topic(topic)
    for (kind, name), values in sorted(image.configs.items()):
        for key, value in sorted(values.items()):
            yield ConfigRecord(resource_type=kind, resource_name=name, name=key, value=value)
    if image.next_producer_id:
        yield ProducerIdsRecord(broker_id=-1, broker_epoch=-1, next_producer_id=image.next_producer_id)
    yield from image.kept.values()


def _features(image: Image) -> Iterator[Any]:
    """metadata.version first: it says which versions the records behind it may have."""
    if METADATA_VERSION in image.features:
        yield FeatureLevelRecord(name=METADATA_VERSION, feature_level=image.metadata_version)
    for name, level in sorted(image.features.items()):
        if name != METADATA_VERSION:
            yield FeatureLevelRecord(name=name, feature_level=level)


def broker_record(broker: Broker) -> RegisterBrokerRecord:
    """The registration that makes this broker."""
    cordoned = broker.cordoned_log_dirs
    return RegisterBrokerRecord(
        broker_id=broker.broker_id,
        incarnation_id=broker.incarnation_id,
        broker_epoch=broker.epoch,
        end_points=[BrokerEndpoint(*endpoint) for endpoint in broker.endpoints],
        features=[BrokerFeature(name, *levels) for name, levels in sorted(broker.features.items())],
        rack=broker.rack,
        fenced=broker.fenced,
        in_controlled_shutdown=broker.in_controlled_shutdown,
        log_dirs=list(broker.log_dirs),
        cordoned_log_dirs=None if cordoned is None else list(cordoned),
    )


def _topic(topic: Topic) -> Iterator[Any]:
    yield TopicRecord(name=topic.name, topic_id=topic.topic_id)
    for number, partition in sorted(topic.partitions.items()):
        yield partition_record(topic.topic_id, number, partition)


def partition_record(topic_id: bytes, number: int, partition: Partition) -> PartitionRecord:
    """The record that makes this partition."""
    return PartitionRecord(
        partition_id=number,
        topic_id=topic_id,
        replicas=list(partition.replicas),
        isr=list(partition.isr),
        removing_replicas=list(partition.removing),
        adding_replicas=list(partition.adding),
        leader=partition.leader,
        leader_recovery_state=partition.leader_recovery_state,
        leader_epoch=partition.leader_epoch,
        partition_epoch=partition.partition_epoch,
        directories=list(partition.directories),
        eligible_leader_replicas=list(partition.elr) or None,
        last_known_elr=list(partition.last_known_elr) or None,
    )
