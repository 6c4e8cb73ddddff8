"""Appending: what is staged is stamped, what is written is there, what is refused leaves no trace."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from support.logs import (
    NOW,
    append,
    batch,
    end_transaction,
    headers,
    marker,
    numbered,
    offsets,
    open_log,
    real_log,
    stored,
)

from logctl.engine.log.disk import DiskFault
from logctl.engine.log.log import CLIENT, COORDINATOR, REPLICATION, Appended, Log, LogConfig, RecordsRefused
from logctl.engine.simulation.disk import SimulatedDisk
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.records import iter_records, read_header, stamp

PATH = "/data/orders-0"


def simulated(config: LogConfig | None = None) -> tuple[SimulatedDisk, Log]:
    disk = SimulatedDisk(Random(1))
    return disk, open_log(disk, PATH, config=config)


def refusal(log: Log, view: memoryview, origin: str = CLIENT) -> WireError:
    """The error a batch gets; nothing of the log may have changed."""
    before = (log.end_offset, log.producers.items(), log.leader_epoch, log.size_bytes)
    with pytest.raises(WireError) as caught:
        log.stage(view, 9, NOW, origin)
    assert (log.end_offset, log.producers.items(), log.leader_epoch, log.size_bytes) == before
    return caught.value


class TestTwoPhases:
    def test_staging_stamps_in_place_and_touches_no_file(self, tmp_path: Path) -> None:
        log = real_log(tmp_path)
        view = batch(3)
        assert log.stage(view, 4, NOW) == Appended(0, 2, -1, 0, False)
        assert (read_header(view).base_offset, read_header(view).leader_epoch) == (0, 4)
        assert (log.end_offset, log.written_end, log.flushed_end) == (3, 0, 0)
        assert not list(Path(log.path).glob("*.log"))

    def test_one_write_for_all_that_was_staged(self, tmp_path: Path) -> None:
        log = real_log(tmp_path)
        for count in (3, 1, 2):
            log.stage(batch(count), 0, NOW)
        log.write()
        assert (log.end_offset, log.written_end, log.flushed_end) == (6, 6, 0)
        assert [header.base_offset for header in headers(log)] == [0, 3, 4]
        assert offsets(stored(log)) == list(range(6))

    def test_flushing_is_reported_by_the_owner(self, tmp_path: Path) -> None:
        log = real_log(tmp_path)
        append(log, batch(2))
        flush = log.flush_targets()
        append(log, batch(5))
        flush.run()
        log.flushed(flush)
        assert (log.written_end, log.flushed_end) == (7, 2)
        log.flush()
        assert log.flushed_end == 7
        assert log.flush_targets().files == {}

    def test_a_second_flush_covers_what_the_first_has_not_reported(self, tmp_path: Path) -> None:
        log = real_log(tmp_path)
        append(log, batch(2))
        first = log.flush_targets()
        second = log.flush_targets()
        assert second.files.keys() == first.files.keys() == {f"{log.path}/{0:020d}.log"}
        assert second.replacement == first.replacement is not None
        log.flushed(first)
        log.flushed(second)
        assert log.flush_targets().files == {}

    def test_what_is_discarded_was_never_there(self, tmp_path: Path) -> None:
        log = real_log(tmp_path, config=LogConfig(segment_bytes=300, index_interval_bytes=0))
        append(log, numbered(1, 0, 2), epoch=1)
        before = (log.end_offset, log.producers.items(), log.epochs.entries.copy(), len(log.segments), log.size_bytes)
        for sequence in (2, 4, 6):
            log.stage(numbered(1, sequence, 2), 5, NOW)
        assert len(log.segments) > before[3]
        log.discard_staged()
        assert (log.end_offset, log.producers.items(), log.epochs.entries, len(log.segments), log.size_bytes) == before
        assert append(log, numbered(1, 2, 2), epoch=1)[0].base_offset == 2

    def test_a_producer_whose_first_batch_was_lost_still_has_to_begin(self) -> None:
        """Seed 131 of the node simulation: a full disk refused the first batch while the second was on its way."""
        disk, log = simulated()
        append(log, batch(1))
        disk.fail("write", errno.ENOSPC)
        log.stage(numbered(7, 0, 2), 0, NOW)
        with pytest.raises(DiskFault):
            log.write()
        assert refusal(log, numbered(7, 2, 2)).code == errors.OUT_OF_ORDER_SEQUENCE_NUMBER
        assert append(log, numbered(7, 0, 2), numbered(7, 2, 2))[1].base_offset == 3

    def test_a_producer_whose_past_has_expired_may_go_on_after_a_loss(self) -> None:
        disk, log = simulated()
        append(log, batch(1))
        disk.fail("write", errno.ENOSPC)
        log.stage(numbered(7, 40, 2), 0, NOW)
        with pytest.raises(DiskFault):
            log.write()
        assert append(log, numbered(7, 40, 2))[0].base_offset == 1

    def test_discarding_nothing_is_harmless(self, tmp_path: Path) -> None:
        log = real_log(tmp_path)
        log.discard_staged()
        log.write()
        assert log.end_offset == 0


class TestRefusals:
    """The verdicts themselves are compared with Apache's log in tests/peers; here: that nothing remains of them."""

    def test_corruption(self, tmp_path: Path) -> None:
        data = bytearray(batch(2))
        data[-1] ^= 1
        assert refusal(real_log(tmp_path), memoryview(data)).code == errors.CORRUPT_MESSAGE

    def test_two_batches_in_one_request(self, tmp_path: Path) -> None:
        both = memoryview(bytearray(bytes(batch(1)) + bytes(batch(1))))
        assert refusal(real_log(tmp_path), both).code == errors.INVALID_RECORD

    def test_a_batch_cut_short(self, tmp_path: Path) -> None:
        for length in (0, 1, 11, 16, 17, 60, 61, 70):
            assert refusal(real_log(tmp_path), batch(2)[:length]).code == errors.INVALID_RECORD

    def test_old_formats(self, tmp_path: Path) -> None:
        data = bytearray(batch(1))
        data[16] = 1
        assert refusal(real_log(tmp_path), memoryview(data)).code == errors.INVALID_RECORD

    def test_size_limits(self, tmp_path: Path) -> None:
        log = real_log(tmp_path, config=LogConfig(max_message_bytes=200, segment_bytes=150))
        assert refusal(log, batch(1, size=200)).code == errors.MESSAGE_TOO_LARGE
        assert refusal(log, batch(1, size=100)).code == errors.RECORD_LIST_TOO_LARGE

    def test_records_without_a_key_are_named(self, tmp_path: Path) -> None:
        log = real_log(tmp_path, config=LogConfig(cleanup_policy=frozenset({"compact"})))
        found = refusal(log, batch(2, key=None))
        assert isinstance(found, RecordsRefused)
        assert [index for index, _ in found.record_errors] == [0, 1]

    def test_timestamps_are_named(self, tmp_path: Path) -> None:
        log = real_log(
            tmp_path, config=LogConfig(message_timestamp_before_max_ms=10, message_timestamp_after_max_ms=10)
        )
        found = refusal(log, batch(4, timestamp=NOW + 8))
        assert isinstance(found, RecordsRefused)
        assert found.code == errors.INVALID_TIMESTAMP
        assert [index for index, _ in found.record_errors] == [3]
        assert refusal(log, batch(1, timestamp=NOW - 11)).code == errors.INVALID_TIMESTAMP

    def test_a_configuration_changed_while_running(self, tmp_path: Path) -> None:
        log = real_log(tmp_path)
        append(log, batch(1, size=500))
        log.config = replace(log.config, max_message_bytes=400)
        assert refusal(log, batch(1, size=500)).code == errors.MESSAGE_TOO_LARGE
        log.config = replace(log.config, message_timestamp_type="LogAppendTime", max_message_bytes=4000)
        assert append(log, batch(1, timestamp=1), now_ms=77)[0].log_append_time_ms == 77
        assert [record.timestamp for record in iter_records(stored(log)[-1])] == [77]


