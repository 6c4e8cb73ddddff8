"""Record batches, format 2: the unit that producers send, the log keeps and consumers receive.

Theory of operation. A batch is a header of 61 bytes and, behind it, records, compressed together or not:

    0 base offset q | 8 length i (of what follows) | 12 leader epoch i | 16 magic b = 2 | 17 crc I | 21 attributes h
    23 last offset delta i | 27 base timestamp q | 35 max timestamp q | 43 producer id q | 51 producer epoch h
    53 base sequence i | 57 record count i

The checksum (CRC-32C) covers byte 21 to the end. What a broker decides, base offset and leader epoch, lies in front of
that, so a batch is stamped where it lies and never copied or decoded on its way through. Only a broker that sets the
time of its own (LogAppendTime) touches what the checksum covers, and computes it anew.

The engine looks at headers alone. Records are decoded for the commands that show them, for exact lookups by
timestamp, and where a topic's rules are about single records.

Formats 0 and 1, given up by Apache Kafka 4.0, are refused, not converted.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from logctl.wire import compression
from logctl.wire.checksum import crc32c
from logctl.wire.errors import CORRUPT_MESSAGE, INVALID_RECORD, WireError

Buffer = bytes | bytearray | memoryview

HEADER: Final = struct.Struct(">qiibIhiqqqhii")
HEADER_BYTES: Final = HEADER.size
LENGTH_PREFIX_BYTES: Final = 12
"""Base offset and length, which the length field does not count."""
CRC_START: Final = 21
MAGIC: Final = 2

COMPRESSION_MASK: Final = 0x07
LOG_APPEND_TIME: Final = 0x08
TRANSACTIONAL: Final = 0x10
CONTROL: Final = 0x20
DELETE_HORIZON: Final = 0x40

NO_TIMESTAMP: Final = -1
NO_PRODUCER_ID: Final = -1

CONTROL_ABORT: Final = 0
CONTROL_COMMIT: Final = 1
CONTROL_LEADER_CHANGE: Final = 2
CONTROL_SNAPSHOT_HEADER: Final = 3
CONTROL_SNAPSHOT_FOOTER: Final = 4
CONTROL_KRAFT_VERSION: Final = 5
CONTROL_KRAFT_VOTERS: Final = 6

_OFFSET: Final = struct.Struct(">q")
_EPOCH: Final = struct.Struct(">i")
_LENGTH_AT_8: Final = struct.Struct(">8xi")
_CRC: Final = struct.Struct(">I")
_ATTRIBUTES: Final = struct.Struct(">h")
_CONTROL_KEY: Final = struct.Struct(">hh")
_END_TXN_VALUE: Final = struct.Struct(">hi")
_SMALLEST_RECORD_BYTES: Final = 7


class CorruptBatch(WireError):
    """The bytes are not a record batch of format 2, or do not match their checksum."""

    def __init__(self, message: str) -> None:
        super().__init__(CORRUPT_MESSAGE, message)


class UnsupportedMagic(WireError):
    """A batch of format 0 or 1; Apache Kafka 4 answers INVALID_RECORD too."""

    def __init__(self, magic: int) -> None:
        message = f"Record format {magic} is no longer accepted: only format 2 (Kafka 0.11 and newer) is"
        super().__init__(INVALID_RECORD, message)
        self.magic = magic


class InvalidRecord(WireError):
    """The header is sound, the records behind it are not."""

    def __init__(self, message: str) -> None:
        super().__init__(INVALID_RECORD, message)


class BatchHeader(NamedTuple):
    """The 61 bytes in front of the records. `length` is that of the whole batch, its first 12 bytes included."""

    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody asks of a header

    @property
    def last_offset(self) -> int:
        return self.base_offset + self.last_offset_delta

    @property
    def compression(self) -> int:
        return self.attributes & COMPRESSION_MASK

    @property
    def is_control(self) -> bool:
        return bool(self.attributes & CONTROL)

    @property
    def is_transactional(self) -> bool:
        return bool(self.attributes & TRANSACTIONAL)

    @property
    def has_log_append_time(self) -> bool:
        return bool(self.attributes & LOG_APPEND_TIME)


Headers = tuple[tuple[str, bytes | None], ...]


class Record(NamedTuple):
    """One record as a consumer sees it. `timestamp` in ms since 1970, -1 for none."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class NewRecord(NamedTuple):
    """One record as a producer gives it."""

    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp: int = NO_TIMESTAMP


