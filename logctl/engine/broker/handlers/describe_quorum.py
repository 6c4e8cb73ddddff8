"""DescribeQuorum (55), versions 0 to 2: who leads the metadata log, who votes, and how far they have got.

The leader alone knows; asked by another node, one that does not lead answers NOT_CONTROLLER. A voter that has not
fetched from this leader yet has end offset and times -1.

Version 1 adds when each replica last was level with the leader, version 2 addresses and sentences. The one partition
that has a quorum is __cluster_metadata-0; any other is answered with UNKNOWN_TOPIC_OR_PARTITION. A voter's addresses
are those that the metadata log names, or, where voters are fixed, that of the settings, or that of the broker of a node
by itself; directory ids are zero then, as in Apache Kafka. An observer is told of while its last fetch is not older
than five minutes.

Not implemented: nothing.
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
    from logctl.engine.quorum.roles import Progress
    from logctl.engine.quorum.voters import Voter

API_KEY = 55
VERSIONS = (0, 2)

TOPIC: Final = "__cluster_metadata"
OBSERVED_MS: Final = 300_000


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
        observers=_observers(broker, now_ms),
    )


def _voter(broker: Broker, voter: Voter, now_ms: int) -> ReplicaState:
    if voter.node_id == broker.node_id:
        return _own(broker, voter.directory_id, now_ms)
    return _state(voter.node_id, voter.directory_id, broker.metadata.raft.progress_of(voter.node_id))


def _observers(broker: Broker, now_ms: int) -> list[ReplicaState]:
    """Whoever fetches without a vote; the leader itself while it is on its way out."""
    raft = broker.metadata.raft
    found = [_state(*who, seen) for who, seen in sorted(raft.observers(now_ms, OBSERVED_MS).items())]
    return found if raft.is_voter else [_own(broker, raft.directory_id, now_ms), *found]


def _own(broker: Broker, directory_id: bytes, now_ms: int) -> ReplicaState:
    """A leader is level with itself at any time."""
    return ReplicaState(
        replica_id=broker.node_id,
        replica_directory_id=directory_id,
        log_end_offset=broker.metadata.log_end,
        last_fetch_timestamp=now_ms,
        last_caught_up_timestamp=now_ms,
    )


def _state(node_id: int, directory_id: bytes, seen: Progress | None) -> ReplicaState:
    if seen is None:
        return ReplicaState(replica_id=node_id, replica_directory_id=directory_id, log_end_offset=-1)
    return ReplicaState(
        replica_id=node_id,
        replica_directory_id=directory_id,
        log_end_offset=seen.offset,
        last_fetch_timestamp=seen.fetched_ms,
        last_caught_up_timestamp=seen.caught_up_ms,
    )


def _nodes(broker: Broker) -> list[Node]:
    return [
        Node(voter.node_id, listeners)
        for voter in broker.metadata.describe().voters
        if (listeners := _listeners(broker, voter))
    ]


def _listeners(broker: Broker, voter: Voter) -> list[Listener]:
    if voter.addresses:
        return [Listener(*address) for address in voter.addresses]
    fixed = broker.voter_changes.where(voter.node_id) if broker.voter_changes is not None else None
    if fixed is not None:
        return [Listener(*fixed)]
    registered = broker.metadata.image.brokers.get(voter.node_id)
    return [Listener(one.name, one.host, one.port) for one in registered.endpoints] if registered else []
