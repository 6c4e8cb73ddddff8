"""OffsetFetch (key 9): how far has a group read?

Asked by consumers when they get a partition, and by tools, of the group's coordinator.

1   from __consumer_offsets; baseline
2   null for all topics; an error for the whole
5   leader epochs
6   flexible
7   offsets of unfinished transactions can be waited for (KIP-447)
8   several groups at once
9   member id and epoch, for groups of the new protocol (KIP-848)
10  topics by identifier
"""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT16, INT32, INT64, STRING, UUID, Message, Struct, array, field


class OffsetFetchRequestTopic(Struct):
    name: str = field(STRING, "0-7")                           # topic
    partition_indexes: list[int] = field(array(INT32), "0-7")  # partitions wanted


class OffsetFetchRequestTopics(Struct):
    name: str = field(STRING, "8-9")                          # topic, up to 9
    topic_id: bytes = field(UUID, "10+")                      # topic, from 10 on
    partition_indexes: list[int] = field(array(INT32), "8+")  # partitions wanted


class OffsetFetchRequestGroup(Struct):
    group_id: str = field(STRING, "8+")  # group
    member_id: str | None = field(STRING, "9+", nullable="9+", default=None)  # member; null outside the group
    member_epoch: int = field(INT32, "9+", default=-1)  # its epoch; -1 outside the group
    # topics wanted; null for all
    topics: list[OffsetFetchRequestTopics] | None = field(array(OffsetFetchRequestTopics), "8+", nullable="8+")


class OffsetFetchRequest(Message, api_key=9, versions="1-10", flexible="6+"):
    group_id: str = field(STRING, "0-7")  # group, up to 7
    # topics wanted, up to 7; null for all
    topics: list[OffsetFetchRequestTopic] | None = field(array(OffsetFetchRequestTopic), "0-7", nullable="2-7")
    # groups and topics wanted, from 8 on
    groups: list[OffsetFetchRequestGroup] = field(array(OffsetFetchRequestGroup), "8+")
    # answer UNSTABLE_OFFSET_COMMIT while a transaction's offsets are undecided
    require_stable: bool = field(BOOL, "7+")


class OffsetFetchResponsePartition(Struct):
    partition_index: int = field(INT32, "0-7")                     # partition number
    committed_offset: int = field(INT64, "0-7")                    # next offset to read; -1 none
    committed_leader_epoch: int = field(INT32, "5-7", default=-1)  # epoch of the last record read; -1 unknown
    metadata: str | None = field(STRING, "0-7", nullable="0-7")    # the note that came with the commit
    error_code: int = field(INT16, "0-7")                          # 0, or what went wrong


class OffsetFetchResponseTopic(Struct):
    name: str = field(STRING, "0-7")                                                                    # topic
    partitions: list[OffsetFetchResponsePartition] = field(array(OffsetFetchResponsePartition), "0-7")  # by partition


class OffsetFetchResponsePartitions(Struct):
    partition_index: int = field(INT32, "8+")                     # partition number
    committed_offset: int = field(INT64, "8+")                    # next offset to read; -1 none
    committed_leader_epoch: int = field(INT32, "8+", default=-1)  # epoch of the last record read; -1 unknown
    metadata: str | None = field(STRING, "8+", nullable="8+")     # the note that came with the commit
    error_code: int = field(INT16, "8+")                          # 0, or what went wrong


class OffsetFetchResponseTopics(Struct):
    name: str = field(STRING, "8-9")  # topic, up to 9
    topic_id: bytes = field(UUID, "10+")  # topic, from 10 on
    partitions: list[OffsetFetchResponsePartitions] = field(array(OffsetFetchResponsePartitions), "8+")  # by partition


class OffsetFetchResponseGroup(Struct):
    group_id: str = field(STRING, "8+")                                                      # group
    topics: list[OffsetFetchResponseTopics] = field(array(OffsetFetchResponseTopics), "8+")  # by topic
    error_code: int = field(INT16, "8+")                                                     # 0, or what went wrong


class OffsetFetchResponse(Message, api_key=9, versions="1-10", flexible="6+"):
    throttle_time_ms: int = field(INT32, "3+")  # how long the quota delayed, or is to delay, this client
    topics: list[OffsetFetchResponseTopic] = field(array(OffsetFetchResponseTopic), "0-7")  # by topic, up to 7
    error_code: int = field(INT16, "2-7")  # 0, or why the whole failed, up to 7
    groups: list[OffsetFetchResponseGroup] = field(array(OffsetFetchResponseGroup), "8+")  # by group, from 8 on
