"""AddPartitionsToTxn (key 24): partitions that a transaction is about to write to.

Up to 3 it is sent by producers to the transaction coordinator; from 4 on brokers send it, to verify that a partition
belongs to an open transaction before they append (KIP-890). With transaction.version 2 producers no longer need it.

2   PRODUCER_FENCED may be answered
3   flexible
4   many transactions at once, and verifying only
5   TRANSACTION_ABORTABLE may be answered
"""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT16, INT32, INT64, STRING, Message, Struct, array, field


class AddPartitionsToTxnTopic(Struct):
    name: str = field(STRING, "0+")                    # topic
    partitions: list[int] = field(array(INT32), "0+")  # partition numbers


class AddPartitionsToTxnTransaction(Struct):
    transactional_id: str = field(STRING, "4+")  # transactional.id
    producer_id: int = field(INT64, "4+")  # producer
    producer_epoch: int = field(INT16, "4+")  # its epoch: older ones are fenced
    verify_only: bool = field(BOOL, "4+")  # ask whether they are in it, add nothing
    topics: list[AddPartitionsToTxnTopic] = field(array(AddPartitionsToTxnTopic), "4+")  # by topic


class AddPartitionsToTxnRequest(Message, api_key=24, versions="0-5", flexible="3+"):
    # transactions and their partitions, from 4 on
    transactions: list[AddPartitionsToTxnTransaction] = field(array(AddPartitionsToTxnTransaction), "4+")
    v3_and_below_transactional_id: str = field(STRING, "0-3")  # transactional.id, up to 3
    v3_and_below_producer_id: int = field(INT64, "0-3")  # producer, up to 3
    v3_and_below_producer_epoch: int = field(INT16, "0-3")  # its epoch, up to 3
    # partitions to add, up to 3
    v3_and_below_topics: list[AddPartitionsToTxnTopic] = field(array(AddPartitionsToTxnTopic), "0-3")


class AddPartitionsToTxnPartitionResult(Struct):
    partition_index: int = field(INT32, "0+")       # partition number
    partition_error_code: int = field(INT16, "0+")  # 0, or why it was not added


class AddPartitionsToTxnTopicResult(Struct):
    name: str = field(STRING, "0+")  # topic
    # by partition
    results_by_partition: list[AddPartitionsToTxnPartitionResult] = field(
        array(AddPartitionsToTxnPartitionResult), "0+"
    )


class AddPartitionsToTxnResult(Struct):
    transactional_id: str = field(STRING, "4+")  # transactional.id
    topic_results: list[AddPartitionsToTxnTopicResult] = field(array(AddPartitionsToTxnTopicResult), "4+")  # by topic


class AddPartitionsToTxnResponse(Message, api_key=24, versions="0-5", flexible="3+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "4+")  # 0, or why the whole failed, from 4 on
    # by transaction, from 4 on
    results_by_transaction: list[AddPartitionsToTxnResult] = field(array(AddPartitionsToTxnResult), "4+")
    # by topic, up to 3
    results_by_topic_v3_and_below: list[AddPartitionsToTxnTopicResult] = field(
        array(AddPartitionsToTxnTopicResult), "0-3"
    )
