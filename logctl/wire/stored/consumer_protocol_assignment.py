"""ConsumerProtocolAssignment, as clients and brokers store it."""

from __future__ import annotations

from logctl.wire.primitives import Buffer
from logctl.wire.schema import BYTES, INT32, STRING, Message, Struct, array, field


class TopicPartition(Struct):
    topic: str = field(STRING, "0+")
    partitions: list[int] = field(array(INT32), "0+")


class ConsumerProtocolAssignment(Message, versions="0-3"):
    assigned_partitions: list[TopicPartition] = field(array(TopicPartition), "0+")
    user_data: Buffer | None = field(BYTES, "0+", nullable="0+", default=None)
