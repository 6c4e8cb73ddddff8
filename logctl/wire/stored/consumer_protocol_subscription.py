"""ConsumerProtocolSubscription, as clients and brokers store it."""

from __future__ import annotations

from logctl.wire.primitives import Buffer
from logctl.wire.schema import BYTES, INT32, STRING, Message, Struct, array, field


class TopicPartition(Struct):
    topic: str = field(STRING, "1+")
    partitions: list[int] = field(array(INT32), "1+")


class ConsumerProtocolSubscription(Message, versions="0-3"):
    topics: list[str] = field(array(STRING), "0+")
    user_data: Buffer | None = field(BYTES, "0+", nullable="0+", default=None)
    owned_partitions: list[TopicPartition] = field(array(TopicPartition), "1+")
    generation_id: int = field(INT32, "2+", default=-1)
    rack_id: str | None = field(STRING, "3+", nullable="3+", default=None)
