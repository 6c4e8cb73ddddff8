"""ConsumerGroupHeartbeat (key 68): the one conversation of the new consumer protocol (KIP-848).

A consumer joins, leaves, subscribes, tells what it owns and learns its target in this one exchange with the
coordinator. Fields that did not change since the last one are left null.

1   subscription by pattern; the member id is made by the consumer (KIP-1082)
"""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, STRING, UUID, Message, Struct, array, field


class ConsumerGroupHeartbeatRequestTopicPartitions(Struct):
    topic_id: bytes = field(UUID, "0+")                # topic, by identifier
    partitions: list[int] = field(array(INT32), "0+")  # partition numbers


class ConsumerGroupHeartbeatRequest(Message, api_key=68, versions="0-1", flexible="0+"):
    group_id: str = field(STRING, "0+")  # group
    member_id: str = field(STRING, "0+")  # from 1 on made by the consumer, kept as long as it lives
    # 0 joins, -1 leaves, -2 a static member leaves for a while; else as last told
    member_epoch: int = field(INT32, "0+")
    # name of a static member; null dynamic or unchanged
    instance_id: str | None = field(STRING, "0+", nullable="0+", default=None)
    rack_id: str | None = field(STRING, "0+", nullable="0+", default=None)  # consumer's rack; null unchanged
    # how long it may take to give up partitions; -1 unchanged
    rebalance_timeout_ms: int = field(INT32, "0+", default=-1)
    # topics subscribed to by name; null unchanged
    subscribed_topic_names: list[str] | None = field(array(STRING), "0+", nullable="0+", default=None)
    # RE2 pattern subscribed to; null unchanged, empty for none
    subscribed_topic_regex: str | None = field(STRING, "1+", nullable="1+", default=None)
    # assignor wanted; null unchanged or the broker's choice
    server_assignor: str | None = field(STRING, "0+", nullable="0+", default=None)
    # what the consumer owns now; null unchanged
    topic_partitions: list[ConsumerGroupHeartbeatRequestTopicPartitions] | None = field(
        array(ConsumerGroupHeartbeatRequestTopicPartitions), "0+", nullable="0+", default=None
    )


class ConsumerGroupHeartbeatResponseTopicPartitions(Struct):
    topic_id: bytes = field(UUID, "0+")                # topic, by identifier
    partitions: list[int] = field(array(INT32), "0+")  # partition numbers


class Assignment(Struct):
    # all that the member is to own
    topic_partitions: list[ConsumerGroupHeartbeatResponseTopicPartitions] = field(
        array(ConsumerGroupHeartbeatResponseTopicPartitions), "0+"
    )


class ConsumerGroupHeartbeatResponse(Message, api_key=68, versions="0-1", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+", default=None)
    member_id: str | None = field(STRING, "0+", nullable="0+", default=None)  # the member's; null on failure
    member_epoch: int = field(INT32, "0+")  # epoch to say next time
    heartbeat_interval_ms: int = field(INT32, "0+")  # how often to send the next ones
    # what to own from now on; null unchanged
    assignment: Assignment | None = field(Assignment, "0+", nullable="0+", default=None)
