"""Produce (key 0): append record batches to partitions.

Sent by producers to the leader of each partition; with acks=0 nothing is answered. Bounds: 0 to 2 are advertised
only, since old librdkafka turns compression off without them; they are refused.

3   transactional id, record batches of format 2
5   the log's start offset in the answer
7   zstd allowed (KIP-110)
8   which records spoilt a batch (KIP-467)
9   flexible
10  a new leader is named in the answer (KIP-951)
11  TRANSACTION_ABORTABLE may be answered (KIP-890)
12  within a transaction it also adds the partition to it, where transaction.version is 2 (KIP-890)
13  topics by identifier (KIP-516)
"""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, INT64, RECORDS, STRING, UUID, Message, Records, Struct, array, field


class PartitionProduceData(Struct):
    index: int = field(INT32, "0+")                         # partition number
    records: Records = field(RECORDS, "0+", nullable="0+")  # one batch; never decoded on the way through


class TopicProduceData(Struct):
    name: str = field(STRING, "0-12")  # topic, up to 12
    topic_id: bytes = field(UUID, "13+")  # topic, from 13 on
    # what to append, by partition
    partition_data: list[PartitionProduceData] = field(array(PartitionProduceData), "0+")


class ProduceRequest(Message, api_key=0, versions="3-13", flexible="9+"):
    # transactional.id; null outside transactions
    transactional_id: str | None = field(STRING, "3+", nullable="3+", default=None)
    acks: int = field(INT16, "0+")  # 0 no answer, 1 the leader has it, -1 all in-sync replicas have it
    timeout_ms: int = field(INT32, "0+")  # how long the leader may wait for the in-sync replicas
    topic_data: list[TopicProduceData] = field(array(TopicProduceData), "0+")  # what to append, by topic


class BatchIndexAndErrorMessage(Struct):
    batch_index: int = field(INT32, "8+")  # place of the record within its batch, from 0
    # what is wrong with it; null when there is nothing to add
    batch_index_error_message: str | None = field(STRING, "8+", nullable="8+", default=None)


class LeaderIdAndEpoch(Struct):
    leader_id: int = field(INT32, "10+", default=-1)     # broker that leads now; -1 unknown
    leader_epoch: int = field(INT32, "10+", default=-1)  # epoch of that leader; -1 unknown


class PartitionProduceResponse(Struct):
    index: int = field(INT32, "0+")  # partition number
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    base_offset: int = field(INT64, "0+")  # offset of the first record; -1 on failure
    # broker's time of appending; -1 where the topic keeps the producer's
    log_append_time_ms: int = field(INT64, "2+", default=-1)
    log_start_offset: int = field(INT64, "5+", default=-1)  # first offset that still exists; -1 unknown
    # records for which the whole batch was refused
    record_errors: list[BatchIndexAndErrorMessage] = field(array(BatchIndexAndErrorMessage), "8+")
    # what the refused records have in common; null for none
    error_message: str | None = field(STRING, "8+", nullable="8+", default=None)
    # who leads now, with NOT_LEADER_OR_FOLLOWER
    current_leader: LeaderIdAndEpoch = field(LeaderIdAndEpoch, "10+", tagged="10+", tag=0)


class TopicProduceResponse(Struct):
    name: str = field(STRING, "0-12")  # topic, up to 12
    topic_id: bytes = field(UUID, "13+")  # topic, from 13 on
    partition_responses: list[PartitionProduceResponse] = field(array(PartitionProduceResponse), "0+")  # by partition


class NodeEndpoint(Struct):
    node_id: int = field(INT32, "10+")  # node
    host: str = field(STRING, "10+")  # host name or address
    port: int = field(INT32, "10+")  # TCP port
    # rack of the broker; null when none is configured
    rack: str | None = field(STRING, "10+", nullable="10+", default=None)


class ProduceResponse(Message, api_key=0, versions="3-13", flexible="9+"):
    responses: list[TopicProduceResponse] = field(array(TopicProduceResponse), "0+")  # by topic
    throttle_time_ms: int = field(INT32, "1+")  # how long the quota delayed, or is to delay, this client
    # addresses of the leaders named above
    node_endpoints: list[NodeEndpoint] = field(array(NodeEndpoint), "10+", tagged="10+", tag=0)
