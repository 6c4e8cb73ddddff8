"""ShareGroupStatePartitionMetadata, as Apache Kafka stores it."""

from __future__ import annotations

from logctl.wire.schema import INT32, STRING, UUID, Message, Struct, array, field


class ShareGroupStatePartitionMetadataKey(Message, api_key=15, versions="0"):
    group_id: str = field(STRING, "0")


class TopicPartitionsInfo(Struct):
    topic_id: bytes = field(UUID, "0+")
    topic_name: str = field(STRING, "0+")
    partitions: list[int] = field(array(INT32), "0+")


class TopicInfo(Struct):
    topic_id: bytes = field(UUID, "0+")
    topic_name: str = field(STRING, "0+")


class ShareGroupStatePartitionMetadataValue(Message, api_key=15, versions="0", flexible="0+"):
    initializing_topics: list[TopicPartitionsInfo] = field(array(TopicPartitionsInfo), "0+")
    initialized_topics: list[TopicPartitionsInfo] = field(array(TopicPartitionsInfo), "0+")
    deleting_topics: list[TopicInfo] = field(array(TopicInfo), "0+")