class TestProducers:
    def test_a_batch_sent_twice_is_written_once(self, tmp_path: Path) -> None:
        log = real_log(tmp_path)
        first, again = append(log, numbered(1, 0, 3), numbered(1, 0, 3))
        assert (first.duplicate, again.duplicate) == (False, True)
        assert (again.base_offset, again.last_offset) == (0, 2)
        assert log.end_offset == 3

    def test_five_batches_are_remembered(self, tmp_path: Path) -> None:
        log = real_log(tmp_path)
        append(log, *[numbered(1, sequence) for sequence in range(7)])
        for sequence in range(2, 7):
            assert log.stage(numbered(1, sequence), 0, NOW).base_offset == sequence
        assert refusal(log, numbered(1, 1)).code == errors.OUT_OF_ORDER_SEQUENCE_NUMBER

    def test_gaps_and_old_epochs(self, tmp_path: Path) -> None:
        log = real_log(tmp_path)
        append(log, numbered(1, 0, epoch=3))
        assert refusal(log, numbered(1, 2, epoch=3)).code == errors.OUT_OF_ORDER_SEQUENCE_NUMBER
        assert refusal(log, numbered(1, 1, epoch=2)).code == errors.INVALID_PRODUCER_EPOCH
        assert refusal(log, numbered(1, 1, epoch=4)).code == errors.OUT_OF_ORDER_SEQUENCE_NUMBER
        append(log, numbered(1, 0, epoch=4))

    def test_the_numbers_begin_again_at_the_top(self, tmp_path: Path) -> None:
        log = real_log(tmp_path)
        top = (1 << 31) - 1
        append(log, numbered(1, top - 1, 4), numbered(1, 2), numbered(2, top), numbered(2, 0))
        assert log.stage(numbered(1, top - 1, 4), 0, NOW).duplicate

    def test_silent_producers_are_forgotten(self, tmp_path: Path) -> None:
        log = real_log(tmp_path, config=LogConfig(producer_id_expiration_ms=1000))
        append(log, numbered(1, 0, timestamp=NOW - 1000), numbered(2, 0, timestamp=NOW))
        append(log, numbered(3, 0, timestamp=NOW - 5000, transactional=True))
        assert log.expire_producers(NOW) == 1
        assert [producer for producer, _ in log.producers.items()] == [2, 3]


