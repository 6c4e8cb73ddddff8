"""How stored messages are framed: which bytes in front of one say what it is.

    metadata log        value = uvarint 1 (the frame's own version), uvarint type, uvarint version, body; no key
    coordinator topics  key   = int16 type, body        (__consumer_offsets, __transaction_state, __share_group_state)
                        value = int16 version, body; without a value it is a tombstone: the key is forgotten
    control records     key   = int16 0, int16 kind     (in batches whose control bit is set)
                        value = body, whose version is its first field; a transaction's end has int16 version, body

What this program does not know, a type or a version from the future, is kept as an `UnknownRecord` and written back
byte for byte. Bytes behind the body of a metadata record are refused, as Apache Kafka refuses them: they mean that the
record is not what its frame says. Behind other bodies they are ignored, again as Apache does.

The catalogues at the end list every type with the module that holds it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from enum import IntEnum
from importlib import import_module
from typing import Final, NamedTuple

from logctl.wire.primitives import Buffer, MalformedMessage, uvarint, uvarint_bytes
from logctl.wire.schema import Message, Reader

FRAME_VERSION: Final = 1
_INT16: Final = struct.Struct(">h")
_CONTROL_KEY: Final = struct.Struct(">hh")


class UnknownRecord(NamedTuple):
    """A record of a type or version from the future: `raw` is its body."""

    api_key: int
    version: int
    raw: bytes


class Catalogue:
    """The class of each record type, imported when first asked for. `names` maps types to "module.Class"."""

    def __init__(self, names: Mapping[int, str]) -> None:
        self._names = names
        self._loaded: dict[int, type[Message]] = {}

    def __iter__(self) -> Iterator[int]:
        return iter(self._names)

    def get(self, api_key: int) -> type[Message] | None:
        """The class of a type, None for an unknown one."""
        found = self._loaded.get(api_key)
        if found is None and api_key in self._names:
            module, _, name = self._names[api_key].rpartition(".")
            found = self._loaded[api_key] = getattr(import_module(f"logctl.wire.stored.{module}"), name)
        return found


# The metadata log


def read_metadata_record(value: Buffer) -> tuple[Message | UnknownRecord, int]:
    """The message in a record of the metadata log, and its version. Raises MalformedMessage."""
    if len(value) > 2 and value[0] == FRAME_VERSION and value[1] < 0x80 > value[2]:
        api_key, version, position = value[1], value[2], 3
    else:
        api_key, version, position = _read_frame(value)
    reader = _metadata_readers.get((api_key, version)) or _metadata_reader(api_key, version)
    if reader is None:
        return UnknownRecord(api_key, version, bytes(value[position:])), version
    message, end = reader(value, position)
    if end != len(value):
        raise MalformedMessage(f"{len(value) - end} bytes behind the {type(message).__name__} of a metadata record")
    return message, version


def _read_frame(value: Buffer) -> tuple[int, int, int]:
    """Type, version, and where the body begins."""
    frame_version, position = uvarint(value, 0)
    if frame_version != FRAME_VERSION:
        raise MalformedMessage(f"metadata record in a frame of version {frame_version}, not {FRAME_VERSION}")
    api_key, position = uvarint(value, position)
    version, position = uvarint(value, position)
    return api_key, version, position


_metadata_readers: dict[tuple[int, int], Reader] = {}
"""By type and version: a start reads thousands of records of very few kinds."""


def _metadata_reader(api_key: int, version: int) -> Reader | None:
    record = METADATA_RECORDS.get(api_key)
    if record is None or version not in record.versions:
        return None
    reader = _metadata_readers[api_key, version] = record.reader(version)
    return reader


def metadata_record_bytes(message: Message | UnknownRecord, version: int) -> bytes:
    """The value of a record of the metadata log. Raises ValueError for a version that the message does not have."""
    body = message.raw if isinstance(message, UnknownRecord) else message.encode(version)
    return b"\x01" + uvarint_bytes(message.api_key) + uvarint_bytes(version) + body


# Coordinator topics


class CoordinatorRecord(NamedTuple):
    """One fact that a coordinator keeps. `value` is None for a tombstone; `version` is the value's."""

    key: Message | UnknownRecord
    value: Message | UnknownRecord | None
    version: int


