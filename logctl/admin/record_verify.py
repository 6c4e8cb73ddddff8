"""Is what lies in a partition sound? Checked batch by batch, from what the batches themselves say. Pure.

Theory of operation
-------------------
`PartitionCheck.feed` is given the batches of one partition in order. Of each it checks

    the checksum, and that the records can be unpacked and are as many as announced;
    offsets: each batch begins where the last one ended. Compaction leaves gaps, so in a compacted topic they are
        counted and nothing more; elsewhere a gap is a loss. Transactions leave none: their markers have offsets too;
    leader epochs: they never go back;
    timestamps: records that are older than one before them are counted; that is how producers send them, no fault;
    sequences: a producer's batches carry on where its last one ended, or begin at 0 in a new epoch. A lower number is a
        record stored twice, a higher one a record that is missing. Of a producer that is met for the first time, and in
        compacted topics, only what is stored twice can be told;
    control batches: one record of a known kind, from a producer that wrote in a transaction.

What is `wrong` is a fault of the log; what is not wrong is worth knowing.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Final, NamedTuple

from logctl.wire.compression import NAMES
from logctl.wire.errors import WireError
from logctl.wire.records import (
    CONTROL_ABORT,
    CONTROL_COMMIT,
    CONTROL_KRAFT_VOTERS,
    BatchHeader,
    Record,
    check_batch,
    control_type,
    iter_records,
)

_SEQUENCES: Final = 1 << 31
FINDINGS_KEPT: Final = 100
_MAGIC_AT: Final = 16


class Finding(NamedTuple):
    """Something at an offset. `problem` is one word: checksum, format, records, gap, overlap, epoch, sequence,
    duplicate, control, timestamp, gone, unreadable."""

    offset: int
    problem: str
    sentence: str
    wrong: bool = True


class _Producer:
    """What is known of a producer: `following` is the sequence number its next batch begins with; None: unknown."""

    __slots__ = ("epoch", "following", "open_since")

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.following: int | None = None
        self.open_since: int | None = None


class PartitionCheck:
    """The account of one partition. `start` and `stop`: what was asked for; batches may reach beyond both. `compacted`:
    may compaction have taken records?"""

    def __init__(self, start: int, *, compacted: bool, stop: int | None = None) -> None:
        self.findings: list[Finding] = []
        self.problems: Counter[str] = Counter()
        self.wrong = 0
        self.batches = self.records = self.size_bytes = 0
        self.missing = self.out_of_order = 0
        self.committed = self.aborted = 0
        self.codecs: Counter[str] = Counter()
        self.end = start
        """The offset behind what was read."""
        self._start, self._stop = start, (1 << 63) if stop is None else stop
        self._expected = start
        self._fresh = True
        self._compacted = compacted
        self._epoch = -1
        self._newest_ms = -1
        self._producers: dict[int, _Producer] = {}

    @property
    def producers(self) -> int:
        return len(self._producers)

    @property
    def open_transactions(self) -> int:
        return sum(producer.open_since is not None for producer in self._producers.values())

    # -- what happens ------------------------------------------------------------------------------------------------

    def feed(self, batch: memoryview) -> None:
        """The next batch of the partition, whole and unchecked."""
        self.batches += 1
        self.size_bytes += len(batch)
        try:
            header = check_batch(batch)
        except WireError as error:
            base = int.from_bytes(batch[:8], "big", signed=True)
            known = len(batch) > _MAGIC_AT and batch[_MAGIC_AT] == 2
            self._find(base, "checksum" if known else "format", error.message)
            self._lose_track()
            return
        self.codecs[_codec(header.compression)] += 1
        self._check_place(header)
        records = self._unpack(header, batch)
        if header.is_control:
            self._check_control(header, batch, records)
        elif records is not None:
            self.records += sum(self._start <= record.offset < self._stop for record in records)
            self._check_times(header, records)
        if header.producer_id >= 0 and not header.is_control:
            self._check_producer(header)

    def _lose_track(self) -> None:
        """Behind a damaged batch nobody knows which offset or which sequence numbers are due."""
        self._expected, self._fresh = -1, True
        for producer in self._producers.values():
            producer.following = None

    def moved(self, offset: int, sentence: str) -> None:
        """What was to come next is no longer there, and reading went on at `offset`."""
        self._find(offset, "gone", sentence, wrong=False)
        self._lose_track()

    def given_up(self, offset: int, sentence: str) -> None:
        self._find(offset, "unreadable", sentence)

    def _find(self, offset: int, problem: str, sentence: str, *, wrong: bool = True) -> None:
        self.wrong += wrong
        self.problems[problem] += 1
        if len(self.findings) < FINDINGS_KEPT:
            self.findings.append(Finding(offset, problem, sentence, wrong))

    # -- offsets and records -----------------------------------------------------------------------------------------

    def _check_place(self, header: BatchHeader) -> None:
        base, expected = header.base_offset, self._expected
        begins_inside = self._fresh and base < expected <= header.last_offset
        self._fresh = False
        if base > expected >= 0:
            self.missing += base - expected
            if not self._compacted:
                what = f"offsets {expected} to {base - 1} are missing, and the topic is not compacted"
                self._find(expected, "gap", what)
        elif base < expected and not begins_inside:
            self._find(base, "overlap", f"a batch begins at {base}, though offsets up to {expected - 1} came before it")
        if header.leader_epoch < self._epoch:
            what = f"leader epoch {header.leader_epoch} comes behind epoch {self._epoch}"
            self._find(base, "epoch", what)
        self._epoch = max(self._epoch, header.leader_epoch)
        self._expected = max(expected, header.last_offset + 1)
        self.end = min(self._expected, self._stop)

    def _unpack(self, header: BatchHeader, batch: memoryview) -> list[Record] | None:
        try:
            records = list(iter_records(batch))
        except WireError as error:
            self._find(header.base_offset, "records", error.message)
            return None
        offsets = [record.offset for record in records]
        whole = header.last_offset_delta + 1
        if any(later <= earlier for earlier, later in pairwise(offsets)):
            self._find(header.base_offset, "records", "the offsets of the batch's records do not rise")
        elif offsets and offsets[-1] > header.last_offset:
            self._find(header.base_offset, "records", f"a record has offset {offsets[-1]}, behind its batch's last")
        elif len(records) != whole:
            self.missing += whole - len(records)
            if not self._compacted:
                what = f"the batch holds {len(records)} records for {whole} offsets, and the topic is not compacted"
                self._find(header.base_offset, "gap", what)
        return records

    def _check_times(self, header: BatchHeader, records: list[Record]) -> None:
        for record in records:
            if record.timestamp < self._newest_ms:
                self.out_of_order += 1
            else:
                self._newest_ms = record.timestamp
        newest = max((record.timestamp for record in records), default=header.max_timestamp)
        if newest != header.max_timestamp and not self._compacted:
            what = f"the batch announces {header.max_timestamp} as its newest timestamp, and its newest is {newest}"
            self._find(header.base_offset, "timestamp", what, wrong=False)

    # -- producers ---------------------------------------------------------------------------------------------------

    def _check_producer(self, header: BatchHeader) -> None:
        who = f"producer {header.producer_id}"
        known = self._producers.setdefault(header.producer_id, _Producer(header.producer_epoch))
        if header.producer_epoch < known.epoch:
            what = f"{who} writes in epoch {header.producer_epoch}, though epoch {known.epoch} had begun"
            self._find(header.base_offset, "epoch", what)
            return
        if header.producer_epoch > known.epoch:
            known.epoch, known.following = header.producer_epoch, 0
        if header.is_transactional and known.open_since is None:
            known.open_since = header.base_offset
        self._check_sequence(header, known, who)
        known.following = (header.base_sequence + header.last_offset_delta + 1) % _SEQUENCES

    def _check_sequence(self, header: BatchHeader, known: _Producer, who: str) -> None:
        first, expected = header.base_sequence, known.following
        if first < 0:
            self._find(header.base_offset, "sequence", f"{who} wrote a batch without a sequence number")
        elif expected is None or first == expected:
            pass
        elif (expected - first) % _SEQUENCES < _SEQUENCES // 2:
            what = f"{who} wrote sequence number {first} after {(expected - 1) % _SEQUENCES}: stored twice"
            self._find(header.base_offset, "duplicate", what)
        elif not self._compacted:
            count = (first - expected) % _SEQUENCES
            what = f"{who} wrote sequence number {first} where {expected} was due: {count} records are missing"
            self._find(header.base_offset, "sequence", what)

    def _check_control(self, header: BatchHeader, batch: memoryview, records: list[Record] | None) -> None:
        if records is None:
            return
        try:
            kind, _ = control_type(batch)
        except WireError as error:
            self._find(header.base_offset, "control", error.message)
            return
        if len(records) != 1 and kind in (CONTROL_ABORT, CONTROL_COMMIT):
            self._find(header.base_offset, "control", f"a transaction marker has {len(records)} records")
        elif not 0 <= kind <= CONTROL_KRAFT_VOTERS:
            self._find(header.base_offset, "control", f"there is no control record of type {kind}")
        elif kind in (CONTROL_ABORT, CONTROL_COMMIT):
            self._end_transaction(header, kind == CONTROL_COMMIT)

    def _end_transaction(self, header: BatchHeader, commit: bool) -> None:
        if header.producer_id < 0 or not header.is_transactional:
            self._find(header.base_offset, "control", "a transaction marker names no transactional producer")
            return
        self.committed += commit
        self.aborted += not commit
        known = self._producers.setdefault(header.producer_id, _Producer(header.producer_epoch))
        known.open_since = None
        if header.producer_epoch > known.epoch:
            known.epoch, known.following = header.producer_epoch, 0
        elif header.producer_epoch < known.epoch:
            what = f"a marker of producer {header.producer_id} has epoch {header.producer_epoch}, before {known.epoch}"
            self._find(header.base_offset, "epoch", what)


def _codec(number: int) -> str:
    return NAMES[number] if number < len(NAMES) else f"codec {number}"