# ---- headers ------------------------------------------------------------------------------------------------------


def read_header(buffer: Buffer, position: int = 0) -> BatchHeader:
    """The header at `position`, unchecked. The buffer must hold its 61 bytes."""
    offset, length, *rest = HEADER.unpack_from(buffer, position)
    return BatchHeader(offset, length + LENGTH_PREFIX_BYTES, *rest)


def check_batch(buffer: Buffer, position: int = 0, end: int | None = None) -> BatchHeader:
    """The header at `position`, once length, format and checksum have been found right.

    Raises CorruptBatch, or UnsupportedMagic for formats 0 and 1. Nothing is copied when `buffer` is a memoryview.
    """
    if end is None:
        end = len(buffer)
    if end - position > 16 and buffer[position + 16] < MAGIC:
        raise UnsupportedMagic(buffer[position + 16])
    if end - position < HEADER_BYTES:
        raise CorruptBatch(f"A record batch takes {HEADER_BYTES} bytes at least; only {end - position} are there")
    header = read_header(buffer, position)
    if header.magic != MAGIC:
        raise CorruptBatch(f"There is no record format {header.magic}")
    if not HEADER_BYTES <= header.length <= end - position:
        raise CorruptBatch(f"A record batch claims {header.length} bytes where {end - position} are left")
    if crc32c(memoryview(buffer)[position + CRC_START : position + header.length]) != header.crc:
        raise CorruptBatch("A record batch does not match its checksum")
    return header


def stamp(buffer: bytearray | memoryview, position: int, base_offset: int, leader_epoch: int) -> None:
    """Write what the leader decides into the batch at `position`; the checksum does not cover it."""
    _OFFSET.pack_into(buffer, position, base_offset)
    _EPOCH.pack_into(buffer, position + 12, leader_epoch)


def stamp_append_time(buffer: bytearray | memoryview, position: int, now_ms: int) -> None:
    """Give every record of the batch the broker's time (message.timestamp.type=LogAppendTime)."""
    (length,) = _LENGTH_AT_8.unpack_from(buffer, position)
    (attributes,) = _ATTRIBUTES.unpack_from(buffer, position + 21)
    _ATTRIBUTES.pack_into(buffer, position + 21, attributes | LOG_APPEND_TIME)
    _OFFSET.pack_into(buffer, position + 35, now_ms)
    covered = memoryview(buffer)[position + CRC_START : position + length + LENGTH_PREFIX_BYTES]
    _CRC.pack_into(buffer, position + 17, crc32c(covered))


def iter_batches(buffer: Buffer) -> Iterator[memoryview]:
    """The complete batches of a fetch response, unchecked. A batch cut off by the size limit at the end is left out.

    Raises CorruptBatch when a length makes no sense.
    """
    view = memoryview(buffer)
    position, end = 0, len(view)
    while end - position >= LENGTH_PREFIX_BYTES:
        (length,) = _LENGTH_AT_8.unpack_from(view, position)
        if length < 5:
            raise CorruptBatch(f"A record batch claims {length} bytes, fewer than any format has")
        following = position + LENGTH_PREFIX_BYTES + length
        if following > end:
            return
        yield view[position:following]
        position = following


# ---- reading records ----------------------------------------------------------------------------------------------


