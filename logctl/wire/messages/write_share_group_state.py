"""WriteShareGroupState (key 85): keep the state of share partitions (KIP-932).

Sent by partition leaders to the share coordinator.

1   how many deliveries are finished (KIP-1226)
"""

from __future__ import annotations

from logctl.wire.schema import INT8, INT16, INT32, INT64, STRING, UUID, Message, Struct, array, field


class StateBatch(Struct):
    first_offset: int = field(INT64, "0+")    # first record of the range
    last_offset: int = field(INT64, "0+")     # last record of the range, inclusive
    delivery_state: int = field(INT8, "0+")   # 0 available, 2 acknowledged, 4 archived
    delivery_count: int = field(INT16, "0+")  # how often these records were handed out


class PartitionData(Struct):
    partition: int = field(INT32, "0+")  # partition number
    state_epoch: int = field(INT32, "0+")  # epoch of the share partition's state, raised by initialisation
    leader_epoch: int = field(INT32, "0+")  # epoch of the leader that writes
    start_offset: int = field(INT64, "0+")  # first record not yet finished; -1 unchanged
    # records from the start offset on whose delivery is finished; -1 unknown (KIP-1226)
    delivery_complete_count: int = field(INT32, "1+", default=-1)
    state_batches: list[StateBatch] = field(array(StateBatch), "0+")  # ranges whose state changed


class WriteStateData(Struct):
    topic_id: bytes = field(UUID, "0+")                                  # topic, by identifier
    partitions: list[PartitionData] = field(array(PartitionData), "0+")  # by partition


class WriteShareGroupStateRequest(Message, api_key=85, versions="0-1", flexible="0+"):
    group_id: str = field(STRING, "0+")                                # group
    topics: list[WriteStateData] = field(array(WriteStateData), "0+")  # by topic


class PartitionResult(Struct):
    partition: int = field(INT32, "0+")  # partition number
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+", default=None)


class WriteStateResult(Struct):
    topic_id: bytes = field(UUID, "0+")                                      # topic, by identifier
    partitions: list[PartitionResult] = field(array(PartitionResult), "0+")  # by partition


class WriteShareGroupStateResponse(Message, api_key=85, versions="0-1", flexible="0+"):
    results: list[WriteStateResult] = field(array(WriteStateResult), "0+")  # by topic
