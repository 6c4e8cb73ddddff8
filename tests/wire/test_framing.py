"""Stored records in their frames: what Apache Kafka wrote is read, what is unknown survives, damage is named."""

from __future__ import annotations

import struct
from importlib import import_module
from pkgutil import iter_modules

import pytest

import logctl.wire.stored as stored
from logctl.wire.primitives import MalformedMessage
from logctl.wire.schema import Message
from logctl.wire.stored.end_txn_marker import EndTxnMarker
from logctl.wire.stored.framing import (
    CONTROL_RECORDS,
    GROUPS,
    METADATA_RECORDS,
    SHARE_STATE,
    TRANSACTIONS,
    Catalogue,
    ControlKind,
    UnknownRecord,
    control_record_bytes,
    coordinator_record_bytes,
    metadata_record_bytes,
    read_control_record,
    read_metadata_record,
)
from logctl.wire.stored.leader_change_message import LeaderChangeMessage, Voter
from logctl.wire.stored.no_op_record import NoOpRecord
from logctl.wire.stored.offset_commit import OffsetCommitKey, OffsetCommitValue
from logctl.wire.stored.topic_record import TopicRecord
from logctl.wire.stored.transaction_log import TransactionLogKey

TOPIC_RECORD = bytes.fromhex("01020002740000000000000000000000000000000000")
"""Written by MetadataRecordSerde of Apache Kafka 4.3.1."""


def test_a_metadata_record_of_apache_is_read_and_rewritten() -> None:
    message, version = read_metadata_record(TOPIC_RECORD)
    assert (message, version) == (TopicRecord(name="t"), 0)
    assert metadata_record_bytes(message, version) == TOPIC_RECORD


@pytest.mark.parametrize("frame", [b"\x01\xe8\x07\x03what comes", b"\x01\x02\x63newer topic"])
def test_a_type_or_version_from_the_future_is_kept_word_for_word(frame: bytes) -> None:
    message, version = read_metadata_record(frame)
    assert isinstance(message, UnknownRecord)
    assert metadata_record_bytes(message, version) == frame


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        (b"", "varint"),
        (b"\x02\x02\x00", "frame of version 2, not 1"),
        (b"\x01\x02", "varint"),
        (TOPIC_RECORD + b"!!", "2 bytes behind the TopicRecord"),
        (TOPIC_RECORD[:-1], "TopicRecord v0"),
        (b"\x01\x02\x00\x7fshort", "longer than its message"),
    ],
)
def test_a_damaged_metadata_record_is_refused_with_the_reason(frame: bytes, sentence: str) -> None:
    with pytest.raises(MalformedMessage, match=sentence):
        read_metadata_record(frame)


def test_a_committed_offset_is_framed_by_type_and_by_version() -> None:
    key, value = OffsetCommitKey("readers", "orders", 3), OffsetCommitValue(offset=42, metadata="m")
    key_bytes, value_bytes = coordinator_record_bytes(key, value, 3)
    assert key_bytes[:2] == b"\0\1"
    assert value_bytes is not None
    assert value_bytes[:2] == b"\0\3"
    assert GROUPS.read(key_bytes, value_bytes) == (key, value, 3)


def test_a_key_without_a_value_is_a_tombstone() -> None:
    key_bytes, nothing = coordinator_record_bytes(TransactionLogKey("payments"), None, 0)
    assert nothing is None
    assert TRANSACTIONS.read(key_bytes, None) == (TransactionLogKey("payments"), None, -1)


def test_a_value_from_the_future_is_kept_under_its_known_key() -> None:
    key_bytes, _ = coordinator_record_bytes(TransactionLogKey("payments"), None, 0)
    key, value, version = TRANSACTIONS.read(key_bytes, b"\0\x09later")
    assert key == TransactionLogKey("payments")
    assert value == UnknownRecord(0, 9, b"later")
    assert value is not None
    assert coordinator_record_bytes(key, value, version) == (key_bytes, b"\0\x09later")


def test_an_unknown_kind_of_record_is_kept_with_key_and_value() -> None:
    record = GROUPS.read(b"\x03\xe8who", b"\0\1what")
    assert coordinator_record_bytes(*record) == (b"\x03\xe8who", b"\0\1what")
    assert coordinator_record_bytes(*GROUPS.read(b"\x03\xe8who", None)) == (b"\x03\xe8who", None)


@pytest.mark.parametrize(("key", "value"), [(b"", b"\0\0"), (b"\0", None), (b"\0\0\0\1a", b"\0")])
def test_a_coordinator_record_without_its_prefix_is_refused(key: bytes, value: bytes | None) -> None:
    with pytest.raises(MalformedMessage, match="shorter than its prefix"):
        TRANSACTIONS.read(key, value)


def test_control_records_say_what_they_are_in_their_key() -> None:
    marker = control_record_bytes(ControlKind.COMMIT, EndTxnMarker(coordinator_epoch=7))
    assert marker == (struct.pack(">hh", 0, 1), struct.pack(">hi", 0, 7))
    assert read_control_record(*marker) == (ControlKind.COMMIT, EndTxnMarker(coordinator_epoch=7))

    elected = LeaderChangeMessage(version=1, leader_id=2, voters=[Voter(2, bytes(range(16)))])
    assert read_control_record(*control_record_bytes(ControlKind.LEADER_CHANGE, elected)) == (2, elected)

    kind, unknown = read_control_record(struct.pack(">hh", 0, 99), b"?")
    assert control_record_bytes(kind, unknown) == (struct.pack(">hh", 0, 99), b"?")
    with pytest.raises(MalformedMessage, match="shorter than four bytes"):
        read_control_record(b"\0\0\0", b"")


def test_the_catalogues_name_every_stored_record() -> None:
    """A record that no catalogue knows would be unreadable; the four exceptions stand outside any log."""
    alone = {"QuorumStateData", "ProducerSnapshot", "ControlRecordTypeSchema", "DefaultPrincipalData",
             "ConsumerProtocolAssignment", "ConsumerProtocolSubscription"}  # fmt: skip
    catalogues: list[Catalogue] = [METADATA_RECORDS, CONTROL_RECORDS]
    for coordinator in (GROUPS, TRANSACTIONS, SHARE_STATE):
        catalogues += [coordinator.keys, coordinator.values]
    named = {catalogue.get(key) for catalogue in catalogues for key in catalogue}
    for module in iter_modules(stored.__path__):
        if module.name == "framing":
            continue
        for thing in vars(import_module(f"logctl.wire.stored.{module.name}")).values():
            if isinstance(thing, type) and issubclass(thing, Message) and thing is not Message:
                assert thing in named or thing.__name__ in alone, thing


def test_every_metadata_record_carries_the_type_it_is_listed_under() -> None:
    for key in METADATA_RECORDS:
        record = METADATA_RECORDS.get(key)
        assert record is not None
        assert record.api_key == key
    assert read_metadata_record(metadata_record_bytes(NoOpRecord(), 0)) == (NoOpRecord(), 0)
