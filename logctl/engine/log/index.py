"""The two sparse indexes of a segment, in Apache Kafka's format.

    .index      relative offset i, position i        entry (o, p): the batch at p ends with offset base + o
    .timeindex  timestamp q, relative offset i       entry (t, o): up to base + o no timestamp exceeds t

Both grow together, once for every index.interval.bytes of log; a time entry is left out when its time is no later than
the one before. The segment being written keeps them in memory, eight and twelve bytes per entry, and appends to the
files only when it is sealed, checkpointed or closed: the files are never preallocated, and what a crash leaves
unwritten is rebuilt with the rest of the tail. Sealed segments keep nothing in memory: a lookup is a binary search in
the file, a dozen small reads.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left, bisect_right
from typing import Final

from logctl.engine.log.disk import Disk, File

OFFSET_ENTRY: Final = struct.Struct(">ii")
TIME_ENTRY: Final = struct.Struct(">qi")
_BLOCK_ENTRIES: Final = 256


class GrowingIndex:
    """Both indexes of a segment in memory. `written_...`: how many entries the files hold already that still count.
    `stale`: the files hold others too, or do not exist."""

    __slots__ = ("offsets", "positions", "stale", "time_offsets", "times", "written_offsets", "written_times")

    def __init__(self) -> None:
        self.offsets = array("i")
        self.positions = array("i")
        self.times = array("q")
        self.time_offsets = array("i")
        self.written_offsets = 0
        self.written_times = 0
        self.stale = True

    def add(self, offset: int, position: int, max_timestamp: int, max_timestamp_offset: int) -> None:
        """Offsets are relative to the segment's base."""
        self.offsets.append(offset)
        self.positions.append(position)
        self.add_time(max_timestamp, max_timestamp_offset)

    def add_time(self, timestamp: int, offset: int) -> None:
        if timestamp > (self.times[-1] if self.times else -1):
            self.times.append(timestamp)
            self.time_offsets.append(offset)

    def is_full(self, index_bytes: int) -> bool:
        return (
            len(self.offsets) >= index_bytes // OFFSET_ENTRY.size
            or len(self.times) >= index_bytes // TIME_ENTRY.size - 1
        )

    def position_for(self, offset: int) -> int:
        """Where to begin looking for a (relative) offset."""
        found = bisect_right(self.offsets, offset) - 1
        return self.positions[found] if found >= 0 else 0

    def reaching(self, offset: int) -> int:
        """Where the first indexed batch that reaches a (relative) offset begins; -1 if none does."""
        found = bisect_left(self.offsets, offset)
        return self.positions[found] if found < len(self.positions) else -1

    def boundary_before(self, position: int) -> int:
        """The last indexed batch that begins at or before `position`; 0 if none does."""
        found = bisect_right(self.positions, position) - 1
        return self.positions[found] if found >= 0 else 0

    def offset_before_time(self, timestamp: int) -> int:
        """A relative offset up to which every timestamp is earlier than `timestamp`; 0 if nothing is known."""
        found = bisect_right(self.times, timestamp - 1) - 1
        return self.time_offsets[found] if found >= 0 else 0

    def cut(self, offset_entries: int, time_entries: int) -> None:
        """Forget the entries behind these many."""
        del self.offsets[offset_entries:], self.positions[offset_entries:]
        del self.times[time_entries:], self.time_offsets[time_entries:]
        if self.written_offsets > offset_entries or self.written_times > time_entries:
            self.stale = True
            self.written_offsets = min(self.written_offsets, offset_entries)
            self.written_times = min(self.written_times, time_entries)

    def forget_from(self, offset: int) -> int:
        """Forget what is said of this relative offset and those behind it; the position of the last batch known."""
        entries = bisect_right(self.offsets, offset - 1)
        times = bisect_right(self.time_offsets, offset - 1)
        self.cut(entries, times)
        return self.positions[-1] if entries else 0

    def write(self, disk: Disk, path: str, time_path: str) -> None:
        """Bring the files up to date, by appending. Raises DiskFault; nothing in memory is lost then."""
        if self.stale or self.written_offsets != len(self.offsets):
            _append(disk, path, self._offset_entries(self.written_offsets), self.written_offsets * OFFSET_ENTRY.size)
        if self.stale or self.written_times != len(self.times):
            _append(disk, time_path, self._time_entries(self.written_times), self.written_times * TIME_ENTRY.size)
        self._is_written()

    def replace(self, disk: Disk, path: str, time_path: str) -> None:
        """Replace the files as a whole, durably. Raises DiskFault."""
        disk.write_file(path, self._offset_entries(0))
        disk.write_file(time_path, self._time_entries(0))
        self._is_written()

    def _is_written(self) -> None:
        self.written_offsets, self.written_times, self.stale = len(self.offsets), len(self.times), False

    def _offset_entries(self, first: int) -> bytes:
        return b"".join(map(OFFSET_ENTRY.pack, self.offsets[first:], self.positions[first:]))

    def _time_entries(self, first: int) -> bytes:
        return b"".join(map(TIME_ENTRY.pack, self.times[first:], self.time_offsets[first:]))


