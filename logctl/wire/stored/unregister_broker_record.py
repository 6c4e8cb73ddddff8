"""UnregisterBrokerRecord, as Apache Kafka stores it."""

from __future__ import annotations

from logctl.wire.schema import INT32, INT64, Message, field


class UnregisterBrokerRecord(Message, api_key=1, versions="0", flexible="0+"):
    broker_id: int = field(INT32, "0+")
    broker_epoch: int = field(INT64, "0+")
