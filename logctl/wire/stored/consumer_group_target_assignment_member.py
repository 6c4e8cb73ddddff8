"""ConsumerGroupTargetAssignmentMember, as Apache Kafka stores it."""

from __future__ import annotations

from logctl.wire.schema import INT32, STRING, UUID, Message, Struct, array, field


class ConsumerGroupTargetAssignmentMemberKey(Message, api_key=7, versions="0"):
    group_id: str = field(STRING, "0")
    member_id: str = field(STRING, "0")


class TopicPartition(Struct):
    topic_id: bytes = field(UUID, "0+")
    partitions: list[int] = field(array(INT32), "0+")


class ConsumerGroupTargetAssignmentMemberValue(Message, api_key=7, versions="0", flexible="0+"):
    topic_partitions: list[TopicPartition] = field(array(TopicPartition), "0+")
