"""DescribeTopicPartitions (key 75): partitions of topics in pages, with eligible leaders (KIP-966).

Asked by admin tools of any broker. Lists in the answer must not be null: Java's client cannot bear it.
"""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT16, INT32, STRING, UUID, Message, Struct, array, field


class TopicRequest(Struct):
    name: str = field(STRING, "0+")  # topic wanted


class DescribeTopicPartitionsRequestCursor(Struct):
    topic_name: str = field(STRING, "0+")      # first topic of the page
    partition_index: int = field(INT32, "0+")  # first partition of the page


class DescribeTopicPartitionsRequest(Message, api_key=75, versions="0", flexible="0+"):
    topics: list[TopicRequest] = field(array(TopicRequest), "0+")  # topics wanted; empty for all
    response_partition_limit: int = field(INT32, "0+", default=2000)  # partitions per page
    # where to go on; null from the beginning
    cursor: DescribeTopicPartitionsRequestCursor | None = field(
        DescribeTopicPartitionsRequestCursor, "0+", nullable="0+", default=None
    )


class DescribeTopicPartitionsResponsePartition(Struct):
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    partition_index: int = field(INT32, "0+")  # partition number
    leader_id: int = field(INT32, "0+")  # broker that leads; -1 none
    leader_epoch: int = field(INT32, "0+", default=-1)  # epoch of that leader; -1 unknown
    replica_nodes: list[int] = field(array(INT32), "0+")  # brokers that hold it, the preferred leader first
    isr_nodes: list[int] = field(array(INT32), "0+")  # those of them in sync with the leader
    # out of sync, yet known to have every committed record
    eligible_leader_replicas: list[int] | None = field(array(INT32), "0+", nullable="0+", default=None)
    # the eligible ones before the last of them was lost
    last_known_elr: list[int] | None = field(array(INT32), "0+", nullable="0+", default=None)
    offline_replicas: list[int] = field(array(INT32), "0+")  # those that are down, or whose directory is


class DescribeTopicPartitionsResponseTopic(Struct):
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    name: str | None = field(STRING, "0+", nullable="0+")  # topic; null when unknown
    topic_id: bytes = field(UUID, "0+")  # topic, by identifier
    is_internal: bool = field(BOOL, "0+")  # kept by Kafka itself
    # by partition
    partitions: list[DescribeTopicPartitionsResponsePartition] = field(
        array(DescribeTopicPartitionsResponsePartition), "0+"
    )
    # bit field by operation code; the least integer when not asked for
    topic_authorized_operations: int = field(INT32, "0+", default=-2147483648)


class DescribeTopicPartitionsResponseCursor(Struct):
    topic_name: str = field(STRING, "0+")      # first topic of the next page
    partition_index: int = field(INT32, "0+")  # first partition of the next page


class DescribeTopicPartitionsResponse(Message, api_key=75, versions="0", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    # by topic
    topics: list[DescribeTopicPartitionsResponseTopic] = field(array(DescribeTopicPartitionsResponseTopic), "0+")
    # where the next page begins; null at the end
    next_cursor: DescribeTopicPartitionsResponseCursor | None = field(
        DescribeTopicPartitionsResponseCursor, "0+", nullable="0+", default=None
    )
