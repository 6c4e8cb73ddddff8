"""ShareGroupCurrentMemberAssignment: what a member reads now, type 14 (__consumer_offsets)."""

from __future__ import annotations

from logctl.wire.schema import INT8, INT32, STRING, UUID, Message, Struct, array, field


class ShareGroupCurrentMemberAssignmentKey(Message, api_key=14, versions="0"):
    group_id: str = field(STRING, "0")   # group
    member_id: str = field(STRING, "0")  # member's id within the group


class TopicPartitions(Struct):
    topic_id: bytes = field(UUID, "0+")                # topic, by identifier
    partitions: list[int] = field(array(INT32), "0+")  # partition numbers


class ShareGroupCurrentMemberAssignmentValue(Message, api_key=14, versions="0", flexible="0+"):
    member_epoch: int = field(INT32, "0+")  # member's epoch, raised with each change of its assignment
    # epoch before the last bump: accepted too, as the answer with the new one may be lost
    previous_member_epoch: int = field(INT32, "0+")
    state: int = field(INT8, "0+")  # 0 stable, 127 unknown
    assigned_partitions: list[TopicPartitions] = field(array(TopicPartitions), "0+")  # what it reads
