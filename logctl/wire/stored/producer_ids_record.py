"""ProducerIdsRecord, as Apache Kafka stores it."""

from __future__ import annotations

from logctl.wire.schema import INT32, INT64, Message, field


class ProducerIdsRecord(Message, api_key=15, versions="0", flexible="0+"):
    broker_id: int = field(INT32, "0+")
    broker_epoch: int = field(INT64, "0+", default=-1)
    next_producer_id: int = field(INT64, "0+")
