"""ListPartitionReassignments (key 46): partitions that are moving (KIP-455)."""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, STRING, Message, Struct, array, field


class ListPartitionReassignmentsTopics(Struct):
    name: str = field(STRING, "0+")                           # topic
    partition_indexes: list[int] = field(array(INT32), "0+")  # partition numbers


class ListPartitionReassignmentsRequest(Message, api_key=46, versions="0", flexible="0+"):
    timeout_ms: int = field(INT32, "0+", default=60000)  # how long the answer may take
    # topics wanted; null for all
    topics: list[ListPartitionReassignmentsTopics] | None = field(
        array(ListPartitionReassignmentsTopics), "0+", nullable="0+", default=None
    )


class OngoingPartitionReassignment(Struct):
    partition_index: int = field(INT32, "0+")  # partition number
    replicas: list[int] = field(array(INT32), "0+")  # brokers that hold it now, the coming and the going ones included
    adding_replicas: list[int] = field(array(INT32), "0+")  # those that come
    removing_replicas: list[int] = field(array(INT32), "0+")  # those that will go


class OngoingTopicReassignment(Struct):
    name: str = field(STRING, "0+")                                                                    # topic
    partitions: list[OngoingPartitionReassignment] = field(array(OngoingPartitionReassignment), "0+")  # by partition


class ListPartitionReassignmentsResponse(Message, api_key=46, versions="0", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+")
    topics: list[OngoingTopicReassignment] = field(array(OngoingTopicReassignment), "0+")  # by topic
