"""InitializeShareGroupState (key 83): begin to keep the state of share partitions (KIP-932).

Sent by the group coordinator to the share coordinator.
"""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, INT64, STRING, UUID, Message, Struct, array, field


class PartitionData(Struct):
    partition: int = field(INT32, "0+")     # partition number
    state_epoch: int = field(INT32, "0+")   # epoch of the share partition's state, raised by initialisation
    start_offset: int = field(INT64, "0+")  # where to begin; -1 not decided yet


class InitializeStateData(Struct):
    topic_id: bytes = field(UUID, "0+")                                  # topic, by identifier
    partitions: list[PartitionData] = field(array(PartitionData), "0+")  # by partition


class InitializeShareGroupStateRequest(Message, api_key=83, versions="0", flexible="0+"):
    group_id: str = field(STRING, "0+")                                          # group
    topics: list[InitializeStateData] = field(array(InitializeStateData), "0+")  # by topic


class PartitionResult(Struct):
    partition: int = field(INT32, "0+")  # partition number
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+", default=None)


class InitializeStateResult(Struct):
    topic_id: bytes = field(UUID, "0+")                                      # topic, by identifier
    partitions: list[PartitionResult] = field(array(PartitionResult), "0+")  # by partition


class InitializeShareGroupStateResponse(Message, api_key=83, versions="0", flexible="0+"):
    results: list[InitializeStateResult] = field(array(InitializeStateResult), "0+")  # by topic
