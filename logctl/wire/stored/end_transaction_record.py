"""EndTransactionRecord: everything since the last begin counts (metadata log, KIP-868)."""

from __future__ import annotations

from logctl.wire.schema import Message


class EndTransactionRecord(Message, api_key=24, versions="0", flexible="0+"):
    """No fields."""
