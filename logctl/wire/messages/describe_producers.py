"""DescribeProducers (key 61): which producers does a partition leader remember? (KIP-664)

Asked by admin tools that look for hanging transactions.
"""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, INT64, STRING, Message, Struct, array, field


class TopicRequest(Struct):
    name: str = field(STRING, "0+")                           # topic
    partition_indexes: list[int] = field(array(INT32), "0+")  # partitions to look at


class DescribeProducersRequest(Message, api_key=61, versions="0", flexible="0+"):
    topics: list[TopicRequest] = field(array(TopicRequest), "0+")  # by topic


class ProducerState(Struct):
    producer_id: int = field(INT64, "0+")                           # producer
    producer_epoch: int = field(INT32, "0+")                        # its epoch: older ones are fenced
    last_sequence: int = field(INT32, "0+", default=-1)             # sequence number of its last record; -1 none
    last_timestamp: int = field(INT64, "0+", default=-1)            # of its last batch, in ms; -1 unknown
    coordinator_epoch: int = field(INT32, "0+")                     # of the last transaction marker; -1 none
    current_txn_start_offset: int = field(INT64, "0+", default=-1)  # where its open transaction begins; -1 none


class PartitionResponse(Struct):
    partition_index: int = field(INT32, "0+")  # partition number
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+", default=None)
    active_producers: list[ProducerState] = field(array(ProducerState), "0+")  # those not yet forgotten


class TopicResponse(Struct):
    name: str = field(STRING, "0+")                                              # topic
    partitions: list[PartitionResponse] = field(array(PartitionResponse), "0+")  # by partition


class DescribeProducersResponse(Message, api_key=61, versions="0", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    topics: list[TopicResponse] = field(array(TopicResponse), "0+")  # by topic
