"""ShareFetch (key 78): take records from share partitions and settle earlier ones (KIP-932).

A record handed out is locked for the member until it accepts, releases or rejects it, or the lock runs out.

1   first stable version
2   limit by records, and locks can be renewed (KIP-1206, KIP-1222)
"""

from __future__ import annotations

from logctl.wire.schema import (
    BOOL,
    INT8,
    INT16,
    INT32,
    INT64,
    RECORDS,
    STRING,
    UUID,
    Message,
    Records,
    Struct,
    array,
    field,
)


class AcknowledgementBatch(Struct):
    first_offset: int = field(INT64, "0+")  # first record of the range
    last_offset: int = field(INT64, "0+")  # last record of the range, inclusive
    # one for the whole range or one per record: 0 gap, 1 accept, 2 release, 3 reject, 4 renew
    acknowledge_types: list[int] = field(array(INT8), "0+")


class FetchPartition(Struct):
    partition_index: int = field(INT32, "0+")  # partition number
    partition_max_bytes: int = field(INT32, "0")  # most bytes to return, up to 0
    # earlier records to settle
    acknowledgement_batches: list[AcknowledgementBatch] = field(array(AcknowledgementBatch), "0+")


class FetchTopic(Struct):
    topic_id: bytes = field(UUID, "0+")                                    # topic, by identifier
    partitions: list[FetchPartition] = field(array(FetchPartition), "0+")  # what is wanted, by partition


class ForgottenTopic(Struct):
    topic_id: bytes = field(UUID, "0+")                # topic, by identifier
    partitions: list[int] = field(array(INT32), "0+")  # partition numbers


class ShareFetchRequest(Message, api_key=78, versions="1-2", flexible="0+"):
    group_id: str | None = field(STRING, "0+", nullable="0+", default=None)  # share group
    member_id: str | None = field(STRING, "0+", nullable="0+")  # member of it
    share_session_epoch: int = field(INT32, "0+")  # 0 opens a session, -1 closes it, else counted up by each request
    max_wait_ms: int = field(INT32, "0+")  # how long to wait for min_bytes
    min_bytes: int = field(INT32, "0+")  # answer once this much is there
    max_bytes: int = field(INT32, "0+", default=0x7FFFFFFF)  # most bytes to return in all
    max_records: int = field(INT32, "1+")  # most records to return; whole batches may exceed it
    batch_size: int = field(INT32, "1+")  # records per acquired range that suit the client
    share_acquire_mode: int = field(INT8, "2+")  # 0 whole batches, 1 never more than max_records
    is_renew_ack: bool = field(BOOL, "2+")  # some locks are to be renewed, so nothing is fetched
    topics: list[FetchTopic] = field(array(FetchTopic), "0+")  # partitions wanted; only the new and the changed ones
    # partitions to drop from the session
    forgotten_topics_data: list[ForgottenTopic] = field(array(ForgottenTopic), "0+")


class LeaderIdAndEpoch(Struct):
    leader_id: int = field(INT32, "0+")     # broker that leads the partition; -1 unknown
    leader_epoch: int = field(INT32, "0+")  # epoch of that leader; -1 unknown


class AcquiredRecords(Struct):
    first_offset: int = field(INT64, "0+")    # first record of the range
    last_offset: int = field(INT64, "0+")     # last record of the range, inclusive
    delivery_count: int = field(INT16, "0+")  # how often these records were handed out


class PartitionData(Struct):
    partition_index: int = field(INT32, "0+")  # partition number
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+", default=None)
    acknowledge_error_code: int = field(INT16, "0+")  # 0, or why earlier records were not settled
    acknowledge_error_message: str | None = field(STRING, "0+", nullable="0+", default=None)  # in words; null for none
    current_leader: LeaderIdAndEpoch = field(LeaderIdAndEpoch, "0+")  # who leads now, when the one asked does not
    records: Records = field(RECORDS, "0+", nullable="0")  # batches; only the acquired records are the member's
    acquired_records: list[AcquiredRecords] = field(array(AcquiredRecords), "0+")  # ranges locked for this member


class ShareFetchableTopicResponse(Struct):
    topic_id: bytes = field(UUID, "0+")                                  # topic, by identifier
    partitions: list[PartitionData] = field(array(PartitionData), "0+")  # by partition


class NodeEndpoint(Struct):
    node_id: int = field(INT32, "0+")  # node
    host: str = field(STRING, "0+")  # host name or address
    port: int = field(INT32, "0+")  # TCP port
    # rack of the broker; null when none is configured
    rack: str | None = field(STRING, "0+", nullable="0+", default=None)


class ShareFetchResponse(Message, api_key=78, versions="1-2", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+", default=None)
    acquisition_lock_timeout_ms: int = field(INT32, "1+")  # how long the locks last
    responses: list[ShareFetchableTopicResponse] = field(array(ShareFetchableTopicResponse), "0+")  # by topic
    node_endpoints: list[NodeEndpoint] = field(array(NodeEndpoint), "0+")  # addresses of the leaders named above
