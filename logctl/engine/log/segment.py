"""One segment of a log: the file of batches from one offset on, and the small files beside it.

    00000000000000001500.log        batches
    00000000000000001500.index      see index.py
    00000000000000001500.timeindex
    00000000000000001500.txnindex   aborted transactions, only where there were any
    00000000000000001500.snapshot   producers as of this offset, see producer_snapshot.py

Theory of operation. A segment holds no descriptor: it borrows one from `OpenFiles`, which keeps the most recently used
and lets go of the others, so thousands of partitions share a bounded number. `size` is what the file holds; while
batches are staged, `staged_size` is ahead of it. The index of the segment being written is in memory (`growing`); a
sealed segment has it in its files alone.
"""

from __future__ import annotations

from typing import Final

from logctl.engine.log import index
from logctl.engine.log.disk import Disk, File
from logctl.engine.log.scan import Scanner
from logctl.wire.records import LENGTH_PREFIX_BYTES

SUFFIXES: Final = (".log", ".index", ".timeindex", ".txnindex", ".snapshot")
MAX_RELATIVE_OFFSET: Final = (1 << 31) - 1
UNKNOWN: Final = -2


class OpenFiles:
    """The open files of a node's logs, at most `limit` at rest. Files in use elsewhere stay open until they are not."""

    def __init__(self, disk: Disk, limit: int = 256) -> None:
        self.disk = disk
        self._limit = limit
        self._files: dict[str, File] = {}

    def get(self, path: str, create: bool = False) -> File:
        """The file, most recently used from now on. Raises DiskFault."""
        file = self._files.pop(path, None)
        if file is None:
            file = self.disk.open(path, create)
            if len(self._files) >= self._limit:
                del self._files[next(iter(self._files))]
        self._files[path] = file
        return file

    def forget(self, path: str) -> None:
        """The path is renamed or removed, or not needed any more."""
        self._files.pop(path, None)

    def __len__(self) -> int:
        return len(self._files)


