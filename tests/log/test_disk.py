"""The real disk: whole writes or a fault with the path, whole files or the old ones."""

from __future__ import annotations

import errno
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from signal import SIG_IGN, SIGXFSZ, signal

import pytest

from logctl.engine.log.disk import DiskFault, RealDisk, sync_volume
from logctl.engine.simulation.disk import SimulatedDisk

DISK = RealDisk()


def test_many_buffers_are_one_write(tmp_path: Path) -> None:
    file = DISK.open(str(tmp_path / "file"), create=True)
    buffers = [bytes([number % 256]) * (number % 7) for number in range(3000)]
    file.pwritev([b"head"], 0)
    file.pwritev(buffers, 4)
    assert file.pread(1 << 20, 0) == b"head" + b"".join(buffers)
    assert file.size() == 4 + sum(map(len, buffers))


def test_reading_into_a_buffer(tmp_path: Path) -> None:
    file = DISK.open(str(tmp_path / "file"), create=True)
    file.pwritev([b"0123456789"], 0)
    buffer = bytearray(6)
    assert file.pread_into(buffer, 7) == 3
    assert buffer[:3] == b"789"


@pytest.fixture
def short_files() -> Iterator[int]:
    """Files may grow to 1,000 bytes: the kernel writes what fits, then refuses, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal(SIGXFSZ, SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    yield 1000
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal(SIGXFSZ, handler)


@pytest.mark.parametrize("buffers", [[b"x" * 800], [b"x" * 100] * 8, [b"x"] * 1500])
def test_a_short_write_goes_on_until_the_kernel_says_why(
    tmp_path: Path, short_files: int, buffers: list[bytes]
) -> None:
    path = str(tmp_path / "file")
    file = DISK.open(path, create=True)
    file.pwritev([b"y" * 500], 0)
    with pytest.raises(DiskFault) as caught:
        file.pwritev(buffers, 500)
    assert (caught.value.path, caught.value.code) == (path, errno.EFBIG)
    assert file.size() == short_files
    file.truncate(500)
    assert file.pread(2000, 0) == b"y" * 500


def test_faults_name_path_and_remedy(tmp_path: Path) -> None:
    with pytest.raises(DiskFault) as caught:
        DISK.open(str(tmp_path / "missing"))
    assert str(tmp_path / "missing") in caught.value.message
    assert caught.value.code == errno.ENOENT
    assert DiskFault("Writing to", "/x", errno.ENOSPC).is_full
    assert "kernel's messages" in DiskFault("Flushing", "/x", errno.EIO).hint


def test_files_are_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    DISK.write_file(str(path), b"old")
    DISK.write_file(str(path), b"new", durable=False)
    assert path.read_bytes() == DISK.read_file(str(path)) == b"new"
    assert os.listdir(tmp_path) == ["file"]


def test_a_descriptor_lives_as_long_as_its_file_object(tmp_path: Path) -> None:
    file = DISK.open(str(tmp_path / "file"), create=True)
    file.pwritev([b"kept"], 0)
    descriptor = file.fileno()
    DISK.remove(str(tmp_path / "file"))
    assert file.pread(4, 0) == b"kept"
    del file
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    held = DISK.lock(str(tmp_path / ".lock"))
    assert held is not None
    assert DISK.lock(str(tmp_path / ".lock")) is None
    held.close()
    assert DISK.lock(str(tmp_path / ".lock")) is not None


def test_removing_what_is_gone_is_no_fault(tmp_path: Path) -> None:
    DISK.remove(str(tmp_path / "gone"))


def test_names_come_in_a_fixed_order(tmp_path: Path) -> None:
    for name in "cab":
        (tmp_path / name).touch()
    assert DISK.listdir(str(tmp_path)) == ["a", "b", "c"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs syncfs")
def test_a_whole_volume_is_synced_where_the_system_can(tmp_path: Path) -> None:
    assert sync_volume(DISK, str(tmp_path))
    with pytest.raises(DiskFault, match=r"Flushing the file system of .*missing failed"):
        sync_volume(DISK, str(tmp_path / "missing"))


def test_a_disk_that_has_no_such_call_says_so() -> None:
    assert not sync_volume(SimulatedDisk(Random(1)), "/data")
