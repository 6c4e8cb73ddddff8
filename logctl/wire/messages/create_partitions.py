"""CreatePartitions (key 37): add partitions to topics (KIP-195).

2   flexible
3   THROTTLING_QUOTA_EXCEEDED may be answered (KIP-599)
"""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT16, INT32, STRING, Message, Struct, array, field


class CreatePartitionsAssignment(Struct):
    broker_ids: list[int] = field(array(INT32), "0+")  # brokers that get a replica, the preferred leader first


class CreatePartitionsTopic(Struct):
    name: str = field(STRING, "0+")  # topic
    count: int = field(INT32, "0+")  # partitions it is to have in all
    # replicas of the new ones by hand; null leaves it to the controller
    assignments: list[CreatePartitionsAssignment] | None = field(array(CreatePartitionsAssignment), "0+", nullable="0+")


class CreatePartitionsRequest(Message, api_key=37, versions="0-3", flexible="2+"):
    topics: list[CreatePartitionsTopic] = field(array(CreatePartitionsTopic), "0+")  # topics to grow
    timeout_ms: int = field(INT32, "0+")  # how long the answer may take
    validate_only: bool = field(BOOL, "0+")  # check and answer, but change nothing


class CreatePartitionsTopicResult(Struct):
    name: str = field(STRING, "0+")  # topic
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+", default=None)


class CreatePartitionsResponse(Message, api_key=37, versions="0-3", flexible="2+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    results: list[CreatePartitionsTopicResult] = field(array(CreatePartitionsTopicResult), "0+")  # one per topic
