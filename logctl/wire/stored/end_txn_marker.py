"""EndTxnMarker, as clients and brokers store it."""

from __future__ import annotations

from logctl.wire.schema import INT32, Message, field


class EndTxnMarker(Message, versions="0"):
    coordinator_epoch: int = field(INT32, "0+")
