"""ShareAcknowledge (key 79): settle records taken from share partitions, without taking more (KIP-932).

1   first stable version
2   locks can be renewed (KIP-1222)
"""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT8, INT16, INT32, INT64, STRING, UUID, Message, Struct, array, field


class AcknowledgementBatch(Struct):
    first_offset: int = field(INT64, "0+")  # first record of the range
    last_offset: int = field(INT64, "0+")  # last record of the range, inclusive
    # one for the whole range or one per record: 0 gap, 1 accept, 2 release, 3 reject, 4 renew
    acknowledge_types: list[int] = field(array(INT8), "0+")


class AcknowledgePartition(Struct):
    partition_index: int = field(INT32, "0+")                                                       # partition number
    acknowledgement_batches: list[AcknowledgementBatch] = field(array(AcknowledgementBatch), "0+")  # records to settle


class AcknowledgeTopic(Struct):
    topic_id: bytes = field(UUID, "0+")                                                # topic, by identifier
    partitions: list[AcknowledgePartition] = field(array(AcknowledgePartition), "0+")  # by partition


class ShareAcknowledgeRequest(Message, api_key=79, versions="1-2", flexible="0+"):
    group_id: str | None = field(STRING, "0+", nullable="0+", default=None)  # share group
    member_id: str | None = field(STRING, "0+", nullable="0+")               # member of it
    share_session_epoch: int = field(INT32, "0+")                            # session this belongs to; -1 closes it
    is_renew_ack: bool = field(BOOL, "2+")                                   # some locks are to be renewed
    topics: list[AcknowledgeTopic] = field(array(AcknowledgeTopic), "0+")    # by topic


class LeaderIdAndEpoch(Struct):
    leader_id: int = field(INT32, "0+")     # broker that leads the partition; -1 unknown
    leader_epoch: int = field(INT32, "0+")  # epoch of that leader; -1 unknown


class PartitionData(Struct):
    partition_index: int = field(INT32, "0+")  # partition number
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+", default=None)
    current_leader: LeaderIdAndEpoch = field(LeaderIdAndEpoch, "0+")  # who leads now, when the one asked does not


class ShareAcknowledgeTopicResponse(Struct):
    topic_id: bytes = field(UUID, "0+")                                  # topic, by identifier
    partitions: list[PartitionData] = field(array(PartitionData), "0+")  # by partition


class NodeEndpoint(Struct):
    node_id: int = field(INT32, "0+")  # node
    host: str = field(STRING, "0+")  # host name or address
    port: int = field(INT32, "0+")  # TCP port
    # rack of the broker; null when none is configured
    rack: str | None = field(STRING, "0+", nullable="0+", default=None)


class ShareAcknowledgeResponse(Message, api_key=79, versions="1-2", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+", default=None)
    acquisition_lock_timeout_ms: int = field(INT32, "2+")  # how long renewed locks last
    responses: list[ShareAcknowledgeTopicResponse] = field(array(ShareAcknowledgeTopicResponse), "0+")  # by topic
    node_endpoints: list[NodeEndpoint] = field(array(NodeEndpoint), "0+")  # addresses of the leaders named above
