"""EndTxnMarker: value of a control record that ends a transaction, behind its version, an int16."""

from __future__ import annotations

from logctl.wire.schema import INT32, Message, field


class EndTxnMarker(Message, versions="0"):
    coordinator_epoch: int = field(INT32, "0+")  # epoch of the coordinator that wrote it
