"""InitProducerId (key 22): give a producer its id, and fence the ones that used its transactional.id before.

Sent by idempotent producers to any broker and by transactional ones to their transaction coordinator, which first
finishes what the predecessor left open.

2   flexible
3   a producer may ask for its next epoch after an error (KIP-360)
4   PRODUCER_FENCED may be answered
5   TRANSACTION_ABORTABLE may be answered (KIP-890)
6   two-phase commit (KIP-939); unstable in 4.3, so not advertised
"""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT16, INT32, INT64, STRING, Message, field


class InitProducerIdRequest(Message, api_key=22, versions="0-6", flexible="2+"):
    # transactional.id; null for a producer that is idempotent only
    transactional_id: str | None = field(STRING, "0+", nullable="0+")
    transaction_timeout_ms: int = field(INT32, "0+")  # idle time after which its transaction is aborted
    producer_id: int = field(INT64, "3+", default=-1)  # the id it has; -1 none yet
    producer_epoch: int = field(INT16, "3+", default=-1)  # the epoch it has; -1 none yet
    enable2_pc: bool = field(BOOL, "6+")  # take part in two-phase commit: no timeout aborts its transactions
    keep_prepared_txn: bool = field(BOOL, "6+")  # leave the open transaction as it is, to be decided by the client


class InitProducerIdResponse(Message, api_key=22, versions="0-6", flexible="2+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    producer_id: int = field(INT64, "0+", default=-1)  # the id to use; -1 on failure
    producer_epoch: int = field(INT16, "0+")  # the epoch to use
    ongoing_txn_producer_id: int = field(INT64, "6+", default=-1)  # producer id of the transaction left open; -1 none
    ongoing_txn_producer_epoch: int = field(INT16, "6+", default=-1)  # its epoch; -1 none
