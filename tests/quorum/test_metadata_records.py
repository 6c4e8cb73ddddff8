"""The metadata log's records and snapshots as bytes: Apache's are understood, nonsense is told apart."""

from __future__ import annotations

from typing import Any

import pytest
from support.controller import Cluster, new_topic

from logctl.engine.broker.metadata_records import (
    ControlRecord,
    DamagedBatch,
    UnreadableRecord,
    decode_batches,
    describe_unknown,
    encode_batch,
    encode_control_batch,
    in_batches,
)
from logctl.engine.broker.metadata_snapshots import SnapshotId, decode_snapshot, encode_snapshot
from logctl.engine.controller.image import Image
from logctl.engine.controller.replay import apply
from logctl.engine.controller.snapshot import image_records
from logctl.engine.controller.versions import record_version
from logctl.wire.records import CONTROL_SNAPSHOT_FOOTER, NewRecord, build_batch, iter_batches
from logctl.wire.stored.snapshot_footer_record import SnapshotFooterRecord

BOOTSTRAP = bytes.fromhex(
    "00000000000000000000004700000000027dc497d6002000000000000001a20f41ff49000001a20f41ff49ffffffffffff"
    "ffffffffffffffff000000012a000000080000000316000000000000000000000000"
)
"""The first batch of a bootstrap.checkpoint that Apache Kafka 4.3.1 wrote: a snapshot header."""


def version_of(kind: int) -> int:
    return record_version(kind, 30)


def value(*parts: int) -> bytes:
    return bytes(build_batch([NewRecord(None, bytes(parts), (), 0)]))


def test_a_control_batch_of_apache_s_is_understood_and_written_alike() -> None:
    [batch] = decode_batches(BOOTSTRAP)
    [control] = batch.controls
    message: Any = control.message
    assert (control.kind, message.version, message.last_contained_log_timestamp) == (3, 0, 0)
    again = encode_control_batch([control], now_ms=batch.header.base_timestamp)
    assert bytes(again) == BOOTSTRAP


@pytest.mark.parametrize(
    ("batch", "reason"),
    [
        (value(1, 2), "cannot be read"),
        (value(), "cannot be read"),
        (value(2, 2, 0), "in a frame of version 2"),
        (value(1, 2, 0, 9), "cannot be read"),
        (bytes(build_batch([NewRecord(None, None, (), 0)])), "has no value"),
        (bytes(build_batch([NewRecord(b"\0", b"\0\0", (), 0)], control=True)), "control record cannot be read"),
        (bytes(build_batch([NewRecord(b"\0\0\0\2", b"\0\x09", (), 0)], control=True)), "control record cannot be read"),
        (BOOTSTRAP[:-1] + b"\1", "checksum"),
    ],
)
def test_records_that_make_no_sense_are_told_apart(batch: bytes, reason: str) -> None:
    with pytest.raises(UnreadableRecord, match=reason):
        list(decode_batches(batch))


@pytest.mark.parametrize(
    ("batch", "reason"),
    [
        (value(1, 99, 0), "of type 99, which this version does not know"),
        (value(1, 0xC8, 1, 0), "of type 200"),
        (value(1, 2, 7), "TopicRecord is written in version 7, this version reads up to 0"),
    ],
)
def test_records_from_the_future_are_handed_on_as_they_are(batch: bytes, reason: str) -> None:
    [read] = decode_batches(batch)
    [record] = read.records
    assert reason in describe_unknown(record)
    assert encode_batch([record], lambda kind: record.version, now_ms=0, leader_epoch=-1) == batch


def test_damage_is_told_from_what_makes_no_sense() -> None:
    with pytest.raises(DamagedBatch, match="checksum"):
        list(decode_batches(BOOTSTRAP[:-1] + b"\1"))
    with pytest.raises(UnreadableRecord) as refusal:
        list(decode_batches(value(1, 2)))
    assert not isinstance(refusal.value, DamagedBatch)


def test_records_are_handed_out_in_lists_of_a_size() -> None:
    assert list(in_batches(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(in_batches([], 2)) == []


@pytest.fixture(scope="module")
def snapshot() -> tuple[Image, bytes]:
    cluster = Cluster(brokers=2)
    cluster.create(new_topic("wide", partitions=2_500), new_topic("orders", configs={"retention.ms": "1"}))
    data = encode_snapshot(image_records(cluster.image), version_of, epoch=7, last_append_ms=123, now_ms=456)
    return cluster.image, data


def test_a_snapshot_survives_its_file(snapshot: tuple[Image, bytes]) -> None:
    image, data = snapshot
    decoded = decode_snapshot(data)
    assert decoded.last_append_ms == 123
    assert apply(Image(), decoded.records) == image
    headers = [batch.header for batch in decode_batches(data)]
    assert {header.leader_epoch for header in headers} == {7}
    assert [header.base_offset for header in headers] == [0, 1, 1001, 2001, len(decoded.records) + 1]


def test_a_snapshot_that_lost_its_end_is_told_apart_wherever_it_was_cut(snapshot: tuple[Image, bytes]) -> None:
    _, data = snapshot
    ends = [0]
    for batch in iter_batches(data):
        ends.append(ends[-1] + len(batch))
    for end in [*ends[:-1], *(end + 70 for end in ends[:-1]), len(data) - 1]:
        with pytest.raises(UnreadableRecord):
            decode_snapshot(data[:end])


def test_a_snapshot_with_something_behind_it_or_without_header_is_told_apart(snapshot: tuple[Image, bytes]) -> None:
    _, data = snapshot
    first = len(next(iter_batches(data)))
    footer = encode_control_batch([ControlRecord(CONTROL_SNAPSHOT_FOOTER, SnapshotFooterRecord())], now_ms=0)
    for damaged in (data + b"\0" * 30, data + b"\0", data[first:], bytes(footer), b"garbage"):
        with pytest.raises(UnreadableRecord):
            decode_snapshot(damaged)


def test_snapshots_are_named_as_apache_names_them() -> None:
    assert SnapshotId(45, 1).file_name == "00000000000000000045-0000000001.checkpoint"
