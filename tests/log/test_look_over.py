"""Reading a log from end to end finds what recovery trusts: bytes that rotted below what was flushed, and holes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from logctl.engine.log.config import LogConfig
from logctl.engine.log.disk import RealDisk
from logctl.engine.log.log import CLIENT, Log
from logctl.engine.log.look_over import Suspicion, look_over
from logctl.wire.records import NewRecord, build_batch

DISK = RealDisk()


def opened(folder: Path, cleanup: str = "delete") -> Log:
    config = LogConfig(segment_bytes=3_000, cleanup_policy=frozenset({cleanup}))
    return Log.open(
        DISK, str(folder), topic="orders", partition=0, topic_id=b"t" * 16, config=config, now_ms=0, clean=True
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five segments of two records each."""
    log = opened(tmp_path / "orders-0")
    for _ in range(10):
        log.stage(memoryview(bytearray(build_batch([NewRecord(None, b"x" * 1_000, (), 1)]))), 0, 1, CLIENT)
        log.write()
    log.flush()
    log.close(clean=True)
    return tmp_path / "orders-0"


def suspicions(folder: Path, *, compacts: bool = False, end_offset: int = 10) -> list[Suspicion]:
    return [one for one in look_over(DISK, str(folder), compacts=compacts, end_offset=end_offset) if one is not None]


def segment(folder: Path, base: int) -> Path:
    return folder / f"{base:020}.log"


def rot(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[500] ^= 1
    path.write_bytes(data)


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_a_sound_log_arouses_no_suspicion(folder: Path) -> None:
    assert len(list(folder.glob("*.log"))) == 5
    assert suspicions(folder) == []


@pytest.mark.parametrize(
    ("harm", "says"),
    [(rot, "does not match its checksum at position 0"), (shorten, "there is nothing between offset 5 and 6")],
)
def test_what_is_found_the_log_confirms(folder: Path, harm: Callable[[Path], None], says: str) -> None:
    harm(segment(folder, 4))
    [found] = suspicions(folder)
    assert found.base == 4
    assert says in opened(folder).damage_at(*found)


def test_a_segment_that_is_gone_leaves_a_hole(folder: Path) -> None:
    segment(folder, 4).unlink()
    [found] = suspicions(folder)
    assert "there is nothing between offset 4 and 6" in opened(folder).damage_at(*found)
    assert suspicions(folder, compacts=True) == [], "compaction leaves such gaps"
    assert opened(folder, "compact").damage_at(*found) == ""


def test_the_first_segments_may_go_and_the_last_ones_may_not(folder: Path) -> None:
    segment(folder, 0).unlink()
    assert suspicions(folder) == []
    segment(folder, 8).unlink()
    [found] = suspicions(folder)
    assert found.base == 6
    assert suspicions(folder, end_offset=0) == [], "nothing is known of how far it went"


def test_what_the_log_has_cut_meanwhile_is_no_damage(folder: Path) -> None:
    rot(segment(folder, 4))
    [found] = suspicions(folder)
    log = opened(folder)
    log.truncate_to(4)
    assert log.damage_at(*found) == ""
