"""DeleteShareGroupState (key 86): forget the state of share partitions (KIP-932).

Sent by the group coordinator to the share coordinator.
"""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, STRING, UUID, Message, Struct, array, field


class PartitionData(Struct):
    partition: int = field(INT32, "0+")  # partition number


class DeleteStateData(Struct):
    topic_id: bytes = field(UUID, "0+")                                  # topic, by identifier
    partitions: list[PartitionData] = field(array(PartitionData), "0+")  # by partition


class DeleteShareGroupStateRequest(Message, api_key=86, versions="0", flexible="0+"):
    group_id: str = field(STRING, "0+")                                  # group
    topics: list[DeleteStateData] = field(array(DeleteStateData), "0+")  # by topic


class PartitionResult(Struct):
    partition: int = field(INT32, "0+")  # partition number
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+", default=None)


class DeleteStateResult(Struct):
    topic_id: bytes = field(UUID, "0+")                                      # topic, by identifier
    partitions: list[PartitionResult] = field(array(PartitionResult), "0+")  # by partition


class DeleteShareGroupStateResponse(Message, api_key=86, versions="0", flexible="0+"):
    results: list[DeleteStateResult] = field(array(DeleteStateResult), "0+")  # by topic
