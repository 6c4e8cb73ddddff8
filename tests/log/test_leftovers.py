"""Apache Kafka's cleaner was killed at each of its steps: nothing is lost, and nothing is there twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.logs import append, batch, offsets, real_log, stored

from logctl.engine.log.log import Log, LogConfig
from logctl.wire.records import iter_batches

COMPACTED = LogConfig(segment_bytes=2000, index_interval_bytes=300, cleanup_policy=frozenset({"compact"}))
SUFFIXES = (".log", ".index", ".timeindex")


def uncleaned(tmp_path: Path) -> tuple[Path, list[int]]:
    """A log of some segments and the offsets they begin at; it was closed in order."""
    log = real_log(tmp_path, config=COMPACTED)
    for number in range(60):
        append(log, batch(2, size=60, key=b"%d" % (number % 7)))
    bases = [segment.base for segment in log.segments]
    log.close(clean=True)
    assert len(bases) > 4
    return Path(log.path), bases


def name(base: int, suffix: str = ".log") -> str:
    return f"{base:020}{suffix}"


def write_cleaned(path: Path, bases: list[int], ending: str) -> list[int]:
    """What the cleaner makes of the segments at `bases`: every other batch, in one segment. Answers what it keeps."""
    batches = [view for base in bases for view in iter_batches((path / name(base)).read_bytes())]
    # The last batch stays: the cleaner keeps the last offset of a segment known.
    kept = [bytes(view) for number, view in enumerate(batches) if number % 2 or number == len(batches) - 1]
    (path / f"{name(bases[0])}{ending}").write_bytes(b"".join(kept))
    for suffix in SUFFIXES[1:]:
        (path / f"{name(bases[0], suffix)}{ending}").touch()
    return offsets(kept)


def opened(tmp_path: Path) -> Log:
    log = real_log(tmp_path, config=COMPACTED, clean=False)
    left = [file.name for file in Path(log.path).iterdir() if file.name.endswith((".cleaned", ".swap", ".deleted"))]
    assert left == []
    return log


def test_unfinished_copies_go(tmp_path: Path) -> None:
    path, bases = uncleaned(tmp_path)
    before = offsets(stored(real_log(tmp_path, config=COMPACTED)))
    write_cleaned(path, bases[:3], ".cleaned")
    log = opened(tmp_path)
    assert offsets(stored(log)) == before
    assert any("was undone" in note for note in log.notes)


@pytest.mark.parametrize("removed", [0, 1, 3])
def test_a_finished_copy_takes_the_place_of_its_segments(tmp_path: Path, removed: int) -> None:
    """However many of them were already renamed to `.deleted`."""
    path, bases = uncleaned(tmp_path)
    before = offsets(stored(real_log(tmp_path, config=COMPACTED)))
    kept = write_cleaned(path, bases[:3], ".swap")
    for base in bases[:removed]:
        for suffix in SUFFIXES:
            (path / name(base, suffix)).rename(path / f"{name(base, suffix)}.deleted")
    log = opened(tmp_path)
    assert offsets(stored(log)) == kept + [offset for offset in before if offset >= bases[3]]
    assert [segment.base for segment in log.segments] == [bases[0], *bases[3:]]
    assert any("was finished" in note for note in log.notes)


def test_the_last_renaming_may_have_begun(tmp_path: Path) -> None:
    """The log has its name already, its index has not."""
    path, bases = uncleaned(tmp_path)
    kept = write_cleaned(path, bases[:2], ".swap")
    for base in bases[:2]:
        for suffix in SUFFIXES:
            (path / name(base, suffix)).unlink()
    (path / f"{name(bases[0])}.swap").rename(path / name(bases[0]))
    log = opened(tmp_path)
    assert offsets(stored(log))[: len(kept)] == kept


def test_a_split_that_was_not_finished_is_undone(tmp_path: Path) -> None:
    path, bases = uncleaned(tmp_path)
    before = offsets(stored(real_log(tmp_path, config=COMPACTED)))
    write_cleaned(path, bases[2:3], ".cleaned")
    write_cleaned(path, bases[3:4], ".swap")
    assert offsets(stored(opened(tmp_path))) == before


def test_what_is_damaged_is_not_touched(tmp_path: Path) -> None:
    path, bases = uncleaned(tmp_path)
    before = offsets(stored(real_log(tmp_path, config=COMPACTED)))
    write_cleaned(path, bases[:2], ".swap")
    swap = path / f"{name(bases[0])}.swap"
    swap.write_bytes(swap.read_bytes()[:-5])
    log = real_log(tmp_path, config=COMPACTED, clean=False)
    assert offsets(stored(log)) == before
    assert swap.exists()
    assert any("was not touched" in note for note in log.notes)
