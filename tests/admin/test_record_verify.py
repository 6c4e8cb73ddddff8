"""Verification: sound partitions have no findings, and each kind of damage has its own, at its offset."""

from __future__ import annotations

from typing import Any

import pytest
from admin.test_consumer import ScriptedLogs, cluster, logs  # noqa: F401 - fixtures
from support.scripted import topic_id

from logctl.admin.batch_reader import Batches, BatchReader, Moved
from logctl.admin.client import Client, parse_addresses
from logctl.admin.consumer import ConsumeOptions
from logctl.admin.deadline import Deadline
from logctl.admin.record_verify import FINDINGS_KEPT, PartitionCheck
from logctl.admin.routing import Cluster
from logctl.wire import errors
from logctl.wire.checksum import crc32c
from logctl.wire.messages.fetch import FetchableTopicResponse, FetchResponse, PartitionData
from logctl.wire.records import CRC_START, NewRecord, build_batch, end_txn_marker

PRODUCER = {"producer_id": 7, "producer_epoch": 0}


def batch(base: int, count: int = 2, **options: Any) -> bytearray:
    records = [NewRecord(None, b"value %d" % number, (), 1000 + number) for number in range(count)]
    return build_batch(records, base_offset=base, **options)


def of_producer(base: int, sequence: int, count: int = 2, **options: Any) -> bytearray:
    return batch(base, count, **{**PRODUCER, "base_sequence": sequence, **options})


def marker(base: int, *, commit: bool = True, epoch: int = 0, **options: Any) -> bytearray:
    control = {"producer_id": 7, "producer_epoch": epoch, "transactional": True, "control": True, **options}
    return build_batch([end_txn_marker(commit=commit, coordinator_epoch=0, timestamp=5)], base_offset=base, **control)


def flipped(one: bytearray, at: int = -1) -> bytearray:
    one[at] ^= 0x40
    return one


def patched(one: bytearray, at: int, change: bytes) -> bytearray:
    """Other bytes, and a checksum that vouches for them."""
    one[at : at + len(change)] = change
    one[17:21] = crc32c(memoryview(one)[CRC_START:]).to_bytes(4, "big")
    return one


def checked(*batches: bytearray, start: int = 0, compacted: bool = False) -> PartitionCheck:
    check = PartitionCheck(start, compacted=compacted)
    for one in batches:
        check.feed(memoryview(one))
    return check


def problems(check: PartitionCheck) -> list[tuple[int, str]]:
    return [(finding.offset, finding.problem) for finding in check.findings if finding.wrong]


# -- what is sound ---------------------------------------------------------------------------------------------------


def test_a_sound_partition_is_told_in_numbers() -> None:
    check = checked(
        batch(0, 3, compression="zstd"),
        of_producer(3, 0),
        of_producer(5, 2, transactional=True),
        marker(7),
        of_producer(8, 4, transactional=True),
        marker(10, commit=False),
        of_producer(11, 6, transactional=True),
    )
    assert check.findings == []
    assert (check.batches, check.records, check.end, check.missing) == (7, 11, 13, 0)
    assert (check.producers, check.committed, check.aborted, check.open_transactions) == (1, 1, 1, 1)
    assert dict(check.codecs) == {"zstd": 1, "none": 6}


def test_reading_may_begin_inside_a_batch_and_with_a_producer_that_is_under_way() -> None:
    assert problems(checked(of_producer(10, 400, 5), of_producer(15, 405), start=12)) == []


def test_sequences_begin_again_in_a_new_epoch_and_wrap_around() -> None:
    last = (1 << 31) - 1
    again = of_producer(2, 0, producer_epoch=1)
    assert problems(checked(of_producer(0, 8), again)) == []
    assert problems(checked(of_producer(0, last - 1), of_producer(2, 0))) == []
    assert problems(checked(of_producer(0, 0, transactional=True), marker(2, epoch=1), again_at(3))) == []


def again_at(base: int) -> bytearray:
    return of_producer(base, 0, producer_epoch=1, transactional=True)


def test_what_compaction_took_is_counted_and_no_fault() -> None:
    holes = checked(batch(0), of_producer(10, 5), of_producer(20, 50), compacted=True)
    assert (problems(holes), holes.missing) == ([], 16)


def test_records_that_are_older_than_one_before_them_are_counted() -> None:
    check = checked(batch(0), batch(2))
    assert (problems(check), check.out_of_order) == ([], 1)


# -- what is not -----------------------------------------------------------------------------------------------------

