"""Snapshots of the metadata log: what everything up to an offset amounts to, in one file (KIP-630).

`<offset>-<epoch>.checkpoint` replaces all records below `offset`, the last of which was written in `epoch`. Inside: a
control batch with the header record, batches of metadata records numbered on, a control batch with the footer
record. The footer is what tells a whole file from one that was cut off.

A damaged snapshot is set aside, never deleted. That is why the one before it is kept together with the log behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from logctl.engine.broker.metadata_records import (
    Batch,
    ControlRecord,
    DamagedBatch,
    VersionOf,
    decode_batches,
    encode_batch,
    encode_control_batch,
    in_batches,
)
from logctl.engine.log.disk import Disk
from logctl.wire.records import CONTROL_SNAPSHOT_FOOTER, CONTROL_SNAPSHOT_HEADER
from logctl.wire.stored.snapshot_footer_record import SnapshotFooterRecord
from logctl.wire.stored.snapshot_header_record import SnapshotHeaderRecord

SUFFIX: Final = ".checkpoint"
BOOTSTRAP: Final = "bootstrap.checkpoint"
_NAME: Final = re.compile(r"(\d{20})-(\d{10})\.checkpoint", re.ASCII)
_RECORDS_PER_BATCH: Final = 1000


class SnapshotId(NamedTuple):
    """`end_offset` is the first offset that is not in the snapshot."""

    end_offset: int
    epoch: int

    @property
    def file_name(self) -> str:
        return f"{self.end_offset:020}-{self.epoch:010}{SUFFIX}"


class SnapshotReading(NamedTuple):
    """A piece of a snapshot's file, and the size of the whole."""

    size: int
    data: bytes


class Snapshot(NamedTuple):
    """The records of a snapshot, in order, and when the last record it stands for was appended."""

    last_append_ms: int
    records: list[Any]
    controls: list[ControlRecord]


def encode_snapshot(
    records: Iterable[Any],
    version_of: VersionOf,
    *,
    epoch: int,
    last_append_ms: int,
    now_ms: int,
    controls: Sequence[ControlRecord] = (),
) -> bytes:
    """The whole file. `controls` are what it says of the quorum, behind the header."""
    header = ControlRecord(
        CONTROL_SNAPSHOT_HEADER, SnapshotHeaderRecord(last_contained_log_timestamp=last_append_ms)
    )
    parts = [encode_control_batch([header, *controls], now_ms=now_ms, leader_epoch=epoch)]
    offset = 1 + len(controls)
    for chunk in in_batches(records, _RECORDS_PER_BATCH):
        parts.append(encode_batch(chunk, version_of, now_ms=now_ms, base_offset=offset, leader_epoch=epoch))
        offset += len(chunk)
    footer = ControlRecord(CONTROL_SNAPSHOT_FOOTER, SnapshotFooterRecord())
    parts.append(encode_control_batch([footer], now_ms=now_ms, base_offset=offset, leader_epoch=epoch))
    return b"".join(parts)


def decode_snapshot(data: bytes) -> Snapshot:
    """Raises DamagedBatch when the file is not a whole snapshot, UnreadableRecord when a record makes no sense."""
    batches = list(decode_batches(data))
    if not batches or sum(batch.header.length for batch in batches) != len(data):
        raise DamagedBatch("the file ends inside a batch")
    header, footer = _kinds(batches[0]), _kinds(batches[-1])
    if CONTROL_SNAPSHOT_HEADER not in header or CONTROL_SNAPSHOT_FOOTER not in footer:
        raise DamagedBatch("the file does not begin with a snapshot header and end with a snapshot footer")
    first: Any = header[CONTROL_SNAPSHOT_HEADER]
    records = [record for batch in batches for record in batch.records]
    controls = [control for batch in batches for control in batch.controls]
    return Snapshot(first.last_contained_log_timestamp, records, controls)


def _kinds(batch: Batch) -> dict[int, Any]:
    return {control.kind: control.message for control in batch.controls}


def list_snapshots(disk: Disk, directory: str) -> list[SnapshotId]:
    """Newest first."""
    matches = (_NAME.fullmatch(name) for name in disk.listdir(directory))
    return sorted((SnapshotId(int(match[1]), int(match[2])) for match in matches if match), reverse=True)
