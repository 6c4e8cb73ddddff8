"""Where each leader's reign began: the memory that tells diverged logs apart (KIP-101, KIP-279).

`leader-epoch-checkpoint` holds the entries in the text format of checkpoints.py. Everything in it can be read off the
batches too; the file only spares looking.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise

from logctl.engine.log.checkpoints import format_lines, parse_lines

FILE_NAME = "leader-epoch-checkpoint"
UNDEFINED = -1


class LeaderEpochs:
    """(epoch, start offset) in rising order of both. `dirty`: changed since `encode` was last written durably."""

    __slots__ = ("dirty", "entries")

    def __init__(self, entries: Iterable[tuple[int, int]] = ()) -> None:
        self.entries: list[tuple[int, int]] = list(entries)
        self.dirty = False

    @classmethod
    def decode(cls, data: bytes) -> LeaderEpochs:
        """Raises ValueError with the reason when the file is damaged."""
        entries = [(int(epoch), int(start)) for epoch, start in parse_lines(data, 2)]
        for before, after in pairwise(entries):
            if not (before[0] < after[0] and before[1] <= after[1]):
                raise ValueError("its epochs and offsets do not rise")
        return cls(entries)

    def encode(self) -> bytes:
        return format_lines([f"{epoch} {start}" for epoch, start in self.entries])

    @property
    def latest(self) -> int:
        return self.entries[-1][0] if self.entries else UNDEFINED

    def assign(self, epoch: int, start_offset: int) -> None:
        """Batches from `start_offset` on carry `epoch`. What contradicts that is forgotten."""
        entries = self.entries
        if epoch < 0:
            return
        while entries and (entries[-1][0] > epoch or entries[-1][1] > start_offset):
            entries.pop()
            self.dirty = True
        if not entries or entries[-1][0] != epoch:
            self.truncate_from_end(start_offset)
            entries.append((epoch, start_offset))
            self.dirty = True

    def truncate_from_end(self, end_offset: int) -> None:
        """The log now ends at `end_offset`."""
        while self.entries and self.entries[-1][1] >= end_offset:
            self.entries.pop()
            self.dirty = True

    def truncate_from_start(self, start_offset: int) -> None:
        """The log now begins at `start_offset`: the epoch that covers it begins there."""
        covering = bisect_right(self.entries, start_offset, key=lambda entry: entry[1]) - 1
        if covering > 0 or (covering == 0 and self.entries[0][1] < start_offset):
            self.entries[: covering + 1] = [(self.entries[covering][0], start_offset)]
            self.dirty = True

    def at(self, offset: int) -> int:
        """The epoch that `offset` was written in; UNDEFINED before the first entry."""
        found = bisect_right(self.entries, offset, key=lambda entry: entry[1]) - 1
        return self.entries[found][0] if found >= 0 else UNDEFINED

    def end_offset_for(self, epoch: int, end_offset: int) -> tuple[int, int]:
        """(largest known epoch not above `epoch`, where it ended), (-1, -1) when nothing can be said.

        As Apache answers OffsetForLeaderEpoch: for the latest epoch the end is that of the log; for an epoch before
        the first one known, the epoch asked for and where the first known one begins.
        """
        if epoch == UNDEFINED or not self.entries or epoch > self.latest:
            return UNDEFINED, UNDEFINED
        if epoch == self.latest:
            return epoch, end_offset
        higher = bisect_right(self.entries, epoch, key=lambda entry: entry[0])
        if higher == 0:
            return epoch, self.entries[0][1]
        return self.entries[higher - 1][0], self.entries[higher][1]
