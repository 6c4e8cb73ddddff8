"""ShareGroupHeartbeat (key 76): a member of a share group joins, stays, leaves and learns its partitions (KIP-932).

1   first stable version; 0 was an early access
"""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, STRING, UUID, Message, Struct, array, field


class ShareGroupHeartbeatRequest(Message, api_key=76, versions="1", flexible="0+"):
    group_id: str = field(STRING, "0+")  # group
    member_id: str = field(STRING, "0+")  # made by the consumer, kept as long as it lives
    member_epoch: int = field(INT32, "0+")  # 0 joins, -1 leaves; else as last told
    rack_id: str | None = field(STRING, "0+", nullable="0+", default=None)  # consumer's rack; null unchanged
    # topics subscribed to; null unchanged
    subscribed_topic_names: list[str] | None = field(array(STRING), "0+", nullable="0+", default=None)


class TopicPartitions(Struct):
    topic_id: bytes = field(UUID, "0+")                # topic, by identifier
    partitions: list[int] = field(array(INT32), "0+")  # partition numbers


class Assignment(Struct):
    topic_partitions: list[TopicPartitions] = field(array(TopicPartitions), "0+")  # all that the member is to read


class ShareGroupHeartbeatResponse(Message, api_key=76, versions="1", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+", default=None)
    member_id: str | None = field(STRING, "0+", nullable="0+", default=None)  # the member's; null on failure
    member_epoch: int = field(INT32, "0+")  # epoch to say next time
    heartbeat_interval_ms: int = field(INT32, "0+")  # how often to send the next ones
    # what to read from now on; null unchanged
    assignment: Assignment | None = field(Assignment, "0+", nullable="0+", default=None)
