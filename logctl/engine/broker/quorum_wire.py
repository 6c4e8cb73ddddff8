"""The messages of the metadata quorum, made and read: Vote, BeginQuorumEpoch, EndQuorumEpoch, Fetch, FetchSnapshot.

Every one of them is about the one partition of `__cluster_metadata`. `told` is (leader, epoch) as the sender knows it,
`at` where that leader is reached.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from logctl.engine.broker.metadata_copying import Parting, Question, Reply
from logctl.engine.broker.metadata_snapshots import SnapshotId, SnapshotReading
from logctl.engine.broker.metadata_store import TOPIC, TOPIC_ID
from logctl.engine.quorum.messages import Vote
from logctl.engine.quorum.voters import ANY_DIRECTORY, Address
from logctl.wire import errors
from logctl.wire.schema import Message

SNAPSHOT_PORTION_BYTES: Final = 1 << 20
_FETCH_WAIT_MS: Final = 500
_FETCH_BYTES: Final = 8 << 20


def vote_response(
    code: int, told: tuple[int, int] | None = None, granted: bool = False, at: Address | None = None
) -> Message:
    """Without `told` the code is about the whole request."""
    from logctl.wire.messages.vote import (
        NodeEndpoint,
        VoteResponse,
        VoteResponsePartitionData,
        VoteResponseTopicData,
    )

    if told is None:
        return VoteResponse(error_code=code)
    partition = VoteResponsePartitionData(0, code, *told, granted)
    endpoints = [NodeEndpoint(told[0], at.host, at.port)] if at is not None else []
    return VoteResponse(topics=[VoteResponseTopicData(TOPIC, [partition])], node_endpoints=endpoints)


def begin_response(code: int, told: tuple[int, int] | None = None, at: Address | None = None) -> Message:
    """Without `told` the code is about the whole request."""
    from logctl.wire.messages.begin_quorum_epoch import (
        BeginQuorumEpochResponse,
        BeginQuorumEpochResponsePartitionData,
        BeginQuorumEpochResponseTopicData,
        NodeEndpoint,
    )

    if told is None:
        return BeginQuorumEpochResponse(error_code=code)
    partition = BeginQuorumEpochResponsePartitionData(0, code, *told)
    endpoints = [NodeEndpoint(told[0], at.host, at.port)] if at is not None else []
    topics = [BeginQuorumEpochResponseTopicData(TOPIC, [partition])]
    return BeginQuorumEpochResponse(topics=topics, node_endpoints=endpoints)


def end_response(code: int, told: tuple[int, int] | None = None, at: Address | None = None) -> Message:
    """Without `told` the code is about the whole request."""
    from logctl.wire.messages.end_quorum_epoch import (
        EndQuorumEpochResponse,
        EndQuorumEpochResponsePartitionData,
        EndQuorumEpochResponseTopicData,
        NodeEndpoint,
    )

    if told is None:
        return EndQuorumEpochResponse(error_code=code)
    partition = EndQuorumEpochResponsePartitionData(0, code, *told)
    endpoints = [NodeEndpoint(told[0], at.host, at.port)] if at is not None else []
    topics = [EndQuorumEpochResponseTopicData(TOPIC, [partition])]
    return EndQuorumEpochResponse(topics=topics, node_endpoints=endpoints)


def snapshot_response(
    code: int,
    wanted: SnapshotId | None = None,
    position: int = 0,
    reading: SnapshotReading | None = None,
) -> Message:
    """One piece of a snapshot. Without `wanted` the code is about the whole request."""
    from logctl.wire.messages.fetch_snapshot import (
        FetchSnapshotResponse,
        FetchSnapshotResponsePartitionSnapshot,
        FetchSnapshotResponseSnapshotId,
        FetchSnapshotResponseTopicSnapshot,
    )

    if wanted is None:
        return FetchSnapshotResponse(error_code=code)
    piece = reading or SnapshotReading(0, b"")
    partition = FetchSnapshotResponsePartitionSnapshot(
        index=0,
        error_code=code,
        snapshot_id=FetchSnapshotResponseSnapshotId(wanted.end_offset, wanted.epoch),
        size=piece.size,
        position=position,
        unaligned_records=piece.data,
    )
    return FetchSnapshotResponse(topics=[FetchSnapshotResponseTopicSnapshot(TOPIC, [partition])])


def vote_request(
    cluster_id: str, source: int, target: int, vote: Vote, target_directory: bytes = ANY_DIRECTORY
) -> Message:
    from logctl.wire.messages.vote import VoteRequest, VoteRequestPartitionData, VoteRequestTopicData

    asked = VoteRequestPartitionData(
        partition_index=0,
        replica_epoch=vote.epoch,
        replica_id=source,
        replica_directory_id=vote.directory_id,
        voter_directory_id=target_directory,
        last_offset_epoch=vote.last_epoch,
        last_offset=vote.last_offset,
        pre_vote=vote.pre_vote,
    )
    return VoteRequest(cluster_id=cluster_id, voter_id=target, topics=[VoteRequestTopicData(TOPIC, [asked])])


def begin_request(
    cluster_id: str,
    source: int,
    target: int,
    epoch: int,
    target_directory: bytes = ANY_DIRECTORY,
    own: tuple[Address, ...] = (),
) -> Message:
    """`own`: where the leader is reached."""
    from logctl.wire.messages.begin_quorum_epoch import (
        BeginQuorumEpochRequest,
        BeginQuorumEpochRequestPartitionData,
        BeginQuorumEpochRequestTopicData,
        LeaderEndpoint,
    )

    told = BeginQuorumEpochRequestPartitionData(
        partition_index=0, voter_directory_id=target_directory, leader_id=source, leader_epoch=epoch
    )
    return BeginQuorumEpochRequest(
        cluster_id=cluster_id,
        voter_id=target,
        topics=[BeginQuorumEpochRequestTopicData(TOPIC, [told])],
        leader_endpoints=[LeaderEndpoint(*one) for one in own],
    )


def end_request(
    cluster_id: str,
    source: int,
    epoch: int,
    successors: tuple[int, ...],
    directory_of: Callable[[int], bytes] = lambda node_id: ANY_DIRECTORY,
    own: tuple[Address, ...] = (),
) -> Message:
    from logctl.wire.messages.end_quorum_epoch import (
        EndQuorumEpochRequest,
        EndQuorumEpochRequestPartitionData,
        EndQuorumEpochRequestTopicData,
        LeaderEndpoint,
        ReplicaInfo,
    )

    told = EndQuorumEpochRequestPartitionData(
        partition_index=0,
        leader_id=source,
        leader_epoch=epoch,
        preferred_successors=list(successors),
        preferred_candidates=[ReplicaInfo(voter, directory_of(voter)) for voter in successors],
    )
    return EndQuorumEpochRequest(
        cluster_id=cluster_id,
        topics=[EndQuorumEpochRequestTopicData(TOPIC, [told])],
        leader_endpoints=[LeaderEndpoint(*one) for one in own],
    )


def fetch_request(cluster_id: str, question: Question) -> Message:
    from logctl.wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic, ReplicaState

    asked = FetchPartition(
        partition=0,
        current_leader_epoch=question.epoch,
        fetch_offset=question.offset,
        last_fetched_epoch=question.last_epoch,
        partition_max_bytes=_FETCH_BYTES,
        replica_directory_id=question.directory_id,
        high_watermark=question.high_watermark,
    )
    return FetchRequest(
        cluster_id=cluster_id,
        replica_state=ReplicaState(replica_id=question.replica_id),
        max_wait_ms=_FETCH_WAIT_MS,
        min_bytes=0,
        max_bytes=_FETCH_BYTES,
        topics=[FetchTopic(topic=TOPIC, topic_id=TOPIC_ID, partitions=[asked])],
    )


def fetch_response(reply: Reply, at: Address | None = None) -> Message:
    from logctl.wire.messages.fetch import (
        EpochEndOffset,
        FetchableTopicResponse,
        FetchResponse,
        LeaderIdAndEpoch,
        NodeEndpoint,
        PartitionData,
    )
    from logctl.wire.messages.fetch import SnapshotId as SnapshotNamed

    if reply.error == errors.INCONSISTENT_CLUSTER_ID:
        return FetchResponse(error_code=reply.error)
    told = PartitionData(
        partition_index=0,
        error_code=reply.error,
        high_watermark=reply.high_watermark,
        log_start_offset=reply.log_start_offset,
        diverging_epoch=EpochEndOffset(*reply.parting) if reply.parting else EpochEndOffset(),
        current_leader=LeaderIdAndEpoch(reply.leader_id, reply.epoch),
        snapshot_id=SnapshotNamed(*reply.snapshot[:2]) if reply.snapshot else SnapshotNamed(),
        aborted_transactions=None,
        records=reply.records,
    )
    endpoints = [NodeEndpoint(reply.leader_id, at.host, at.port)] if reply.error and at is not None else []
    return FetchResponse(
        responses=[FetchableTopicResponse(TOPIC, TOPIC_ID, [told])], node_endpoints=endpoints
    )


def reply_in(response: Any) -> Reply | None:
    """What a FetchResponse says about the metadata log; None when it says nothing about it."""
    if response.error_code or not response.responses or not response.responses[0].partitions:
        return None
    told = response.responses[0].partitions[0]
    leader = told.current_leader
    parting, snapshot = told.diverging_epoch, told.snapshot_id
    return Reply(
        told.error_code,
        leader.leader_id,
        leader.leader_epoch,
        told.high_watermark,
        told.log_start_offset,
        Parting(parting.epoch, parting.end_offset) if parting.epoch >= 0 else None,
        SnapshotId(snapshot.end_offset, snapshot.epoch) if snapshot.end_offset >= 0 else None,
        bytes(told.records or b""),
    )


def snapshot_request(cluster_id: str, node_id: int, snapshot: SnapshotId, epoch: int, position: int) -> Message:
    from logctl.wire.messages.fetch_snapshot import (
        FetchSnapshotRequest,
        FetchSnapshotRequestPartitionSnapshot,
        FetchSnapshotRequestSnapshotId,
        FetchSnapshotRequestTopicSnapshot,
    )

    asked = FetchSnapshotRequestPartitionSnapshot(
        partition=0,
        current_leader_epoch=epoch,
        snapshot_id=FetchSnapshotRequestSnapshotId(snapshot.end_offset, snapshot.epoch),
        position=position,
    )
    return FetchSnapshotRequest(
        cluster_id=cluster_id,
        replica_id=node_id,
        max_bytes=SNAPSHOT_PORTION_BYTES,
        topics=[FetchSnapshotRequestTopicSnapshot(TOPIC, [asked])],
    )


def part_in(response: Any) -> Any:
    if response.error_code or not response.topics or not response.topics[0].partitions:
        return None
    return response.topics[0].partitions[0]
