"""Records of `__consumer_offsets` as entries and back; how they are framed is told in `wire.stored.framing`.

Types: 0 and 1 committed offsets, 2 classic groups, 3-8 and 16 consumer groups (KIP-848). Everything else (share groups
10-15, streams groups 17-23, and what comes after this version) is not decoded; the coordinator keeps such records as
they are. Versions are those Apache Kafka 4.3 writes.
"""

from __future__ import annotations

from typing import Any, Final

from logctl.engine.broker.groups.turn import Entry
from logctl.wire.records import NewRecord
from logctl.wire.schema import Message
from logctl.wire.stored.framing import GROUPS, UnknownRecord, coordinator_record_bytes
from logctl.wire.stored.group_metadata import GroupMetadataValue
from logctl.wire.stored.offset_commit import OffsetCommitKey, OffsetCommitValue

LEGACY_OFFSET: Final = 0
SERVED: Final = frozenset({LEGACY_OFFSET, 1, 2, 3, 4, 5, 6, 7, 8, 16})
NO_EXPIRY: Final = -1


def _value_version(value: Message | None) -> int:
    """What Apache writes: offsets in version 4, or 1 where the client set an expiry; classic groups in version 3."""
    if isinstance(value, OffsetCommitValue):
        return 4 if value.expire_timestamp == NO_EXPIRY else 1
    return 3 if isinstance(value, GroupMetadataValue) else 0


def encode(entry: Entry, timestamp: int) -> NewRecord:
    """The entry as a record to append."""
    key, value = coordinator_record_bytes(entry.key, entry.value, _value_version(entry.value))
    return NewRecord(key, value, timestamp=timestamp)


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