class Coordinator:
    """What one coordinator topic may hold: key and value classes under the same record types."""

    def __init__(self, keys: Catalogue, values: Catalogue) -> None:
        self.keys = keys
        self.values = values
        self._key_readers: dict[int, Reader] = {}
        self._value_readers: dict[tuple[int, int], Reader] = {}

    def read(self, key: Buffer, value: Buffer | None) -> CoordinatorRecord:
        """The messages in key and value of a record. Raises MalformedMessage."""
        api_key = _prefix(key)
        read_key = self._key_readers.get(api_key) or self._key_reader(api_key)
        if read_key is None:
            unknown = None if value is None else _unknown(api_key, _prefix(value), value)
            return CoordinatorRecord(_unknown(api_key, 0, key), unknown, -1 if unknown is None else unknown.version)
        message, _ = read_key(key, _INT16.size)
        if value is None:
            return CoordinatorRecord(message, None, -1)
        version = _prefix(value)
        read_value = self._value_readers.get((api_key, version)) or self._value_reader(api_key, version)
        if read_value is None:
            return CoordinatorRecord(message, _unknown(api_key, version, value), version)
        return CoordinatorRecord(message, read_value(value, _INT16.size)[0], version)

    def _key_reader(self, api_key: int) -> Reader | None:
        record = self.keys.get(api_key)
        if record is None:
            return None
        reader = self._key_readers[api_key] = record.reader(0)
        return reader

    def _value_reader(self, api_key: int, version: int) -> Reader | None:
        record = self.values.get(api_key)
        if record is None or version not in record.versions:
            return None
        reader = self._value_readers[api_key, version] = record.reader(version)
        return reader


def coordinator_record_bytes(
    key: Message | UnknownRecord, value: Message | UnknownRecord | None, version: int
) -> tuple[bytes, bytes | None]:
    """Key and value of a record in a coordinator topic; a value of None makes a tombstone."""
    key_bytes = _INT16.pack(key.api_key) + _body(key, 0)
    return key_bytes, None if value is None else _INT16.pack(version) + _body(value, version)


def _prefix(buffer: Buffer) -> int:
    if len(buffer) < _INT16.size:
        raise MalformedMessage("coordinator record is shorter than its prefix of two bytes")
    prefix: int = _INT16.unpack_from(buffer)[0]
    return prefix


def _unknown(api_key: int, version: int, prefixed: Buffer) -> UnknownRecord:
    return UnknownRecord(api_key, version, bytes(prefixed[_INT16.size :]))


def _body(message: Message | UnknownRecord, version: int) -> bytes:
    return message.raw if isinstance(message, UnknownRecord) else message.encode(version)


# Control records


class ControlKind(IntEnum):
    """What a control record says. The first two end a transaction, the others belong to the metadata log (KIP-595)."""

    ABORT = 0
    COMMIT = 1
    LEADER_CHANGE = 2
    SNAPSHOT_HEADER = 3
    SNAPSHOT_FOOTER = 4
    KRAFT_VERSION = 5
    KRAFT_VOTERS = 6


def read_control_record(key: Buffer, value: Buffer) -> tuple[int, Message | UnknownRecord]:
    """The kind of a control record (a `ControlKind` where it is known) and its message. Raises MalformedMessage."""
    if len(key) < _CONTROL_KEY.size:
        raise MalformedMessage("key of a control record is shorter than four bytes")
    _, kind = _CONTROL_KEY.unpack_from(key)
    record = CONTROL_RECORDS.get(kind)
    if record is None:
        return kind, UnknownRecord(kind, -1, bytes(value))
    # Every later version of these begins with the fields of the ones known here, and Apache reads them so.
    version = min(max(_prefix(value), 0), record.versions.highest)
    start = _INT16.size if kind in (ControlKind.ABORT, ControlKind.COMMIT) else 0
    return ControlKind(kind), record.decode(value, version, start)[0]


def control_record_bytes(kind: int, message: Message | UnknownRecord) -> tuple[bytes, bytes]:
    """Key and value of a control record, in the version that the message names (0 for a transaction's end)."""
    key = _CONTROL_KEY.pack(0, kind)
    if isinstance(message, UnknownRecord):
        return key, message.raw
    version = getattr(message, "version", 0)
    prefix = _INT16.pack(0) if kind in (ControlKind.ABORT, ControlKind.COMMIT) else b""
    return key, prefix + message.encode(version)


# The catalogues

