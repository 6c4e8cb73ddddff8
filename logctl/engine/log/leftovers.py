"""What Apache Kafka's cleaner leaves behind when it is killed, and how its work is finished.

The cleaner writes the records it keeps from some neighbouring segments to files that end in `.cleaned`, flushes them,
renames them to `.swap`, deletes the segments they stand for (by renaming to `.deleted`), and at last gives the new
files their own names. So a crash leaves one of three things, and the rules are Apache's (LogLoader):

    <offset>.log.cleaned   not finished: the old segments are all there, and the copies go
    <offset>.log.swap      finished: it replaces every segment that begins within its offsets
    both                   a segment was being split; swaps at or behind the first `.cleaned` are as unfinished as that
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from logctl.engine.log.disk import Disk
from logctl.engine.log.scan import Scanner

CLEANED: Final = ".cleaned"
SWAP: Final = ".swap"
_LOG_SWAP: Final = ".log.swap"
_OF_A_SEGMENT: Final = (".log", ".index", ".timeindex", ".txnindex")


def finish_cleaning(disk: Disk, path: str, names: Sequence[str], notes: list[str]) -> list[str]:
    """Finish or undo the cleaning that was under way in the directory `path`; the names that are there afterwards.

    `notes` gets a sentence for the diary. Raises DiskFault.
    """
    if not any(name.endswith((CLEANED, SWAP)) for name in names):
        return list(names)
    limit = min((_base(name) for name in names if name.endswith(CLEANED)), default=1 << 63)
    unfinished = {name for name in names if name.endswith(CLEANED) or (name.endswith(SWAP) and _base(name) >= limit)}
    swaps = sorted(name for name in names if name.endswith(_LOG_SWAP) and name not in unfinished)
    if not all(_is_whole(disk, f"{path}/{name}") for name in swaps):
        notes.append(f"{path}: what a compaction by Apache Kafka left is damaged and was not touched")
        return [name for name in names if not name.endswith((CLEANED, SWAP))]
    _remove(disk, path, unfinished)
    replaced = _replaced(disk, path, names, swaps)
    _remove(disk, path, replaced)
    left = [name for name in names if name not in unfinished | replaced]
    finished = [name for name in left if name.endswith(SWAP)]
    for name in finished:
        disk.rename(f"{path}/{name}", f"{path}/{name.removesuffix(SWAP)}")
    notes.append(f"{path}: a compaction by Apache Kafka was {'finished' if finished else 'undone'}")
    disk.sync_dir(path)
    return [name.removesuffix(SWAP) for name in left]


def _replaced(disk: Disk, path: str, names: Sequence[str], swaps: Sequence[str]) -> set[str]:
    """The files of the segments that begin within the swaps."""
    if not swaps:
        return set()
    first = _base(swaps[0])
    behind = max(_scanned(disk, f"{path}/{name}").next_offset for name in swaps)
    return {name for name in names if name.endswith(_OF_A_SEGMENT) and first <= _base(name) < behind}


def _remove(disk: Disk, path: str, names: Iterable[str]) -> None:
    for name in sorted(names):
        disk.remove(f"{path}/{name}")


def _base(name: str) -> int:
    """The offset that a segment's file is named after; -1 for other files."""
    digits = name.partition(".")[0]
    return int(digits) if digits.isdecimal() else -1


def _is_whole(disk: Disk, file: str) -> bool:
    return not _scanned(disk, file).damage


def _scanned(disk: Disk, file: str) -> Scanner:
    scanner = Scanner(opened := disk.open(file), 0, opened.size(), next_offset=_base(file.rpartition("/")[2]))
    for _ in scanner:
        pass
    return scanner
