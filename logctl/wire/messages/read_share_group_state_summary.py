"""ReadShareGroupStateSummary (key 87): where share partitions begin, without the details (KIP-932).

Asked by the group coordinator of the share coordinator.

1   how many deliveries are finished (KIP-1226)
"""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, INT64, STRING, UUID, Message, Struct, array, field


class PartitionData(Struct):
    partition: int = field(INT32, "0+")     # partition number
    leader_epoch: int = field(INT32, "0+")  # leader epoch the sender knows


class ReadStateSummaryData(Struct):
    topic_id: bytes = field(UUID, "0+")                                  # topic, by identifier
    partitions: list[PartitionData] = field(array(PartitionData), "0+")  # by partition


class ReadShareGroupStateSummaryRequest(Message, api_key=87, versions="0-1", flexible="0+"):
    group_id: str = field(STRING, "0+")                                            # group
    topics: list[ReadStateSummaryData] = field(array(ReadStateSummaryData), "0+")  # by topic


class PartitionResult(Struct):
    partition: int = field(INT32, "0+")  # partition number
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+", default=None)
    state_epoch: int = field(INT32, "0+")  # epoch of the share partition's state, raised by initialisation
    leader_epoch: int = field(INT32, "0+")  # epoch of the leader that wrote last
    start_offset: int = field(INT64, "0+")  # first record not yet finished; -1 not decided yet
    # records from the start offset on whose delivery is finished; -1 unknown (KIP-1226)
    delivery_complete_count: int = field(INT32, "1+", default=-1)


class ReadStateSummaryResult(Struct):
    topic_id: bytes = field(UUID, "0+")                                      # topic, by identifier
    partitions: list[PartitionResult] = field(array(PartitionResult), "0+")  # by partition


class ReadShareGroupStateSummaryResponse(Message, api_key=87, versions="0-1", flexible="0+"):
    results: list[ReadStateSummaryResult] = field(array(ReadStateSummaryResult), "0+")  # by topic
