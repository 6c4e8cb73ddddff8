"""TxnOffsetCommit (key 28): remember how far a group has read, once the transaction commits.

Sent by producers to the group's coordinator.

2   leader epoch of the last record read
3   flexible; group membership, so that fenced consumers are refused (KIP-447)
4   TRANSACTION_ABORTABLE may be answered (KIP-890)
5   it also adds the group to the transaction, where transaction.version is 2 (KIP-890)
"""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, INT64, STRING, Message, Struct, array, field


class TxnOffsetCommitRequestPartition(Struct):
    partition_index: int = field(INT32, "0+")                            # partition number
    committed_offset: int = field(INT64, "0+")                           # next offset to read
    committed_leader_epoch: int = field(INT32, "2+", default=-1)         # epoch of the last record read; -1 unknown
    committed_metadata: str | None = field(STRING, "0+", nullable="0+")  # a note of the client's own, returned as it is


class TxnOffsetCommitRequestTopic(Struct):
    name: str = field(STRING, "0+")  # topic
    # by partition
    partitions: list[TxnOffsetCommitRequestPartition] = field(array(TxnOffsetCommitRequestPartition), "0+")


class TxnOffsetCommitRequest(Message, api_key=28, versions="0-5", flexible="3+"):
    transactional_id: str = field(STRING, "0+")  # transactional.id
    group_id: str = field(STRING, "0+")  # group
    producer_id: int = field(INT64, "0+")  # producer
    producer_epoch: int = field(INT16, "0+")  # its epoch: older ones are fenced
    generation_id: int = field(INT32, "3+", default=-1)  # generation or member epoch; -1 skips the check
    member_id: str = field(STRING, "3+")  # member; empty skips the check
    # name of a static member (group.instance.id, KIP-345); null for a dynamic one
    group_instance_id: str | None = field(STRING, "3+", nullable="3+", default=None)
    topics: list[TxnOffsetCommitRequestTopic] = field(array(TxnOffsetCommitRequestTopic), "0+")  # by topic


class TxnOffsetCommitResponsePartition(Struct):
    partition_index: int = field(INT32, "0+")  # partition number
    error_code: int = field(INT16, "0+")       # 0, or what went wrong


class TxnOffsetCommitResponseTopic(Struct):
    name: str = field(STRING, "0+")  # topic
    # by partition
    partitions: list[TxnOffsetCommitResponsePartition] = field(array(TxnOffsetCommitResponsePartition), "0+")


class TxnOffsetCommitResponse(Message, api_key=28, versions="0-5", flexible="3+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    topics: list[TxnOffsetCommitResponseTopic] = field(array(TxnOffsetCommitResponseTopic), "0+")  # by topic
