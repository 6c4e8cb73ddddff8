"""Was everything that was sent stored, and once? A list of values beside what a topic holds. Pure.

Of each value only a digest of 16 bytes is kept, so that a list may be far larger than its place in memory. A value that
was sent several times shall be stored as often. The order is looked at within each partition, where Kafka keeps it, and
only for values that were sent once.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final, NamedTuple

_DIGEST_BYTES: Final = 16
LINES_NAMED: Final = 10


class SentResult(NamedTuple):
    """`stored`: values that were found as often as they were sent. `strangers`: records whose value was not sent."""

    sent: int
    stored: int
    lost: int
    duplicated: int
    reordered: int
    strangers: int
    lost_lines: list[int]
    duplicated_lines: list[int]

    @property
    def wrong(self) -> bool:
        return bool(self.lost or self.duplicated or self.reordered)


class _Value:
    __slots__ = ("found", "line", "sent")

    def __init__(self, line: int) -> None:
        self.line = line
        self.sent = 0
        self.found = 0


class SentCheck:
    """Tell it first what was sent, then what is stored, partition by partition in order."""

    def __init__(self) -> None:
        self._values: dict[bytes, _Value] = {}
        self._sent = 0
        self._strangers = 0
        self._reordered = 0
        self._newest_line: dict[object, int] = {}

    def sent(self, value: bytes, line: int) -> None:
        """A value of the list; `line` names it."""
        self._sent += 1
        self._values.setdefault(_digest(value), _Value(line)).sent += 1

    def stored(self, place: object, value: bytes | None) -> None:
        """The value of the next record of a partition."""
        known = None if value is None else self._values.get(_digest(value))
        if known is None:
            self._strangers += 1
            return
        known.found += 1
        if known.sent == 1 and known.found == 1:
            newest = self._newest_line.get(place, 0)
            self._reordered += known.line < newest
            self._newest_line[place] = max(newest, known.line)

    def result(self) -> SentResult:
        lost = [value for value in self._values.values() if value.found < value.sent]
        doubled = [value for value in self._values.values() if value.found > value.sent]
        return SentResult(
            sent=self._sent,
            stored=sum(value.sent for value in self._values.values() if value.found == value.sent),
            lost=sum(value.sent - value.found for value in lost),
            duplicated=sum(value.found - value.sent for value in doubled),
            reordered=self._reordered,
            strangers=self._strangers,
            lost_lines=sorted(value.line for value in lost)[:LINES_NAMED],
            duplicated_lines=sorted(value.line for value in doubled)[:LINES_NAMED],
        )


def _digest(value: bytes) -> bytes:
    return blake2b(value, digest_size=_DIGEST_BYTES).digest()
