"""The small text files of a log directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from logctl.engine.log import checkpoints
from logctl.engine.log.disk import RealDisk

DISK = RealDisk()


def test_the_format_is_apaches(tmp_path: Path) -> None:
    path = tmp_path / checkpoints.RECOVERY_POINTS
    offsets = {("orders", 1): 900, ("orders", 0): 1500, ("a.b-c_d", 11): 1 << 62}
    checkpoints.write_offsets(DISK, str(path), offsets)
    assert path.read_text() == f"0\n3\na.b-c_d 11 {1 << 62}\norders 0 1500\norders 1 900\n"
    notes: list[str] = []
    assert checkpoints.read_offsets(DISK, str(path), notes) == offsets
    assert notes == []


def test_a_missing_one_is_empty_and_so_is_one_of_no_bytes(tmp_path: Path) -> None:
    """Apache Kafka makes the files at its start and fills them a minute later."""
    notes: list[str] = []
    assert checkpoints.read_offsets(DISK, str(tmp_path / "none"), notes) == {}
    (tmp_path / "empty").touch()
    assert checkpoints.read_offsets(DISK, str(tmp_path / "empty"), notes) == {}
    assert notes == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"1\n0\n", "its version is not 0"),
        (b"0\n", "does not say how many"),
        (b"0\nx\n", "does not say how many"),
        (b"0\n2\norders 0 5\n", "2 lines are announced, 1 are there"),
        (b"0\n1\norders 0 5\norders 1 5\n", "1 lines are announced, 2 are there"),
        (b"0\n1\norders 0\n", "does not have 3 fields"),
        (b"0\n1\norders zero 5\n", "invalid literal"),
        (b"\xff\xfe\0", "it is not text"),
    ],
)
def test_a_damaged_one_is_set_aside(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / checkpoints.LOG_START_OFFSETS
    path.write_bytes(content)
    notes: list[str] = []
    assert checkpoints.read_offsets(DISK, str(path), notes) == {}
    assert reason in notes[0]
    assert path.with_name(path.name + ".damaged").read_bytes() == content
    assert not path.exists()
    path.write_bytes(content)
    checkpoints.read_offsets(DISK, str(path), notes)
    assert path.with_name(path.name + ".damaged.2").read_bytes() == content


def test_a_clean_shutdown_is_told_once(tmp_path: Path) -> None:
    checkpoints.mark_clean_shutdown(DISK, str(tmp_path), 42)
    assert (tmp_path / ".kafka_cleanshutdown").read_text() == '{"version":0,"brokerEpoch":42}'
    assert checkpoints.was_clean_shutdown(DISK, str(tmp_path))
    checkpoints.remove_clean_shutdown(DISK, str(tmp_path))
    assert not checkpoints.was_clean_shutdown(DISK, str(tmp_path))
