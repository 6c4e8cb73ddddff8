"""SnapshotHeaderRecord, as clients and brokers store it."""

from __future__ import annotations

from logctl.wire.schema import INT16, INT64, Message, field


class SnapshotHeaderRecord(Message, versions="0", flexible="0+"):
    version: int = field(INT16, "0+")
    last_contained_log_timestamp: int = field(INT64, "0+")
