"""BeginQuorumEpoch (key 53): a new leader of the metadata quorum tells the voters (KIP-595).

1   flexible; voters by directory too, addresses of the leader (KIP-853)
"""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, STRING, UINT16, UUID, Message, Struct, array, field


class BeginQuorumEpochRequestPartitionData(Struct):
    partition_index: int = field(INT32, "0+")      # partition number
    voter_directory_id: bytes = field(UUID, "1+")  # its log directory
    leader_id: int = field(INT32, "0+")            # the new leader
    leader_epoch: int = field(INT32, "0+")         # its term


class BeginQuorumEpochRequestTopicData(Struct):
    topic_name: str = field(STRING, "0+")  # topic
    # by partition
    partitions: list[BeginQuorumEpochRequestPartitionData] = field(array(BeginQuorumEpochRequestPartitionData), "0+")


class LeaderEndpoint(Struct):
    name: str = field(STRING, "1+")  # listener
    host: str = field(STRING, "1+")  # host name or address
    port: int = field(UINT16, "1+")  # TCP port


class BeginQuorumEpochRequest(Message, api_key=53, versions="0-1", flexible="1+"):
    cluster_id: str | None = field(STRING, "0+", nullable="0+", default=None)  # cluster of the sender; null unknown
    voter_id: int = field(INT32, "1+", default=-1)  # voter told; -1 not given
    topics: list[BeginQuorumEpochRequestTopicData] = field(array(BeginQuorumEpochRequestTopicData), "0+")  # by topic
    leader_endpoints: list[LeaderEndpoint] = field(array(LeaderEndpoint), "1+")  # where the leader can be reached


class BeginQuorumEpochResponsePartitionData(Struct):
    partition_index: int = field(INT32, "0+")  # partition number
    error_code: int = field(INT16, "0+")       # 0, or what went wrong
    leader_id: int = field(INT32, "0+")        # leader known to the one told; -1 none
    leader_epoch: int = field(INT32, "0+")     # its term


class BeginQuorumEpochResponseTopicData(Struct):
    topic_name: str = field(STRING, "0+")  # topic
    # by partition
    partitions: list[BeginQuorumEpochResponsePartitionData] = field(array(BeginQuorumEpochResponsePartitionData), "0+")


class NodeEndpoint(Struct):
    node_id: int = field(INT32, "1+")  # node
    host: str = field(STRING, "1+")    # host name or address
    port: int = field(UINT16, "1+")    # TCP port


class BeginQuorumEpochResponse(Message, api_key=53, versions="0-1", flexible="1+"):
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    topics: list[BeginQuorumEpochResponseTopicData] = field(array(BeginQuorumEpochResponseTopicData), "0+")  # by topic
    # addresses of the leaders named above
    node_endpoints: list[NodeEndpoint] = field(array(NodeEndpoint), "1+", tagged="1+", tag=0)
