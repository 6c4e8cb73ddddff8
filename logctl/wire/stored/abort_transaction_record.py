"""AbortTransactionRecord: the records since the last begin are void (metadata log, KIP-868)."""

from __future__ import annotations

from logctl.wire.schema import STRING, Message, field


class AbortTransactionRecord(Message, api_key=25, versions="0", flexible="0+"):
    # why, for people; null for none
    reason: str | None = field(STRING, "0+", nullable="0+", tagged="0+", tag=0, default=None)
