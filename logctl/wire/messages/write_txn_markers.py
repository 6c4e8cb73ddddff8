"""WriteTxnMarkers (key 27): write the outcome of a transaction into its partitions.

Sent by transaction coordinators to partition leaders, and by tools that abort a hanging transaction (KIP-664).

1   flexible; baseline
2   which protocol the marker belongs to (KIP-1228)
"""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT8, INT16, INT32, INT64, STRING, Message, Struct, array, field


class WritableTxnMarkerTopic(Struct):
    name: str = field(STRING, "0+")                           # topic
    partition_indexes: list[int] = field(array(INT32), "0+")  # partitions to write to


class WritableTxnMarker(Struct):
    producer_id: int = field(INT64, "0+")  # producer
    producer_epoch: int = field(INT16, "0+")  # its epoch: older ones are fenced
    transaction_result: bool = field(BOOL, "0+")  # true commits, false aborts
    topics: list[WritableTxnMarkerTopic] = field(array(WritableTxnMarkerTopic), "0+")  # by topic
    coordinator_epoch: int = field(INT32, "0+")  # epoch of the coordinator: older ones are fenced
    transaction_version: int = field(INT8, "2+")  # 0 and 1 the old protocol, 2 with an epoch per transaction


class WriteTxnMarkersRequest(Message, api_key=27, versions="1-2", flexible="1+"):
    markers: list[WritableTxnMarker] = field(array(WritableTxnMarker), "0+")  # one per transaction


class WritableTxnMarkerPartitionResult(Struct):
    partition_index: int = field(INT32, "0+")  # partition number
    error_code: int = field(INT16, "0+")       # 0, or what went wrong


class WritableTxnMarkerTopicResult(Struct):
    name: str = field(STRING, "0+")  # topic
    # by partition
    partitions: list[WritableTxnMarkerPartitionResult] = field(array(WritableTxnMarkerPartitionResult), "0+")


class WritableTxnMarkerResult(Struct):
    producer_id: int = field(INT64, "0+")                                                          # producer
    topics: list[WritableTxnMarkerTopicResult] = field(array(WritableTxnMarkerTopicResult), "0+")  # by topic


class WriteTxnMarkersResponse(Message, api_key=27, versions="1-2", flexible="1+"):
    markers: list[WritableTxnMarkerResult] = field(array(WritableTxnMarkerResult), "0+")  # one per transaction