class TestTransactions:
    def test_the_first_unstable_offset(self, tmp_path: Path) -> None:
        log = real_log(tmp_path)
        append(log, batch(2))
        assert log.producers.first_unstable_offset is None
        append(log, numbered(1, 0, 2, transactional=True), numbered(2, 0, transactional=True))
        assert log.producers.first_unstable_offset == 2
        end_transaction(log, 1, commit=True)
        assert log.producers.first_unstable_offset == 4
        assert log.producers.first_undecided_offset(high_watermark=5) == 2
        assert log.producers.first_undecided_offset(high_watermark=6) == 4
        end_transaction(log, 2, commit=False)
        assert log.producers.first_unstable_offset is None

    def test_aborted_ones_are_told_to_readers(self, tmp_path: Path) -> None:
        log = real_log(tmp_path)
        append(log, numbered(1, 0, 2, transactional=True), batch(1), numbered(2, 0, transactional=True))
        end_transaction(log, 1, commit=False)
        end_transaction(log, 2, commit=True)
        append(log, batch(1))
        assert [entry[:3] for entry in log.aborted_transactions(0, 7)] == [(1, 0, 4)]
        assert log.aborted_transactions(5, 7) == []

    def test_markers_of_an_old_coordinator(self, tmp_path: Path) -> None:
        log = real_log(tmp_path)
        append(log, numbered(1, 0, transactional=True))
        end_transaction(log, 1, commit=True, coordinator_epoch=4)
        found = refusal(log, marker(1, commit=True, coordinator_epoch=3), COORDINATOR)
        assert found.code == errors.TRANSACTION_COORDINATOR_FENCED

    def test_a_discarded_marker_ends_nothing(self, tmp_path: Path) -> None:
        log = real_log(tmp_path)
        append(log, numbered(1, 0, transactional=True))
        log.stage(marker(1, commit=False), 0, NOW, COORDINATOR)
        log.discard_staged()
        assert log.producers.first_unstable_offset == 0
        assert log.aborted_transactions(0, 10) == []


