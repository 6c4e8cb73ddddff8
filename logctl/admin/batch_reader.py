"""Reading whole batches as leaders hand them out, damaged ones too: what verification looks at.

Where a consumer would stop, this goes on: behind a batch that is damaged, at the next offset that makes sense. A
partition that cannot be read on is given up with a reason, and the others are read to their end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from logctl.admin.consumer import ConsumeOptions, Consumer, Notice
from logctl.admin.positions import Place
from logctl.admin.routing import Cluster
from logctl.errors import LogctlError, OperationFailed
from logctl.wire.checksum import crc32c
from logctl.wire.errors import WireError
from logctl.wire.records import CRC_START, HEADER_BYTES, MAGIC, iter_batches, read_header


class Batches(NamedTuple):
    """Batches of one partition in the order in which they lie there, unchecked."""

    place: Place
    batches: list[memoryview]


class Moved(NamedTuple):
    """What was to be read next is gone: reading goes on at `offset`."""

    place: Place
    offset: int
    sentence: str


class GivenUp(NamedTuple):
    """The partition cannot be read on from `offset`."""

    place: Place
    offset: int
    error: LogctlError


Event = Batches | Moved | GivenUp | Notice


class BatchReader(Consumer):
    """Reads partitions batch by batch, from and to the places that the options name; filters do not apply."""

    def __init__(self, cluster: Cluster, topics: Sequence[str], options: ConsumeOptions) -> None:
        super().__init__(cluster, topics, options)
        self._events_aside: list[Event] = []

    def starts(self) -> dict[Place, tuple[int, int | None]]:
        """Where reading is, and where it stops, by partition."""
        return {place: (cursor.offset, cursor.stop) for place, cursor in self._cursors.items()}

    def batches(self) -> Iterator[Event]:
        """Everything from start to stop. Raises Unreachable or OperationFailed when trouble outlasts the timeout."""
        for event in self._events():
            aside, self._events_aside = self._events_aside, []
            yield from aside
            yield event  # type: ignore[misc]  # what _unpack below yields in place of records
        yield from self._events_aside

    def _absorb_one(self, cursor: Any, answer: Any) -> Any:
        try:
            return super()._absorb_one(cursor, answer)
        except LogctlError as error:
            self._events_aside.append(GivenUp(cursor.place, cursor.offset, error))
            cursor.stop = cursor.offset
            return []

    def _find_again(self, cursor: Any) -> None:
        super()._find_again(cursor)
        sentence = self._notices.pop().sentence if self._notices else ""
        self._events_aside.append(Moved(cursor.place, cursor.offset, sentence))

    def _walk(self, cursor: Any, answer: Any) -> list[memoryview]:
        """All batches of an answer, for `_unpack`; the cursor ends up behind them."""
        kept: list[memoryview] = []
        before = cursor.offset
        try:
            for batch in iter_batches(answer.records or b""):
                kept.append(batch)
                cursor.offset = max(cursor.offset, _behind(batch, cursor.stop))
        except WireError as error:
            if not kept:
                raise OperationFailed(f"no batch can be made out in what the leader sent: {error}") from error
        if kept and cursor.offset == before:
            cursor.offset += 1
        return kept

    def _unpack(self, portion: Any) -> Iterator[Any]:
        yield Batches(portion.cursor.place, portion.batches)


def _behind(batch: memoryview, stop: int | None) -> int:
    """The offset behind a batch. What a damaged header says is believed only where it agrees with itself."""
    base = int.from_bytes(batch[:8], "big", signed=True)
    if len(batch) < HEADER_BYTES or batch[16] != MAGIC:
        behind = base + 1
    else:
        header = read_header(batch)
        sound = crc32c(batch[CRC_START:]) == header.crc or header.count == header.last_offset_delta + 1
        behind = header.last_offset + 1 if sound and header.last_offset_delta >= 0 else base + 1
    return behind if stop is None else min(behind, stop)
