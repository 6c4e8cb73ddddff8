"""Record batches: built, stamped and read; and hostile ones refused with a typed error."""

from __future__ import annotations

import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logctl.wire import compression, records
from logctl.wire.errors import CORRUPT_MESSAGE, INVALID_RECORD, WireError
from logctl.wire.records import (
    CorruptBatch,
    InvalidRecord,
    NewRecord,
    Record,
    UnsupportedMagic,
    build_batch,
    check_batch,
    iter_batches,
    iter_records,
    read_header,
    stamp,
)

INT64 = st.integers(0, (1 << 62))
NAMES = st.text(max_size=8)
BLOB = st.none() | st.binary(max_size=60)
NEW_RECORDS = st.lists(
    st.builds(NewRecord, BLOB, BLOB, st.lists(st.tuples(NAMES, BLOB), max_size=3).map(tuple), INT64),
    min_size=1,
    max_size=20,
)


@given(new=NEW_RECORDS, name=st.sampled_from(compression.NAMES), offset=INT64, epoch=st.integers(-1, 1 << 30))
@settings(max_examples=120, deadline=None)
def test_records_survive_the_journey(new: list[NewRecord], name: str, offset: int, epoch: int) -> None:
    batch = build_batch(new, compression=name, producer_id=7, producer_epoch=1, base_sequence=5)
    stamp(batch, 0, offset, epoch)
    header = check_batch(batch)
    assert (header.base_offset, header.leader_epoch, header.length) == (offset, epoch, len(batch))
    assert (header.producer_id, header.producer_epoch, header.base_sequence, header.count) == (7, 1, 5, len(new))
    assert header.max_timestamp == max(record.timestamp for record in new)
    assert list(iter_records(batch)) == [
        Record(offset + index, record.timestamp, record.key, record.value, record.headers)
        for index, record in enumerate(new)
    ]


def test_the_layout_is_the_documented_one() -> None:
    batch = bytes(build_batch([NewRecord(b"k", b"v", (), 1000)], base_offset=5, leader_epoch=3))
    assert struct.unpack(">qiibIhiqqqhii", batch[:61]) == (
        5, len(batch) - 12, 3, 2, records.crc32c(batch[21:]), 0, 0, 1000, 1000, -1, -1, -1, 1,
    )  # fmt: skip
    # length 8 (zigzag 16), attributes, timestamp delta, offset delta, key length 1, "k", value length 1, "v", 0 headers
    assert batch[61:] == b"\x10\0\0\0\x02k\x02v\0"


def test_stamping_does_not_touch_what_the_checksum_covers() -> None:
    batch = build_batch([NewRecord(b"k", b"v")], compression="zstd")
    before = bytes(batch[21:])
    stamp(batch, 0, 123_456_789_012, 42)
    assert bytes(batch[21:]) == before
    assert check_batch(batch).base_offset == 123_456_789_012


def test_append_time_replaces_every_timestamp() -> None:
    batch = build_batch([NewRecord(b"k", b"v", (), index) for index in range(3)], compression="gzip")
    records.stamp_append_time(batch, 0, 777)
    header = check_batch(batch)
    assert header.has_log_append_time
    assert [record.timestamp for record in iter_records(batch)] == [777, 777, 777]


def test_control_batches() -> None:
    marker = records.end_txn_marker(commit=False, coordinator_epoch=9, timestamp=5)
    batch = build_batch([marker], producer_id=3, producer_epoch=0, transactional=True, control=True)
    header = check_batch(batch)
    assert header.is_control
    assert header.is_transactional
    kind, value = records.control_type(batch)
    assert kind == records.CONTROL_ABORT
    assert records.end_txn_coordinator_epoch(value) == 9


def test_records_without_a_key_are_found_by_their_place() -> None:
    new = [NewRecord(key, b"v") for key in (b"a", None, b"", None)]
    assert records.keyless_records(build_batch(new, compression="lz4")) == [1, 3]


class TestAFetchResponse:
    """Several batches in a row, the last one perhaps cut off."""

    def parts(self) -> list[bytes]:
        return [bytes(build_batch([NewRecord(b"k", b"v" * size)], base_offset=size)) for size in (1, 50, 300)]

    def test_whole_batches(self) -> None:
        assert [bytes(view) for view in iter_batches(b"".join(self.parts()))] == self.parts()

    @pytest.mark.parametrize("missing", [1, 200, 340])
    def test_the_cut_off_one_is_left_out(self, missing: int) -> None:
        data = b"".join(self.parts())[:-missing]
        assert [bytes(view) for view in iter_batches(data)] == self.parts()[:2]

    def test_nothing_is_copied(self) -> None:
        data = bytearray(b"".join(self.parts()))
        view = next(iter(iter_batches(data)))
        stamp(view, 0, 99, 1)
        assert read_header(data).base_offset == 99

    @pytest.mark.parametrize("length", [-1, -(1 << 31), 0, 4])
    def test_a_length_that_leads_nowhere(self, length: int) -> None:
        data = bytearray(self.parts()[0])
        struct.pack_into(">i", data, 8, length)
        with pytest.raises(CorruptBatch, match="claims"):
            list(iter_batches(data))


