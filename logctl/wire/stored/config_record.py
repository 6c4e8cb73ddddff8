"""ConfigRecord: a dynamic setting was set or removed (metadata log)."""

from __future__ import annotations

from logctl.wire.schema import INT8, STRING, Message, field


class ConfigRecord(Message, api_key=4, versions="0", flexible="0+"):
    resource_type: int = field(INT8, "0+")  # 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group
    resource_name: str = field(STRING, "0+")  # topic, broker id, group...; empty for the default of all brokers
    name: str = field(STRING, "0+")  # setting
    value: str | None = field(STRING, "0+", nullable="0+")  # its value; null: removed
