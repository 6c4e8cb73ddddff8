"""ShareGroupStatePartitionMetadata: whether the state of its share partitions exists, type 15 (__consumer_offsets)."""

from __future__ import annotations

from logctl.wire.schema import INT32, STRING, UUID, Message, Struct, array, field


class ShareGroupStatePartitionMetadataKey(Message, api_key=15, versions="0"):
    group_id: str = field(STRING, "0")  # group


class TopicPartitionsInfo(Struct):
    topic_id: bytes = field(UUID, "0+")                # topic, by identifier
    topic_name: str = field(STRING, "0+")              # topic
    partitions: list[int] = field(array(INT32), "0+")  # partition numbers


class TopicInfo(Struct):
    topic_id: bytes = field(UUID, "0+")    # topic, by identifier
    topic_name: str = field(STRING, "0+")  # topic


class ShareGroupStatePartitionMetadataValue(Message, api_key=15, versions="0", flexible="0+"):
    initializing_topics: list[TopicPartitionsInfo] = field(array(TopicPartitionsInfo), "0+")  # being made
    initialized_topics: list[TopicPartitionsInfo] = field(array(TopicPartitionsInfo), "0+")   # made
    deleting_topics: list[TopicInfo] = field(array(TopicInfo), "0+")                          # being deleted
