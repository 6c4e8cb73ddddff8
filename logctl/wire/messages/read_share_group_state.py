"""ReadShareGroupState (key 84): the kept state of share partitions (KIP-932).

Asked by partition leaders, when they take over, of the share coordinator.
"""

from __future__ import annotations

from logctl.wire.schema import INT8, INT16, INT32, INT64, STRING, UUID, Message, Struct, array, field


class PartitionData(Struct):
    partition: int = field(INT32, "0+")     # partition number
    leader_epoch: int = field(INT32, "0+")  # epoch of the leader that asks


class ReadStateData(Struct):
    topic_id: bytes = field(UUID, "0+")                                  # topic, by identifier
    partitions: list[PartitionData] = field(array(PartitionData), "0+")  # by partition


class ReadShareGroupStateRequest(Message, api_key=84, versions="0", flexible="0+"):
    group_id: str = field(STRING, "0+")                              # group
    topics: list[ReadStateData] = field(array(ReadStateData), "0+")  # by topic


class StateBatch(Struct):
    first_offset: int = field(INT64, "0+")    # first record of the range
    last_offset: int = field(INT64, "0+")     # last record of the range, inclusive
    delivery_state: int = field(INT8, "0+")   # 0 available, 2 acknowledged, 4 archived
    delivery_count: int = field(INT16, "0+")  # how often these records were handed out


class PartitionResult(Struct):
    partition: int = field(INT32, "0+")  # partition number
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+", default=None)
    state_epoch: int = field(INT32, "0+")  # epoch of the share partition's state, raised by initialisation
    start_offset: int = field(INT64, "0+")  # first record not yet finished; -1 not decided yet
    # ranges from the start offset on whose state is known
    state_batches: list[StateBatch] = field(array(StateBatch), "0+")


class ReadStateResult(Struct):
    topic_id: bytes = field(UUID, "0+")                                      # topic, by identifier
    partitions: list[PartitionResult] = field(array(PartitionResult), "0+")  # by partition


class ReadShareGroupStateResponse(Message, api_key=84, versions="0", flexible="0+"):
    results: list[ReadStateResult] = field(array(ReadStateResult), "0+")  # by topic
