"""DeleteTopics (key 20): delete topics with everything in them.

1   baseline
3   TOPIC_DELETION_DISABLED may be answered
4   flexible
5   error messages; THROTTLING_QUOTA_EXCEEDED may be answered (KIP-599)
6   by identifier as well as by name
"""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, STRING, UUID, Message, Struct, array, field


class DeleteTopicState(Struct):
    # topic by name; null when it is given by identifier
    name: str | None = field(STRING, "6+", nullable="6+", default=None)
    topic_id: bytes = field(UUID, "6+")  # topic by identifier; zero when it is given by name


class DeleteTopicsRequest(Message, api_key=20, versions="1-6", flexible="4+"):
    topics: list[DeleteTopicState] = field(array(DeleteTopicState), "6+")  # topics to delete, from 6 on
    topic_names: list[str] = field(array(STRING), "0-5")                   # topics to delete, up to 5
    timeout_ms: int = field(INT32, "0+")                                   # how long the answer may take


class DeletableTopicResult(Struct):
    name: str | None = field(STRING, "0+", nullable="6+")  # topic; null when it was given by an unknown identifier
    topic_id: bytes = field(UUID, "6+")  # its identifier; zero when unknown
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "5+", nullable="5+", default=None)


class DeleteTopicsResponse(Message, api_key=20, versions="1-6", flexible="4+"):
    throttle_time_ms: int = field(INT32, "1+")  # how long the quota delayed, or is to delay, this client
    responses: list[DeletableTopicResult] = field(array(DeletableTopicResult), "0+")  # one per topic
