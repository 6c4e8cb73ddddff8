"""FetchSnapshot (key 59): a piece of a metadata snapshot (KIP-630).

Asked of the quorum's leader by controllers and brokers whose place in the metadata log no longer exists.

1   directory of the replica, addresses of the leader (KIP-853)
"""

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
    end_offset: int = field(INT64, "0+")  # offset the snapshot reaches, exclusive
    epoch: int = field(INT32, "0+")       # epoch of the last record in it


class FetchSnapshotRequestPartitionSnapshot(Struct):
    partition: int = field(INT32, "0+")  # partition number
    # leader epoch the sender believes in, checked to fence stale metadata; -1 skips the check
    current_leader_epoch: int = field(INT32, "0+")
    snapshot_id: FetchSnapshotRequestSnapshotId = field(FetchSnapshotRequestSnapshotId, "0+")  # which snapshot
    position: int = field(INT64, "0+")  # byte to begin at
    # log directory of the sender's replica (KIP-853)
    replica_directory_id: bytes = field(UUID, "1+", tagged="1+", tag=0)


class FetchSnapshotRequestTopicSnapshot(Struct):
    name: str = field(STRING, "0+")  # topic
    # by partition
    partitions: list[FetchSnapshotRequestPartitionSnapshot] = field(array(FetchSnapshotRequestPartitionSnapshot), "0+")


class FetchSnapshotRequest(Message, api_key=59, versions="0-1", flexible="0+"):
    # cluster the sender believes to be in; null skips the check
    cluster_id: str | None = field(STRING, "0+", nullable="0+", tagged="0+", tag=0, default=None)
    replica_id: int = field(INT32, "0+", default=-1)  # node that follows
    max_bytes: int = field(INT32, "0+", default=0x7FFFFFFF)  # most bytes to return in all
    topics: list[FetchSnapshotRequestTopicSnapshot] = field(array(FetchSnapshotRequestTopicSnapshot), "0+")  # by topic


class FetchSnapshotResponseSnapshotId(Struct):
    end_offset: int = field(INT64, "0+")  # offset the snapshot reaches, exclusive
    epoch: int = field(INT32, "0+")       # epoch of the last record in it


class LeaderIdAndEpoch(Struct):
    leader_id: int = field(INT32, "0+")     # broker that leads the partition; -1 unknown
    leader_epoch: int = field(INT32, "0+")  # epoch of that leader; -1 unknown


class FetchSnapshotResponsePartitionSnapshot(Struct):
    index: int = field(INT32, "0+")  # partition number
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    snapshot_id: FetchSnapshotResponseSnapshotId = field(FetchSnapshotResponseSnapshotId, "0+")  # which snapshot
    # who leads now, when the one asked does not
    current_leader: LeaderIdAndEpoch = field(LeaderIdAndEpoch, "0+", tagged="0+", tag=0)
    size: int = field(INT64, "0+")  # bytes of the whole snapshot
    position: int = field(INT64, "0+")  # where this piece begins
    unaligned_records: Records = field(RECORDS, "0+")  # the piece; it may begin and end within a batch


class FetchSnapshotResponseTopicSnapshot(Struct):
    name: str = field(STRING, "0+")  # topic
    # by partition
    partitions: list[FetchSnapshotResponsePartitionSnapshot] = field(
        array(FetchSnapshotResponsePartitionSnapshot), "0+"
    )


class NodeEndpoint(Struct):
    node_id: int = field(INT32, "1+")  # node
    host: str = field(STRING, "1+")    # host name or address
    port: int = field(UINT16, "1+")    # TCP port


class FetchSnapshotResponse(Message, api_key=59, versions="0-1", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # by topic
    topics: list[FetchSnapshotResponseTopicSnapshot] = field(array(FetchSnapshotResponseTopicSnapshot), "0+")
    # addresses of the leaders named above
    node_endpoints: list[NodeEndpoint] = field(array(NodeEndpoint), "1+", tagged="1+", tag=0)
