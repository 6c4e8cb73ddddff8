"""Fetch (key 1): read records from partitions, or wait until there are enough.

Sent by consumers, by followers that replicate a partition, and by controllers that follow the metadata log. Data
come in whole batches: the first may begin before the offset asked for, the last may be cut off, and a single batch
larger than the limits is returned whole (KIP-74).

4   read committed, record batches of format 2
5   log start offsets
7   sessions: only what changed is asked and answered (KIP-227)
9   the leader epoch is checked (KIP-320)
10  zstd allowed (KIP-110)
11  reading from the nearest replica (KIP-392)
12  flexible; a diverging log is recognised by the epoch last fetched (KIP-595)
13  topics by identifier (KIP-516)
14  OFFSET_MOVED_TO_TIERED_STORAGE may be answered (KIP-405)
15  a follower gives its epoch too, so that its former lives are fenced (KIP-903)
16  addresses of new leaders (KIP-951)
17  log directory of a voter (KIP-853)
18  the follower says which high watermark it knows (KIP-1166)
"""

from __future__ import annotations

from logctl.wire.schema import INT8, INT16, INT32, INT64, RECORDS, STRING, UUID, Message, Records, Struct, array, field


class ReplicaState(Struct):
    replica_id: int = field(INT32, "15+", default=-1)     # broker that replicates; -1 for a consumer
    replica_epoch: int = field(INT64, "15+", default=-1)  # its broker epoch; -1 unknown


class FetchPartition(Struct):
    partition: int = field(INT32, "0+")  # partition number
    # leader epoch the sender believes in, checked to fence stale metadata; -1 skips the check
    current_leader_epoch: int = field(INT32, "9+", default=-1)
    fetch_offset: int = field(INT64, "0+")  # first offset wanted
    # leader epoch of the last record the follower has; -1 skips the check for divergence
    last_fetched_epoch: int = field(INT32, "12+", default=-1)
    log_start_offset: int = field(INT64, "5+", default=-1)  # where the follower's log begins; -1 from consumers
    partition_max_bytes: int = field(INT32, "0+")  # most bytes to return for this partition
    # log directory of the sender's replica (KIP-853)
    replica_directory_id: bytes = field(UUID, "17+", tagged="17+", tag=0)
    # the one the follower knows; -1 none yet, the greatest integer: not told
    high_watermark: int = field(INT64, "18+", tagged="18+", tag=1, default=0x7FFFFFFFFFFFFFFF)


class FetchTopic(Struct):
    topic: str = field(STRING, "0-12")                                     # topic, up to 12
    topic_id: bytes = field(UUID, "13+")                                   # topic, from 13 on
    partitions: list[FetchPartition] = field(array(FetchPartition), "0+")  # what is wanted, by partition


class ForgottenTopic(Struct):
    topic: str = field(STRING, "7-12")                 # topic, up to 12
    topic_id: bytes = field(UUID, "13+")               # topic, from 13 on
    partitions: list[int] = field(array(INT32), "7+")  # partition numbers


class FetchRequest(Message, api_key=1, versions="4-18", flexible="12+"):
    # cluster the sender believes to be in; null skips the check
    cluster_id: str | None = field(STRING, "12+", nullable="12+", tagged="12+", tag=0, default=None)
    # broker that replicates, -1 for a consumer; from 15 on in replica_state
    replica_id: int = field(INT32, "0-14", default=-1)
    # who replicates; absent from consumers
    replica_state: ReplicaState = field(ReplicaState, "15+", tagged="15+", tag=1)
    max_wait_ms: int = field(INT32, "0+")  # how long to wait for min_bytes
    min_bytes: int = field(INT32, "0+")  # answer once this much is there; 0 or 1 answers with whatever there is
    max_bytes: int = field(INT32, "3+", default=0x7FFFFFFF)  # most bytes to return in all
    # 0 read uncommitted, 1 read committed (only records of finished transactions)
    isolation_level: int = field(INT8, "4+")
    session_id: int = field(INT32, "7+")  # 0 for none, or to open one
    session_epoch: int = field(INT32, "7+", default=-1)  # -1 no session, 0 opens one, then counted up by each request
    # partitions wanted; within a session only the new and the changed ones
    topics: list[FetchTopic] = field(array(FetchTopic), "0+")
    # partitions to drop from the session
    forgotten_topics_data: list[ForgottenTopic] = field(array(ForgottenTopic), "7+")
    rack_id: str = field(STRING, "11+")  # consumer's rack, to be served by a replica near to it


