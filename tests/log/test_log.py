"""Reading, looking up, cutting and forgetting."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from support.logs import NOW, TOPIC_ID, append, batch, end_transaction, headers, numbered, offsets, real_log, stored

from logctl.engine.log.directory import is_retired, remove_tree
from logctl.engine.log.disk import RealDisk
from logctl.engine.log.log import Log, LogConfig, OpenFiles
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.records import LENGTH_PREFIX_BYTES, crc32c, iter_batches, read_header

SMALL = LogConfig(segment_bytes=2000, index_interval_bytes=300)


def filled(tmp_path: Path, config: LogConfig = SMALL) -> Log:
    """Offsets 0 to 99 in batches of 1 to 4 records, timestamps rising by 10 ms, over several segments."""
    log = real_log(tmp_path, config=config)
    sizes = iter([1, 2, 3, 4] * 10)
    while log.end_offset < 100:
        count = next(sizes)
        append(log, batch(count, size=40, timestamp=NOW + log.end_offset * 10), epoch=log.end_offset // 30)
    assert len(log.segments) > 3
    return log


class TestReading:
    def test_from_every_offset(self, tmp_path: Path) -> None:
        log = filled(tmp_path)
        every = [(header.base_offset, header.last_offset) for header in headers(log)]
        for offset in range(100):
            expected = next(base for base, last in every if last >= offset)
            assert read_header(stored(log, offset)[0]).base_offset == expected

    def test_a_second_reader_of_sealed_segments(self, tmp_path: Path) -> None:
        log = filled(tmp_path)
        log.close(clean=True)
        again = real_log(tmp_path, config=SMALL)
        assert stored(again) == stored(log)
        for offset in range(0, 100, 7):
            assert stored(again, offset) == stored(log, offset)

    @pytest.mark.parametrize("max_bytes", [1, 100, 500, 1000, 1 << 20])
    def test_never_more_than_asked_for_but_one_batch_at_least(self, tmp_path: Path, max_bytes: int) -> None:
        log = filled(tmp_path)
        for offset in range(100):
            part = log.read(offset, max_bytes, 100)
            assert part.file is not None
            first = int.from_bytes(part.file.pread(12, part.position)[8:], "big") + LENGTH_PREFIX_BYTES
            assert first <= part.length <= max(max_bytes, first)

    def test_without_the_minimum_a_large_batch_waits(self, tmp_path: Path) -> None:
        log = filled(tmp_path)
        assert log.read(0, 10, 100, minimum_one_batch=False).length == 0

    def test_up_to_the_high_watermark(self, tmp_path: Path) -> None:
        log = filled(tmp_path)
        for up_to in [header.base_offset for header in headers(log)]:
            found: list[int] = []
            while (found[-1] + 1 if found else 0) < up_to:
                part = log.read(found[-1] + 1 if found else 0, 1 << 20, up_to)
                assert part.file is not None
                found += offsets([bytes(view) for view in iter_batches(part.file.pread(part.length, part.position))])
            assert found == list(range(up_to))
            assert log.read(up_to, 1000, up_to).length == 0

    def test_nothing_new_is_an_empty_slice(self, tmp_path: Path) -> None:
        log = filled(tmp_path)
        assert log.read(log.end_offset, 1000, log.end_offset).length == 0

    def test_outside(self, tmp_path: Path) -> None:
        log = filled(tmp_path)
        log.delete_before(5)
        for offset in (-1, 4, log.end_offset + 1):
            with pytest.raises(WireError) as refusal:
                log.read(offset, 1000, log.end_offset)
            assert refusal.value.code == errors.OFFSET_OUT_OF_RANGE

    def test_staged_batches_are_not_to_be_read(self, tmp_path: Path) -> None:
        log = filled(tmp_path)
        end = log.end_offset
        log.stage(batch(1), 0, NOW)
        assert log.read(end, 1000, end + 1).length == 0

    def test_a_slice_outlives_its_segment(self, tmp_path: Path) -> None:
        log = filled(tmp_path, replace(SMALL, retention_bytes=0, file_delete_delay_ms=0))
        log.flush()
        part = log.read(0, 200, log.end_offset)
        assert part.file is not None
        before = part.file.pread(part.length, part.position)
        log.apply_retention(NOW)
        log.purge_deleted(NOW)
        assert log.start_offset > 0
        assert part.file.pread(part.length, part.position) == before
        assert os.pread(part.file.fileno(), part.length, part.position) == before

    def test_few_files_are_open(self, tmp_path: Path) -> None:
        files = OpenFiles(RealDisk(), limit=2)
        log = real_log(tmp_path, config=SMALL, files=files)
        for _ in range(40):
            append(log, batch(3, size=100))
        log.flush()
        assert len(log.segments) > 5
        assert offsets(stored(log)) == list(range(120))
        assert len(files) <= 2

    def test_a_broken_index_is_noticed_and_rebuilt(self, tmp_path: Path) -> None:
        log = filled(tmp_path)
        expected = stored(log)
        log.close(clean=True)
        index = Path(log.segments[0].path(".index"))
        entries = index.read_bytes()
        index.write_bytes(entries[:4] + (7).to_bytes(4, "big") + entries[8:])
        again = real_log(tmp_path, config=SMALL)
        assert stored(again, int.from_bytes(entries[:4], "big"))[-1] == expected[-1]
        assert stored(again) == expected
        assert "was rebuilt" in again.notes[-1]
        assert index.read_bytes() == entries


class TestTimestamps:
    def test_the_first_record_not_older(self, tmp_path: Path) -> None:
        log = filled(tmp_path)
        log.config = replace(log.config)
        times = [NOW + header.base_offset * 10 + index for header in headers(log) for index in range(header.count)]
        for wanted in range(NOW - 1, NOW + 1000, 3):
            expected = next((offset for offset, time in enumerate(times) if time >= wanted), None)
            found = log.offset_for_timestamp(wanted, log.end_offset)
            assert (found and found.offset) == expected
            if found:
                assert found.timestamp == times[found.offset]
                assert found.leader_epoch == log.epoch_at(found.offset)

    def test_only_below_the_limit_and_above_the_start(self, tmp_path: Path) -> None:
        log = filled(tmp_path)
        assert log.offset_for_timestamp(NOW + 500, 10) is None
        log.delete_before(50)
        found = log.offset_for_timestamp(NOW, 100)
        assert found is not None
        assert found.offset == 50

    def test_the_latest_timestamp(self, tmp_path: Path) -> None:
        log = real_log(tmp_path, config=SMALL)
        assert log.max_timestamp() is None
        append(log, batch(2, timestamp=NOW), batch(3, timestamp=NOW + 700), batch(2, timestamp=NOW + 1))
        found = log.max_timestamp()
        assert found == (4, NOW + 702, 0)

    def test_records_made_unreadable_by_their_producer(self, tmp_path: Path) -> None:
        log = real_log(tmp_path)
        data = bytearray(batch(3))
        data[61] = 0xFF
        data[17:21] = crc32c(memoryview(data)[21:]).to_bytes(4, "big")
        append(log, batch(2, timestamp=NOW - 10), memoryview(data))
        assert log.offset_for_timestamp(NOW, 10) == (2, NOW + 2, 0)


class TestEpochs:
    def test_where_each_ended(self, tmp_path: Path) -> None:
        log = filled(tmp_path)
        assert [epoch for epoch, _ in log.epochs.entries] == [0, 1, 2, 3]
        starts = dict(log.epochs.entries)
        assert log.end_offset_for_epoch(1) == (1, starts[2])
        assert log.end_offset_for_epoch(3) == (3, log.end_offset)
        assert log.end_offset_for_epoch(4) == (-1, -1)


class TestTruncation:
    @pytest.mark.parametrize("target", [97, 60, 31, 10, 1, 0])
    def test_back_to_an_offset(self, tmp_path: Path, target: int) -> None:
        log = filled(tmp_path)
        before = stored(log)
        log.flush()
        target = max(header.base_offset for header in headers(log) if header.base_offset <= target)
        log.truncate_to(target)
        assert (log.end_offset, log.written_end, log.flushed_end) == (target, target, target)
        assert log.recovery_point <= target
        assert log.leader_epoch == (log.epoch_at(target - 1) if target else -1)
        assert append(log, batch(2), epoch=7)[0].base_offset == target
        kept = [data for data in before if read_header(data).last_offset < target]
        assert stored(log)[:-1] == kept
        log.close(clean=True)
        again = real_log(tmp_path, config=SMALL)
        assert stored(again) == stored(log)
        assert again.epochs.entries == log.epochs.entries

    def test_inside_a_batch_the_batch_goes_too(self, tmp_path: Path) -> None:
        log = real_log(tmp_path)
        append(log, batch(2), batch(5), batch(1))
        log.truncate_to(4)
        assert log.end_offset == 2

    def test_producers_are_as_they_were_then(self, tmp_path: Path) -> None:
        log = real_log(tmp_path)
        append(log, numbered(1, 0), numbered(1, 1), numbered(2, 0, transactional=True))
        end_transaction(log, 2, commit=False)
        log.truncate_to(3)
        assert log.producers.first_unstable_offset == 2
        assert log.aborted_transactions(0, 10) == []
        log.truncate_to(1)
        assert [producer for producer, _ in log.producers.items()] == [1]
        assert append(log, numbered(1, 1))[0].base_offset == 1

    def test_flushes_begun_before_promise_nothing(self, tmp_path: Path) -> None:
        log = real_log(tmp_path)
        append(log, batch(5), batch(5))
        flush = log.flush_targets()
        log.truncate_to(5)
        append(log, batch(3))
        flush.run()
        log.flushed(flush)
        assert log.flushed_end == 0 or log.flushed_end <= 5

    def test_everything(self, tmp_path: Path) -> None:
        log = filled(tmp_path)
        log.truncate_fully_at(500, NOW)
        assert (log.start_offset, log.end_offset, log.flushed_end, log.leader_epoch) == (500, 500, 500, -1)
        append(log, batch(2))
        assert offsets(stored(log)) == [500, 501]
        log.close(clean=True)
        assert real_log(tmp_path, config=SMALL).start_offset == 500


class TestRetention:
    def test_by_age(self, tmp_path: Path) -> None:
        log = filled(tmp_path, replace(SMALL, retention_ms=500))
        log.flush()
        said = log.apply_retention(NOW + 1000)
        ends = [segment.largest_timestamp() for segment in log.segments]
        assert ends[0] >= NOW + 500
        assert log.start_offset == log.segments[0].base > 0
        assert "older than retention.ms (500)" in said[0]
        assert offsets(stored(log)) == list(range(log.start_offset, 100))

    def test_everything_too_old_leaves_an_empty_log_that_knows_its_end(self, tmp_path: Path) -> None:
        log = filled(tmp_path, replace(SMALL, retention_ms=500))
        log.flush()
        end = log.end_offset
        log.apply_retention(NOW + 100_000)
        assert (log.start_offset, log.end_offset, log.size_bytes) == (end, end, 0)
        log.close(clean=True)
        again = real_log(tmp_path, config=SMALL, clean=False)
        assert (again.start_offset, again.end_offset) == (end, end)
        assert append(again, batch(1))[0].base_offset == end

    def test_by_size(self, tmp_path: Path) -> None:
        log = filled(tmp_path, replace(SMALL, retention_bytes=4000))
        log.flush()
        log.apply_retention(NOW)
        assert 4000 <= log.size_bytes < 6000

    def test_nothing_above_the_high_watermark(self, tmp_path: Path) -> None:
        log = filled(tmp_path, replace(SMALL, retention_bytes=0))
        log.flush()
        second = log.segments[1].base
        log.apply_retention(NOW, up_to=second)
        assert log.start_offset == second

    def test_a_compacted_topic_keeps_everything(self, tmp_path: Path) -> None:
        log = filled(tmp_path, replace(SMALL, retention_ms=1, cleanup_policy=frozenset({"compact"})))
        log.flush()
        assert log.apply_retention(NOW + 100_000) == []

    def test_files_go_after_a_delay(self, tmp_path: Path) -> None:
        log = filled(tmp_path, replace(SMALL, retention_bytes=0, file_delete_delay_ms=1000))
        log.flush()
        log.apply_retention(NOW)
        deleted = list(Path(log.path).glob("*.deleted"))
        assert deleted
        log.purge_deleted(NOW + 999)
        assert list(Path(log.path).glob("*.deleted")) == deleted
        log.apply_retention(NOW + 1000)
        assert not list(Path(log.path).glob("*.deleted"))

    def test_delete_records(self, tmp_path: Path) -> None:
        log = filled(tmp_path)
        log.flush()
        target = log.segments[2].base + 1
        log.delete_before(target)
        assert log.start_offset == target
        log.delete_before(3)
        assert log.start_offset == target
        said = log.apply_retention(NOW)
        assert "2 segments removed, below the start offset" in said[0]
        assert log.start_offset == target
        again = real_log(tmp_path, config=SMALL, clean=False, log_start_offset=target)
        assert again.start_offset == target
        assert offsets(stored(log))[-1] == 99


class TestTheDirectory:
    def test_it_carries_the_topic_id(self, tmp_path: Path) -> None:
        log = real_log(tmp_path)
        text = (Path(log.path) / "partition.metadata").read_text()
        assert text == "version: 0\ntopic_id: AAECAwQFBgcICQoLDA0ODw\n"

    def test_another_topics_directory_is_refused(self, tmp_path: Path) -> None:
        log = real_log(tmp_path)
        with pytest.raises(WireError, match="belongs to the topic with id AAECAwQFBgcICQoLDA0ODw") as refusal:
            Log.open(
                RealDisk(),
                log.path,
                topic="orders",
                partition=0,
                topic_id=TOPIC_ID[::-1],
                config=SMALL,
                now_ms=NOW,
                clean=True,
            )
        assert refusal.value.code == errors.INCONSISTENT_TOPIC_ID

    @pytest.mark.parametrize("text", ["", "version: 1\ntopic_id: x\n", "version: 0\ntopic_id: ###\n", "\xff\xfe"])
    def test_a_damaged_one_is_set_aside(self, tmp_path: Path, text: str) -> None:
        path = Path(real_log(tmp_path).path)
        (path / "partition.metadata").write_text(text, encoding="latin-1")
        again = real_log(tmp_path)
        assert "cannot be read" in again.notes[0]
        assert (path / "partition.metadata.damaged").exists()
        assert "AAECAwQFBgcICQoLDA0ODw" in (path / "partition.metadata").read_text()

    def test_the_end_of_a_topic(self, tmp_path: Path) -> None:
        log = filled(tmp_path)
        target = log.retire("0123456789abcdef")
        assert target == f"{log.path}.0123456789abcdef-delete"
        assert is_retired(Path(target).name)
        assert not Path(log.path).exists()
        remove_tree(RealDisk(), target)
        assert not Path(target).exists()

    def test_nothing_is_created_before_it_is_needed(self, tmp_path: Path) -> None:
        log = real_log(tmp_path)
        log.close(clean=True)
        assert [path.name for path in Path(log.path).iterdir()] == ["partition.metadata"]
