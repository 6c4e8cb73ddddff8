"""AlterPartitionReassignments (key 45): give partitions other replicas, or stop doing so (KIP-455).

1   a change of the replication factor can be forbidden (KIP-860)
"""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT16, INT32, STRING, Message, Struct, array, field


class ReassignablePartition(Struct):
    partition_index: int = field(INT32, "0+")  # partition number
    # brokers to have it, the preferred leader first; null cancels
    replicas: list[int] | None = field(array(INT32), "0+", nullable="0+", default=None)


class ReassignableTopic(Struct):
    name: str = field(STRING, "0+")                                                      # topic
    partitions: list[ReassignablePartition] = field(array(ReassignablePartition), "0+")  # by partition


class AlterPartitionReassignmentsRequest(Message, api_key=45, versions="0-1", flexible="0+"):
    timeout_ms: int = field(INT32, "0+", default=60000)                      # how long the answer may take
    allow_replication_factor_change: bool = field(BOOL, "1+", default=True)  # the number of replicas may change
    topics: list[ReassignableTopic] = field(array(ReassignableTopic), "0+")  # by topic


class ReassignablePartitionResponse(Struct):
    partition_index: int = field(INT32, "0+")  # partition number
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+")


class ReassignableTopicResponse(Struct):
    name: str = field(STRING, "0+")                                                                      # topic
    partitions: list[ReassignablePartitionResponse] = field(array(ReassignablePartitionResponse), "0+")  # by partition


class AlterPartitionReassignmentsResponse(Message, api_key=45, versions="0-1", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    allow_replication_factor_change: bool = field(BOOL, "1+", default=True)  # the number of replicas may change
    error_code: int = field(INT16, "0+")  # 0, or why the whole failed
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+")
    responses: list[ReassignableTopicResponse] = field(array(ReassignableTopicResponse), "0+")  # by topic