def iter_records(batch: Buffer, limit_bytes: int = compression.DEFAULT_LIMIT_BYTES) -> Iterator[Record]:
    """The records of one whole batch, checked with its checksum first.

    `limit_bytes` bounds what compressed records may unpack to. Raises CorruptBatch, UnsupportedMagic, InvalidRecord
    or DecompressionFailed.
    """
    header = check_batch(batch)
    append_time = header.max_timestamp if header.has_log_append_time else None
    for delta, since, key, value, headers in _iter_raw(header, batch, limit_bytes):
        timestamp = append_time if append_time is not None else header.base_timestamp + since
        yield Record(header.base_offset + delta, timestamp, key, value, headers)


def control_type(batch: Buffer) -> tuple[int, bytes]:
    """Type (CONTROL_...) and value of the first record of a control batch."""
    for record in iter_records(batch, limit_bytes=1 << 20):
        if record.key is None or len(record.key) < _CONTROL_KEY.size:
            raise InvalidRecord("The key of a control record is too short")
        return _CONTROL_KEY.unpack_from(record.key)[1], record.value or b""
    raise InvalidRecord("A control batch holds no record")


def keyless_records(batch: Buffer, limit_bytes: int = compression.DEFAULT_LIMIT_BYTES) -> list[int]:
    """Which records of a checked batch have no key: their places in the batch, from 0."""
    raw = _iter_raw(read_header(batch), batch, limit_bytes)
    return [index for index, fields in enumerate(raw) if fields[2] is None]


RawRecord = tuple[int, int, bytes | None, bytes | None, Headers]


def _iter_raw(header: BatchHeader, batch: Buffer, limit_bytes: int) -> Iterator[RawRecord]:
    data = compression.decompress(header.compression, memoryview(batch)[HEADER_BYTES : header.length], limit_bytes)
    if header.count < 0 or header.count * _SMALLEST_RECORD_BYTES > len(data):
        raise InvalidRecord(f"{header.count} records cannot fit into {len(data)} bytes")
    position = 0
    try:
        for _ in range(header.count):
            length, position = _varint(data, position)
            end = position + length
            if length < 0 or end > len(data):
                raise InvalidRecord(f"A record claims {length} bytes where {len(data) - position} are left")
            yield _read_record(data, position, end)
            position = end
    except IndexError:
        raise InvalidRecord("The records end inside a record") from None
    if position != len(data):
        raise InvalidRecord(f"{len(data) - position} bytes are left behind the {header.count} records announced")


def _read_record(data: memoryview, position: int, end: int) -> RawRecord:
    since, position = _varint(data, position + 1)
    delta, position = _varint(data, position)
    key, position = _bytes(data, position, end)
    value, position = _bytes(data, position, end)
    count, position = _varint(data, position)
    headers: Headers = ()
    if count:
        headers, position = _headers(data, position, end, count)
    if position != end:
        raise InvalidRecord(f"The fields of a record end {end - position} bytes away from its end")
    return delta, since, key, value, headers


def _headers(data: memoryview, position: int, end: int, count: int) -> tuple[Headers, int]:
    if count < 0 or count * 2 > end - position:
        raise InvalidRecord(f"{count} headers cannot fit into {end - position} bytes")
    found: list[tuple[str, bytes | None]] = []
    for _ in range(count):
        name, position = _bytes(data, position, end)
        if name is None:
            raise InvalidRecord("A record header has no name")
        value, position = _bytes(data, position, end)
        found.append((name.decode("utf-8", "replace"), value))
    return tuple(found), position


def _bytes(data: memoryview, position: int, end: int) -> tuple[bytes | None, int]:
    length, position = _varint(data, position)
    if length < 0:
        if length != -1:
            raise InvalidRecord(f"A field of a record has the length {length}")
        return None, position
    if length > end - position:
        raise InvalidRecord(f"A field of a record claims {length} bytes where {end - position} are left")
    return bytes(data[position : position + length]), position + length


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    """A zigzag number of at most 64 bits and the position behind it; IndexError at the end of the data."""
    byte = data[position]
    position += 1
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), position
    number = byte & 0x7F
    shift = 7
    while True:
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 63:
            raise InvalidRecord("A number in a record takes more than ten bytes")
    if number >> 64:
        raise InvalidRecord("A number in a record exceeds 64 bits")
    return (number >> 1) ^ -(number & 1), position


