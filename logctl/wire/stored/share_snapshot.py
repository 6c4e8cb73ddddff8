"""ShareSnapshot: the whole state of a share partition (__share_group_state, KIP-932)."""

from __future__ import annotations

from logctl.wire.schema import INT8, INT16, INT32, INT64, STRING, UUID, Message, Struct, array, field


class ShareSnapshotKey(Message, api_key=0, versions="0"):
    group_id: str = field(STRING, "0")  # group
    topic_id: bytes = field(UUID, "0")  # topic, by identifier
    partition: int = field(INT32, "0")  # partition number


class StateBatch(Struct):
    first_offset: int = field(INT64, "0+")    # first record of the range
    last_offset: int = field(INT64, "0+")     # last record of the range, inclusive
    delivery_state: int = field(INT8, "0+")   # 0 available, 2 acknowledged, 4 archived
    delivery_count: int = field(INT16, "0+")  # how often these records were handed out


class ShareSnapshotValue(Message, api_key=0, versions="0", flexible="0+"):
    snapshot_epoch: int = field(INT32, "0+")  # counts snapshots of this share partition
    state_epoch: int = field(INT32, "0+")  # epoch of the share partition's state, raised by initialisation
    leader_epoch: int = field(INT32, "0+")  # epoch of the partition's leader that wrote
    start_offset: int = field(INT64, "0+")  # first record not yet finished
    # records from the start offset on whose delivery is finished; -1 unknown (KIP-1226)
    delivery_complete_count: int = field(INT32, "0+", tagged="0+", tag=0, default=-1)
    create_timestamp: int = field(INT64, "0+")  # when the state was made, in ms
    write_timestamp: int = field(INT64, "0+")  # when it was last written, in ms
    # ranges from the start offset on whose state is known
    state_batches: list[StateBatch] = field(array(StateBatch), "0+")
