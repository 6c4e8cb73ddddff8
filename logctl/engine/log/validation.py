"""What may be appended: Apache Kafka's rules, in Apache's order, with the errors it answers.

`Log.stage` decides the common case by itself in one expression. Whatever that expression does not let pass comes here,
to be told the reason, or to be admitted if its case is merely rare.
"""

from __future__ import annotations

from typing import Final

from logctl.engine.log.config import FOREVER_MS, LogConfig
from logctl.wire import compression, errors, records
from logctl.wire.errors import WireError
from logctl.wire.records import BatchHeader, CorruptBatch, InvalidRecord, check_batch

CLIENT: Final = "client"
REPLICATION: Final = "replication"
COORDINATOR: Final = "coordinator"
"""Who appends: a producer; a follower copying its leader; the node itself (coordinators, the metadata log)."""

_SHOWN_RECORDS: Final = 1000


class RecordsRefused(WireError):
    """Single records are at fault. `record_errors`: (place in the batch, sentence), as in a Produce response."""

    def __init__(self, code: int, message: str, record_errors: list[tuple[int, str]]) -> None:
        super().__init__(code, message)
        self.record_errors = record_errors


def split(view: memoryview) -> list[tuple[int, BatchHeader]]:
    """(position, header) of the sound batches. What does not make a whole batch at the end is left out.

    Raises CorruptBatch or UnsupportedMagic; InvalidRecord when there is no whole batch.
    """
    found: list[tuple[int, BatchHeader]] = []
    position, end = 0, len(view)
    while end - position > 16:
        length = records.LENGTH_PREFIX_BYTES + int.from_bytes(view[position + 8 : position + 12], "big", signed=True)
        if position + length > end and length >= 17:
            break
        header = check_batch(view, position, end)
        found.append((position, header))
        position += header.length
    if not found:
        raise InvalidRecord(f"There is no whole record batch in the {end} bytes sent")
    return found


def check_from_client(view: memoryview, headers: list[tuple[int, BatchHeader]], config: LogConfig, now_ms: int) -> None:
    """Raise WireError unless a producer may have this written."""
    if len(headers) != 1:
        raise InvalidRecord("A produce request carries exactly one record batch for each partition")
    header = headers[0][1]
    if header.base_offset != 0:
        raise InvalidRecord(f"A producer's batch begins at offset 0, not {header.base_offset}")
    check_size(header, config)
    _check_header_from_client(header)
    batch = view[: header.length]
    if config.compacts:
        _check_keys(batch)
    _check_timestamps(batch, header, config, now_ms)


def check_size(header: BatchHeader, config: LogConfig) -> None:
    """Raise MESSAGE_TOO_LARGE or RECORD_LIST_TOO_LARGE when the batch is more than the topic or a segment takes."""
    if header.length > config.max_message_bytes:
        message = f"A record batch of {header.length} bytes exceeds max.message.bytes ({config.max_message_bytes})"
        raise WireError(errors.MESSAGE_TOO_LARGE, message)
    if header.length > config.segment_bytes:
        message = f"A record batch of {header.length} bytes exceeds segment.bytes ({config.segment_bytes})"
        raise WireError(errors.RECORD_LIST_TOO_LARGE, message)


def _check_header_from_client(header: BatchHeader) -> None:
    if header.is_control:
        raise InvalidRecord("Producers may not write control records")
    if header.last_offset_delta < 0 or header.count <= 0:
        raise InvalidRecord(f"A record batch claims {header.count} records up to {header.last_offset_delta}")
    if header.count != header.last_offset_delta + 1:
        raise InvalidRecord(f"A batch of {header.count} records spans {header.last_offset_delta + 1} offsets")
    if header.producer_id >= 0 and header.base_sequence < 0:
        raise InvalidRecord(f"A batch of producer {header.producer_id} has the sequence number {header.base_sequence}")
    if header.compression >= len(compression.NAMES):
        raise InvalidRecord(f"There is no compression with number {header.compression}")


def _check_keys(batch: memoryview) -> None:
    keyless = records.keyless_records(batch)
    if keyless:
        sentence = "A compacted topic takes only records with a key"
        refused = [(index, sentence) for index in keyless[:_SHOWN_RECORDS]]
        raise RecordsRefused(errors.INVALID_RECORD, f"{sentence}; {len(keyless)} of this batch have none", refused)


def _check_timestamps(batch: memoryview, header: BatchHeader, config: LogConfig, now_ms: int) -> None:
    if config.message_timestamp_type != "CreateTime":
        if header.has_log_append_time:
            raise WireError(errors.INVALID_TIMESTAMP, "Producers may not mark records with the broker's time")
        return
    latest = now_ms + config.message_timestamp_after_max_ms
    earliest = now_ms - config.message_timestamp_before_max_ms
    if header.max_timestamp <= latest and config.message_timestamp_before_max_ms >= FOREVER_MS:
        return
    refused = [
        (index, f"The timestamp {record.timestamp} is not between {earliest} and {latest}")
        for index, record in enumerate(records.iter_records(batch))
        if record.timestamp != records.NO_TIMESTAMP and not earliest <= record.timestamp <= latest
    ]
    if refused:
        message = f"{len(refused)} records are further from the broker's clock than the topic allows"
        raise RecordsRefused(errors.INVALID_TIMESTAMP, message, refused[:_SHOWN_RECORDS])


def check_sequence_of(headers: list[tuple[int, BatchHeader]], next_offset: int) -> None:
    """Raise CorruptBatch unless batches copied from a leader go on where the log ends, in rising order.

    Gaps are allowed: compaction makes them.
    """
    for _, header in headers:
        if header.base_offset < next_offset or header.last_offset_delta < 0:
            message = f"A batch copied from the leader begins at {header.base_offset} where {next_offset} is due"
            raise CorruptBatch(message)
        next_offset = header.last_offset + 1
