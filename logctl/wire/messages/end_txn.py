"""EndTxn (key 26): commit or abort a transaction.

Sent by producers to the transaction coordinator.

2   PRODUCER_FENCED may be answered
3   flexible
4   TRANSACTION_ABORTABLE may be answered
5   each transaction ends with a new epoch, returned here (transaction.version 2, KIP-890)
"""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT16, INT32, INT64, STRING, Message, field


class EndTxnRequest(Message, api_key=26, versions="0-5", flexible="3+"):
    transactional_id: str = field(STRING, "0+")  # transactional.id
    producer_id: int = field(INT64, "0+")        # producer
    producer_epoch: int = field(INT16, "0+")     # its epoch: older ones are fenced
    committed: bool = field(BOOL, "0+")          # true commits, false aborts


class EndTxnResponse(Message, api_key=26, versions="0-5", flexible="3+"):
    throttle_time_ms: int = field(INT32, "0+")            # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")                  # 0, or what went wrong
    producer_id: int = field(INT64, "5+", default=-1)     # id to use from now on; -1 when unchanged
    producer_epoch: int = field(INT16, "5+", default=-1)  # epoch to use from now on; -1 when unchanged
