"""ListTransactions (key 66): transactional.ids that a broker coordinates (KIP-664).

Asked by admin tools of all brokers in turn. Filters are combined.

1   only transactions open for a time (KIP-994)
2   only those whose transactional.id matches a pattern (KIP-1152)
"""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, INT64, STRING, Message, Struct, array, field


class ListTransactionsRequest(Message, api_key=66, versions="0-2", flexible="0+"):
    state_filters: list[str] = field(array(STRING), "0+")  # only in these states; empty for any
    producer_id_filters: list[int] = field(array(INT64), "0+")  # only of these producers; empty for any
    duration_filter: int = field(INT64, "1+", default=-1)  # only those open longer than this, in ms; negative for any
    # RE2 pattern; null or empty for any
    transactional_id_pattern: str | None = field(STRING, "2+", nullable="2+", default=None)


class TransactionState(Struct):
    transactional_id: str = field(STRING, "0+")   # transactional.id
    producer_id: int = field(INT64, "0+")         # producer
    transaction_state: str = field(STRING, "0+")  # its state


class ListTransactionsResponse(Message, api_key=66, versions="0-2", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    unknown_state_filters: list[str] = field(array(STRING), "0+")  # states asked for that the broker does not know
    transaction_states: list[TransactionState] = field(array(TransactionState), "0+")  # those that match
