"""Proposals of leaders to the controller, in a few words."""

from __future__ import annotations

from typing import Any

from support.controller import Cluster

from logctl.engine.controller.isr import alter_partition
from logctl.wire.messages.alter_partition import (
    AlterPartitionRequest,
    AlterPartitionRequestPartitionData,
    AlterPartitionRequestTopicData,
    AlterPartitionResponsePartitionData,
    BrokerState,
)


def proposal(cluster: Cluster, isr: list[int], *, leader: int | None = None, **changes: Any) -> AlterPartitionRequest:
    """What the leader of orders-0 asks for, from what it knows; `changes` are what it has wrong."""
    partition = cluster.partition()
    sender = partition.leader if leader is None else leader
    said: dict[str, Any] = {
        "partition_index": 0,
        "leader_epoch": partition.leader_epoch,
        "new_isr_with_epochs": [
            BrokerState(one, cluster.image.brokers[one].epoch if one in cluster.image.brokers else 0) for one in isr
        ],
        "partition_epoch": partition.partition_epoch,
    }
    return AlterPartitionRequest(
        broker_id=sender,
        broker_epoch=cluster.epoch(sender),
        topics=[
            AlterPartitionRequestTopicData(
                cluster.image.topics["orders"].topic_id, [AlterPartitionRequestPartitionData(**(said | changes))]
            )
        ],
    )


def propose(cluster: Cluster, isr: list[int], **changes: Any) -> AlterPartitionResponsePartitionData:
    """The line of the answer."""
    answer = cluster.decide(alter_partition, proposal(cluster, isr, **changes))
    line: AlterPartitionResponsePartitionData = answer.topics[0].partitions[0]
    return line
