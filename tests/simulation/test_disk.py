"""The disk that forgets, forgets as it should."""

from __future__ import annotations

import errno
from random import Random

import pytest

from logctl.engine.log.disk import DiskFault
from logctl.engine.simulation.disk import ProcessEnds, SimulatedDisk


def outcomes(prepare: object, path: str, seeds: int = 200) -> set[bytes | None]:
    """What may be found under a path after a power failure."""
    found: set[bytes | None] = set()
    for seed in range(seeds):
        disk = SimulatedDisk(Random(seed))
        disk.mkdirs("/d")
        disk.sync_dir("")
        prepare(disk)  # type: ignore[operator]
        survivor = disk.crash()
        found.add(survivor.read_file(path) if survivor.exists(path) else None)
    return found


def test_synced_bytes_of_a_synced_name_survive() -> None:
    def prepare(disk: SimulatedDisk) -> None:
        file = disk.open("/d/file", create=True)
        file.pwritev([b"safe"], 0)
        file.sync()
        disk.sync_dir("/d")

    assert outcomes(prepare, "/d/file") == {b"safe"}


def test_a_name_that_was_not_synced_may_be_gone() -> None:
    def prepare(disk: SimulatedDisk) -> None:
        file = disk.open("/d/file", create=True)
        file.pwritev([b"safe"], 0)
        file.sync()

    assert outcomes(prepare, "/d/file") == {b"safe", None}


def test_unsynced_writes_are_lost_torn_or_reordered() -> None:
    def prepare(disk: SimulatedDisk) -> None:
        file = disk.open("/d/file", create=True)
        file.sync()
        disk.sync_dir("/d")
        file.pwritev([b"a" * 512, b"b" * 512], 0)
        file.pwritev([b"c" * 512], 1024)

    a, b, c, zero = b"a" * 512, b"b" * 512, b"c" * 512, bytes(512)
    found = outcomes(prepare, "/d/file", 500)
    assert {b"", a + b + c, a + b, a, zero + zero + c, a + zero + c, zero + b} <= found


def test_the_same_seed_forgets_the_same() -> None:
    def story(seed: int) -> bytes:
        disk = SimulatedDisk(Random(seed))
        file = disk.open("file", create=True)
        disk.sync_dir("")
        for position in range(0, 5000, 700):
            file.pwritev([bytes([position % 251]) * 700], position)
        return disk.crash().read_file("file")

    assert [story(seed) for seed in range(20)] == [story(seed) for seed in range(20)]


def test_replacing_a_file_durably_is_all_or_nothing() -> None:
    def prepare(disk: SimulatedDisk) -> None:
        disk.write_file("/d/file", b"old")
        disk.write_file("/d/file", b"new")

    assert outcomes(prepare, "/d/file") == {b"new"}


def test_replacing_a_file_otherwise_may_leave_anything() -> None:
    def prepare(disk: SimulatedDisk) -> None:
        disk.write_file("/d/file", b"old")
        disk.write_file("/d/file", b"new", durable=False)

    assert {b"old", b"new", b""} <= outcomes(prepare, "/d/file")


def test_a_killed_process_leaves_everything() -> None:
    disk = SimulatedDisk(Random(1))
    disk.open("file", create=True).pwritev([b"seen"], 0)
    assert disk.kill().read_file("file") == b"seen"


def test_a_full_disk_writes_what_fits() -> None:
    disk = SimulatedDisk(Random(1), capacity_bytes=10)
    file = disk.open("file", create=True)
    file.pwritev([b"123456"], 0)
    with pytest.raises(DiskFault) as caught:
        file.pwritev([b"789abcd"], 6)
    assert caught.value.code == errno.ENOSPC
    assert disk.read_file("file") == b"123456789a"
    file.pwritev([b"overwritten"[:10]], 0)


def test_planted_failures_happen_in_their_turn() -> None:
    disk = SimulatedDisk(Random(1))
    file = disk.open("file", create=True)
    disk.fail("sync", errno.EIO, after=1)
    file.sync()
    with pytest.raises(DiskFault, match="Input/output error"):
        file.sync()
    file.sync()


def test_a_directory_is_renamed_in_one_step_with_all_that_is_in_it() -> None:
    def prepare(disk: SimulatedDisk) -> None:
        disk.mkdirs("/d/old")
        file = disk.open("/d/old/file", create=True)
        file.pwritev([b"safe"], 0)
        file.sync()
        disk.sync_dir("/d/old")
        disk.rename("/d/old", "/d/new")
        disk.sync_dir("/d")

    assert outcomes(prepare, "/d/new/file") == {b"safe"}
    assert outcomes(prepare, "/d/old/file") == {None}


def test_what_is_made_under_a_name_that_was_renamed_away_stays_there() -> None:
    def prepare(disk: SimulatedDisk) -> None:
        disk.mkdirs("/d/name")
        disk.sync_dir("/d")
        disk.rename("/d/name", "/d/aside")
        disk.mkdirs("/d/name")
        file = disk.open("/d/name/file", create=True)
        file.pwritev([b"new"], 0)
        file.sync()
        disk.sync_dir("/d/name")
        disk.sync_dir("/d")

    assert outcomes(prepare, "/d/name/file") == {b"new"}
    assert outcomes(prepare, "/d/aside/file") == {None}


def test_a_process_ends_in_the_middle_of_its_changes() -> None:
    disk = SimulatedDisk(Random(1))
    disk.mkdirs("/d")
    file = disk.open("/d/file", create=True)
    disk.end_after(1, power=False)
    file.pwritev([b"one"], 0)
    for _ in range(2):
        with pytest.raises(ProcessEnds):
            file.pwritev([b"two"], 3)
    assert disk.survivor().read_file("/d/file") == b"one"
