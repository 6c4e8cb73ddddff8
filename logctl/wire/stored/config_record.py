"""ConfigRecord, as Apache Kafka stores it."""

from __future__ import annotations

from logctl.wire.schema import INT8, STRING, Message, field


class ConfigRecord(Message, api_key=4, versions="0", flexible="0+"):
    resource_type: int = field(INT8, "0+")
    resource_name: str = field(STRING, "0+")
    name: str = field(STRING, "0+")
    value: str | None = field(STRING, "0+", nullable="0+")
