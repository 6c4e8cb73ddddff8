"""ConsumerGroupTargetAssignmentMember: what a member is to own, type 7 (__consumer_offsets)."""

from __future__ import annotations

from logctl.wire.schema import INT32, STRING, UUID, Message, Struct, array, field


class ConsumerGroupTargetAssignmentMemberKey(Message, api_key=7, versions="0"):
    group_id: str = field(STRING, "0")   # group
    member_id: str = field(STRING, "0")  # member's id within the group


class TopicPartition(Struct):
    topic_id: bytes = field(UUID, "0+")                # topic, by identifier
    partitions: list[int] = field(array(INT32), "0+")  # partition numbers


class ConsumerGroupTargetAssignmentMemberValue(Message, api_key=7, versions="0", flexible="0+"):
    topic_partitions: list[TopicPartition] = field(array(TopicPartition), "0+")  # by topic
