"""OffsetDelete (key 47): forget how far a group has read in some partitions (KIP-496).

Sent by admin tools to the group's coordinator. Topics that the group is subscribed to are refused.
"""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, STRING, Message, Struct, array, field


class OffsetDeleteRequestPartition(Struct):
    partition_index: int = field(INT32, "0+")  # partition number


class OffsetDeleteRequestTopic(Struct):
    name: str = field(STRING, "0+")                                                                    # topic
    partitions: list[OffsetDeleteRequestPartition] = field(array(OffsetDeleteRequestPartition), "0+")  # by partition


class OffsetDeleteRequest(Message, api_key=47, versions="0"):
    group_id: str = field(STRING, "0+")                                                    # group
    topics: list[OffsetDeleteRequestTopic] = field(array(OffsetDeleteRequestTopic), "0+")  # by topic


class OffsetDeleteResponsePartition(Struct):
    partition_index: int = field(INT32, "0+")  # partition number
    error_code: int = field(INT16, "0+")       # 0, or what went wrong


class OffsetDeleteResponseTopic(Struct):
    name: str = field(STRING, "0+")                                                                      # topic
    partitions: list[OffsetDeleteResponsePartition] = field(array(OffsetDeleteResponsePartition), "0+")  # by partition


class OffsetDeleteResponse(Message, api_key=47, versions="0"):
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    topics: list[OffsetDeleteResponseTopic] = field(array(OffsetDeleteResponseTopic), "0+")  # by topic
