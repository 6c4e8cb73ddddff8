"""The segments of a log in order, and finding things in them.

Theory of operation. An offset is found in three steps: the segment whose base does not exceed it, the index entry that
does not lie behind it, then batch headers from there, a few kilobytes at most; unless the next index entry is the batch
itself, as for a consumer that reads on. Consumers ask for the offset behind
what they got last, and the tail of the log is asked for most: where reads ended and where writes ended is remembered
in two small generations of hints, so neither looks at the disk at all.

Nothing is read into Python but headers: `read` answers with a file, a position and a length.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final, NamedTuple

from logctl.engine.log.disk import File
from logctl.engine.log.scan import Scanner
from logctl.engine.log.segment import Segment
from logctl.wire import records
from logctl.wire.errors import WireError

_HINTS: Final = 128
_HEADERS_CHUNK_BYTES: Final = 8192
_LENGTH_BYTES: Final = 12


class Slice(NamedTuple):
    """Whole batches (the last one may be cut off) in a file. Keeping it keeps the file open and readable."""

    file: File | None
    position: int
    length: int
    first_offset: int


class Stamp(NamedTuple):
    offset: int
    timestamp: int
    leader_epoch: int


class History:
    """At least one segment, the last of which is written to."""

    def __init__(self, segments: list[Segment], notes: list[str]) -> None:
        self.segments = segments
        self.bases = [segment.base for segment in segments]
        self._notes = notes
        self._hints: dict[int, tuple[Segment, int]] = {}
        self._older_hints: dict[int, tuple[Segment, int]] = {}

    @property
    def active(self) -> Segment:
        return self.segments[-1]

    def add(self, segment: Segment) -> None:
        self.segments.append(segment)
        self.bases.append(segment.base)

    def cut(self, count: int) -> list[Segment]:
        """Keep the first `count` segments; returns the others."""
        gone = self.segments[count:]
        del self.segments[count:], self.bases[count:]
        self.forget_hints()
        return gone

    def drop(self, count: int) -> list[Segment]:
        """Let go of the first `count` segments and return them."""
        gone = self.segments[:count]
        del self.segments[:count], self.bases[:count]
        self.forget_hints()
        return gone

    def hint(self, offset: int, segment: Segment, position: int) -> None:
        """The batch that begins with `offset` is (or will be) at this position."""
        if len(self._hints) >= _HINTS:
            self._older_hints = self._hints
            self._hints = {}
        self._hints[offset] = (segment, position)

    def forget_hints(self) -> None:
        self._hints.clear()
        self._older_hints.clear()

    def index_of(self, offset: int) -> int:
        """Which segment holds, or would hold, `offset`."""
        return max(bisect_right(self.bases, offset) - 1, 0)

    def locate(self, offset: int) -> tuple[Segment, int]:
        """Where the first batch whose last offset is not below `offset` lies, or would be appended.

        Raises DiskFault, and CorruptBatch when the file holds no batches where it should.
        """
        known = self._hints.get(offset) or self._older_hints.get(offset)
        if known is not None:
            return known
        at = self.index_of(offset)
        position = self._indexed(self.segments[at], offset)
        if position >= 0:
            return self.segments[at], position
        while True:
            segment = self.segments[at]
            position = self._walk(segment, self._begin(segment, offset), offset)
            if position < segment.size or at + 1 == len(self.segments):
                return segment, position
            at += 1

    def _indexed(self, segment: Segment, offset: int) -> int:
        """The batch that holds `offset` if the index knows where it begins, else -1. Reads end on indexed batches, so
        that is where a consumer goes on."""
        position = segment.indexed_reaching(offset) if segment.size else -1
        if not 0 <= position < segment.size:
            return -1
        header = segment.file().pread(records.HEADER_BYTES, position)
        if len(header) < records.HEADER_BYTES:
            return -1
        fields = records.HEADER.unpack(header)
        return position if fields[3] == records.MAGIC and fields[0] <= offset <= fields[0] + fields[6] else -1

    def _begin(self, segment: Segment, offset: int) -> int:
        """A batch at or before `offset`; an index that points anywhere else is rebuilt."""
        if not segment.size:
            return 0
        position = segment.position_for(offset)
        if position == 0:
            return 0
        header = segment.file().pread(records.HEADER_BYTES, position)
        if len(header) == records.HEADER_BYTES and position < segment.size:
            fields = records.read_header(header)
            if fields.magic == records.MAGIC and segment.base <= fields.base_offset <= offset:
                return position
        self._notes.append(f"{segment.path('.index')} does not fit its segment and was rebuilt from it")
        segment.rebuild_index() if segment.growing is None else segment.reindex()
        return segment.position_for(offset)

    def _walk(self, segment: Segment, position: int, offset: int) -> int:
        size = segment.size
        if position >= size:
            return position
        file = segment.file()
        while position < size:
            chunk = file.pread(min(_HEADERS_CHUNK_BYTES, size - position), position)
            found, ahead = _first_reaching(chunk, offset)
            if found:
                return position + ahead
            if not ahead:
                raise records.CorruptBatch(f"{file.path} holds no record batch at position {position}")
            position += ahead
        return position

    # ---- reading ----

    def read(self, offset: int, max_bytes: int, up_to_offset: int, minimum_one_batch: bool) -> Slice:
        """Batches from the one that holds `offset` up to `up_to_offset` (both written), within one segment.

        Ends on a batch that the index knows, where one lies within `max_bytes`. With `minimum_one_batch` the first
        batch is returned however large it is; without, one that does not fit yields an empty slice.
        """
        if offset >= up_to_offset:
            return Slice(None, 0, 0, offset)
        segment, position = self.locate(offset)
        limit = segment.size
        if position >= limit and segment is not self.segments[-1]:
            segment = self.segments[self.index_of(segment.base) + 1]
            position, limit = 0, segment.size
        following = self._base_after(segment)
        if following is None or up_to_offset < following:
            end_segment, end = self.locate(up_to_offset)
            limit = end if end_segment is segment else limit
        if position >= limit:
            return Slice(None, 0, 0, offset)
        file = segment.file()
        if limit - position > max_bytes:
            limit = self._fit(segment, file, position, max_bytes, limit, minimum_one_batch)
        if limit == segment.size and following is not None:
            self.hint(following, self.segments[self.index_of(following)], 0)
        return Slice(file, position, limit - position, offset)

    def _base_after(self, segment: Segment) -> int | None:
        if segment is self.segments[-1]:
            return None
        return self.segments[self.index_of(segment.base) + 1].base

    def _fit(
        self, segment: Segment, file: File, position: int, max_bytes: int, limit: int, minimum_one_batch: bool
    ) -> int:
        boundary = segment.boundary_before(position + max_bytes)
        if boundary > position:
            return min(boundary, limit)
        prefix = file.pread(_LENGTH_BYTES, position)
        first = position + _LENGTH_BYTES + int.from_bytes(prefix[8:12], "big", signed=True)
        if first <= position + max_bytes:
            return min(position + max_bytes, limit)
        return min(first, limit) if minimum_one_batch else position

    def end_at(self, segment: Segment, position: int) -> int:
        """The offset behind its last batch before `position`, as the file has it."""
        scanner = Scanner(segment.file(), 0, position, next_offset=segment.base, check=False)
        for _ in scanner.chunks():
            pass
        return scanner.next_offset

    # ---- timestamps ----

    def find_timestamp(self, timestamp: int, start_offset: int, up_to_offset: int) -> Stamp | None:
        """The first record from `start_offset` on, below `up_to_offset`, whose timestamp is not below `timestamp`."""
        for segment in self.segments[self.index_of(start_offset) :]:
            if segment.base >= up_to_offset:
                return None
            if segment.size and segment.largest_timestamp() >= timestamp:
                begin = max(segment.offset_before_time(timestamp), start_offset)
                found = self._find_in_segment(segment, begin, timestamp, start_offset)
                if found is not None:
                    return found if found.offset < up_to_offset else None
        return None

    def _find_in_segment(self, segment: Segment, begin: int, timestamp: int, start_offset: int) -> Stamp | None:
        position = self._begin(segment, begin)
        file = segment.file()
        for at, header in Scanner(file, position, segment.size, next_offset=segment.base, check=False):
            if header[8] >= timestamp and header[0] + header[6] >= start_offset:
                found = _find_in_batch(file, at, header[1] + _LENGTH_BYTES, timestamp, start_offset)
                if found is not None:
                    return found
        return None

    def latest_timestamp(self) -> Stamp | None:
        """The first record that carries the largest timestamp of all; None if no record carries one."""
        best: Segment | None = None
        for segment in self.segments:
            largest = segment.largest_timestamp() if segment.size else -1
            if largest >= 0 and (best is None or largest > best.max_timestamp):
                best = segment
        if best is None:
            return None
        position = self._walk(best, self._begin(best, best.max_timestamp_offset), best.max_timestamp_offset)
        header = records.read_header(best.file().pread(records.HEADER_BYTES, position))
        return _find_in_batch(best.file(), position, header.length, header.max_timestamp, 0)


def _first_reaching(chunk: bytes, offset: int) -> tuple[bool, int]:
    """Over the batches in a chunk: (found, position of the batch that reaches `offset`) or (not, where to go on)."""
    unpack, last = records.HEADER.unpack_from, len(chunk) - records.HEADER_BYTES
    at = 0
    while at <= last:
        header = unpack(chunk, at)
        if header[3] != records.MAGIC or header[1] < records.HEADER_BYTES - _LENGTH_BYTES:
            return False, 0
        if header[0] + header[6] >= offset:
            return True, at
        at += header[1] + _LENGTH_BYTES
    return False, at


def _find_in_batch(file: File, position: int, length: int, timestamp: int, start_offset: int) -> Stamp | None:
    batch = file.pread(length, position)
    header = records.read_header(batch)
    try:
        for record in records.iter_records(batch):
            if record.timestamp >= timestamp and record.offset >= start_offset:
                return Stamp(record.offset, record.timestamp, header.leader_epoch)
    except WireError:
        # A batch that its producer filled with nonsense was accepted unread; its header still answers.
        return Stamp(max(header.base_offset, start_offset), header.max_timestamp, header.leader_epoch)
    return None
