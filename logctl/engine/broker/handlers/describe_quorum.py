"""DescribeQuorum (55), versions 0 to 2: who leads the metadata log, who votes, and how far they have got.

The leader alone knows; asked by another node, one that does not lead answers NOT_CONTROLLER. A voter that has not
fetched from this leader yet has end offset and times -1.

Version 1 adds when each replica last was level with the leader, version 2 addresses and sentences. The one partition
that has a quorum is __cluster_metadata-0; any other is answered with UNKNOWN_TOPIC_OR_PARTITION. A voter's addresses
are those of its broker. Directory ids are zero, as with fixed voters in Apache Kafka.

Not implemented: observers, of which there are none yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from logctl.engine.broker.request import Request
from logctl.wire import errors
from logctl.wire.messages.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumRequestPartitionData,
    DescribeQuorumResponse,
    DescribeQuorumResponsePartitionData,
    DescribeQuorumResponseTopicData,
    Listener,
    Node,
    ReplicaState,
)

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 55
VERSIONS = (0, 2)

TOPIC: Final = "__cluster_metadata"


def handle(broker: Broker, request: Request[DescribeQuorumRequest], now_ms: int) -> DescribeQuorumResponse:
    if request.peer.is_node and not broker.metadata.is_leader:
        return DescribeQuorumResponse(error_code=errors.NOT_CONTROLLER, error_message="This node does not lead")
    topics = [
        DescribeQuorumResponseTopicData(
            topic.topic_name, [_partition(broker, topic.topic_name, one, now_ms) for one in topic.partitions]
        )
        for topic in request.body.topics
    ]
    known = any(not one.error_code for topic in topics for one in topic.partitions)
    return DescribeQuorumResponse(error_message=None, topics=topics, nodes=_nodes(broker) if known else [])


def _partition(
    broker: Broker, topic: str, asked: DescribeQuorumRequestPartitionData, now_ms: int
) -> DescribeQuorumResponsePartitionData:
    if topic != TOPIC or asked.partition_index:
        return DescribeQuorumResponsePartitionData(
            partition_index=asked.partition_index,
            error_code=errors.UNKNOWN_TOPIC_OR_PARTITION,
            error_message=f"{topic}-{asked.partition_index} is not decided by a quorum",
        )
    status = broker.metadata.describe()
    return DescribeQuorumResponsePartitionData(
        partition_index=0,
        error_message=None,
        leader_id=status.leader_id,
        leader_epoch=status.leader_epoch,
        high_watermark=status.high_watermark,
        current_voters=[_voter(broker, voter, now_ms) for voter in status.voters],
    )


def _voter(broker: Broker, voter: int, now_ms: int) -> ReplicaState:
    """A leader is level with itself at any time."""
    metadata = broker.metadata
    if voter == broker.node_id:
        return ReplicaState(
            replica_id=voter,
            log_end_offset=metadata.describe().log_end_offset,
            last_fetch_timestamp=now_ms,
            last_caught_up_timestamp=now_ms,
        )
    progress = metadata.raft.progress_of(voter)
    if progress is None:
        return ReplicaState(replica_id=voter, log_end_offset=-1)
    return ReplicaState(
        replica_id=voter,
        log_end_offset=progress.offset,
        last_fetch_timestamp=progress.fetched_ms,
        last_caught_up_timestamp=progress.caught_up_ms,
    )


def _nodes(broker: Broker) -> list[Node]:
    registered = broker.metadata.image.brokers
    return [
        Node(voter, [Listener(one.name, one.host, one.port) for one in registered[voter].endpoints])
        for voter in broker.metadata.describe().voters
        if voter in registered
    ]
