"""EndQuorumEpoch (key 54): a leader of the metadata quorum resigns in good order (KIP-595).

1   flexible; candidates by directory too, addresses of the leader (KIP-853)
"""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, STRING, UINT16, UUID, Message, Struct, array, field


class ReplicaInfo(Struct):
    candidate_id: int = field(INT32, "1+")             # voter
    candidate_directory_id: bytes = field(UUID, "1+")  # its log directory


class EndQuorumEpochRequestPartitionData(Struct):
    partition_index: int = field(INT32, "0+")  # partition number
    leader_id: int = field(INT32, "0+")  # the leader that resigns
    leader_epoch: int = field(INT32, "0+")  # its term
    preferred_successors: list[int] = field(array(INT32), "0")  # voters by how far they have got, best first; version 0
    preferred_candidates: list[ReplicaInfo] = field(array(ReplicaInfo), "1+")  # the same with directories, from 1 on


class EndQuorumEpochRequestTopicData(Struct):
    topic_name: str = field(STRING, "0+")  # topic
    # by partition
    partitions: list[EndQuorumEpochRequestPartitionData] = field(array(EndQuorumEpochRequestPartitionData), "0+")


class LeaderEndpoint(Struct):
    name: str = field(STRING, "1+")  # listener
    host: str = field(STRING, "1+")  # host name or address
    port: int = field(UINT16, "1+")  # TCP port


class EndQuorumEpochRequest(Message, api_key=54, versions="0-1", flexible="1+"):
    cluster_id: str | None = field(STRING, "0+", nullable="0+", default=None)  # cluster of the sender; null unknown
    topics: list[EndQuorumEpochRequestTopicData] = field(array(EndQuorumEpochRequestTopicData), "0+")  # by topic
    leader_endpoints: list[LeaderEndpoint] = field(array(LeaderEndpoint), "1+")  # where the leader can be reached


class EndQuorumEpochResponsePartitionData(Struct):
    partition_index: int = field(INT32, "0+")  # partition number
    error_code: int = field(INT16, "0+")       # 0, or what went wrong
    leader_id: int = field(INT32, "0+")        # leader known to the one told; -1 none
    leader_epoch: int = field(INT32, "0+")     # its term


class EndQuorumEpochResponseTopicData(Struct):
    topic_name: str = field(STRING, "0+")  # topic
    # by partition
    partitions: list[EndQuorumEpochResponsePartitionData] = field(array(EndQuorumEpochResponsePartitionData), "0+")


class NodeEndpoint(Struct):
    node_id: int = field(INT32, "1+")  # node
    host: str = field(STRING, "1+")    # host name or address
    port: int = field(UINT16, "1+")    # TCP port


class EndQuorumEpochResponse(Message, api_key=54, versions="0-1", flexible="1+"):
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    topics: list[EndQuorumEpochResponseTopicData] = field(array(EndQuorumEpochResponseTopicData), "0+")  # by topic
    # addresses of the leaders named above
    node_endpoints: list[NodeEndpoint] = field(array(NodeEndpoint), "1+", tagged="1+", tag=0)