class TestReplication:
    def copies(self) -> memoryview:
        data = bytearray()
        for base, epoch in ((10, 1), (12, 1), (20, 3)):
            part = batch(2)
            stamp(part, 0, base, epoch)
            data += part
        return memoryview(data)

    def test_offsets_and_epochs_are_the_leaders(self, tmp_path: Path) -> None:
        log = real_log(tmp_path)
        appended = log.stage(self.copies(), 99, NOW, REPLICATION)
        log.write()
        assert (appended.base_offset, appended.last_offset, log.end_offset) == (10, 21, 22)
        assert log.epochs.entries == [(1, 10), (3, 20)]
        assert [header.base_offset for header in headers(log, 10)] == [10, 12, 20]

    def test_a_batch_cut_off_at_the_end_is_left_out(self, tmp_path: Path) -> None:
        log = real_log(tmp_path)
        log.stage(self.copies()[:-5], 0, NOW, REPLICATION)
        assert log.end_offset == 14

    def test_nothing_is_copied_twice(self, tmp_path: Path) -> None:
        log = real_log(tmp_path)
        log.stage(self.copies(), 0, NOW, REPLICATION)
        assert refusal(log, self.copies(), REPLICATION).code == errors.CORRUPT_MESSAGE


class TestRolling:
    def test_by_size(self, tmp_path: Path) -> None:
        log = real_log(tmp_path, config=LogConfig(segment_bytes=300))
        append(log, *[batch(1, size=100) for _ in range(4)])
        assert [segment.base for segment in log.segments] == [0, 1, 2, 3]
        assert offsets(stored(log)) == [0, 1, 2, 3]

    def test_by_the_time_in_the_batches(self, tmp_path: Path) -> None:
        log = real_log(tmp_path, config=LogConfig(segment_ms=1000))
        append(log, batch(1), batch(1, timestamp=NOW + 1000), batch(1, timestamp=NOW + 1001))
        assert [segment.base for segment in log.segments] == [0, 2]

    def test_by_the_clock_where_batches_carry_no_time(self, tmp_path: Path) -> None:
        log = real_log(tmp_path, config=LogConfig(segment_ms=1000))
        append(log, batch(1, timestamp=-1))
        log.roll_if_due(NOW + 1000)
        assert len(log.segments) == 1
        log.roll_if_due(NOW + 1001)
        assert [segment.base for segment in log.segments] == [0, 1]

    def test_jitter_is_the_same_on_every_run(self, tmp_path: Path) -> None:
        bases = []
        for name in ("one", "two"):
            log = real_log(tmp_path / name, config=LogConfig(segment_ms=10_000, segment_jitter_ms=9000))
            append(log, *[batch(1, timestamp=NOW + step) for step in range(0, 30_000, 100)])
            bases.append([segment.base for segment in log.segments])
        assert bases[0] == bases[1]
        assert len(bases[0]) > 3

    def test_when_the_index_is_full(self, tmp_path: Path) -> None:
        log = real_log(tmp_path, config=LogConfig(index_interval_bytes=0, segment_index_bytes=48))
        append(log, *[batch(1) for _ in range(20)])
        assert len(log.segments) == 3
        assert offsets(stored(log)) == list(range(20))

    def test_when_offsets_no_longer_fit(self, tmp_path: Path) -> None:
        log = real_log(tmp_path)
        for base in (0, (1 << 31) - 1, 1 << 31, 1 << 40):
            part = batch(1)
            stamp(part, 0, base, 0)
            log.stage(part, 0, NOW, REPLICATION)
        log.write()
        assert [segment.base for segment in log.segments] == [0, 1 << 31, 1 << 40]

    def test_a_sealed_segment_leaves_indexes_and_a_snapshot(self, tmp_path: Path) -> None:
        log = real_log(tmp_path)
        append(log, numbered(1, 0, 3))
        log.roll(NOW)
        log.roll(NOW)
        names = {path.name for path in Path(log.path).iterdir()}
        assert {f"{0:020d}.index", f"{0:020d}.timeindex", f"{3:020d}.snapshot"} <= names
        assert [segment.base for segment in log.segments] == [0, 3]


