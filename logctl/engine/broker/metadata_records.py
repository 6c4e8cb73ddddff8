"""Batches of the metadata log as bytes and back.

How one record is framed, and which types there are, is told in `wire.stored.framing`. The batches around the records
are the ordinary ones of `wire.records`, uncompressed. What the quorum itself has to say (who leads, where a snapshot
begins and ends) stands in control batches (KIP-595, KIP-630).

A batch whose bytes are not what was written is damaged (`DamagedBatch`), and a crash may explain it. A sound batch with
a record that makes no sense is something else: `UnreadableRecord`, and nobody should write over it. Records of a type
or version that is not known yet are handed on as they are (`UnknownRecord`), for the reader to judge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from logctl.wire.errors import WireError
from logctl.wire.primitives import MalformedMessage
from logctl.wire.records import BatchHeader, NewRecord, build_batch, iter_batches, iter_records, read_header
from logctl.wire.stored.framing import (
    METADATA_RECORDS,
    UnknownRecord,
    control_record_bytes,
    metadata_record_bytes,
    read_control_record,
    read_metadata_record,
)


class UnreadableRecord(Exception):
    """A record that makes no sense. Says which, as a sentence."""


class DamagedBatch(UnreadableRecord):
    """Bytes that are not what was written: a failed checksum, a file that ends too early."""


class ControlRecord(NamedTuple):
    """What the quorum wrote about itself."""

    kind: int
    message: Any


class Batch(NamedTuple):
    """One batch: its header and what it holds, either records or control records."""

    header: BatchHeader
    records: list[Any]
    controls: list[ControlRecord]


VersionOf = Callable[[int], int]
"""The version to write a record type in."""


def encode_batch(
    records: Sequence[Any], version_of: VersionOf, *, now_ms: int, base_offset: int = 0, leader_epoch: int = 0
) -> bytearray:
    """One batch of metadata records, all of them committed together or not at all."""
    values = [
        NewRecord(None, metadata_record_bytes(record, version_of(record.api_key)), (), now_ms) for record in records
    ]
    return build_batch(values, base_offset=base_offset, leader_epoch=leader_epoch)


def encode_control_batch(
    controls: Sequence[ControlRecord], *, now_ms: int, base_offset: int = 0, leader_epoch: int = 0
) -> bytearray:
    """One batch of control records."""
    values = [NewRecord(*control_record_bytes(*control), (), now_ms) for control in controls]
    return build_batch(values, base_offset=base_offset, leader_epoch=leader_epoch, control=True)


def decode_batches(data: bytes | memoryview) -> Iterator[Batch]:
    """Every whole batch in `data`. Raises UnreadableRecord, DamagedBatch."""
    try:
        for raw in iter_batches(data):
            yield _decode_batch(raw)
    except WireError as damage:
        raise DamagedBatch(damage.message) from None


def control_batches(data: bytes) -> Iterator[Batch]:
    """Those that hold control records; the others are not decoded. Raises UnreadableRecord, DamagedBatch."""
    try:
        for raw in iter_batches(data):
            if read_header(raw).is_control:
                yield _decode_batch(raw)
    except WireError as damage:
        raise DamagedBatch(damage.message) from None


def _decode_batch(raw: memoryview) -> Batch:
    header = read_header(raw)
    records = iter_records(raw)
    if header.is_control:
        return Batch(header, [], [_control(record.key, record.value) for record in records])
    return Batch(header, [_read(record.value) for record in records], [])


def _read(value: bytes | None) -> Any:
    if value is None:
        raise UnreadableRecord("a metadata record has no value")
    try:
        return read_metadata_record(value)[0]
    except MalformedMessage as problem:
        raise UnreadableRecord(f"a metadata record cannot be read: {problem}") from None


def _control(key: bytes | None, value: bytes | None) -> ControlRecord:
    try:
        return ControlRecord(*read_control_record(key or b"", value or b""))
    except MalformedMessage as problem:
        raise UnreadableRecord(f"a control record cannot be read: {problem}") from None


def describe_unknown(record: UnknownRecord) -> str:
    """What is not understood about it."""
    known = METADATA_RECORDS.get(record.api_key)
    if known is None:
        return f"a metadata record is of type {record.api_key}, which this version does not know"
    highest = known.versions.highest
    return f"a {known.__name__} is written in version {record.version}, this version reads up to {highest}"


def in_batches(records: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """The records in lists of at most `size`."""
    chunk: list[Any] = []
    for record in records:
        chunk.append(record)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
