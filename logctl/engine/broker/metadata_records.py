"""Records of the metadata log as bytes and back.

A record travels as the value of a keyless record of a batch, behind three unsigned varints: the version of this
framing (1), the record's type and the version its fields are written in (KIP-631). What the quorum itself has to say
(who leads, where a snapshot begins and ends) is written as control records: key = version and kind as two int16,
value = a message whose first field repeats its version (KIP-595, KIP-630).

The batches around them are the ordinary ones of `wire.records`, uncompressed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any, Final, NamedTuple

from logctl.wire.errors import WireError
from logctl.wire.primitives import MalformedMessage, uvarint, uvarint_bytes
from logctl.wire.records import (
    CONTROL_KRAFT_VERSION,
    CONTROL_KRAFT_VOTERS,
    CONTROL_LEADER_CHANGE,
    CONTROL_SNAPSHOT_FOOTER,
    CONTROL_SNAPSHOT_HEADER,
    BatchHeader,
    NewRecord,
    build_batch,
    iter_batches,
    iter_records,
    read_header,
)
from logctl.wire.schema import Message

FRAME_VERSION: Final = 1
_CONTROL_KEY: Final = struct.Struct(">hh")

_RECORD_TYPES: Final = {
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
"""Record types of metadata.version 4.3-IV0 by number."""

_CONTROL_TYPES: Final = {
    CONTROL_LEADER_CHANGE: "leader_change_message.LeaderChangeMessage",
    CONTROL_SNAPSHOT_HEADER: "snapshot_header_record.SnapshotHeaderRecord",
    CONTROL_SNAPSHOT_FOOTER: "snapshot_footer_record.SnapshotFooterRecord",
    CONTROL_KRAFT_VERSION: "k_raft_version_record.KRaftVersionRecord",
    CONTROL_KRAFT_VOTERS: "voters_record.VotersRecord",
}


class UnreadableRecord(Exception):
    """A record that this version cannot read, or a batch whose records make no sense. Says which, as a sentence."""


class ControlRecord(NamedTuple):
    """What the quorum wrote about itself."""

    kind: int
    message: Message


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
    values = [NewRecord(None, _frame(record, version_of), (), now_ms) for record in records]
    return build_batch(values, base_offset=base_offset, leader_epoch=leader_epoch)


def _frame(record: Any, version_of: VersionOf) -> bytes:
    version = version_of(record.api_key)
    body: bytes = record.encode(version)
    return b"".join((_FRAME_START, uvarint_bytes(record.api_key), uvarint_bytes(version), body))


_FRAME_START: Final = bytes([FRAME_VERSION])


def encode_control_batch(
    controls: Sequence[ControlRecord], *, now_ms: int, base_offset: int = 0, leader_epoch: int = 0
) -> bytearray:
    """One batch of control records, messages in version 0."""
    values = [
        NewRecord(_CONTROL_KEY.pack(0, control.kind), control.message.encode(0), (), now_ms) for control in controls
    ]
    return build_batch(values, base_offset=base_offset, leader_epoch=leader_epoch, control=True)


def decode_batches(data: bytes | memoryview) -> Iterator[Batch]:
    """Every whole batch in `data`. Raises UnreadableRecord, also for a batch that fails its checksum."""
    try:
        for raw in iter_batches(data):
            yield _decode_batch(raw)
    except WireError as damage:
        raise UnreadableRecord(damage.message) from None


def _decode_batch(raw: memoryview) -> Batch:
    header = read_header(raw)
    records = iter_records(raw)
    if header.is_control:
        return Batch(header, [], [_control(record.key, record.value) for record in records])
    return Batch(header, [_unframe(record.value) for record in records], [])


def _unframe(value: bytes | None) -> Any:
    if value is None:
        raise UnreadableRecord("a metadata record has no value")
    try:
        if value[0] == FRAME_VERSION and value[1] < 0x80 and value[2] < 0x80:
            reader, start = _reader(value[1], value[2]), 3
        else:
            reader, start = _read_frame(value)
        return reader(value, start)[0]
    except (MalformedMessage, IndexError) as damage:
        raise UnreadableRecord(f"a metadata record cannot be read: {damage}") from None


def _read_frame(value: bytes) -> tuple[Callable[..., Any], int]:
    frame, position = uvarint(value, 0)
    if frame != FRAME_VERSION:
        raise UnreadableRecord(f"a metadata record is framed in version {frame}; this version knows {FRAME_VERSION}")
    kind, position = uvarint(value, position)
    version, position = uvarint(value, position)
    return _reader(kind, version), position


_readers: dict[tuple[int, int], Callable[..., Any]] = {}


def _reader(kind: int, version: int) -> Callable[..., Any]:
    reader = _readers.get((kind, version))
    if reader is None:
        record_type = record_class(kind)
        if record_type is None:
            raise UnreadableRecord(f"a metadata record is of type {kind}, which this version does not know")
        if version not in record_type.versions:
            raise UnreadableRecord(f"a {record_type.__name__} is written in version {version}, which is too new")
        reader = _readers[kind, version] = record_type.reader(version)
    return reader


def record_class(kind: int) -> type[Message] | None:
    """The class of a record type, imported when it is first met."""
    return _load(_RECORD_TYPES.get(kind))


def _load(place: str | None) -> type[Message] | None:
    if place is None:
        return None
    module, _, name = place.partition(".")
    found: type[Message] = getattr(import_module(f"logctl.wire.stored.{module}"), name)
    return found


def _control(key: bytes | None, value: bytes | None) -> ControlRecord:
    try:
        _, kind = _CONTROL_KEY.unpack_from(key or b"")
        message_type = _load(_CONTROL_TYPES.get(kind))
        if message_type is None:
            raise UnreadableRecord(f"a control record is of kind {kind}, which this version does not know")
        data = value or b""
        (version,) = struct.unpack_from(">h", data)
        if version not in message_type.versions:
            raise UnreadableRecord(f"a {message_type.__name__} is written in version {version}, which is too new")
        return ControlRecord(kind, message_type.decode(data, version)[0])
    except (MalformedMessage, struct.error) as damage:
        raise UnreadableRecord(f"a control record cannot be read: {damage}") from None


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