class EpochEndOffset(Struct):
    # last epoch both logs can have in common; -1 when there is no divergence
    epoch: int = field(INT32, "12+", default=-1)
    end_offset: int = field(INT64, "12+", default=-1)  # where that epoch ends in the leader's log


class LeaderIdAndEpoch(Struct):
    leader_id: int = field(INT32, "12+", default=-1)     # broker that leads the partition; -1 unknown
    leader_epoch: int = field(INT32, "12+", default=-1)  # epoch of that leader; -1 unknown


class SnapshotId(Struct):
    end_offset: int = field(INT64, "0+", default=-1)  # offset the snapshot reaches, exclusive; -1 for none
    epoch: int = field(INT32, "0+", default=-1)       # epoch of the last record in it


class AbortedTransaction(Struct):
    producer_id: int = field(INT64, "4+")   # producer whose records are to be skipped
    first_offset: int = field(INT64, "4+")  # from here on, until its abort marker


class PartitionData(Struct):
    partition_index: int = field(INT32, "0+")  # partition number
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    high_watermark: int = field(INT64, "0+")  # offset below which every record is committed; -1 on failure
    # offset below which every transaction has ended; -1 unknown
    last_stable_offset: int = field(INT64, "4+", default=-1)
    log_start_offset: int = field(INT64, "5+", default=-1)  # first offset that still exists; -1 unknown
    # set when the follower must truncate first
    diverging_epoch: EpochEndOffset = field(EpochEndOffset, "12+", tagged="12+", tag=0)
    # who leads now, when the one asked does not
    current_leader: LeaderIdAndEpoch = field(LeaderIdAndEpoch, "12+", tagged="12+", tag=1)
    # set when the offset lies in the past and a snapshot must be fetched (metadata log)
    snapshot_id: SnapshotId = field(SnapshotId, "12+", tagged="12+", tag=2)
    # in the returned range, for read committed; null otherwise
    aborted_transactions: list[AbortedTransaction] | None = field(array(AbortedTransaction), "4+", nullable="4+")
    preferred_read_replica: int = field(INT32, "11+", default=-1)  # broker to read from instead; -1 stay here
    records: Records = field(RECORDS, "0+", nullable="0+")  # batches, the last one perhaps cut off


class FetchableTopicResponse(Struct):
    topic: str = field(STRING, "0-12")                                   # topic, up to 12
    topic_id: bytes = field(UUID, "13+")                                 # topic, from 13 on
    partitions: list[PartitionData] = field(array(PartitionData), "0+")  # by partition


class NodeEndpoint(Struct):
    node_id: int = field(INT32, "16+")  # node
    host: str = field(STRING, "16+")  # host name or address
    port: int = field(INT32, "16+")  # TCP port
    # rack of the broker; null when none is configured
    rack: str | None = field(STRING, "16+", nullable="16+", default=None)


class FetchResponse(Message, api_key=1, versions="4-18", flexible="12+"):
    throttle_time_ms: int = field(INT32, "1+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "7+")  # 0, or why the request as a whole failed, e.g. its session is unknown
    session_id: int = field(INT32, "7+")  # session this belongs to; 0 for none
    # by topic; within a session only partitions with news
    responses: list[FetchableTopicResponse] = field(array(FetchableTopicResponse), "0+")
    # addresses of the leaders named above
    node_endpoints: list[NodeEndpoint] = field(array(NodeEndpoint), "16+", tagged="16+", tag=0)
