"""AlterShareGroupOffsets (key 91): make a share group without members begin elsewhere (KIP-932)."""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, INT64, STRING, UUID, Message, Struct, array, field


class AlterShareGroupOffsetsRequestPartition(Struct):
    partition_index: int = field(INT32, "0+")  # partition number
    start_offset: int = field(INT64, "0+")     # first record to hand out


class AlterShareGroupOffsetsRequestTopic(Struct):
    topic_name: str = field(STRING, "0+")  # topic
    # by partition
    partitions: list[AlterShareGroupOffsetsRequestPartition] = field(
        array(AlterShareGroupOffsetsRequestPartition), "0+"
    )


class AlterShareGroupOffsetsRequest(Message, api_key=91, versions="0", flexible="0+"):
    group_id: str = field(STRING, "0+")  # group
    # by topic
    topics: list[AlterShareGroupOffsetsRequestTopic] = field(array(AlterShareGroupOffsetsRequestTopic), "0+")


class AlterShareGroupOffsetsResponsePartition(Struct):
    partition_index: int = field(INT32, "0+")  # partition number
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+", default=None)


class AlterShareGroupOffsetsResponseTopic(Struct):
    topic_name: str = field(STRING, "0+")  # topic
    topic_id: bytes = field(UUID, "0+")  # topic, by identifier
    # by partition
    partitions: list[AlterShareGroupOffsetsResponsePartition] = field(
        array(AlterShareGroupOffsetsResponsePartition), "0+"
    )


class AlterShareGroupOffsetsResponse(Message, api_key=91, versions="0", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+", default=None)
    # by topic
    responses: list[AlterShareGroupOffsetsResponseTopic] = field(array(AlterShareGroupOffsetsResponseTopic), "0+")
