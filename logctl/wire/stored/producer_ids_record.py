"""ProducerIdsRecord: a block of producer ids was given out (metadata log, KIP-730)."""

from __future__ import annotations

from logctl.wire.schema import INT32, INT64, Message, field


class ProducerIdsRecord(Message, api_key=15, versions="0", flexible="0+"):
    broker_id: int = field(INT32, "0+")                 # who got it
    broker_epoch: int = field(INT64, "0+", default=-1)  # its epoch
    next_producer_id: int = field(INT64, "0+")          # first id of the next block
