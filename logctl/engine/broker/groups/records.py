"""Records of `__consumer_offsets` as entries and back; how they are framed is told in `wire.stored.framing`.

Types: 0 and 1 committed offsets, 2 classic groups, 3-8 and 16 consumer groups (KIP-848). Everything else (share groups
10-15, streams groups 17-23, and what comes after this version) is not decoded; the coordinator keeps such records as
they are. Versions are those Apache Kafka 4.3 writes.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import Any, Final

from logctl.engine.broker.groups.turn import Entry
from logctl.wire.checksum import crc32c
from logctl.wire.primitives import ZERO_UUID, uvarint_bytes
from logctl.wire.records import MAGIC, NewRecord
from logctl.wire.schema import Message
from logctl.wire.stored.framing import GROUPS, UnknownRecord, coordinator_record_bytes
from logctl.wire.stored.group_metadata import GroupMetadataValue
from logctl.wire.stored.offset_commit import OffsetCommitKey, OffsetCommitValue

LEGACY_OFFSET: Final = 0
SERVED: Final = frozenset({LEGACY_OFFSET, 1, 2, 3, 4, 5, 6, 7, 8, 16})
NO_EXPIRY: Final = -1
_INT16: Final = Struct(">h")
_INT32: Final = Struct(">i")
_OFFSET_AND_EPOCH: Final = Struct(">hqi")  # behind the version of the value
_TIME: Final = Struct(">q")
_UNCHECKED: Final = Struct(">qiibI")
_CHECKED: Final = Struct(">hiqqqhii")
"""The header of a batch: what its checksum does not cover, which ends with the checksum, and what it does."""
_WITH_TOPIC_ID: Final = b"\1\0\x10"  # one tagged field, number 0, of 16 bytes
_WITHOUT: Final = b"\0"


def _value_version(value: Message | None) -> int:
    """What Apache writes: offsets in version 4, or 1 where the client set an expiry; classic groups in version 3."""
    if isinstance(value, OffsetCommitValue):
        return 4 if value.expire_timestamp == NO_EXPIRY else 1
    return 3 if isinstance(value, GroupMetadataValue) else 0


def encode(entry: Entry, timestamp: int) -> NewRecord:
    """The entry as a record to append."""
    if type(entry.value) is OffsetCommitValue and entry.value.expire_timestamp == NO_EXPIRY:
        return _offset_record(entry.key, entry.value, timestamp)
    key, value = coordinator_record_bytes(entry.key, entry.value, _value_version(entry.value))
    return NewRecord(key, value, timestamp=timestamp)


def _offset_record(key: Any, value: OffsetCommitValue, timestamp: int) -> NewRecord:
    """By hand what the general way writes, because there is one for every commit."""
    metadata = value.metadata.encode()
    told = value.topic_id != ZERO_UUID
    data = (
        _OFFSET_AND_EPOCH.pack(4, value.offset, value.leader_epoch),
        uvarint_bytes(len(metadata) + 1),
        metadata,
        _TIME.pack(value.commit_timestamp),
        _WITH_TOPIC_ID + value.topic_id if told else _WITHOUT,
    )
    return NewRecord(_offset_key(key.group, key.topic, key.partition), b"".join(data), (), timestamp)


def batch_of_one(record: NewRecord) -> bytearray:
    """What `build_batch` makes of a record that has key and value and no headers, uncompressed."""
    key, value = record.key, record.value
    assert key is not None
    assert value is not None
    body = b"".join((b"\0\0\0", _length(len(key)), key, _length(len(value)), value, b"\0"))
    checked = _CHECKED.pack(0, 0, record.timestamp, record.timestamp, -1, -1, -1, 1) + _length(len(body)) + body
    return bytearray(_UNCHECKED.pack(0, len(checked) + 9, -1, MAGIC, crc32c(checked)) + checked)


@lru_cache(1024)
def _length(count: int) -> bytes:
    """As the lengths in a record are written: a varint with its sign in the lowest bit."""
    return uvarint_bytes(count << 1)


@lru_cache(4096)
def _offset_key(group: str, topic: str, partition: int) -> bytes:
    names = [_INT16.pack(len(name)) + name for name in (group.encode(), topic.encode())]
    return _INT16.pack(1) + b"".join(names) + _INT32.pack(partition)


def decode(key: Any, value: Any) -> Entry | None:
    """The entry in a record, or None when its type is not ours. Raises MalformedMessage, or ValueError for a value
    version that came after this one."""
    kind = int.from_bytes(key[:2], "big", signed=True)
    if kind not in SERVED:
        return None
    read: Any = GROUPS.read(key, value)
    if isinstance(read.value, UnknownRecord):
        raise ValueError(f"a record of type {kind} has a value of version {read.version}, which is too new")
    return _as_current(read.key, read.value) if kind == LEGACY_OFFSET else Entry(read.key, read.value)


def _as_current(key: Any, value: Any) -> Entry:
    """An offset of the oldest form in today's."""
    current = OffsetCommitKey(key.group, key.topic, key.partition)
    if value is None:
        return Entry(current, None)
    return Entry(
        current,
        OffsetCommitValue(offset=value.offset, metadata=value.metadata, commit_timestamp=value.commit_timestamp),
    )
