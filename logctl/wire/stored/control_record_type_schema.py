"""ControlRecordTypeSchema, as clients and brokers store it."""

from __future__ import annotations

from logctl.wire.schema import INT16, Message, field


class ControlRecordTypeSchema(Message, versions="0"):
    type: int = field(INT16, "0+")
