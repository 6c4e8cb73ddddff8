"""OffsetForLeaderEpoch (key 23): where did a leader epoch end?

Asked by consumers after a change of leader and by followers, to find where their log departs from the leader's
(KIP-101, KIP-320).

2   the leader epoch is checked; baseline
3   replica id
4   flexible
"""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, INT64, STRING, Message, Struct, array, field


class OffsetForLeaderPartition(Struct):
    partition: int = field(INT32, "0+")  # partition number
    # leader epoch the sender believes in, checked to fence stale metadata; -1 skips the check
    current_leader_epoch: int = field(INT32, "2+", default=-1)
    leader_epoch: int = field(INT32, "0+")  # the epoch in question


class OffsetForLeaderTopic(Struct):
    topic: str = field(STRING, "0+")                                                           # topic
    partitions: list[OffsetForLeaderPartition] = field(array(OffsetForLeaderPartition), "0+")  # by partition


class OffsetForLeaderEpochRequest(Message, api_key=23, versions="2-4", flexible="4+"):
    replica_id: int = field(INT32, "3+", default=-2)  # broker that replicates; -1 consumer, -2 debugging
    topics: list[OffsetForLeaderTopic] = field(array(OffsetForLeaderTopic), "0+")  # by topic


class EpochEndOffset(Struct):
    error_code: int = field(INT16, "0+")                # 0, or what went wrong
    partition: int = field(INT32, "0+")                 # partition number
    leader_epoch: int = field(INT32, "1+", default=-1)  # the greatest epoch not above the one asked for; -1 none
    end_offset: int = field(INT64, "0+", default=-1)    # where it ends, exclusive; -1 none


class OffsetForLeaderTopicResult(Struct):
    topic: str = field(STRING, "0+")                                       # topic
    partitions: list[EpochEndOffset] = field(array(EpochEndOffset), "0+")  # by partition


class OffsetForLeaderEpochResponse(Message, api_key=23, versions="2-4", flexible="4+"):
    throttle_time_ms: int = field(INT32, "2+")  # how long the quota delayed, or is to delay, this client
    topics: list[OffsetForLeaderTopicResult] = field(array(OffsetForLeaderTopicResult), "0+")  # by topic
