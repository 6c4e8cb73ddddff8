"""ElectLeaders (key 43): elect leaders now.

Sent by admin tools, passed to the controller.

1   unclean elections too (KIP-460)
2   flexible
"""

from __future__ import annotations

from logctl.wire.schema import INT8, INT16, INT32, STRING, Message, Struct, array, field


class TopicPartitions(Struct):
    topic: str = field(STRING, "0+")                   # topic
    partitions: list[int] = field(array(INT32), "0+")  # partition numbers


class ElectLeadersRequest(Message, api_key=43, versions="0-2", flexible="2+"):
    # 0 the preferred replica, 1 unclean: any live one when none in sync is alive, at the risk of loss
    election_type: int = field(INT8, "1+")
    # where; null for all partitions
    topic_partitions: list[TopicPartitions] | None = field(array(TopicPartitions), "0+", nullable="0+")
    timeout_ms: int = field(INT32, "0+", default=60000)  # how long the answer may take


class PartitionResult(Struct):
    partition_id: int = field(INT32, "0+")  # partition number
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+")


class ReplicaElectionResult(Struct):
    topic: str = field(STRING, "0+")                                               # topic
    partition_result: list[PartitionResult] = field(array(PartitionResult), "0+")  # by partition


class ElectLeadersResponse(Message, api_key=43, versions="0-2", flexible="2+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "1+")  # 0, or what went wrong
    replica_election_results: list[ReplicaElectionResult] = field(array(ReplicaElectionResult), "0+")  # by topic
