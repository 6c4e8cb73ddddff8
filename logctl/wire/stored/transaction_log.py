"""TransactionLog: state of a transactional.id (__transaction_state).

1   flexible; what a change of producer id needs (KIP-890)
"""

from __future__ import annotations

from logctl.wire.schema import INT8, INT16, INT32, INT64, STRING, Message, Struct, array, field


class TransactionLogKey(Message, api_key=0, versions="0"):
    transactional_id: str = field(STRING, "0")  # transactional.id


class PartitionsSchema(Struct):
    topic: str = field(STRING, "0+")                      # topic
    partition_ids: list[int] = field(array(INT32), "0+")  # partition numbers


class TransactionLogValue(Message, api_key=0, versions="0-1", flexible="1+"):
    producer_id: int = field(INT64, "0+")  # producer
    # producer id of the last transaction; -1 none
    previous_producer_id: int = field(INT64, "1+", tagged="1+", tag=0, default=-1)
    # id already promised to the producer, when the epochs ran out; -1 none
    next_producer_id: int = field(INT64, "1+", tagged="1+", tag=1, default=-1)
    producer_epoch: int = field(INT16, "0+")  # its epoch: older ones are fenced
    next_producer_epoch: int = field(INT16, "1+", tagged="1+", tag=3, default=-1)  # epoch that goes with it
    transaction_timeout_ms: int = field(INT32, "0+")  # idle time after which it is aborted
    # 0 empty, 1 ongoing, 2 committing, 3 aborting, 4 committed, 5 aborted, 6 dead, 7 being fenced
    transaction_status: int = field(INT8, "0+")
    # partitions in it; null for none
    transaction_partitions: list[PartitionsSchema] | None = field(array(PartitionsSchema), "0+", nullable="0+")
    transaction_last_update_timestamp_ms: int = field(INT64, "0+")  # when it last changed
    transaction_start_timestamp_ms: int = field(INT64, "0+")  # when the open one began; -1 none
    # 2 when the client speaks the protocol with an epoch per transaction
    client_transaction_version: int = field(INT16, "1+", tagged="1+", tag=2)
