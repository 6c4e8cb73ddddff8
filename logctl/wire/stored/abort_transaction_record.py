"""AbortTransactionRecord, as Apache Kafka stores it."""

from __future__ import annotations

from logctl.wire.schema import STRING, Message, field


class AbortTransactionRecord(Message, api_key=25, versions="0", flexible="0+"):
    reason: str | None = field(STRING, "0+", nullable="0+", tagged="0+", tag=0, default=None)