DAMAGE = [
    ("a flipped bit", (batch(0), flipped(batch(2)), batch(4)), [(2, "checksum")]),
    ("a format given up", (patched(batch(0), 16, b"\x01"),), [(0, "format")]),
    ("too short for a batch", (batch(0)[:20],), [(0, "checksum")]),
    ("garbage behind a checksum", (patched(batch(0, compression="gzip"), 61, b"\0" * 8),), [(0, "records")]),
    ("a count that is not so", (patched(batch(0), 57, (3).to_bytes(4, "big")),), [(0, "records")]),
    ("fewer records than offsets", (patched(batch(0), 23, (4).to_bytes(4, "big")),), [(0, "gap")]),
    ("a lost batch", (batch(0), batch(5)), [(2, "gap")]),
    ("offsets given twice", (batch(0), batch(1)), [(1, "overlap")]),
    ("an old leader", (batch(0, leader_epoch=4), batch(2, leader_epoch=3)), [(2, "epoch")]),
    ("a batch stored twice", (of_producer(0, 0), of_producer(2, 0)), [(2, "duplicate")]),
    ("a hole in a sequence", (of_producer(0, 0), of_producer(2, 4)), [(2, "sequence")]),
    ("a producer without numbers", (of_producer(0, -1),), [(0, "sequence")]),
    ("an epoch that does not begin at 0", (of_producer(0, 0), of_producer(2, 2, producer_epoch=1)), [(2, "sequence")]),
    ("a fenced producer", (of_producer(0, 0, producer_epoch=3), of_producer(2, 2)), [(2, "epoch")]),
    ("a marker of nobody", (marker(0, producer_id=-1),), [(0, "control")]),
    ("a marker of an unknown kind", (build_batch([NewRecord(b"\0\0\0\x63", b"")], control=True),), [(0, "control")]),
    ("a marker without a key", (build_batch([NewRecord(b"", b"")], control=True),), [(0, "control")]),
    ("an old marker", (of_producer(0, 0, producer_epoch=3), marker(2, epoch=1)), [(2, "epoch")]),
]  # fmt: skip


@pytest.mark.parametrize(("batches", "found"), [row[1:] for row in DAMAGE], ids=[row[0] for row in DAMAGE])
def test_each_damage_is_found_where_it_is(batches: tuple[bytearray, ...], found: list[tuple[int, str]]) -> None:
    check = checked(*batches)
    assert problems(check) == found
    assert check.wrong == len(found)


def test_behind_a_damaged_batch_nothing_is_held_against_its_successors() -> None:
    check = checked(of_producer(0, 0), flipped(of_producer(2, 2)), of_producer(4, 4), of_producer(6, 6))
    assert problems(check) == [(2, "checksum")]


def test_what_went_away_while_it_was_read_is_no_fault() -> None:
    check = checked(batch(0))
    check.moved(100, "gone")
    check.feed(memoryview(batch(100)))
    assert problems(check) == []


def test_findings_beyond_a_hundred_are_counted_only() -> None:
    check = checked(*(flipped(batch(base)) for base in range(FINDINGS_KEPT + 5)))
    assert (len(check.findings), check.wrong) == (FINDINGS_KEPT, FINDINGS_KEPT + 5)


# -- reading ---------------------------------------------------------------------------------------------------------


def events(logs: ScriptedLogs) -> list[Any]:  # noqa: F811
    with Client(parse_addresses(logs.cluster.bootstrap)) as client:
        reader = BatchReader(Cluster(client), ["t"], ConsumeOptions(timeout_s=10.0, partitions=(0,)))
        reader.open(Deadline(10))
        return list(reader.batches())


def read_offsets(found: list[Any]) -> list[int]:
    batches = [one for event in found if isinstance(event, Batches) for one in event.batches]
    return [int.from_bytes(one[:8], "big") for one in batches]


def test_reading_goes_on_behind_damaged_batches(logs: ScriptedLogs) -> None:  # noqa: F811
    for value in (b"a", b"b", b"c"):
        logs.partitions[0].add(value)
    flipped(logs.partitions[0].batches[1])
    assert read_offsets(events(logs)) == [0, 1, 2]


def one_at_a_time(logs: ScriptedLogs) -> None:  # noqa: F811
    """The leader finds the batch of an offset by its place and hands out that one, so what is asked for next depends on
    the header."""
    held = logs.partitions[0]

    def fetch(request: Any, version: int) -> FetchResponse:
        [asked] = request.topics[0].partitions
        found = bytes(held.batches[asked.fetch_offset]) if asked.fetch_offset < held.end else b""
        answer = PartitionData(partition_index=0, high_watermark=held.end, records=found)
        return FetchResponse(responses=[FetchableTopicResponse(topic="t", topic_id=topic_id("t"), partitions=[answer])])

    logs.cluster.answer("Fetch", fetch)


@pytest.mark.parametrize(
    ("at", "lie", "read"),
    [(23, (1000).to_bytes(4, "big"), [0, 1, 2]), (0, bytes(8), [0, 0, 2])],
    ids=["it claims a thousand offsets", "it claims the offset of another"],
)
def test_a_header_that_lies_hides_nothing(logs: ScriptedLogs, at: int, lie: bytes, read: list[int]) -> None:  # noqa: F811
    for value in (b"a", b"b", b"c"):
        logs.partitions[0].add(value)
    logs.partitions[0].batches[1][at : at + len(lie)] = lie
    one_at_a_time(logs)
    assert read_offsets(events(logs)) == read


def test_a_log_that_begins_later_than_it_did_is_a_move(logs: ScriptedLogs) -> None:  # noqa: F811
    held = logs.partitions[0]
    for value in (b"a", b"b", b"c"):
        held.add(value)

    logs.troubles = [lambda: _trimmed(logs)]
    found = events(logs)
    assert [(event.place, event.offset) for event in found if isinstance(event, Moved)] == [(("t", 0), 2)]
    assert read_offsets(found) == [2]


def _trimmed(logs: ScriptedLogs) -> Any:  # noqa: F811
    """Retention strikes between two answers."""
    held = logs.partitions[0]
    held.first, held.batches = 2, held.batches[2:]
    gone = PartitionData(partition_index=0, error_code=errors.OFFSET_OUT_OF_RANGE)
    return FetchResponse(responses=[FetchableTopicResponse(topic="t", topic_id=topic_id("t"), partitions=[gone])])
