"""What a group has committed, as librdkafka's admin client is told, and how it would have it."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient
from support.clients.librdkafka import SILENCE


class Committed:
    def __init__(self, address: str, group: str) -> None:
        self._admin = AdminClient({"bootstrap.servers": address, "logger": SILENCE, "reconnect.backoff.max.ms": 100})
        self._group = group

    def look(self) -> dict[int, int]:
        """By partition, for groups that read one topic. Raises `KafkaException`."""
        question = ConsumerGroupTopicPartitions(self._group)
        [answer] = self._admin.list_consumer_group_offsets([question], request_timeout=5).values()
        return {one.partition: one.offset for one in answer.result(10).topic_partitions}

    def put(self, topic: str, offsets: Mapping[int, int]) -> None:
        wanted = [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
        question = ConsumerGroupTopicPartitions(self._group, wanted)
        [answer] = self._admin.alter_consumer_group_offsets([question]).values()
        assert [one.error for one in answer.result(10).topic_partitions] == [None] * len(wanted)
