"""AlterPartition (key 56): a partition leader asks the controller to change its in-sync set (KIP-497).

2   topics by identifier; baseline
3   in-sync members with their broker epochs (KIP-903)
"""

from __future__ import annotations

from logctl.wire.schema import INT8, INT16, INT32, INT64, UUID, Message, Struct, array, field


class BrokerState(Struct):
    broker_id: int = field(INT32, "3+")                 # broker
    broker_epoch: int = field(INT64, "3+", default=-1)  # its epoch; -1 skips the check


class AlterPartitionRequestPartitionData(Struct):
    partition_index: int = field(INT32, "0+")  # partition number
    leader_epoch: int = field(INT32, "0+")  # epoch of the leader that asks
    new_isr: list[int] = field(array(INT32), "0-2")  # in-sync set wanted, version 2
    new_isr_with_epochs: list[BrokerState] = field(array(BrokerState), "3+")  # in-sync set wanted, from 3 on
    leader_recovery_state: int = field(INT8, "1+")  # 0 sound, 1 recovering from an unclean election
    partition_epoch: int = field(INT32, "0+")  # state of the partition that the leader knows


class AlterPartitionRequestTopicData(Struct):
    topic_id: bytes = field(UUID, "2+")  # topic, by identifier
    # by partition
    partitions: list[AlterPartitionRequestPartitionData] = field(array(AlterPartitionRequestPartitionData), "0+")


class AlterPartitionRequest(Message, api_key=56, versions="2-3", flexible="0+"):
    broker_id: int = field(INT32, "0+")  # the leader
    # broker's epoch, given by the controller at registration; fences earlier lives of the process
    broker_epoch: int = field(INT64, "0+", default=-1)
    topics: list[AlterPartitionRequestTopicData] = field(array(AlterPartitionRequestTopicData), "0+")  # by topic


class AlterPartitionResponsePartitionData(Struct):
    partition_index: int = field(INT32, "0+")       # partition number
    error_code: int = field(INT16, "0+")            # 0, or what went wrong
    leader_id: int = field(INT32, "0+")             # broker that leads the partition; -1 unknown
    leader_epoch: int = field(INT32, "0+")          # its epoch
    isr: list[int] = field(array(INT32), "0+")      # in-sync set now
    leader_recovery_state: int = field(INT8, "1+")  # 0 sound, 1 recovering from an unclean election
    partition_epoch: int = field(INT32, "0+")       # counts every change to the partition


class AlterPartitionResponseTopicData(Struct):
    topic_id: bytes = field(UUID, "2+")  # topic, by identifier
    # by partition
    partitions: list[AlterPartitionResponsePartitionData] = field(array(AlterPartitionResponsePartitionData), "0+")


class AlterPartitionResponse(Message, api_key=56, versions="2-3", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    topics: list[AlterPartitionResponseTopicData] = field(array(AlterPartitionResponseTopicData), "0+")  # by topic
