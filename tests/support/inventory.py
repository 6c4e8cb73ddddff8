"""What a broker has to show to its clients, as one value: two engines on one directory must show the same.

`take(address, groups)` asks through librdkafka: topics with their ids and settings, where each partition begins and
ends, every record as readers of both isolation levels see it, and what the groups have committed. Topics that belong
to the engine (`__...`) are compared by id, size and settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    TopicCollection,
)
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient, ConfigResource, ConfigSource
from support.clients import PATIENCE_S
from support.clients.librdkafka import SILENCE
from support.waiting import wait_until

LEVELS: Final = ("read_uncommitted", "read_committed")
Partition = tuple[str, int]


@dataclass(frozen=True)
class Inventory:
    """`topics`: id, number of partitions and what was set; `bounds`: first and next offset; `records` by isolation
    level and partition: (offset, key, value, headers, timestamp type and time); `committed` by group: offset, leader
    epoch and metadata."""

    topics: dict[str, tuple[str, int, dict[str, str]]]
    bounds: dict[Partition, tuple[int, int]]
    records: dict[tuple[str, Partition], list[tuple[Any, ...]]]
    committed: dict[str, dict[Partition, tuple[int, Any, str]]]


def take(address: str, groups: Iterable[str]) -> Inventory:
    admin = AdminClient({"bootstrap.servers": address, "logger": SILENCE})
    topics = _topics(admin)
    places = [(name, number) for name, (_, count, _) in topics.items() for number in range(count) if name[:2] != "__"]
    bounds: dict[Partition, tuple[int, int]] = {}
    records: dict[tuple[str, Partition], list[tuple[Any, ...]]] = {}
    for level in LEVELS:
        consumer = _consumer(address, level)
        try:
            bounds = {place: _bounds(consumer, place) for place in places}
            records |= {(level, place): found for place, found in _records(consumer, places).items()}
        finally:
            consumer.close()
    return Inventory(topics, bounds, records, {group: _committed(admin, group) for group in groups})


def _topics(admin: AdminClient) -> dict[str, tuple[str, int, dict[str, str]]]:
    names = sorted(admin.list_topics(timeout=PATIENCE_S).topics)
    found = {}
    if not names:
        return {}
    settings = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, name) for name in names])
    given = {resource.name: _given(future.result()) for resource, future in settings.items()}
    for name, future in admin.describe_topics(TopicCollection(names)).items():
        described = future.result()
        assert all(partition.leader is not None for partition in described.partitions), f"{name} is not led"
        found[name] = (str(described.topic_id), len(described.partitions), given[name])
    return found


def _given(configs: dict[str, Any]) -> dict[str, str]:
    """What was set on the topic itself."""
    dynamic = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
    return {name: entry.value for name, entry in sorted(configs.items()) if entry.source == dynamic}


def _consumer(address: str, level: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": address,
            "group.id": "unused: partitions are assigned",
            "isolation.level": level,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 20,
            "check.crcs": True,
            "logger": SILENCE,
        }
    )


def _bounds(consumer: Consumer, place: Partition) -> tuple[int, int]:
    """Just after its start Apache Kafka may name a leader that does not know yet that it leads."""
    found: list[tuple[int, int]] = []

    def told() -> bool:
        try:
            found.append(consumer.get_watermark_offsets(Place(*place), timeout=PATIENCE_S))
        except KafkaException as error:
            if not error.args[0].retriable() and error.args[0].code() != KafkaError.NOT_LEADER_FOR_PARTITION:
                raise
        return bool(found)

    wait_until(told, f"the bounds of {place}")
    return found[0]


def _records(consumer: Consumer, places: Sequence[Partition]) -> dict[Partition, list[tuple[Any, ...]]]:
    """Every partition to its end."""
    found: dict[Partition, list[tuple[Any, ...]]] = {place: [] for place in places}
    unfinished = set(places)
    consumer.assign([Place(*place, OFFSET_BEGINNING) for place in places])
    while unfinished:
        record = consumer.poll(PATIENCE_S)
        assert record is not None, f"nothing more came, but {unfinished} have not ended"
        place, error = (record.topic(), record.partition()), record.error()
        if error is None:
            told = (record.offset(), record.key(), record.value(), record.headers(), record.timestamp())
            found[place].append(told)
        else:
            assert error.code() == KafkaError._PARTITION_EOF, error
            unfinished.discard(place)
    return found


def _committed(admin: AdminClient, group: str) -> dict[Partition, tuple[int, Any, str]]:
    [future] = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]).values()
    found: dict[Partition, tuple[int, Any, str]] = {}
    for place in future.result().topic_partitions:
        assert place.error is None, place.error
        found[place.topic, place.partition] = (place.offset, place.leader_epoch, place.metadata or "")
    return found