class TestRefusals:
    def batch(self) -> bytearray:
        return build_batch([NewRecord(b"key", b"value", (("h", b"x"),), 5)])

    @pytest.mark.parametrize("magic", [0, 1])
    def test_old_formats_get_apaches_error(self, magic: int) -> None:
        batch = self.batch()
        batch[16] = magic
        for data in (batch, batch[:30]):
            with pytest.raises(UnsupportedMagic, match=f"format {magic} is no longer accepted") as refusal:
                check_batch(data)
            assert refusal.value.code == INVALID_RECORD

    @pytest.mark.parametrize("magic", [3, 127, 255])
    def test_unknown_formats(self, magic: int) -> None:
        batch = self.batch()
        batch[16] = magic
        with pytest.raises(CorruptBatch, match="no record format"):
            check_batch(batch)

    @pytest.mark.parametrize("length", [0, 16, 17, 60])
    def test_too_short_for_a_header(self, length: int) -> None:
        with pytest.raises(CorruptBatch):
            check_batch(self.batch()[:length])

    @pytest.mark.parametrize("length", [-1, 0, 48, 10_000, (1 << 31) - 1])
    def test_lengths_that_do_not_fit(self, length: int) -> None:
        batch = self.batch()
        struct.pack_into(">i", batch, 8, length)
        with pytest.raises(CorruptBatch, match="claims"):
            check_batch(batch)

    def test_every_bit_behind_the_checksum_counts(self) -> None:
        for at in range(records.CRC_START, len(self.batch())):
            batch = self.batch()
            batch[at] ^= 1
            with pytest.raises(CorruptBatch) as refusal:
                check_batch(batch)
            assert refusal.value.code == CORRUPT_MESSAGE

    @pytest.mark.parametrize(
        ("count", "complaint"),
        [(-1, "cannot fit"), (2, "cannot fit|inside a record"), (0, "left behind"), ((1 << 31) - 1, "cannot fit")],
    )
    def test_wrong_counts(self, count: int, complaint: str) -> None:
        with pytest.raises(InvalidRecord, match=complaint):
            list(iter_records(self.resealed(57, struct.pack(">i", count))))

    def resealed(self, at: int, data: bytes) -> bytearray:
        """The batch with other bytes somewhere, and the checksum that makes them believable."""
        batch = self.batch()
        batch[at : at + len(data)] = data
        struct.pack_into(">i", batch, 8, len(batch) - 12)
        struct.pack_into(">I", batch, 17, records.crc32c(memoryview(batch)[21:]))
        return batch

    def with_body(self, body: bytes) -> bytearray:
        batch = self.batch()[:61] + body
        struct.pack_into(">i", batch, 8, len(batch) - 12)
        struct.pack_into(">I", batch, 17, records.crc32c(memoryview(batch)[21:]))
        return batch

    @pytest.mark.parametrize(
        "body",
        [
            b"\xff" * 20,  # a length that never ends
            b"\x80" * 9 + b"\x7f" + b"\0" * 10,  # more than 64 bits
            b"\xfe\xff\xff\xff\x0f" + b"\0" * 10,  # two gigabytes
            b"\x01" + b"\0" * 10,  # a negative length
            b"\x10\0\0\0\xfe\xff\xff\xff\x0fk\x02v\0",  # a key of two gigabytes
            b"\x10\0\0\0\x03k\x02v\0",  # a key of -2 bytes
            b"\x10\0\0\0\x02k\x02v\xfe\xff\xff\xff\x0f\0\0",  # a billion headers
            b"\x12\0\0\0\x02k\x02v\x02\x01\x01",  # a header without a name
            b"\x0e\0\0\0\x02k\x02v\0",  # fields that run past the record
            b"\x12\0\0\0\x02k\x02v\0\0",  # fields that end before the record does
            b"\x10\0\0\0\x02k\x02v",  # nothing where a field should be
        ],
    )
    def test_hostile_records(self, body: bytes) -> None:
        with pytest.raises(InvalidRecord) as refusal:
            list(iter_records(self.with_body(body)))
        assert refusal.value.code == INVALID_RECORD

    def test_a_bomb_in_a_batch(self) -> None:
        bomb = build_batch([NewRecord(None, bytes(50 << 20))], compression="zstd")
        tracemalloc.start()
        with pytest.raises(WireError, match="more than the limit"):
            list(iter_records(bomb, limit_bytes=1 << 20))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 8 << 20


@given(data=st.data(), name=st.sampled_from(compression.NAMES))
@settings(max_examples=200, deadline=None)
def test_mutated_batches_are_read_or_refused(data: st.DataObject, name: str) -> None:
    """Bytes changed behind a checksum that was made to fit them, as an attacker would."""
    batch = build_batch([NewRecord(b"key%d" % index, b"value" * index) for index in range(5)], compression=name)
    for at in data.draw(st.lists(st.integers(21, len(batch) - 1), min_size=1, max_size=5)):
        batch[at] = data.draw(st.integers(0, 255))
    struct.pack_into(">I", batch, 17, records.crc32c(memoryview(batch)[21:]))
    try:
        for record in iter_records(batch, limit_bytes=1 << 20):
            assert isinstance(record, Record)
    except WireError:
        pass
