"""SnapshotHeaderRecord: first record of a metadata snapshot, a control record (KIP-630)."""

from __future__ import annotations

from logctl.wire.schema import INT16, INT64, Message, field


class SnapshotHeaderRecord(Message, versions="0", flexible="0+"):
    version: int = field(INT16, "0+")  # of this record
    # append time of the last record of the log that it contains, in ms
    last_contained_log_timestamp: int = field(INT64, "0+")
