"""UnregisterBrokerRecord: a broker was forgotten (metadata log)."""

from __future__ import annotations

from logctl.wire.schema import INT32, INT64, Message, field


class UnregisterBrokerRecord(Message, api_key=1, versions="0", flexible="0+"):
    broker_id: int = field(INT32, "0+")  # broker
    # broker's epoch, given by the controller at registration; fences earlier lives of the process
    broker_epoch: int = field(INT64, "0+")
