"""AlterPartition (key 56)."""

from __future__ import annotations

from logctl.wire.schema import INT8, INT16, INT32, INT64, UUID, Message, Struct, array, field


class BrokerState(Struct):
    broker_id: int = field(INT32, "3+")
    broker_epoch: int = field(INT64, "3+", default=-1)


class AlterPartitionRequestPartitionData(Struct):
    partition_index: int = field(INT32, "0+")
    leader_epoch: int = field(INT32, "0+")
    new_isr: list[int] = field(array(INT32), "0-2")
    new_isr_with_epochs: list[BrokerState] = field(array(BrokerState), "3+")
    leader_recovery_state: int = field(INT8, "1+")
    partition_epoch: int = field(INT32, "0+")


class AlterPartitionRequestTopicData(Struct):
    topic_id: bytes = field(UUID, "2+")
    partitions: list[AlterPartitionRequestPartitionData] = field(array(AlterPartitionRequestPartitionData), "0+")


class AlterPartitionRequest(Message, api_key=56, versions="2-3", flexible="0+"):
    broker_id: int = field(INT32, "0+")
    broker_epoch: int = field(INT64, "0+", default=-1)
    topics: list[AlterPartitionRequestTopicData] = field(array(AlterPartitionRequestTopicData), "0+")


class AlterPartitionResponsePartitionData(Struct):
    partition_index: int = field(INT32, "0+")
    error_code: int = field(INT16, "0+")
    leader_id: int = field(INT32, "0+")
    leader_epoch: int = field(INT32, "0+")
    isr: list[int] = field(array(INT32), "0+")
    leader_recovery_state: int = field(INT8, "1+")
    partition_epoch: int = field(INT32, "0+")


class AlterPartitionResponseTopicData(Struct):
    topic_id: bytes = field(UUID, "2+")
    partitions: list[AlterPartitionResponsePartitionData] = field(array(AlterPartitionResponsePartitionData), "0+")


class AlterPartitionResponse(Message, api_key=56, versions="2-3", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")
    error_code: int = field(INT16, "0+")
    topics: list[AlterPartitionResponseTopicData] = field(array(AlterPartitionResponseTopicData), "0+")
