"""DescribeShareGroupOffsets (key 90): where share groups begin in their partitions (KIP-932).

1   lag (KIP-1226)
"""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, INT64, STRING, UUID, Message, Struct, array, field


class DescribeShareGroupOffsetsRequestTopic(Struct):
    topic_name: str = field(STRING, "0+")              # topic
    partitions: list[int] = field(array(INT32), "0+")  # partition numbers


class DescribeShareGroupOffsetsRequestGroup(Struct):
    group_id: str = field(STRING, "0+")  # group
    # topics wanted; null for all
    topics: list[DescribeShareGroupOffsetsRequestTopic] | None = field(
        array(DescribeShareGroupOffsetsRequestTopic), "0+", nullable="0+"
    )


class DescribeShareGroupOffsetsRequest(Message, api_key=90, versions="0-1", flexible="0+"):
    # groups wanted
    groups: list[DescribeShareGroupOffsetsRequestGroup] = field(array(DescribeShareGroupOffsetsRequestGroup), "0+")


class DescribeShareGroupOffsetsResponsePartition(Struct):
    partition_index: int = field(INT32, "0+")  # partition number
    start_offset: int = field(INT64, "0+")  # first record not yet finished; -1 not decided yet
    leader_epoch: int = field(INT32, "0+")  # epoch of the partition's leader
    lag: int = field(INT64, "1+", default=-1)  # records not yet finished; -1 unknown
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+", default=None)


class DescribeShareGroupOffsetsResponseTopic(Struct):
    topic_name: str = field(STRING, "0+")  # topic
    topic_id: bytes = field(UUID, "0+")  # topic, by identifier
    # by partition
    partitions: list[DescribeShareGroupOffsetsResponsePartition] = field(
        array(DescribeShareGroupOffsetsResponsePartition), "0+"
    )


class DescribeShareGroupOffsetsResponseGroup(Struct):
    group_id: str = field(STRING, "0+")  # group
    # by topic
    topics: list[DescribeShareGroupOffsetsResponseTopic] = field(array(DescribeShareGroupOffsetsResponseTopic), "0+")
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+", default=None)


class DescribeShareGroupOffsetsResponse(Message, api_key=90, versions="0-1", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    # by group
    groups: list[DescribeShareGroupOffsetsResponseGroup] = field(array(DescribeShareGroupOffsetsResponseGroup), "0+")
