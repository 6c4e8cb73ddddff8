"""OffsetCommit (key 8): remember how far a group has read.

Sent by consumers, and by tools on behalf of an idle group, to the group's coordinator.

2   baseline; a retention time, heeded no more
5   no retention time: the broker's settings decide
6   leader epoch of the last record read (KIP-320)
7   static members (KIP-345)
8   flexible
9   groups of the new protocol: a member epoch in place of the generation (KIP-848)
10  topics by identifier
"""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, INT64, STRING, UUID, Message, Struct, array, field


class OffsetCommitRequestPartition(Struct):
    partition_index: int = field(INT32, "0+")                            # partition number
    committed_offset: int = field(INT64, "0+")                           # next offset to read
    committed_leader_epoch: int = field(INT32, "6+", default=-1)         # epoch of the last record read; -1 unknown
    committed_metadata: str | None = field(STRING, "0+", nullable="0+")  # a note of the client's own, returned as it is


class OffsetCommitRequestTopic(Struct):
    name: str = field(STRING, "0-9")  # topic, up to 9
    topic_id: bytes = field(UUID, "10+")  # topic, from 10 on
    partitions: list[OffsetCommitRequestPartition] = field(array(OffsetCommitRequestPartition), "0+")  # by partition


class OffsetCommitRequest(Message, api_key=8, versions="2-10", flexible="8+"):
    group_id: str = field(STRING, "0+")  # group
    # generation or, in the new protocol, member epoch; -1 outside the group
    generation_id_or_member_epoch: int = field(INT32, "1+", default=-1)
    member_id: str = field(STRING, "1+")  # member; empty outside the group
    # name of a static member (group.instance.id, KIP-345); null for a dynamic one
    group_instance_id: str | None = field(STRING, "7+", nullable="7+", default=None)
    retention_time_ms: int = field(INT64, "2-4", default=-1)  # heeded no more; -1
    topics: list[OffsetCommitRequestTopic] = field(array(OffsetCommitRequestTopic), "0+")  # by topic


class OffsetCommitResponsePartition(Struct):
    partition_index: int = field(INT32, "0+")  # partition number
    error_code: int = field(INT16, "0+")       # 0, or what went wrong


class OffsetCommitResponseTopic(Struct):
    name: str = field(STRING, "0-9")  # topic, up to 9
    topic_id: bytes = field(UUID, "10+")  # topic, from 10 on
    partitions: list[OffsetCommitResponsePartition] = field(array(OffsetCommitResponsePartition), "0+")  # by partition


class OffsetCommitResponse(Message, api_key=8, versions="2-10", flexible="8+"):
    throttle_time_ms: int = field(INT32, "3+")  # how long the quota delayed, or is to delay, this client
    topics: list[OffsetCommitResponseTopic] = field(array(OffsetCommitResponseTopic), "0+")  # by topic
