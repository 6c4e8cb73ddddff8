"""The sparse indexes, in memory and in the file: both answer alike."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from logctl.engine.log import index
from logctl.engine.log.disk import RealDisk
from logctl.engine.log.index import GrowingIndex

DISK = RealDisk()


def grown(entries: int, seed: int = 1) -> GrowingIndex:
    random = Random(seed)
    growing = GrowingIndex()
    offset = position = timestamp = 0
    for _ in range(entries):
        offset += random.randint(1, 9)
        position += random.randint(100, 9000)
        timestamp += random.randint(0, 2)
        growing.add(offset, position, timestamp, offset - random.randint(0, 1))
    return growing


@pytest.mark.parametrize("entries", [0, 1, 2, 255, 256, 257, 3000])
def test_file_and_memory_agree(tmp_path: Path, entries: int) -> None:
    growing = grown(entries)
    paths = str(tmp_path / "x.index"), str(tmp_path / "x.timeindex")
    growing.write(DISK, *paths)
    file, times = DISK.open(paths[0]), DISK.open(paths[1])
    assert (file.size(), times.size()) == (entries * 8, len(growing.times) * 12)
    last = growing.offsets[-1] if entries else 0
    for offset in range(0, last + 3, max(last // 50, 1)):
        assert index.find_position(file, offset) == growing.position_for(offset)
        assert index.find_boundary(file, offset * 1000) == growing.boundary_before(offset * 1000)
        assert index.find_time(times, offset) == growing.offset_before_time(offset)
    assert index.last_time(times) == ((growing.times[-1], growing.time_offsets[-1]) if growing.times else None)


def test_only_what_is_new_is_written(tmp_path: Path) -> None:
    paths = str(tmp_path / "x.index"), str(tmp_path / "x.timeindex")
    growing = grown(10)
    growing.write(DISK, *paths)
    before = DISK.read_file(paths[0])
    growing.add(1000, 1_000_000, 1000, 999)
    growing.write(DISK, *paths)
    assert DISK.read_file(paths[0]) == before + bytes.fromhex("000003e8000f4240")
    loaded = index.load(DISK, *paths)
    assert loaded is not None
    assert (loaded.offsets, loaded.positions, loaded.times) == (growing.offsets, growing.positions, growing.times)


def test_what_was_cut_off_disappears_from_the_files(tmp_path: Path) -> None:
    paths = str(tmp_path / "x.index"), str(tmp_path / "x.timeindex")
    growing = grown(10)
    growing.write(DISK, *paths)
    assert growing.forget_from(growing.offsets[6]) == grown(10).positions[5]
    growing.write(DISK, *paths)
    assert DISK.file_size(paths[0]) == 6 * 8
    assert max(growing.time_offsets) < grown(10).offsets[6]


@pytest.mark.parametrize(
    ("entries", "times"),
    [
        (b"x", b""),
        (b"", b"x" * 13),
        (bytes(16), bytes(12)),
        (bytes.fromhex("00000002000000100000000100000020"), bytes(12)),
        (bytes.fromhex("00000001000000200000000200000010"), bytes(12)),
        (bytes.fromhex("0000000100000020"), b""),
    ],
)
def test_what_cannot_be_an_index_is_not_used(tmp_path: Path, entries: bytes, times: bytes) -> None:
    (tmp_path / "x.index").write_bytes(entries)
    (tmp_path / "x.timeindex").write_bytes(times)
    assert index.load(DISK, str(tmp_path / "x.index"), str(tmp_path / "x.timeindex")) is None


def test_a_missing_file_is_no_index(tmp_path: Path) -> None:
    (tmp_path / "x.index").write_bytes(b"")
    assert index.load(DISK, str(tmp_path / "x.index"), str(tmp_path / "x.timeindex")) is None


@pytest.mark.parametrize("entries", [0, 1, 700])
def test_the_first_batch_that_reaches_an_offset_is_the_same_in_memory_and_in_the_file(
    tmp_path: Path, entries: int
) -> None:
    growing = grown(entries)
    paths = str(tmp_path / "x.index"), str(tmp_path / "x.timeindex")
    growing.write(DISK, *paths)
    file = DISK.open(paths[0], create=False)
    pairs = list(zip(growing.offsets, growing.positions, strict=True))
    for offset in range((pairs[-1][0] if pairs else 0) + 3):
        wanted = next((position for last, position in pairs if last >= offset), -1)
        assert growing.reaching(offset) == index.find_reaching(file, offset) == wanted
    file.close()
