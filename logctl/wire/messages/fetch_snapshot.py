"""FetchSnapshot (key 59)."""

from __future__ import annotations

from logctl.wire.schema import (
    INT16,
    INT32,
    INT64,
    RECORDS,
    STRING,
    UINT16,
    UUID,
    Message,
    Records,
    Struct,
    array,
    field,
)


class FetchSnapshotRequestSnapshotId(Struct):
    end_offset: int = field(INT64, "0+")
    epoch: int = field(INT32, "0+")


class FetchSnapshotRequestPartitionSnapshot(Struct):
    partition: int = field(INT32, "0+")
    current_leader_epoch: int = field(INT32, "0+")
    snapshot_id: FetchSnapshotRequestSnapshotId = field(FetchSnapshotRequestSnapshotId, "0+")
    position: int = field(INT64, "0+")
    replica_directory_id: bytes = field(UUID, "1+", tagged="1+", tag=0)


class FetchSnapshotRequestTopicSnapshot(Struct):
    name: str = field(STRING, "0+")
    partitions: list[FetchSnapshotRequestPartitionSnapshot] = field(array(FetchSnapshotRequestPartitionSnapshot), "0+")


class FetchSnapshotRequest(Message, api_key=59, versions="0-1", flexible="0+"):
    cluster_id: str | None = field(STRING, "0+", nullable="0+", tagged="0+", tag=0, default=None)
    replica_id: int = field(INT32, "0+", default=-1)
    max_bytes: int = field(INT32, "0+", default=0x7FFFFFFF)
    topics: list[FetchSnapshotRequestTopicSnapshot] = field(array(FetchSnapshotRequestTopicSnapshot), "0+")


class FetchSnapshotResponseSnapshotId(Struct):
    end_offset: int = field(INT64, "0+")
    epoch: int = field(INT32, "0+")


class LeaderIdAndEpoch(Struct):
    leader_id: int = field(INT32, "0+")
    leader_epoch: int = field(INT32, "0+")


class FetchSnapshotResponsePartitionSnapshot(Struct):
    index: int = field(INT32, "0+")
    error_code: int = field(INT16, "0+")
    snapshot_id: FetchSnapshotResponseSnapshotId = field(FetchSnapshotResponseSnapshotId, "0+")
    current_leader: LeaderIdAndEpoch = field(LeaderIdAndEpoch, "0+", tagged="0+", tag=0)
    size: int = field(INT64, "0+")
    position: int = field(INT64, "0+")
    unaligned_records: Records = field(RECORDS, "0+")


class FetchSnapshotResponseTopicSnapshot(Struct):
    name: str = field(STRING, "0+")
    partitions: list[FetchSnapshotResponsePartitionSnapshot] = field(
        array(FetchSnapshotResponsePartitionSnapshot), "0+"
    )


class NodeEndpoint(Struct):
    node_id: int = field(INT32, "1+")
    host: str = field(STRING, "1+")
    port: int = field(UINT16, "1+")


class FetchSnapshotResponse(Message, api_key=59, versions="0-1", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")
    error_code: int = field(INT16, "0+")
    topics: list[FetchSnapshotResponseTopicSnapshot] = field(array(FetchSnapshotResponseTopicSnapshot), "0+")
    node_endpoints: list[NodeEndpoint] = field(array(NodeEndpoint), "1+", tagged="1+", tag=0)
