"""Walking over the batches of a segment file, header by header, with few large reads."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final

from logctl.engine.log.disk import File
from logctl.wire.checksum import crc32c
from logctl.wire.records import CRC_START, HEADER, HEADER_BYTES, LENGTH_PREFIX_BYTES, MAGIC

Header = tuple[int, int, int, int, int, int, int, int, int, int, int, int, int]
"""The fields of records.BatchHeader as they are on disk: the second one does not count the first 12 bytes."""

CHUNK_BYTES: Final = 1 << 20
_SKIPPING_CHUNK_BYTES: Final = 64 << 10


class Scanner:
    """Iterate over (position, header) of the whole batches between `position` and `end`.

    With `check` every checksum is computed; without it the bytes behind the headers are skipped where that saves
    reading. At the end `position` is where the last good batch ends, `next_offset` the offset behind it, and `damage`
    says in words why the scan stopped before `end`, or is empty.
    """

    def __init__(self, file: File, position: int, end: int, *, next_offset: int, check: bool = True) -> None:
        self.position = position
        self.next_offset = next_offset
        self.damage = ""
        self._file = file
        self._end = end
        self._check = check

    def __iter__(self) -> Iterator[tuple[int, Header]]:
        return chain.from_iterable(self.chunks())

    def chunks(self) -> Iterator[list[tuple[int, Header]]]:
        """The same, as many at a time as were read at once."""
        chunk_bytes = CHUNK_BYTES if self._check else _SKIPPING_CHUNK_BYTES
        buffer = memoryview(bytearray(min(chunk_bytes, max(self._end - self.position, 0))))
        while self.position < self._end and not self.damage:
            start = self.position
            count = self._file.pread_into(buffer[: self._end - start], start)
            yield self._batches(buffer[:count], start)
            if self.position == start and not self.damage:
                buffer = self._larger(buffer, count)

    def _batches(self, chunk: memoryview, start: int) -> list[tuple[int, Header]]:
        """The whole batches in a chunk that was read at position `start`; moves on behind them."""
        unpack, check, have, room = HEADER.unpack_from, self._check, len(chunk), self._end - start
        found: list[tuple[int, Header]] = []
        next_offset = self.next_offset
        at = 0
        while have - at >= HEADER_BYTES:
            header: Header = unpack(chunk, at)
            following = at + header[1] + LENGTH_PREFIX_BYTES
            if header[3] != MAGIC or following - at < HEADER_BYTES or header[6] < 0:
                self.damage = "there is no record batch"
                break
            if following > room:
                self.damage = "a record batch is cut off"
                break
            if check:
                if following > have:
                    break
                if crc32c(chunk[at + CRC_START : following]) != header[4]:
                    self.damage = "a record batch does not match its checksum"
                    break
            if header[0] < next_offset:
                self.damage = f"a record batch begins at offset {header[0]} where {next_offset} is due"
                break
            found.append((start + at, header))
            next_offset = header[0] + header[6] + 1
            at = following
        self.next_offset = next_offset
        self.position = start + at
        return found

    def _larger(self, buffer: memoryview, count: int) -> memoryview:
        """A buffer for a batch that did not fit; no buffer helps when the file itself ends here."""
        if count < len(buffer) or count == self._end - self.position:
            self.damage = "a record batch is cut off"
            return buffer
        wanted = HEADER_BYTES
        if count >= HEADER_BYTES:
            wanted = HEADER.unpack_from(buffer)[1] + LENGTH_PREFIX_BYTES
        return memoryview(bytearray(max(wanted, min(2 * len(buffer), self._end - self.position))))


def sound_batch_follows(file: File, position: int, end: int) -> bool:
    """Whether the broken batch at `position` has its full length, and a sound one follows.

    A write that was torn leaves nothing sound behind the tear; this is damage to what was written, or writes that
    reached the disk out of order.
    """
    header = file.pread(HEADER_BYTES, position)
    if len(header) < HEADER_BYTES:
        return False
    following = position + max(HEADER.unpack(header)[1], 0) + LENGTH_PREFIX_BYTES
    if not position + HEADER_BYTES <= following < end:
        return False
    return any(True for _ in Scanner(file, following, end, next_offset=0))
