"""AddOffsetsToTxn (key 25): a transaction is about to commit offsets of a group.

Sent by producers to the transaction coordinator, which adds the group's partition of __consumer_offsets. Not needed
with transaction.version 2 (KIP-890).

2   PRODUCER_FENCED may be answered
3   flexible
4   TRANSACTION_ABORTABLE may be answered
"""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, INT64, STRING, Message, field


class AddOffsetsToTxnRequest(Message, api_key=25, versions="0-4", flexible="3+"):
    transactional_id: str = field(STRING, "0+")  # transactional.id
    producer_id: int = field(INT64, "0+")        # producer
    producer_epoch: int = field(INT16, "0+")     # its epoch: older ones are fenced
    group_id: str = field(STRING, "0+")          # group


class AddOffsetsToTxnResponse(Message, api_key=25, versions="0-4", flexible="3+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")        # 0, or what went wrong
