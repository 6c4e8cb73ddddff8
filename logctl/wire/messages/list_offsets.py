"""ListOffsets (key 2): find the offset that belongs to a time, or one of the special places in a log.

Sent by consumers that seek, by admin tools and by followers, to the leader of each partition. The time is in
milliseconds, or one of: -1 the end, -2 the beginning, -3 the record with the greatest timestamp (from 7), -4 where
the local log begins (from 8), -5 the last offset in tiered storage (from 9), -6 the first one not yet uploaded (from
11).

1   one offset and its timestamp (before: a list)
2   isolation level
4   leader epochs (KIP-320)
5   OFFSET_NOT_AVAILABLE may be answered just after an election
6   flexible
7   greatest timestamp (KIP-734)
8   local log's start (KIP-405)
9   tiered storage's end (KIP-1005)
10  a time limit, for lookups in tiered storage (KIP-1075)
11  first offset not yet uploaded (KIP-1023)
"""

from __future__ import annotations

from logctl.wire.schema import INT8, INT16, INT32, INT64, STRING, Message, Struct, array, field


class ListOffsetsPartition(Struct):
    partition_index: int = field(INT32, "0+")  # partition number
    # leader epoch the sender believes in, checked to fence stale metadata; -1 skips the check
    current_leader_epoch: int = field(INT32, "4+", default=-1)
    timestamp: int = field(INT64, "0+")  # earliest record not older than this, in ms, or a special value


class ListOffsetsTopic(Struct):
    name: str = field(STRING, "0+")                                                    # topic
    partitions: list[ListOffsetsPartition] = field(array(ListOffsetsPartition), "0+")  # by partition


class ListOffsetsRequest(Message, api_key=2, versions="1-11", flexible="6+"):
    replica_id: int = field(INT32, "0+")  # broker that replicates; -1 consumer, -2 debugging
    # 0 read uncommitted, 1 read committed (only records of finished transactions)
    isolation_level: int = field(INT8, "2+")
    topics: list[ListOffsetsTopic] = field(array(ListOffsetsTopic), "0+")  # by topic
    timeout_ms: int = field(INT32, "10+")  # how long a lookup in tiered storage may take


class ListOffsetsPartitionResponse(Struct):
    partition_index: int = field(INT32, "0+")           # partition number
    error_code: int = field(INT16, "0+")                # 0, or what went wrong
    timestamp: int = field(INT64, "1+", default=-1)     # of the record found, in ms; -1 none
    offset: int = field(INT64, "1+", default=-1)        # the offset found; -1 none
    leader_epoch: int = field(INT32, "4+", default=-1)  # epoch in which that record was appended; -1 unknown


class ListOffsetsTopicResponse(Struct):
    name: str = field(STRING, "0+")                                                                    # topic
    partitions: list[ListOffsetsPartitionResponse] = field(array(ListOffsetsPartitionResponse), "0+")  # by partition


class ListOffsetsResponse(Message, api_key=2, versions="1-11", flexible="6+"):
    throttle_time_ms: int = field(INT32, "2+")  # how long the quota delayed, or is to delay, this client
    topics: list[ListOffsetsTopicResponse] = field(array(ListOffsetsTopicResponse), "0+")  # by topic
