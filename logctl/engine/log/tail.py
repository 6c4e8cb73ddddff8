"""The end of a log, where batches are appended.

Theory of operation. An append has two phases. `stage` judges a batch by its 61 byte header and checksum, gives it its
offset, stamps it where it lies in the receive buffer and remembers the view; the disk is not touched. `write` puts
everything staged since the last call into the file with one `pwritev`.

Everything `stage` changes can be taken back until `write` succeeded: producers keep the tuples they replaced, and a
mark taken with the first batch of a round remembers the rest. When the disk refuses, the file is cut back to what it
was and the mark is restored, so that nothing is acknowledged that is not there, and the next round may try again. If
even the cut fails, the log is fenced: it can be read, but takes nothing more.

Segments roll while staging, in memory. The files that a sealed segment leaves (indexes, a producer snapshot) are
written after the batches in front of them. They are conveniences: when the disk has no room for them they are tried
again later, or built anew by recovery.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from logctl.engine.log import aborted as aborted_transactions
from logctl.engine.log.aborted import AbortedTransaction
from logctl.engine.log.config import FOREVER_MS, LogConfig
from logctl.engine.log.disk import DiskFault, File
from logctl.engine.log.epochs import LeaderEpochs
from logctl.engine.log.producer_snapshot import encode as encode_producers
from logctl.engine.log.producers import ProducerStates
from logctl.engine.log.recompression import recompressed, target_codec
from logctl.engine.log.recovery import Found
from logctl.engine.log.replay import aborted_entry, apply_marker
from logctl.engine.log.segment import MAX_RELATIVE_OFFSET, OpenFiles, Segment
from logctl.engine.log.validation import (
    CLIENT,
    COORDINATOR,
    REPLICATION,
    check_from_client,
    check_sequence_of,
    check_size,
    split,
)
from logctl.wire import records
from logctl.wire.checksum import crc32c
from logctl.wire.errors import KAFKA_STORAGE_ERROR, WireError
from logctl.wire.records import BatchHeader

_RARE: Final = records.CONTROL | records.LOG_APPEND_TIME
_NEVER_MS: Final = 1 << 63
_AT_ONCE: Final = -1
_STAMP: Final = struct.Struct(">qii")
"""Base offset, length, leader epoch: `records.stamp` in one call, for a batch whose length is known."""


class Appended(NamedTuple):
    """What a producer is told. `log_append_time_ms` is -1 unless the topic keeps the broker's time."""

    base_offset: int
    last_offset: int
    log_append_time_ms: int
    log_start_offset: int
    duplicate: bool


class _Mark(NamedTuple):
    """How things were before the first batch of a round was staged."""

    segment: Segment
    size: int
    since_index: int
    offset_entries: int
    time_entries: int
    max_timestamp: int
    max_timestamp_offset: int
    first_timestamp: int
    roll_size: int
    roll_ms: int
    end_offset: int


class _Sealed(NamedTuple):
    """A segment that rolled in this round: its batches not yet written, and the producers as of its end."""

    segment: Segment
    staged: list[memoryview]
    end_offset: int
    producers: bytes


