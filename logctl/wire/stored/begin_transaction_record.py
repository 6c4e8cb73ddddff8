"""BeginTransactionRecord: what follows counts only once its end record is there (metadata log, KIP-868)."""

from __future__ import annotations

from logctl.wire.schema import STRING, Message, field


class BeginTransactionRecord(Message, api_key=23, versions="0", flexible="0+"):
    # what it is about, for people; null for none
    name: str | None = field(STRING, "0+", nullable="0+", tagged="0+", tag=0, default=None)