# ---- writing ------------------------------------------------------------------------------------------------------


def build_batch(
    records: Sequence[NewRecord],
    *,
    base_offset: int = 0,
    leader_epoch: int = -1,
    compression: str = "none",
    level: int | None = None,
    producer_id: int = NO_PRODUCER_ID,
    producer_epoch: int = -1,
    base_sequence: int = -1,
    transactional: bool = False,
    control: bool = False,
    log_append_time: int | None = None,
) -> bytearray:
    """One batch of the given records (at least one), ready to be sent or written.

    `compression` is a name of `compression.NAMES`. `log_append_time` (ms) makes it a batch as a broker with
    message.timestamp.type=LogAppendTime writes it.
    """
    assert records, "a batch holds at least one record"
    base_timestamp = records[0].timestamp
    max_timestamp = max(record.timestamp for record in records)
    body = b"".join(_write_records(records, base_timestamp))
    payload, codec = _compressed(compression, body, level)
    attributes = codec | (TRANSACTIONAL if transactional else 0) | (CONTROL if control else 0)
    if log_append_time is not None:
        attributes |= LOG_APPEND_TIME
        max_timestamp = log_append_time
    batch = bytearray(HEADER_BYTES + len(payload))
    length = len(batch) - LENGTH_PREFIX_BYTES
    delta = len(records) - 1
    producer = (producer_id, producer_epoch, base_sequence)
    times = (base_timestamp, max_timestamp)
    HEADER.pack_into(
        batch, 0, base_offset, length, leader_epoch, MAGIC, 0, attributes, delta, *times, *producer, len(records)
    )
    batch[HEADER_BYTES:] = payload
    _CRC.pack_into(batch, 17, crc32c(memoryview(batch)[CRC_START:]))
    return batch


def end_txn_marker(*, commit: bool, coordinator_epoch: int, timestamp: int) -> NewRecord:
    """The record that ends a transaction; write it with `control=True, transactional=True`."""
    key = _CONTROL_KEY.pack(0, CONTROL_COMMIT if commit else CONTROL_ABORT)
    return NewRecord(key, _END_TXN_VALUE.pack(0, coordinator_epoch), (), timestamp)


def end_txn_coordinator_epoch(value: bytes) -> int:
    """The coordinator epoch inside the value of a record made by `end_txn_marker`."""
    if len(value) < _END_TXN_VALUE.size:
        raise InvalidRecord("The value of an end-of-transaction record is too short")
    epoch: int = _END_TXN_VALUE.unpack_from(value)[1]
    return epoch


def _compressed(name: str, body: bytes, level: int | None) -> tuple[bytes, int]:
    return compression.compress(name, body, level), compression.codec_id(name)


def _write_records(records: Iterable[NewRecord], base_timestamp: int) -> Iterator[bytes]:
    for delta, record in enumerate(records):
        parts: list[bytes] = [b"\0", _zigzag(record.timestamp - base_timestamp), _zigzag(delta)]
        _add_bytes(parts, record.key)
        _add_bytes(parts, record.value)
        parts.append(_zigzag(len(record.headers)))
        for name, value in record.headers:
            _add_bytes(parts, name.encode())
            _add_bytes(parts, value)
        body = b"".join(parts)
        yield _zigzag(len(body))
        yield body


def _add_bytes(parts: list[bytes], data: bytes | None) -> None:
    if data is None:
        parts.append(b"\1")
    else:
        parts += (_zigzag(len(data)), data)


_ONE_BYTE: Final = tuple(bytes((number,)) for number in range(128))


def _zigzag(number: int) -> bytes:
    number = (number << 1) ^ (number >> 63)
    if number < 0x80:
        return _ONE_BYTE[number]
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
