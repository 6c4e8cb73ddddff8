"""Producers as of an offset, in Apache Kafka's file format: `<offset>.snapshot`.

    version h = 1 | CRC-32C I of what follows | count i | entries:
    producer id q, epoch h, last sequence i, last offset q, offset delta i, timestamp q, coordinator epoch i,
    first offset of the open transaction q (-1 for none)

Of the five batches that memory holds, the file keeps the last one. Transactions that are open come back with it.
"""

from __future__ import annotations

import struct
from typing import Final

from crc32c import crc32c

from logctl.engine.log.producers import NO_OFFSET, ProducedBatch, Producer, ProducerStates

VERSION: Final = 1
_HEADER: Final = struct.Struct(">hIi")
_COVERED: Final = 6
_ENTRY: Final = struct.Struct(">qhiqiqiq")
_NO_BATCH: Final = ProducedBatch(-1, NO_OFFSET, 0, -1)


def encode(states: ProducerStates) -> bytes:
    entries = [_encode_entry(producer_id, state) for producer_id, state in states.items()]
    body = struct.pack(">i", len(entries)) + b"".join(entries)
    return struct.pack(">hI", VERSION, crc32c(body)) + body


def _encode_entry(producer_id: int, state: Producer) -> bytes:
    last = state.batches[-1] if state.batches else _NO_BATCH
    return _ENTRY.pack(
        producer_id,
        state.epoch,
        last.last_sequence,
        last.last_offset,
        last.offset_delta,
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
        batches = (ProducedBatch(sequence, offset, delta, timestamp),) if offset >= 0 else ()
        states.restore(producer_id, Producer(epoch, batches, coordinator_epoch, timestamp, transaction_start))
    return states
