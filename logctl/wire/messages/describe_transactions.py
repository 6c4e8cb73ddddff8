"""DescribeTransactions (key 65): state of transactions by transactional.id (KIP-664).

Asked by admin tools of the transaction coordinators.
"""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, INT64, STRING, Message, Struct, array, field


class DescribeTransactionsRequest(Message, api_key=65, versions="0", flexible="0+"):
    transactional_ids: list[str] = field(array(STRING), "0+")  # those wanted


class TopicData(Struct):
    topic: str = field(STRING, "0+")                   # topic
    partitions: list[int] = field(array(INT32), "0+")  # partition numbers


class TransactionState(Struct):
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    transactional_id: str = field(STRING, "0+")  # transactional.id
    # "Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit"...
    transaction_state: str = field(STRING, "0+")
    transaction_timeout_ms: int = field(INT32, "0+")  # idle time after which it is aborted
    transaction_start_time_ms: int = field(INT64, "0+")  # when it began, in ms; -1 when none is open
    producer_id: int = field(INT64, "0+")  # producer
    producer_epoch: int = field(INT16, "0+")  # its epoch: older ones are fenced
    # partitions in the open transaction, without those whose marker is written
    topics: list[TopicData] = field(array(TopicData), "0+")


class DescribeTransactionsResponse(Message, api_key=65, versions="0", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    transaction_states: list[TransactionState] = field(array(TransactionState), "0+")  # one per transactional.id
