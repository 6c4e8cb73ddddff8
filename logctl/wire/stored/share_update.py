"""ShareUpdate, as Apache Kafka stores it."""

from __future__ import annotations

from logctl.wire.schema import INT8, INT16, INT32, INT64, STRING, UUID, Message, Struct, array, field


class ShareUpdateKey(Message, api_key=1, versions="0"):
    group_id: str = field(STRING, "0")
    topic_id: bytes = field(UUID, "0")
    partition: int = field(INT32, "0")


class StateBatch(Struct):
    first_offset: int = field(INT64, "0+")
    last_offset: int = field(INT64, "0+")
    delivery_state: int = field(INT8, "0+")
    delivery_count: int = field(INT16, "0+")


class ShareUpdateValue(Message, api_key=1, versions="0", flexible="0+"):
    snapshot_epoch: int = field(INT32, "0+")
    leader_epoch: int = field(INT32, "0+")
    start_offset: int = field(INT64, "0+")
    delivery_complete_count: int = field(INT32, "0+", tagged="0+", tag=0, default=-1)
    state_batches: list[StateBatch] = field(array(StateBatch), "0+")