def load(disk: Disk, path: str, time_path: str) -> GrowingIndex | None:
    """The indexes as the files hold them; None when one is missing or cannot be an index.

    A time index without entries beside an offset index with some is taken for a lost one: of batches that carry no
    timestamps it would be right, but these are rare and the cost is reading the headers of one segment.
    """
    if not (disk.exists(path) and disk.exists(time_path)):
        return None
    entries, times = disk.read_file(path), disk.read_file(time_path)
    if len(entries) % OFFSET_ENTRY.size or len(times) % TIME_ENTRY.size:
        return None
    index = GrowingIndex()
    for offset, position in OFFSET_ENTRY.iter_unpack(entries):
        index.offsets.append(offset)
        index.positions.append(position)
    for timestamp, offset in TIME_ENTRY.iter_unpack(times):
        index.times.append(timestamp)
        index.time_offsets.append(offset)
    if not (_grows(index.offsets) and _grows(index.positions) and _grows(index.times) and _grows(index.time_offsets)):
        return None
    if index.offsets and not index.times:
        return None
    index._is_written()
    return index


def find_position(file: File, offset: int) -> int:
    """In an .index file: where to begin looking for a relative offset."""
    entry = _last_entry_at_most(file, OFFSET_ENTRY, 0, offset)
    return entry[1] if entry else 0


def find_reaching(file: File, offset: int) -> int:
    """In an .index file: where the first indexed batch that reaches a relative offset begins; -1 if none does."""
    found = _count_at_most(file, OFFSET_ENTRY, 0, offset - 1)
    entry = _entries(file, OFFSET_ENTRY, found, found + 1)
    return entry[0][1] if entry else -1


def find_boundary(file: File, position: int) -> int:
    """In an .index file: the last indexed batch that begins at or before `position`; 0 if none does."""
    entry = _last_entry_at_most(file, OFFSET_ENTRY, 1, position)
    return entry[1] if entry else 0


def find_time(file: File, timestamp: int) -> int:
    """In a .timeindex file: a relative offset up to which every timestamp is earlier; 0 if nothing is known."""
    entry = _last_entry_at_most(file, TIME_ENTRY, 0, timestamp - 1)
    return entry[1] if entry else 0


def last_time(file: File) -> tuple[int, int] | None:
    """The last entry of a .timeindex file: the segment's largest timestamp and its relative offset."""
    count = file.size() // TIME_ENTRY.size
    return _entries(file, TIME_ENTRY, count - 1, count)[0] if count else None


def _last_entry_at_most(file: File, entry: struct.Struct, field: int, target: int) -> tuple[int, int] | None:
    count = _count_at_most(file, entry, field, target)
    return _entries(file, entry, count - 1, count)[0] if count else None


def _count_at_most(file: File, entry: struct.Struct, field: int, target: int) -> int:
    low, high = 0, file.size() // entry.size
    while high - low > _BLOCK_ENTRIES:
        middle = (low + high) // 2
        if _entries(file, entry, middle, middle + 1)[0][field] <= target:
            low = middle
        else:
            high = middle
    block = _entries(file, entry, low, high)
    return low + bisect_right(block, target, key=lambda values: values[field])


def _entries(file: File, entry: struct.Struct, first: int, end: int) -> list[tuple[int, int]]:
    data = file.pread((end - first) * entry.size, first * entry.size)
    return list(entry.iter_unpack(data[: len(data) // entry.size * entry.size]))


def _grows(numbers: array[int]) -> bool:
    before = -1
    for number in numbers:
        if number <= before:
            return False
        before = number
    return True


def _append(disk: Disk, path: str, data: bytes, position: int) -> None:
    """Also makes the file exist, and cuts off what an earlier life left behind the position."""
    file = disk.open(path, create=True)
    if file.size() > position:
        file.truncate(position)
    if data:
        file.pwritev([data], position)
    file.close()
