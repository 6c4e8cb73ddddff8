"""AllocateProducerIds (key 67): a broker asks the controller for a block of producer ids (KIP-730)."""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, INT64, Message, field


class AllocateProducerIdsRequest(Message, api_key=67, versions="0", flexible="0+"):
    broker_id: int = field(INT32, "0+")  # broker
    # broker's epoch, given by the controller at registration; fences earlier lives of the process
    broker_epoch: int = field(INT64, "0+", default=-1)


class AllocateProducerIdsResponse(Message, api_key=67, versions="0", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")   # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")         # 0, or what went wrong
    producer_id_start: int = field(INT64, "0+")  # first id of the block
    producer_id_len: int = field(INT32, "0+")    # how many ids are in it
