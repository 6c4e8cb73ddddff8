"""ConsumerGroupPartitionMetadata: partitions of the topics subscribed to, type 4 (__consumer_offsets).

Since 4.1 the metadata hash of the group stands for it; older brokers wrote it.
"""

from __future__ import annotations

from logctl.wire.schema import INT32, STRING, UUID, Message, Struct, array, field


class ConsumerGroupPartitionMetadataKey(Message, api_key=4, versions="0"):
    group_id: str = field(STRING, "0")  # group


class PartitionMetadata(Struct):
    partition: int = field(INT32, "0+")            # partition number
    racks: list[str] = field(array(STRING), "0+")  # racks that hold a replica


class TopicMetadata(Struct):
    topic_id: bytes = field(UUID, "0+")  # topic, by identifier
    topic_name: str = field(STRING, "0+")  # topic
    num_partitions: int = field(INT32, "0+")  # how many partitions it has
    # racks by partition; not used after 4.0
    partition_metadata: list[PartitionMetadata] = field(array(PartitionMetadata), "0+")


class ConsumerGroupPartitionMetadataValue(Message, api_key=4, versions="0", flexible="0+"):
    topics: list[TopicMetadata] = field(array(TopicMetadata), "0+")  # by topic