METADATA_RECORDS: Final = Catalogue(
    {
        0: "register_broker_record.RegisterBrokerRecord",
        1: "unregister_broker_record.UnregisterBrokerRecord",
        2: "topic_record.TopicRecord",
        3: "partition_record.PartitionRecord",
        4: "config_record.ConfigRecord",
        5: "partition_change_record.PartitionChangeRecord",
        7: "fence_broker_record.FenceBrokerRecord",
        8: "unfence_broker_record.UnfenceBrokerRecord",
        9: "remove_topic_record.RemoveTopicRecord",
        10: "delegation_token_record.DelegationTokenRecord",
        11: "user_scram_credential_record.UserScramCredentialRecord",
        12: "feature_level_record.FeatureLevelRecord",
        14: "client_quota_record.ClientQuotaRecord",
        15: "producer_ids_record.ProducerIdsRecord",
        17: "broker_registration_change_record.BrokerRegistrationChangeRecord",
        18: "access_control_entry_record.AccessControlEntryRecord",
        19: "remove_access_control_entry_record.RemoveAccessControlEntryRecord",
        20: "no_op_record.NoOpRecord",
        21: "zk_migration_state_record.ZkMigrationStateRecord",
        22: "remove_user_scram_credential_record.RemoveUserScramCredentialRecord",
        23: "begin_transaction_record.BeginTransactionRecord",
        24: "end_transaction_record.EndTransactionRecord",
        25: "abort_transaction_record.AbortTransactionRecord",
        26: "remove_delegation_token_record.RemoveDelegationTokenRecord",
        27: "register_controller_record.RegisterControllerRecord",
        28: "clear_elr_record.ClearElrRecord",
    }
)

CONTROL_RECORDS: Final = Catalogue(
    {
        ControlKind.ABORT: "end_txn_marker.EndTxnMarker",
        ControlKind.COMMIT: "end_txn_marker.EndTxnMarker",
        ControlKind.LEADER_CHANGE: "leader_change_message.LeaderChangeMessage",
        ControlKind.SNAPSHOT_HEADER: "snapshot_header_record.SnapshotHeaderRecord",
        ControlKind.SNAPSHOT_FOOTER: "snapshot_footer_record.SnapshotFooterRecord",
        ControlKind.KRAFT_VERSION: "k_raft_version_record.KRaftVersionRecord",
        ControlKind.KRAFT_VOTERS: "voters_record.VotersRecord",
    }
)


def _coordinator(names: Mapping[int, str]) -> Coordinator:
    keys = {api_key: f"{name}Key" for api_key, name in names.items()}
    return Coordinator(Catalogue(keys), Catalogue({api_key: f"{name}Value" for api_key, name in names.items()}))


GROUPS: Final = _coordinator(
    {
        0: "legacy_offset_commit.LegacyOffsetCommit",
        1: "offset_commit.OffsetCommit",
        2: "group_metadata.GroupMetadata",
        3: "consumer_group_metadata.ConsumerGroupMetadata",
        4: "consumer_group_partition_metadata.ConsumerGroupPartitionMetadata",
        5: "consumer_group_member_metadata.ConsumerGroupMemberMetadata",
        6: "consumer_group_target_assignment_metadata.ConsumerGroupTargetAssignmentMetadata",
        7: "consumer_group_target_assignment_member.ConsumerGroupTargetAssignmentMember",
        8: "consumer_group_current_member_assignment.ConsumerGroupCurrentMemberAssignment",
        10: "share_group_member_metadata.ShareGroupMemberMetadata",
        11: "share_group_metadata.ShareGroupMetadata",
        12: "share_group_target_assignment_metadata.ShareGroupTargetAssignmentMetadata",
        13: "share_group_target_assignment_member.ShareGroupTargetAssignmentMember",
        14: "share_group_current_member_assignment.ShareGroupCurrentMemberAssignment",
        15: "share_group_state_partition_metadata.ShareGroupStatePartitionMetadata",
        16: "consumer_group_regular_expression.ConsumerGroupRegularExpression",
        17: "streams_group_metadata.StreamsGroupMetadata",
        19: "streams_group_member_metadata.StreamsGroupMemberMetadata",
        20: "streams_group_target_assignment_metadata.StreamsGroupTargetAssignmentMetadata",
        21: "streams_group_target_assignment_member.StreamsGroupTargetAssignmentMember",
        22: "streams_group_current_member_assignment.StreamsGroupCurrentMemberAssignment",
        23: "streams_group_topology.StreamsGroupTopology",
    }
)
TRANSACTIONS: Final = _coordinator({0: "transaction_log.TransactionLog"})
SHARE_STATE: Final = _coordinator({0: "share_snapshot.ShareSnapshot", 1: "share_update.ShareUpdate"})
