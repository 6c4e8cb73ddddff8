"""Producers as of an offset, in Apache Kafka's file format: `<offset>.snapshot`.

    version h = 1 | CRC-32C I of what follows | count i | entries:
    producer id q, epoch h, last sequence i, last offset q, offset delta i, timestamp q, coordinator epoch i,
    first offset of the open transaction q (-1 for none)

A producer's last batch is its last entry, with the open transaction. In front of it stand entries for the batches
before, oldest first: a batch that is sent again after a restart is known then. Apache Kafka, which writes the last one
only, reads such a file as its own: a later entry of a producer replaces an earlier one.

One is written when a segment is sealed (and lives as long as the segment behind it), when the recovery point is
checkpointed (the last two of these are kept) and at an orderly stop. They only save time: recovery begins with the
newest one it may trust and replays the batches behind it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from logctl.engine.log.checkpoints import set_aside
from logctl.engine.log.disk import Disk, DiskFault
from logctl.engine.log.producers import NO_OFFSET, REMEMBERED_BATCHES, ProducedBatch, Producer, ProducerStates
from logctl.wire.checksum import crc32c

VERSION: Final = 1
_HEADER: Final = struct.Struct(">hIi")
_COVERED: Final = 6
_ENTRY: Final = struct.Struct(">qhiqiqiq")
SUFFIX: Final = ".snapshot"
_KEPT_CHECKPOINTS: Final = 2
_NO_BATCH: Final = ProducedBatch(-1, NO_OFFSET, 0, -1)


def encode(states: ProducerStates) -> bytes:
    entries = [entry for producer_id, state in states.items() for entry in _encode_entries(producer_id, state)]
    body = struct.pack(">i", len(entries)) + b"".join(entries)
    return struct.pack(">hI", VERSION, crc32c(body)) + body


def _encode_entries(producer_id: int, state: Producer) -> Iterator[bytes]:
    *earlier, last = state.batches or (_NO_BATCH,)
    for batch in earlier:
        sequence, offset, delta, timestamp = batch
        yield _ENTRY.pack(
            producer_id, state.epoch, sequence, offset, delta, timestamp, state.coordinator_epoch, NO_OFFSET
        )
    sequence, offset, delta, _ = last
    yield _ENTRY.pack(
        producer_id,
        state.epoch,
        sequence,
        offset,
        delta,
        state.last_timestamp,
        state.coordinator_epoch,
        state.transaction_start,
    )


def decode(data: bytes) -> ProducerStates:
    """Raises ValueError with the reason when the file is damaged."""
    if len(data) < _HEADER.size:
        raise ValueError("it is shorter than its header")
    version, crc, count = _HEADER.unpack_from(data)
    if version != VERSION:
        raise ValueError(f"its version is {version}, not {VERSION}")
    if crc32c(memoryview(data)[_COVERED:]) != crc:
        raise ValueError("it does not match its checksum")
    if len(data) != _HEADER.size + count * _ENTRY.size:
        raise ValueError(f"{count} entries do not make {len(data)} bytes")
    states = ProducerStates()
    for entry in _ENTRY.iter_unpack(data[_HEADER.size :]):
        producer_id, epoch, sequence, offset, delta, timestamp, coordinator_epoch, transaction_start = entry
        known = states.get(producer_id)
        batches = known.batches if known is not None and known.epoch == epoch else ()
        if offset >= 0:
            batches = (*batches, ProducedBatch(sequence, offset, delta, timestamp))[-REMEMBERED_BATCHES:]
        states.restore(producer_id, Producer(epoch, batches, coordinator_epoch, timestamp, transaction_start))
    return states


class Snapshots:
    """The snapshot files of one log. `offsets` in rising order."""

    def __init__(self, disk: Disk, directory: str, offsets: list[int], notes: list[str]) -> None:
        self.offsets = sorted(offsets)
        self._disk = disk
        self._directory = directory
        self._notes = notes

    def path(self, offset: int) -> str:
        return f"{self._directory}/{offset:020d}{SUFFIX}"

    def newest(self, at_most: int) -> tuple[int, ProducerStates] | None:
        """The newest one that can be read and is not ahead of `at_most`. Damaged ones are set aside."""
        for offset in [offset for offset in reversed(self.offsets) if offset <= at_most]:
            try:
                return offset, decode(self._disk.read_file(self.path(offset)))
            except ValueError as problem:
                self.offsets.remove(offset)
                reason = f"The producer snapshot cannot be read ({problem})"
                set_aside(self._disk, self.path(offset), reason, self._notes)
        return None

    def write(self, offset: int, data: bytes, *, durable: bool) -> None:
        """Raises DiskFault."""
        self._disk.write_file(self.path(offset), data, durable)
        if offset not in self.offsets:
            self.offsets.append(offset)
            self.offsets.sort()

    def remove(self, offsets: list[int]) -> None:
        for offset in offsets:
            try:
                self._disk.remove(self.path(offset))
            except DiskFault as fault:
                self._notes.append(f"A producer snapshot stays behind: {fault.message}")
            self.offsets.remove(offset)

    def prune(self, segment_bases: list[int]) -> None:
        """Remove those older than the log, and all but the last two that do not belong to a segment."""
        strays = [offset for offset in self.offsets if offset not in segment_bases]
        self.remove([offset for offset in strays if offset < segment_bases[0] or offset in strays[:-_KEPT_CHECKPOINTS]])

    def remove_behind(self, offset: int) -> None:
        """The log was cut: what lies behind its new end tells of batches that are no more."""
        self.remove([known for known in self.offsets if known > offset])
