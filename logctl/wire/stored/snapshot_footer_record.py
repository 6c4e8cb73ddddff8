"""SnapshotFooterRecord: last record of a metadata snapshot, a control record: without it the snapshot is torn
(KIP-630).
"""

from __future__ import annotations

from logctl.wire.schema import INT16, Message, field


class SnapshotFooterRecord(Message, versions="0", flexible="0+"):
    version: int = field(INT16, "0+")  # of this record
