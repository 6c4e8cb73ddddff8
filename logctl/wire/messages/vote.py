"""Vote (key 52): a voter of the metadata quorum asks another for its vote (KIP-595).

1   voters are identified by directory too; the leader's address (KIP-853)
2   a trial vote that changes nothing, before the term is raised (KIP-996)
"""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT16, INT32, INT64, STRING, UINT16, UUID, Message, Struct, array, field


class VoteRequestPartitionData(Struct):
    partition_index: int = field(INT32, "0+")        # partition number
    replica_epoch: int = field(INT32, "0+")          # term of the sender
    replica_id: int = field(INT32, "0+")             # voter that asks
    replica_directory_id: bytes = field(UUID, "1+")  # its log directory
    voter_directory_id: bytes = field(UUID, "1+")    # log directory of the voter asked
    last_offset_epoch: int = field(INT32, "0+")      # epoch of the last record in its log
    last_offset: int = field(INT64, "0+")            # end of its log
    pre_vote: bool = field(BOOL, "2+")               # only whether it would be granted


class VoteRequestTopicData(Struct):
    topic_name: str = field(STRING, "0+")                                                      # topic
    partitions: list[VoteRequestPartitionData] = field(array(VoteRequestPartitionData), "0+")  # by partition


class VoteRequest(Message, api_key=52, versions="0-2", flexible="0+"):
    cluster_id: str | None = field(STRING, "0+", nullable="0+", default=None)      # cluster of the sender; null unknown
    voter_id: int = field(INT32, "1+", default=-1)                                 # voter asked; -1 not told
    topics: list[VoteRequestTopicData] = field(array(VoteRequestTopicData), "0+")  # by topic


class VoteResponsePartitionData(Struct):
    partition_index: int = field(INT32, "0+")  # partition number
    error_code: int = field(INT16, "0+")       # 0, or what went wrong
    leader_id: int = field(INT32, "0+")        # leader known to the one asked; -1 none
    leader_epoch: int = field(INT32, "0+")     # its term
    vote_granted: bool = field(BOOL, "0+")     # yes


class VoteResponseTopicData(Struct):
    topic_name: str = field(STRING, "0+")                                                        # topic
    partitions: list[VoteResponsePartitionData] = field(array(VoteResponsePartitionData), "0+")  # by partition


class NodeEndpoint(Struct):
    node_id: int = field(INT32, "1+")  # node
    host: str = field(STRING, "1+")    # host name or address
    port: int = field(UINT16, "1+")    # TCP port


class VoteResponse(Message, api_key=52, versions="0-2", flexible="0+"):
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    topics: list[VoteResponseTopicData] = field(array(VoteResponseTopicData), "0+")  # by topic
    # addresses of the leaders named above
    node_endpoints: list[NodeEndpoint] = field(array(NodeEndpoint), "1+", tagged="1+", tag=0)
