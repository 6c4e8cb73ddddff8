"""Records of `__consumer_offsets` as bytes: an int16 in front of the key names the record type, one in front of the
value its version.

Types: 0 and 1 committed offsets, 2 classic groups, 3-8 and 16 consumer groups (KIP-848). Everything else (share groups
10-15, streams groups 17-22, and what comes after this version) is not decoded; the coordinator keeps such records as
they are. Versions are those Apache Kafka 4.3 writes.
"""

from __future__ import annotations

from typing import Any, Final

from logctl.engine.broker.groups.turn import Entry
from logctl.wire.records import NewRecord
from logctl.wire.schema import Message
from logctl.wire.stored.consumer_group_current_member_assignment import (
    ConsumerGroupCurrentMemberAssignmentKey,
    ConsumerGroupCurrentMemberAssignmentValue,
)
from logctl.wire.stored.consumer_group_member_metadata import (
    ConsumerGroupMemberMetadataKey,
    ConsumerGroupMemberMetadataValue,
)
from logctl.wire.stored.consumer_group_metadata import ConsumerGroupMetadataKey, ConsumerGroupMetadataValue
from logctl.wire.stored.consumer_group_partition_metadata import (
    ConsumerGroupPartitionMetadataKey,
    ConsumerGroupPartitionMetadataValue,
)
from logctl.wire.stored.consumer_group_regular_expression import (
    ConsumerGroupRegularExpressionKey,
    ConsumerGroupRegularExpressionValue,
)
from logctl.wire.stored.consumer_group_target_assignment_member import (
    ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupTargetAssignmentMemberValue,
)
from logctl.wire.stored.consumer_group_target_assignment_metadata import (
    ConsumerGroupTargetAssignmentMetadataKey,
    ConsumerGroupTargetAssignmentMetadataValue,
)
from logctl.wire.stored.group_metadata import GroupMetadataKey, GroupMetadataValue
from logctl.wire.stored.legacy_offset_commit import LegacyOffsetCommitKey
from logctl.wire.stored.offset_commit import OffsetCommitKey, OffsetCommitValue

KINDS: Final[dict[int, tuple[type[Message], type[Message]]]] = {
    0: (LegacyOffsetCommitKey, OffsetCommitValue),
    1: (OffsetCommitKey, OffsetCommitValue),
    2: (GroupMetadataKey, GroupMetadataValue),
    3: (ConsumerGroupMetadataKey, ConsumerGroupMetadataValue),
    4: (ConsumerGroupPartitionMetadataKey, ConsumerGroupPartitionMetadataValue),
    5: (ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue),
    6: (ConsumerGroupTargetAssignmentMetadataKey, ConsumerGroupTargetAssignmentMetadataValue),
    7: (ConsumerGroupTargetAssignmentMemberKey, ConsumerGroupTargetAssignmentMemberValue),
    8: (ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue),
    16: (ConsumerGroupRegularExpressionKey, ConsumerGroupRegularExpressionValue),
}
NO_EXPIRY: Final = -1


def _value_version(value: Message) -> int:
    """What Apache writes: offsets in version 4, or 1 where the client set an expiry; classic groups in version 3."""
    if isinstance(value, OffsetCommitValue):
        return 4 if value.expire_timestamp == NO_EXPIRY else 1
    return 3 if isinstance(value, GroupMetadataValue) else 0


def _prefixed(number: int, body: bytes) -> bytes:
    return number.to_bytes(2, "big") + body


def encode(entry: Entry, timestamp: int) -> NewRecord:
    """The entry as a record to append."""
    key, value = entry
    return NewRecord(encode_key(key), None if value is None else encode_value(value), timestamp=timestamp)


def encode_key(key: Message) -> bytes:
    return _prefixed(key.api_key, key.encode(0))


def encode_value(value: Message) -> bytes:
    version = _value_version(value)
    return _prefixed(version, value.encode(version))


def decode(key: Any, value: Any) -> Entry | None:
    """The entry in a record, or None when its type is not ours. Raises MalformedMessage, or ValueError for a value
    version that came after this one."""
    kind = KINDS.get(int.from_bytes(key[:2], "big", signed=True))
    if kind is None:
        return None
    key_type, value_type = kind
    decoded = key_type.decode(key, 0, 2)[0]
    if isinstance(decoded, LegacyOffsetCommitKey):
        decoded = OffsetCommitKey(decoded.group, decoded.topic, decoded.partition)
    if value is None:
        return Entry(decoded, None)
    return Entry(decoded, value_type.decode(value, int.from_bytes(value[:2], "big", signed=True), 2)[0])