class Segment:
    """Batches from `base` on. `max_timestamp` is UNKNOWN until somebody asks, for sealed segments read from disk."""

    __slots__ = (
        "_files",
        "_path",
        "base",
        "created_ms",
        "exists",
        "first_timestamp",
        "growing",
        "interval_bytes",
        "max_timestamp",
        "max_timestamp_offset",
        "since_index",
        "size",
        "staged_size",
    )

    def __init__(
        self, files: OpenFiles, directory: str, base: int, created_ms: int, *, interval_bytes: int, size: int = 0
    ) -> None:
        self._files = files
        self._path = f"{directory}/{base:020d}"
        self.base = base
        self.size = self.staged_size = size
        self.exists = size > 0
        self.created_ms = created_ms
        self.interval_bytes = interval_bytes
        self.growing: index.GrowingIndex | None = None
        self.since_index = 0
        self.max_timestamp = self.first_timestamp = UNKNOWN if size else -1
        self.max_timestamp_offset = base

    def path(self, suffix: str) -> str:
        return self._path + suffix

    def index_paths(self) -> tuple[str, str]:
        return self._path + ".index", self._path + ".timeindex"

    def file(self) -> File:
        """The .log file, created if the segment is new."""
        file = self._files.get(self._path + ".log", not self.exists)
        self.exists = True
        return file

    def release(self) -> None:
        self._files.forget(self._path + ".log")

    def begin(self) -> None:
        """A segment without batches, about to be written."""
        self.growing = index.GrowingIndex()

    def note(self, last_offset: int, position: int, size: int, max_timestamp: int) -> None:
        """Account for a batch that was put at `position`."""
        if max_timestamp > self.max_timestamp:
            self.max_timestamp = max_timestamp
            self.max_timestamp_offset = last_offset
        if self.since_index > self.interval_bytes:
            base = self.base
            assert self.growing is not None
            self.growing.add(last_offset - base, position, self.max_timestamp, self.max_timestamp_offset - base)
            self.since_index = 0
        self.since_index += size

    def index_is_full(self, index_bytes: int) -> bool:
        return self.growing is not None and self.growing.is_full(index_bytes)

    # ---- the index files ----

    def write_index(self) -> None:
        """Bring the index files up to date. Raises DiskFault."""
        if self.growing is not None and self.exists:
            self.growing.write(self._files.disk, *self.index_paths())

    def seal(self) -> None:
        """No more batches will come: the last timestamp goes into the time index, and memory is given back.

        Raises DiskFault; the index stays in memory then and the call may be repeated.
        """
        if self.growing is not None:
            if self.max_timestamp >= 0:
                self.growing.add_time(self.max_timestamp, self.max_timestamp_offset - self.base)
            self.write_index()
            self.growing = None

    def load_index(self) -> bool:
        """Read the index files into memory, ready to go on writing; False if they are missing or no use."""
        loaded = index.load(self._files.disk, *self.index_paths())
        if loaded is not None and loaded.positions and loaded.positions[-1] >= self.size:
            return False
        self.growing = loaded
        return loaded is not None

    def scan_from(self, offset: int, *, check: bool = True) -> Scanner:
        """Scan what lies behind the last index entry below `offset`, noting each batch anew.

        `growing` must be loaded, or empty to scan everything. What it says of offsets from `offset` on is forgotten.
        The entry the scan begins at must fit the batch found there, or the index is built anew. Stops at damage; `size`
        is not changed.
        """
        assert self.growing is not None
        position = self.growing.forget_from(offset - self.base)
        scanner = self._rescan(position, check)
        if position and scanner.position == position:
            self.growing.cut(0, 0)
            scanner = self._rescan(0, check)
        return scanner

    def _rescan(self, position: int, check: bool) -> Scanner:
        growing = self.growing
        assert growing is not None
        self.since_index = 0
        self.max_timestamp, self.max_timestamp_offset = -1, self.base
        if growing.times:
            self.max_timestamp = growing.times[-1]
            self.max_timestamp_offset = self.base + growing.time_offsets[-1]
        scanner = Scanner(self.file(), position, self.size, next_offset=self.base, check=check)
        for at, header in scanner:
            if at == position > 0 and header[0] + header[6] - self.base != growing.offsets[-1]:
                scanner.position = position
                break
            if at == 0:
                self.first_timestamp = header[8]
            self.note(header[0] + header[6], at, header[1] + LENGTH_PREFIX_BYTES, header[8])
        return scanner

    def cut(self, offset: int, position: int) -> int:
        """Cut the file at `position`, before the batch that holds `offset`; durable on return. Raises DiskFault.

        Returns the offset behind the last batch. The segment is open for writing afterwards.
        """
        if self.growing is None and not self.load_index():
            self.begin()
        self.size = self.staged_size = position
        if not position:
            self.begin()
            self.first_timestamp = -1
        if not self.exists:
            return self.base
        end_offset = self.scan_from(offset, check=False).next_offset
        self.truncate_file()
        self.write_index()
        self.file().sync()
        return end_offset

    def rebuild_index(self) -> None:
        """Write a sealed segment's index files anew from its batches. Durable on return. Raises DiskFault."""
        self.reindex()
        assert self.growing is not None
        if self.max_timestamp >= 0:
            self.growing.add_time(self.max_timestamp, self.max_timestamp_offset - self.base)
        self.replace_index()
        self.growing = None

    def replace_index(self) -> None:
        """Write the index files as a whole, durably. Raises DiskFault."""
        assert self.growing is not None
        self.growing.replace(self._files.disk, *self.index_paths())

    def reindex(self) -> None:
        """Read the batches of the segment being written again and build its index in memory anew."""
        self.begin()
        self._rescan(0, check=False)

    # ---- lookups ----

    def position_for(self, offset: int) -> int:
        """The position of an indexed batch that does not lie behind `offset`: where to begin looking for it."""
        if self.growing is not None:
            return self.growing.position_for(offset - self.base)
        return index.find_position(self._index_file(".index"), offset - self.base)

    def indexed_reaching(self, offset: int) -> int:
        """The position of the first indexed batch whose last offset is not below `offset`; -1 if the index has none."""
        if self.growing is not None:
            return self.growing.reaching(offset - self.base)
        return index.find_reaching(self._index_file(".index"), offset - self.base)

    def boundary_before(self, position: int) -> int:
        """The position of the last indexed batch that begins at or before `position`."""
        if self.growing is not None:
            return self.growing.boundary_before(position)
        return index.find_boundary(self._index_file(".index"), position)

    def offset_before_time(self, timestamp: int) -> int:
        """An offset up to which every timestamp of the segment is earlier than `timestamp`."""
        if self.growing is not None:
            return self.base + self.growing.offset_before_time(timestamp)
        return self.base + index.find_time(self._index_file(".timeindex"), timestamp)

    def largest_timestamp(self) -> int:
        """The latest timestamp of its batches; -1 if none carries one."""
        if self.max_timestamp == UNKNOWN:
            entry = index.last_time(self._index_file(".timeindex"))
            self.max_timestamp, relative = entry or (-1, 0)
            self.max_timestamp_offset = self.base + relative
        return self.max_timestamp

    def earliest_timestamp(self) -> int:
        """The timestamp that the age of the segment is counted from: its first batch's; -1 if it has none."""
        if self.first_timestamp == UNKNOWN:
            scanner = iter(Scanner(self.file(), 0, self.size, next_offset=self.base, check=False))
            _, header = next(scanner, (0, None))
            self.first_timestamp = header[8] if header else -1
        return self.first_timestamp

    def _index_file(self, suffix: str) -> File:
        disk = self._files.disk
        if not disk.exists(self.path(suffix)):
            self.rebuild_index()
        return disk.open(self.path(suffix))

    # ---- removal ----

    def files(self) -> list[str]:
        """The paths of this segment that exist."""
        return [self.path(suffix) for suffix in SUFFIXES if self._files.disk.exists(self.path(suffix))]

    def retire(self) -> list[str]:
        """Rename its files to `*.deleted`; returns the new names. Readers that have them open are not disturbed.

        The .log goes first: a crash half way leaves small files without a segment, never a segment without them.
        """
        self.release()
        renamed = []
        for path in self.files():
            self._files.disk.rename(path, path + ".deleted")
            renamed.append(path + ".deleted")
        return renamed

    def truncate_file(self) -> None:
        """Cut the file back to `size`: what was written behind it is not part of the log."""
        if self.exists:
            self.file().truncate(self.size)

    def discard_file(self) -> None:
        """Remove a file that was created for batches which were not written after all. Raises DiskFault."""
        self.release()
        if self.exists:
            self._files.disk.remove(self.path(".log"))
