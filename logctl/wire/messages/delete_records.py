"""DeleteRecords (key 21): give up the beginning of partitions.

Sent by admin tools and by Streams (purging its repartition topics) to the leaders. Nothing is erased at once: the
log's start moves, and segments before it go.

1   on a quota violation the answer is sent before the delay
2   flexible
"""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, INT64, STRING, Message, Struct, array, field


class DeleteRecordsPartition(Struct):
    partition_index: int = field(INT32, "0+")  # partition number
    offset: int = field(INT64, "0+")           # first offset to keep; -1 keeps nothing below the high watermark


class DeleteRecordsTopic(Struct):
    name: str = field(STRING, "0+")                                                        # topic
    partitions: list[DeleteRecordsPartition] = field(array(DeleteRecordsPartition), "0+")  # where to cut, by partition


class DeleteRecordsRequest(Message, api_key=21, versions="0-2", flexible="2+"):
    topics: list[DeleteRecordsTopic] = field(array(DeleteRecordsTopic), "0+")  # by topic
    timeout_ms: int = field(INT32, "0+")                                       # how long the answer may take


class DeleteRecordsPartitionResult(Struct):
    partition_index: int = field(INT32, "0+")  # partition number
    low_watermark: int = field(INT64, "0+")    # first offset that any live replica still has; -1 on failure
    error_code: int = field(INT16, "0+")       # 0, or what went wrong


class DeleteRecordsTopicResult(Struct):
    name: str = field(STRING, "0+")                                                                    # topic
    partitions: list[DeleteRecordsPartitionResult] = field(array(DeleteRecordsPartitionResult), "0+")  # by partition


class DeleteRecordsResponse(Message, api_key=21, versions="0-2", flexible="2+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    topics: list[DeleteRecordsTopicResult] = field(array(DeleteRecordsTopicResult), "0+")  # by topic
