"""Opening a log after all kinds of ends: what is sound is kept, what is not is cut off or set aside, and said so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.logs import NOW, append, batch, end_transaction, headers, numbered, offsets, real_log, stored

from logctl.engine.log.log import Log, LogConfig
from logctl.wire.records import read_header

SMALL = LogConfig(segment_bytes=2000, index_interval_bytes=300)


def busy(tmp_path: Path) -> Log:
    log = real_log(tmp_path, config=SMALL)
    for number in range(40):
        append(log, numbered(1, number * 2, 2, size=50, timestamp=NOW + number), epoch=number // 15)
    append(log, numbered(2, 0, 3, transactional=True), numbered(3, 0, transactional=True), epoch=2)
    end_transaction(log, 2, commit=False, epoch=2)
    return log


def after_a_crash(tmp_path: Path, recovery_point: int = 0, **options: object) -> Log:
    return real_log(tmp_path, config=SMALL, clean=False, recovery_point=recovery_point, **options)


def last_file(log: Log) -> Path:
    return Path(log.segments[-1].path(".log"))


def same(found: Log, expected: Log) -> None:
    assert stored(found) == stored(expected)
    assert found.max_timestamp() == expected.max_timestamp()
    for timestamp in range(NOW, NOW + 45, 4):
        assert found.offset_for_timestamp(timestamp, 1 << 60) == expected.offset_for_timestamp(timestamp, 1 << 60)
    assert found.epochs.entries == expected.epochs.entries
    assert found.aborted_transactions(0, 1 << 60) == expected.aborted_transactions(0, 1 << 60)
    assert found.producers.first_unstable_offset == expected.producers.first_unstable_offset
    for producer, state in expected.producers.items():
        known = found.producers.get(producer)
        assert known is not None
        assert known.batches[-1][:3] == state.batches[-1][:3]
        assert (known.epoch, known.transaction_start) == (state.epoch, state.transaction_start)


class TestAfterAnOrderlyStop:
    def test_everything_is_as_it_was(self, tmp_path: Path) -> None:
        log = busy(tmp_path)
        log.close(clean=True)
        again = real_log(tmp_path, config=SMALL)
        assert again.notes == []
        assert again.flushed_end == again.recovery_point == log.end_offset
        same(again, log)
        assert append(again, numbered(1, 80, 2), epoch=2)[0].base_offset == log.end_offset

    def test_nothing_is_written_by_looking(self, tmp_path: Path) -> None:
        log = busy(tmp_path)
        log.close(clean=True)
        before = {path: path.stat().st_mtime_ns for path in Path(log.path).iterdir()}
        real_log(tmp_path, config=SMALL).close(clean=True)
        assert {path: path.stat().st_mtime_ns for path in Path(log.path).iterdir()} == before

    def test_a_tail_damaged_since_is_noticed(self, tmp_path: Path) -> None:
        log = busy(tmp_path)
        log.close(clean=True)
        os.truncate(last_file(log), last_file(log).stat().st_size - 1)
        again = real_log(tmp_path, config=SMALL)
        assert again.end_offset == log.end_offset - 1
        assert "a record batch is cut off" in again.notes[0]


class TestAfterAKill:
    @pytest.mark.parametrize("recovery_point", [0, 1, 37, 80, 10_000])
    def test_nothing_written_is_lost(self, tmp_path: Path, recovery_point: int) -> None:
        log = busy(tmp_path)
        log.checkpoint()
        log.flush()
        same(after_a_crash(tmp_path, recovery_point), log)

    def test_only_what_was_not_checkpointed_is_read(self, tmp_path: Path) -> None:
        log = busy(tmp_path)
        log.checkpoint()
        log.flush()
        point = log.recovery_point
        assert point == log.end_offset
        damaged = Path(log.segments[0].path(".log"))
        with damaged.open("r+b") as file:
            file.seek(70)
            file.write(b"\xff")
        append(log, numbered(1, 80, 2), epoch=2)
        again = after_a_crash(tmp_path, point)
        assert again.end_offset == log.end_offset
        assert again.notes == []

    def test_a_directory_with_nothing_but_segments(self, tmp_path: Path) -> None:
        log = busy(tmp_path)
        for path in Path(log.path).iterdir():
            if path.suffix != ".log" and path.name != "partition.metadata":
                path.unlink()
        for clean in (False, True):
            same(real_log(tmp_path, config=SMALL, clean=clean), log)


class TestTornWrites:
    @pytest.mark.parametrize("missing", [1, 10, 60, 77])
    def test_a_batch_that_did_not_arrive_whole_is_cut_off(self, tmp_path: Path, missing: int) -> None:
        log = busy(tmp_path)
        size = last_file(log).stat().st_size
        os.truncate(last_file(log), size - missing)
        again = after_a_crash(tmp_path)
        assert again.end_offset == log.end_offset - 1
        assert "cut off at position" in again.notes[0]
        assert not list(Path(log.path).glob("*.damaged"))
        assert append(again, batch(1), epoch=3)[0].base_offset == log.end_offset - 1

    def test_zeros_where_bytes_did_not_arrive(self, tmp_path: Path) -> None:
        log = busy(tmp_path)
        with last_file(log).open("ab") as file:
            file.write(bytes(5000))
        again = after_a_crash(tmp_path)
        same(again, log)
        assert last_file(log).stat().st_size == log.segments[-1].size

    def test_damage_in_the_middle_is_cut_off_but_kept(self, tmp_path: Path) -> None:
        log = busy(tmp_path)
        victim = log.segments[1]
        positions = [header for header in headers(log) if header.base_offset >= victim.base]
        with Path(victim.path(".log")).open("r+b") as file:
            file.seek(positions[0].length + 70)
            file.write(b"\xff\xff")
        before = Path(victim.path(".log")).read_bytes()
        again = after_a_crash(tmp_path)
        assert again.end_offset == positions[1].base_offset
        copy = Path(f"{victim.path('.log')}.{positions[0].length}.damaged")
        assert copy.read_bytes() == before[positions[0].length :]
        assert f"kept as {copy}" in again.notes[0]
        aside = sorted(path.name for path in Path(log.path).glob("*.log.damaged"))
        assert aside == [Path(segment.path(".log")).name + ".damaged" for segment in log.segments[2:]]
        assert append(again, batch(1), epoch=3)[0].base_offset == again.end_offset - 1

    def test_a_segment_behind_a_gap_is_set_aside(self, tmp_path: Path) -> None:
        log = busy(tmp_path)
        lost = log.segments[2]
        Path(lost.path(".log")).unlink()
        again = after_a_crash(tmp_path)
        assert again.end_offset == lost.base
        assert any(f"begins at offset {log.segments[3].base} where {lost.base} is due" in note for note in again.notes)

    def test_a_segment_that_is_no_segment(self, tmp_path: Path) -> None:
        log = busy(tmp_path)
        last_file(log).write_bytes(b"not a log at all" * 100)
        again = after_a_crash(tmp_path)
        assert again.end_offset == log.segments[-1].base
        assert "there is no record batch at position 0" in again.notes[0]


class TestSmallFiles:
    @pytest.mark.parametrize("suffix", [".index", ".timeindex", ".snapshot", "leader-epoch-checkpoint"])
    @pytest.mark.parametrize("content", [b"", b"garbage" * 5, bytes(24)])
    @pytest.mark.parametrize("clean", [False, True])
    def test_each_may_be_broken(self, tmp_path: Path, suffix: str, content: bytes, clean: bool) -> None:
        log = busy(tmp_path)
        log.close(clean=True)
        files = [path for path in Path(log.path).iterdir() if path.name.endswith(suffix)]
        assert files
        newest = max(files)
        newest.write_bytes(content)
        again = real_log(tmp_path, config=SMALL, clean=clean)
        same(again, log)
        assert offsets(stored(again)) == list(range(log.end_offset))

    def test_a_broken_snapshot_is_set_aside(self, tmp_path: Path) -> None:
        log = busy(tmp_path)
        log.close(clean=True)
        newest = max(Path(log.path).glob("*.snapshot"))
        data = bytearray(newest.read_bytes())
        data[20] ^= 1
        newest.write_bytes(data)
        again = real_log(tmp_path, config=SMALL)
        assert newest.with_name(newest.name + ".damaged").read_bytes() == data
        assert "does not match its checksum" in again.notes[0]

    def test_an_index_whose_segment_is_gone_is_set_aside(self, tmp_path: Path) -> None:
        log = busy(tmp_path)
        log.close(clean=True)
        stray = Path(log.path) / f"{777:020d}.index"
        stray.write_bytes(bytes(8))
        again = real_log(tmp_path, config=SMALL)
        assert stray.with_name(stray.name + ".damaged").exists()
        assert "Its segment is missing" in again.notes[0]

    def test_removals_that_were_under_way_are_finished(self, tmp_path: Path) -> None:
        log = busy(tmp_path)
        log.close(clean=True)
        first = Path(log.segments[0].path(".log"))
        first.rename(first.with_name(first.name + ".deleted"))
        again = real_log(tmp_path, config=SMALL, clean=False)
        assert again.notes == []
        assert again.start_offset == log.segments[1].base
        assert not list(Path(log.path).glob(f"{0:020d}.*"))


def test_a_start_offset_behind_the_end_begins_anew(tmp_path: Path) -> None:
    busy(tmp_path)
    again = after_a_crash(tmp_path, log_start_offset=5000)
    assert (again.start_offset, again.end_offset) == (5000, 5000)
    assert "it begins anew" in again.notes[-1]
    append(again, batch(1), epoch=3)
    assert read_header(stored(again)[0]).base_offset == 5000
