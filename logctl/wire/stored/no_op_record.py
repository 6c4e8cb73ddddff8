"""NoOpRecord: nothing; written now and then so that followers see progress (metadata log, KIP-835)."""

from __future__ import annotations

from logctl.wire.schema import Message


class NoOpRecord(Message, api_key=20, versions="0", flexible="0+"):
    """No fields."""
