"""DescribeQuorum (key 55): leader, voters and observers of the metadata log and how far they have got (KIP-642).

Asked by admin tools; brokers pass it to the quorum's leader.

1   when each replica last fetched and last was level with the leader (KIP-836)
2   directories, addresses, error messages (KIP-853)
"""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, INT64, STRING, UINT16, UUID, Message, Struct, array, field


class DescribeQuorumRequestPartitionData(Struct):
    partition_index: int = field(INT32, "0+")  # partition number


class DescribeQuorumRequestTopicData(Struct):
    topic_name: str = field(STRING, "0+")  # topic
    # by partition
    partitions: list[DescribeQuorumRequestPartitionData] = field(array(DescribeQuorumRequestPartitionData), "0+")


class DescribeQuorumRequest(Message, api_key=55, versions="0-2", flexible="0+"):
    topics: list[DescribeQuorumRequestTopicData] = field(array(DescribeQuorumRequestTopicData), "0+")  # by topic


class ReplicaState(Struct):
    replica_id: int = field(INT32, "0+")  # node
    replica_directory_id: bytes = field(UUID, "2+")  # its log directory; zero unknown
    log_end_offset: int = field(INT64, "0+")  # end of its log as the leader knows it; -1 unknown
    # when it last fetched, by the leader's clock, in ms; -1 unknown
    last_fetch_timestamp: int = field(INT64, "1+", default=-1)
    # time up to which it has everything, by the leader's clock, in ms; -1 unknown
    last_caught_up_timestamp: int = field(INT64, "1+", default=-1)


class DescribeQuorumResponsePartitionData(Struct):
    partition_index: int = field(INT32, "0+")  # partition number
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "2+", nullable="2+")
    leader_id: int = field(INT32, "0+")  # leader; -1 unknown
    leader_epoch: int = field(INT32, "0+")  # its term
    high_watermark: int = field(INT64, "0+")  # offset below which every record is committed
    current_voters: list[ReplicaState] = field(array(ReplicaState), "0+")  # voters
    # nodes that follow without a vote, such as brokers
    observers: list[ReplicaState] = field(array(ReplicaState), "0+")


class DescribeQuorumResponseTopicData(Struct):
    topic_name: str = field(STRING, "0+")  # topic
    # by partition
    partitions: list[DescribeQuorumResponsePartitionData] = field(array(DescribeQuorumResponsePartitionData), "0+")


class Listener(Struct):
    name: str = field(STRING, "2+")  # listener
    host: str = field(STRING, "2+")  # host name or address
    port: int = field(UINT16, "2+")  # TCP port


class Node(Struct):
    node_id: int = field(INT32, "2+")                         # node
    listeners: list[Listener] = field(array(Listener), "2+")  # where it can be reached


class DescribeQuorumResponse(Message, api_key=55, versions="0-2", flexible="0+"):
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "2+", nullable="2+")
    topics: list[DescribeQuorumResponseTopicData] = field(array(DescribeQuorumResponseTopicData), "0+")  # by topic
    nodes: list[Node] = field(array(Node), "2+")  # addresses of the voters