class TestWhenTheDiskRefuses:
    def test_a_full_disk_takes_nothing_and_loses_nothing(self) -> None:
        disk, log = simulated()
        append(log, numbered(1, 0, 2))
        log.flush()
        disk.capacity_bytes = disk.file_size(f"{PATH}/{0:020d}.log") + 300
        log.stage(numbered(1, 2, 2), 1, NOW)
        log.stage(batch(1, size=1000), 1, NOW)
        with pytest.raises(DiskFault) as caught:
            log.write()
        assert caught.value.is_full
        assert caught.value.path == f"{PATH}/{0:020d}.log"
        assert "Free space" in caught.value.hint
        assert (log.end_offset, log.written_end) == (2, 2)
        assert offsets(stored(log)) == [0, 1]
        assert disk.file_size(f"{PATH}/{0:020d}.log") == log.size_bytes
        disk.capacity_bytes = None
        assert append(log, numbered(1, 2, 2))[0].base_offset == 2

    def test_across_a_roll_too(self) -> None:
        disk, log = simulated(LogConfig(segment_bytes=400))
        append(log, batch(1, size=100))
        disk.fail("write", errno.EIO, after=1)
        for _ in range(4):
            log.stage(batch(1, size=150), 0, NOW)
        with pytest.raises(DiskFault):
            log.write()
        assert [segment.base for segment in log.segments] == [0]
        assert disk.listdir(PATH).count(f"{1:020d}.log") == 0
        append(log, *[batch(1, size=150) for _ in range(4)])
        assert offsets(stored(log)) == [0, 1, 2, 3, 4]

    def test_if_even_the_cut_fails_the_log_is_fenced_and_can_be_read(self) -> None:
        disk, log = simulated()
        append(log, batch(2))
        disk.fail("write")
        disk.fail("truncate")
        log.stage(batch(2, size=3000), 0, NOW)
        with pytest.raises(DiskFault):
            log.write()
        if log.failed is None:
            pytest.skip("this seed wrote nothing before it failed")
        assert refusal(log, batch(1)).code == errors.KAFKA_STORAGE_ERROR
        assert offsets(stored(log)) == [0, 1]

    def test_a_failed_flush_promises_nothing(self) -> None:
        disk, log = simulated()
        append(log, batch(2))
        disk.fail("sync")
        with pytest.raises(DiskFault):
            log.flush()
        assert log.flushed_end == 0
        assert "takes no more writes" in refusal(log, batch(1)).message
        log.flush()
        assert log.flushed_end == 0, "a later flush proves nothing"
        with pytest.raises(DiskFault):
            log.close(clean=True)
        assert offsets(stored(log)) == [0, 1]

    def test_an_index_that_finds_no_room_is_written_later(self) -> None:
        disk, log = simulated()
        append(log, batch(2))
        disk.fail("write", errno.ENOSPC, path_part="index")
        log.stage(batch(2), 0, NOW)
        log.roll(NOW)
        assert disk.file_size(f"{PATH}/{0:020d}.timeindex") < 12
        assert "stays in memory" in log.notes[-1]
        assert log.offset_for_timestamp(NOW + 1, 10) is not None
        log.checkpoint()
        log.flush()
        assert disk.file_size(f"{PATH}/{0:020d}.timeindex") == 12