class Tail:
    """What `Log` is made of where it grows. Use `Log.open`."""

    def __init__(
        self, files: OpenFiles, path: str, found: Found, config: LogConfig, notes: list[str], topic: str, partition: int
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.path = path
        self.notes = notes
        """Sentences for the diary. The owner may read and clear them."""
        self.failed: DiskFault | None = None
        """Why the log takes no more appends, if it does not."""
        self.producers: ProducerStates = found.producers
        self.epochs: LeaderEpochs = found.epochs
        self.start_offset = found.start_offset
        self.end_offset = found.end_offset
        """The next offset to be given out."""
        self.written_end = found.end_offset
        """Behind the last batch in the file."""
        self._files = files
        self._disk = files.disk
        self._history = found.history
        self._snapshots = found.snapshots
        self._active = found.history.active
        self._staged: list[memoryview] = []
        self._sealed: list[_Sealed] = []
        self._mark: _Mark | None = None
        self._aborted_now: list[tuple[Segment, AbortedTransaction]] = []
        self._epochs_before: tuple[list[tuple[int, int]], bool] | None = None
        self._last_epoch = self.epochs.latest
        self._unsealed: list[Segment] = []
        self._unflushed: dict[str, File] = {}
        self._unflushed_paths: set[str] = set()
        self._new_names = False
        self._grown = False
        self._roll_size = _AT_ONCE
        self._roll_ms = _NEVER_MS
        self.config = config

    @property
    def config(self) -> LogConfig:
        return self._config

    @config.setter
    def config(self, config: LogConfig) -> None:
        self._config = config
        self._max_message_bytes = min(config.max_message_bytes, config.segment_bytes)
        self._after_max_ms = config.message_timestamp_after_max_ms
        self._own_time = config.message_timestamp_type != "CreateTime"
        self._codec = target_codec(config)
        self._header_suffices = not (
            self._own_time
            or config.compacts
            or config.message_timestamp_before_max_ms < FOREVER_MS
            or self._codec is not None
        )
        self._active.interval_bytes = config.index_interval_bytes
        self._set_roll_limits()

    @property
    def name(self) -> str:
        return f"{self.topic}-{self.partition}"

    # ---- appending ----

    def stage(self, batches: memoryview, leader_epoch: int, now_ms: int, origin: str = CLIENT) -> Appended:
        """Judge, stamp and remember batches; `write` puts them into the file. `batches` must stay untouched till then.

        The common cases, one sound batch of a producer or of a coordinator, are decided here; everything else in
        `_stage_checked`.
        Raises WireError with the code Apache Kafka answers; nothing is changed then.
        """
        size = len(batches)
        suffices = self._header_suffices if origin is CLIENT else origin is COORDINATOR and not self._own_time
        if size >= 61 and suffices and self.failed is None:
            header = records.HEADER.unpack_from(batches)
            base, length, _, magic, crc, attributes, delta, _, timestamp, producer_id, epoch, sequence, count = header
            if (
                length + 12 == size <= self._max_message_bytes
                and magic == 2
                and base == 0
                and not attributes & _RARE
                and attributes & 7 < 5
                and 0 <= delta == count - 1
                and timestamp - now_ms <= self._after_max_ms
                and crc32c(batches[21:]) == crc
                and (producer_id < 0 or (sequence >= 0 and origin is CLIENT))
            ):
                transactional = attributes & 16 != 0
                if producer_id >= 0:
                    known = self.producers.judge(producer_id, epoch, sequence, delta, transactional)
                    if known is not None:
                        return Appended(known.base_offset, known.last_offset, -1, self.start_offset, True)
                base = self.end_offset
                last = base + delta
                self._place(batches, base, last, leader_epoch, timestamp, now_ms)
                if producer_id >= 0:
                    self.producers.record(producer_id, epoch, sequence, delta, last, timestamp, transactional)
                return Appended(base, last, -1, self.start_offset, False)
        return self._stage_checked(batches, leader_epoch, now_ms, origin)

    def _stage_checked(self, view: memoryview, leader_epoch: int, now_ms: int, origin: str) -> Appended:
        if self.failed is not None:
            raise WireError(KAFKA_STORAGE_ERROR, f"{self.name} takes no more writes: {self.failed.message}")
        headers = split(view)
        if origin == CLIENT:
            check_from_client(view, headers, self._config, now_ms)
        if origin == REPLICATION:
            check_sequence_of(headers, self.end_offset)
        else:
            for _, header in headers:
                check_size(header, self._config)
                duplicate = self._check_producer(view, header, origin)
                if duplicate is not None:
                    return duplicate
        if origin == CLIENT and self._codec not in (None, headers[0][1].compression):
            view = self._recompressed(view, headers[0][1])
            headers = split(view)
        base_offset = headers[0][1].base_offset if origin == REPLICATION else self.end_offset
        for position, header in headers:
            self._append(view[position : position + header.length], header, leader_epoch, now_ms, origin)
        time_ms = now_ms if self._own_time and origin != REPLICATION else -1
        return Appended(base_offset, self.end_offset - 1, time_ms, self.start_offset, False)

    def _recompressed(self, view: memoryview, header: BatchHeader) -> memoryview:
        """A producer's one batch in the topic's codec. It may have grown too large by that."""
        assert self._codec is not None
        made = recompressed(view[: header.length], header, self._codec, self._config)
        check_size(records.read_header(made), self._config)
        return made

    def _check_producer(self, view: memoryview, header: BatchHeader, origin: str) -> Appended | None:
        """The answer to a duplicate; None if the batch may be written."""
        if header.producer_id < 0:
            return None
        if header.is_control:
            kind, value = records.control_type(view[: header.length])
            if kind in (records.CONTROL_ABORT, records.CONTROL_COMMIT):
                coordinator_epoch = records.end_txn_coordinator_epoch(value)
                self.producers.check_marker(header.producer_id, header.producer_epoch, coordinator_epoch)
            return None
        numbers = (header.producer_id, header.producer_epoch, header.base_sequence)
        if origin != CLIENT:
            self.producers.check(*numbers, header.is_transactional)
            return None
        known = self.producers.judge(*numbers, header.last_offset_delta, header.is_transactional)
        if known is None:
            return None
        time_ms = known.timestamp if self._own_time else -1
        return Appended(known.base_offset, known.last_offset, time_ms, self.start_offset, True)

    def _append(self, batch: memoryview, header: BatchHeader, leader_epoch: int, now_ms: int, origin: str) -> None:
        timestamp = header.max_timestamp
        base = self.end_offset
        if origin == REPLICATION:
            base, leader_epoch = header.base_offset, header.leader_epoch
        elif self._own_time:
            records.stamp_append_time(batch, 0, now_ms)
            timestamp = now_ms
        last = base + header.last_offset_delta
        self._place(batch, base, last, leader_epoch, timestamp, now_ms)
        if header.producer_id < 0:
            return
        if header.is_control:
            completed = apply_marker(self.producers, batch, last)
            if completed is not None and completed.aborted:
                self._aborted_now.append((self._active, aborted_entry(self.producers, completed)))
            return
        numbers = (header.producer_id, header.producer_epoch, header.base_sequence, header.last_offset_delta)
        self.producers.record(*numbers, last, timestamp, header.is_transactional)

    def _place(self, batch: memoryview, base: int, last: int, leader_epoch: int, timestamp: int, now_ms: int) -> None:
        """Stamp a batch that was admitted, and put it behind the others of this round."""
        segment = self._active
        position = segment.staged_size
        size = len(batch)
        if self._mark is None:
            self._set_mark(segment)
        if position + size > self._roll_size or timestamp > self._roll_ms or last - segment.base > MAX_RELATIVE_OFFSET:
            if position or last - segment.base > MAX_RELATIVE_OFFSET:
                self._roll_to(base, now_ms)
                segment = self._active
                position = 0
            if position == 0:
                self._begin_segment(segment, timestamp, now_ms)
        _STAMP.pack_into(batch, 0, base, size - 12, leader_epoch)
        if leader_epoch != self._last_epoch:
            self._assign_epoch(leader_epoch, base)
        self._staged.append(batch)
        segment.staged_size = position + size
        segment.note(last, position, size, timestamp)
        if segment.since_index == size and segment.index_is_full(self._config.segment_index_bytes):
            self._roll_size = _AT_ONCE
        self.end_offset = last + 1

    def _assign_epoch(self, leader_epoch: int, base: int) -> None:
        if self._epochs_before is None:
            self._epochs_before = (self.epochs.entries.copy(), self.epochs.dirty)
        self.epochs.assign(leader_epoch, base)
        self._last_epoch = leader_epoch

    # ---- rounds: mark, write, discard ----

    def _set_mark(self, segment: Segment) -> None:
        growing = segment.growing
        assert growing is not None
        self._mark = _Mark(
            segment,
            segment.size,
            segment.since_index,
            len(growing.offsets),
            len(growing.times),
            segment.max_timestamp,
            segment.max_timestamp_offset,
            segment.first_timestamp,
            self._roll_size,
            self._roll_ms,
            self.end_offset,
        )

    def write(self) -> None:
        """Put what is staged into the file. On DiskFault nothing of it was appended, and nothing of it is staged."""
        if self._mark is None:
            return
        segment = self._active
        try:
            for sealed in self._sealed:
                self._write_to(sealed.segment, sealed.staged)
            if self._staged:
                self._write_to(segment, self._staged)
        except DiskFault:
            self._take_back()
            raise
        self.producers.commit()
        self.written_end = self.end_offset
        self._staged = []
        self._mark = self._epochs_before = None
        self._history.hint(self.written_end, segment, segment.size)
        if self._sealed or self._aborted_now:
            self._write_side_files()

    def _write_to(self, segment: Segment, staged: list[memoryview]) -> None:
        if not segment.exists:
            self._new_names = True
        file = segment.file()
        file.pwritev(staged, segment.size)
        segment.size += sum(map(len, staged))
        self._unflushed[file.path] = file
        self._grown = True

    def discard_staged(self) -> None:
        """Forget what was staged and not written, as if it had never been offered."""
        if self._mark is not None:
            self._take_back()

    def _take_back(self) -> None:
        mark = self._mark
        assert mark is not None
        segment = self._active = mark.segment
        begun = self._history.cut(self._history.segments.index(segment) + 1)
        segment.size = segment.staged_size = mark.size
        self._restore(mark)
        try:
            self._undo_writes(segment, begun)
        except DiskFault as fault:
            self.fence(fault)

    def _undo_writes(self, segment: Segment, begun: list[Segment]) -> None:
        """Durably, lest batches that were refused come back after a crash."""
        if segment.exists and segment.file().size() != segment.size:
            segment.truncate_file()
            segment.file().sync()
        for each in begun:
            self._unflushed.pop(each.path(".log"), None)
            each.discard_file()
        if any(each.exists for each in begun):
            self._disk.sync_dir(self.path)

    def _restore(self, mark: _Mark) -> None:
        segment = mark.segment
        assert segment.growing is not None
        segment.growing.cut(mark.offset_entries, mark.time_entries)
        segment.since_index = mark.since_index
        segment.max_timestamp = mark.max_timestamp
        segment.max_timestamp_offset = mark.max_timestamp_offset
        segment.first_timestamp = mark.first_timestamp
        self._roll_size, self._roll_ms = mark.roll_size, mark.roll_ms
        self.end_offset = mark.end_offset
        if self._epochs_before is not None:
            self.epochs.entries, self.epochs.dirty = self._epochs_before
            self._epochs_before = None
            self._last_epoch = self.epochs.latest
        self.producers.rollback()
        self._staged, self._sealed, self._aborted_now = [], [], []
        self._mark = None

    def fence(self, fault: DiskFault) -> None:
        """The disk cannot be trusted with this log any more (a flush failed): appends answer KAFKA_STORAGE_ERROR."""
        self.failed = self.failed or fault

    # ---- rolling ----

    def _set_roll_limits(self) -> None:
        """When the next batch begins a new segment: by size, and by age counted from its first batch's timestamp.

        For an empty segment the limits are such that the first batch comes by and sets them.
        """
        segment, config = self._active, self._config
        self._roll_ms = _NEVER_MS
        if segment.staged_size == 0 or segment.index_is_full(config.segment_index_bytes):
            self._roll_size = _AT_ONCE
            return
        self._roll_size = config.segment_bytes
        first = segment.earliest_timestamp()
        if first >= 0:
            self._roll_ms = first + config.segment_ms - self._jitter_ms()

    def _begin_segment(self, segment: Segment, timestamp: int, now_ms: int) -> None:
        segment.first_timestamp = timestamp
        segment.created_ms = now_ms
        self._roll_size = self._config.segment_bytes
        self._roll_ms = _NEVER_MS
        if timestamp >= 0:
            self._roll_ms = timestamp + self._config.segment_ms - self._jitter_ms()

    def _jitter_ms(self) -> int:
        """Spread over partitions and segments, and the same on every run."""
        limit = min(self._config.segment_jitter_ms, self._config.segment_ms)
        if limit <= 0:
            return 0
        jitter: int = crc32c(f"{self.name}-{self._active.base}".encode()) % limit
        return jitter

    def _new_segment(self, base: int, now_ms: int) -> Segment:
        segment = Segment(self._files, self.path, base, now_ms, interval_bytes=self._config.index_interval_bytes)
        segment.begin()
        return segment

    def _roll_to(self, base: int, now_ms: int) -> None:
        """Later batches go into a segment of their own, which begins with offset `base`."""
        self._sealed.append(_Sealed(self._active, self._staged, base, encode_producers(self.producers)))
        self._staged = []
        self._active = self._new_segment(base, now_ms)
        self._history.add(self._active)

    def roll(self, now_ms: int) -> None:
        """Begin a new segment now, unless the present one is empty. Writes what is staged. Raises DiskFault."""
        self.write()
        if self._active.size:
            self._set_mark(self._active)
            self._roll_to(self.end_offset, now_ms)
            self._set_roll_limits()
            self.write()

    def roll_if_due(self, now_ms: int) -> None:
        """Roll a segment whose batches carry no timestamps once it is older than segment.ms."""
        segment = self._active
        limit_ms = self._config.segment_ms - self._jitter_ms()
        if segment.size and segment.earliest_timestamp() < 0 and now_ms - segment.created_ms > limit_ms:
            self.roll(now_ms)

    def _write_side_files(self) -> None:
        """What this round leaves beside the batches. A full disk postpones it; the log does not depend on it."""
        aborted, self._aborted_now = self._aborted_now, []
        rolled, self._sealed = self._sealed, []
        for segment, entry in aborted:
            self._write_aborted(segment, entry)
        self._unsealed += [sealed.segment for sealed in rolled]
        self._seal()
        for sealed in rolled:
            try:
                self._snapshots.write(sealed.end_offset, sealed.producers, durable=False)
            except DiskFault as fault:
                self.notes.append(f"{fault.message}; the next recovery will take longer for it")

    def _write_aborted(self, segment: Segment, entry: AbortedTransaction) -> None:
        """Without its entry an aborted transaction would be shown as committed: this file the log does depend on."""
        path = segment.path(".txnindex")
        try:
            aborted_transactions.append(self._disk, path, [entry])
        except DiskFault as fault:
            self.fence(fault)
        self._flush_too(path)

    def _flush_too(self, *paths: str) -> None:
        """Small files that may be new: the next flush makes them durable, and their names."""
        self._unflushed_paths.update(paths)
        self._new_names = True

    def _seal(self) -> None:
        while self._unsealed:
            segment = self._unsealed[0]
            try:
                segment.seal()
            except DiskFault as fault:
                self.notes.append(f"{self.name}: {fault.message}; the index stays in memory till it can be written")
                return
            self._flush_too(*segment.index_paths())
            self._unsealed.pop(0)
