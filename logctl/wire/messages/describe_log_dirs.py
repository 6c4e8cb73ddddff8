"""DescribeLogDirs (key 35): log directories of a broker, what is in them and how large it is (KIP-113).

2   flexible
3   an error for the whole
4   size and free space of the volume (KIP-827)
5   directories that take no new replicas (KIP-1066)
"""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT16, INT32, INT64, STRING, Message, Struct, array, field


class DescribableLogDirTopic(Struct):
    topic: str = field(STRING, "0+")                   # topic
    partitions: list[int] = field(array(INT32), "0+")  # partition numbers


class DescribeLogDirsRequest(Message, api_key=35, versions="1-5", flexible="2+"):
    # topics wanted; null for all
    topics: list[DescribableLogDirTopic] | None = field(array(DescribableLogDirTopic), "0+", nullable="0+")


class DescribeLogDirsPartition(Struct):
    partition_index: int = field(INT32, "0+")  # partition number
    partition_size: int = field(INT64, "0+")  # bytes of its segments
    # records behind the high watermark or, for a replica in the making, behind the current one
    offset_lag: int = field(INT64, "0+")
    is_future_key: bool = field(BOOL, "0+")  # a copy in the making that will replace the current one


class DescribeLogDirsTopic(Struct):
    name: str = field(STRING, "0+")                                                            # topic
    partitions: list[DescribeLogDirsPartition] = field(array(DescribeLogDirsPartition), "0+")  # by partition


class DescribeLogDirsResult(Struct):
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    log_dir: str = field(STRING, "0+")  # absolute path of the directory
    topics: list[DescribeLogDirsTopic] = field(array(DescribeLogDirsTopic), "0+")  # by topic
    total_bytes: int = field(INT64, "4+", default=-1)  # size of its volume; -1 unknown
    usable_bytes: int = field(INT64, "4+", default=-1)  # free space of its volume; -1 unknown
    is_cordoned: bool = field(BOOL, "5+")  # takes no new replicas


class DescribeLogDirsResponse(Message, api_key=35, versions="1-5", flexible="2+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "3+")  # 0, or what went wrong
    results: list[DescribeLogDirsResult] = field(array(DescribeLogDirsResult), "0+")  # by directory
