"""DeleteShareGroupOffsets (key 92): a share group without members forgets topics (KIP-932)."""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, STRING, UUID, Message, Struct, array, field


class DeleteShareGroupOffsetsRequestTopic(Struct):
    topic_name: str = field(STRING, "0+")  # topic


class DeleteShareGroupOffsetsRequest(Message, api_key=92, versions="0", flexible="0+"):
    group_id: str = field(STRING, "0+")  # group
    # topics to forget
    topics: list[DeleteShareGroupOffsetsRequestTopic] = field(array(DeleteShareGroupOffsetsRequestTopic), "0+")


class DeleteShareGroupOffsetsResponseTopic(Struct):
    topic_name: str = field(STRING, "0+")  # topic
    topic_id: bytes = field(UUID, "0+")  # topic, by identifier
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+", default=None)


class DeleteShareGroupOffsetsResponse(Message, api_key=92, versions="0", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+", default=None)
    # by topic
    responses: list[DeleteShareGroupOffsetsResponseTopic] = field(array(DeleteShareGroupOffsetsResponseTopic), "0+")
