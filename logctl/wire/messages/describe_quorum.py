"""DescribeQuorum (key 55)."""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, INT64, STRING, UINT16, UUID, Message, Struct, array, field


class DescribeQuorumRequestPartitionData(Struct):
    partition_index: int = field(INT32, "0+")


class DescribeQuorumRequestTopicData(Struct):
    topic_name: str = field(STRING, "0+")
    partitions: list[DescribeQuorumRequestPartitionData] = field(array(DescribeQuorumRequestPartitionData), "0+")


class DescribeQuorumRequest(Message, api_key=55, versions="0-2", flexible="0+"):
    topics: list[DescribeQuorumRequestTopicData] = field(array(DescribeQuorumRequestTopicData), "0+")


class ReplicaState(Struct):
    replica_id: int = field(INT32, "0+")
    replica_directory_id: bytes = field(UUID, "2+")
    log_end_offset: int = field(INT64, "0+")
    last_fetch_timestamp: int = field(INT64, "1+", default=-1)
    last_caught_up_timestamp: int = field(INT64, "1+", default=-1)


class DescribeQuorumResponsePartitionData(Struct):
    partition_index: int = field(INT32, "0+")
    error_code: int = field(INT16, "0+")
    error_message: str | None = field(STRING, "2+", nullable="2+")
    leader_id: int = field(INT32, "0+")
    leader_epoch: int = field(INT32, "0+")
    high_watermark: int = field(INT64, "0+")
    current_voters: list[ReplicaState] = field(array(ReplicaState), "0+")
    observers: list[ReplicaState] = field(array(ReplicaState), "0+")


class DescribeQuorumResponseTopicData(Struct):
    topic_name: str = field(STRING, "0+")
    partitions: list[DescribeQuorumResponsePartitionData] = field(array(DescribeQuorumResponsePartitionData), "0+")


class Listener(Struct):
    name: str = field(STRING, "2+")
    host: str = field(STRING, "2+")
    port: int = field(UINT16, "2+")


class Node(Struct):
    node_id: int = field(INT32, "2+")
    listeners: list[Listener] = field(array(Listener), "2+")


class DescribeQuorumResponse(Message, api_key=55, versions="0-2", flexible="0+"):
    error_code: int = field(INT16, "0+")
    error_message: str | None = field(STRING, "2+", nullable="2+")
    topics: list[DescribeQuorumResponseTopicData] = field(array(DescribeQuorumResponseTopicData), "0+")
    nodes: list[Node] = field(array(Node), "2+")
