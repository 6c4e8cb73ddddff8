"""One partition's log as the broker uses it.

Theory of operation. Three offsets follow each other:

    flushed_end   <=   written_end   <=   end_offset
      fdatasync          in the file        given out
      returned

`tail.py` moves the last two: `stage` and `write`. Here the first one moves: `flush_targets` names what must be synced
for everything written to be durable; the owner runs that in another thread and reports back with `flushed`. A leader
epoch reaches its checkpoint file as part of the same flush, so that file always covers what lies below the recovery
point. A log that is cut meanwhile counts its cuts, and flushes begun before a cut promise nothing.

Reading is `history.py`'s; what was found on disk, and what was done about it, `recovery.py`'s.

What this room does not do, as of now: compaction.
"""

from __future__ import annotations

from logctl.engine.log import aborted as aborted_transactions
from logctl.engine.log import retention
from logctl.engine.log.aborted import AbortedTransaction
from logctl.engine.log.config import LogConfig
from logctl.engine.log.directory import prepare, retire_directory
from logctl.engine.log.disk import Disk, DiskFault
from logctl.engine.log.epochs import FILE_NAME as EPOCHS_FILE
from logctl.engine.log.flush import Flush
from logctl.engine.log.history import Slice, Stamp
from logctl.engine.log.producer_snapshot import encode as encode_producers
from logctl.engine.log.producers import ProducerStates
from logctl.engine.log.recovery import Found, Recovery
from logctl.engine.log.replay import replay
from logctl.engine.log.scan import Scanner
from logctl.engine.log.segment import OpenFiles, Segment
from logctl.engine.log.tail import Appended, Tail
from logctl.engine.log.validation import CLIENT, COORDINATOR, REPLICATION, RecordsRefused
from logctl.wire.errors import OFFSET_OUT_OF_RANGE, WireError

__all__ = [
    "CLIENT",
    "COORDINATOR",
    "REPLICATION",
    "AbortedTransaction",
    "Appended",
    "DiskFault",
    "Flush",
    "Log",
    "LogConfig",
    "OpenFiles",
    "RecordsRefused",
    "Slice",
    "Stamp",
]


class Log(Tail):
    """Open it with `Log.open`. Everything but `Flush.run` belongs to one thread."""

    def __init__(
        self, files: OpenFiles, path: str, found: Found, config: LogConfig, notes: list[str], topic: str, partition: int
    ) -> None:
        super().__init__(files, path, found, config, notes, topic, partition)
        self.flushed_end = found.end_offset
        """Everything below is durable."""
        self._recovery_point = found.recovery_point
        self._checkpoint_end = found.recovery_point
        self._cut_count = 0
        self._flushing: Flush | None = None
        if found.index_paths:
            self._flush_too(*found.index_paths)
        self._new_directory = False
        self._trash: list[tuple[int, str]] = []

    @classmethod
    def open(
        cls,
        disk: Disk,
        path: str,
        *,
        topic: str,
        partition: int,
        topic_id: bytes,
        config: LogConfig,
        now_ms: int,
        clean: bool,
        recovery_point: int = 0,
        log_start_offset: int | None = None,
        is_synced: bool = False,
        files: OpenFiles | None = None,
    ) -> Log:
        """The log in `path` (its own directory, made if missing), recovered if the last stop was not `clean`.

        `topic_id`: 16 bytes. `is_synced`: whatever lies there is durable, even if unclean.
        `files`: shared by all logs of a node, so that their descriptors are bounded together.
        `notes` of the result says what recovery did. Raises DiskFault, and WireError INCONSISTENT_TOPIC_ID when the
        directory belongs to another topic.
        """
        files = files or OpenFiles(disk)
        notes: list[str] = []
        prepare(disk, path, topic_id, notes)
        recovery = Recovery(files, path, config, now_ms, notes)
        found = recovery.run(
            clean=clean, recovery_point=recovery_point, log_start_offset=log_start_offset, is_synced=is_synced
        )
        log = cls(files, path, found, config, notes, topic, partition)
        log._new_directory = found.new
        log._grown = not (clean or found.new) or bool(notes)
        if log_start_offset is not None and log_start_offset > log.end_offset:
            notes.append(f"{path} ends at {log.end_offset}, before its start offset {log_start_offset}: it begins anew")
            log.truncate_fully_at(log_start_offset, now_ms)
        return log

    @property
    def leader_epoch(self) -> int:
        """The epoch of the last batch; -1 without any."""
        return self.epochs.latest

    @property
    def recovery_point(self) -> int:
        """What the recovery point checkpoint may say: all below is durable, and so are the indexes of it.

        It moves when a flush begun after `checkpoint` has been reported.
        """
        return self._recovery_point

    @property
    def size_bytes(self) -> int:
        return sum(segment.staged_size for segment in self._history.segments)

    @property
    def segments(self) -> list[Segment]:
        """Oldest first; to look at, not to change."""
        return self._history.segments

    # ---- durability ----

    def flush_targets(self) -> Flush:
        """What must reach the disk for everything written so far to be durable. Hand it to `flushed` afterwards.

        What an earlier flush that was not reported yet covers is covered again: it may still fail.
        """
        self._seal()
        before = self._flushing
        parent = self.path.rpartition("/")[0]
        new_names = [self.path] * (self._new_names or self._new_directory) + [parent] * self._new_directory
        flush = self._flushing = Flush(
            disk=self._disk,
            files={**(before.files if before else {}), **self._unflushed},
            paths=self._unflushed_paths.union(before.paths if before else ()),
            replacement=self._epochs_to_replace(before),
            directories=list(dict.fromkeys([*(before.directories if before else ()), *new_names])),
            end_offset=self.written_end,
            recovery_point=self._unsealed[0].base if self._unsealed else self._checkpoint_end,
            cut_count=self._cut_count,
        )
        self._unflushed = {}
        self._unflushed_paths = set()
        self._new_names = self._new_directory = self.epochs.dirty = False
        return flush

    def _epochs_to_replace(self, before: Flush | None) -> tuple[str, bytes] | None:
        if self.epochs.dirty or (before is not None and before.replacement is not None):
            return f"{self.path}/{EPOCHS_FILE}", self.epochs.encode()
        return None

    def flushed(self, flush: Flush) -> None:
        """`flush.run()` returned: what it covers is durable, unless the log was cut or fenced meanwhile."""
        if self._flushing is flush:
            self._flushing = None
        if self.failed is not None or flush.cut_count != self._cut_count:
            return
        self.flushed_end = max(self.flushed_end, flush.end_offset)
        self._recovery_point = max(self._recovery_point, min(flush.recovery_point, self.flushed_end))

    def flush(self) -> None:
        """Flush here and now, in this thread. Raises DiskFault; the log is fenced then."""
        flush = self.flush_targets()
        try:
            flush.run()
        except DiskFault as fault:
            self.fence(fault)
            raise
        self.flushed(flush)

    def checkpoint(self) -> None:
        """Write what shortens the next recovery. Flush then, and write down the `recovery_point`.

        Raises DiskFault; nothing is lost by that but time.
        """
        if self._mark is None and self._grown and self._checkpoint_end != self.written_end:
            self._active.write_index()
            self._flush_too(*self._active.index_paths())
            self._save_producers(durable=False)
            self._checkpoint_end = self.written_end

    def _save_producers(self, *, durable: bool) -> None:
        if self.end_offset not in self._snapshots.offsets:
            self._snapshots.write(self.end_offset, encode_producers(self.producers), durable=durable)
        self._snapshots.prune(self._history.bases)

    def settle(self) -> None:
        """Write all that an orderly end needs, and leave syncing it to `close`, or to whoever closes many and syncs
        all of them at once. Nothing may be appended in between. Raises DiskFault."""
        self.write()
        if self._grown and self._active not in self._unsealed:
            self._unsealed.append(self._active)
            self._save_producers(durable=False)
            self._flush_too(self._snapshots.path(self.end_offset))
        for segment in self._unsealed:
            segment.seal()
        self._checkpoint_end = self.end_offset
        if self.epochs.dirty:
            path = f"{self.path}/{EPOCHS_FILE}"
            self._disk.write_file(path, self.epochs.encode(), durable=False)
            self._flush_too(path)
            self.epochs.dirty = False

    def close(self, clean: bool, *, is_synced: bool = False) -> None:
        """Let go of the files; before that, when `clean`, write and flush everything.

        `is_synced`: all that `settle` wrote is durable already.
        Raises DiskFault, also when the log was fenced before; the stop was not clean then.
        """
        if clean and self.failed is not None:
            raise self.failed
        if clean:
            self.settle()
            if is_synced:
                self.flushed(self.flush_targets())
            elif self._grown or self._unflushed_paths:
                self.flush()
        for segment in self._history.segments:
            segment.release()
        self._unflushed = {}

    # ---- reading ----

    def read(self, offset: int, max_bytes: int, up_to_offset: int, minimum_one_batch: bool = True) -> Slice:
        """Where the batches from `offset` on lie, below `up_to_offset`, at most `max_bytes` of them.

        An empty slice (length 0) when there is nothing yet. Raises WireError OFFSET_OUT_OF_RANGE, or DiskFault.
        """
        if not self.start_offset <= offset <= self.written_end:
            message = f"{self.name} holds the offsets {self.start_offset} to {self.written_end}, not {offset}"
            raise WireError(OFFSET_OUT_OF_RANGE, message)
        return self._history.read(offset, max_bytes, min(up_to_offset, self.written_end), minimum_one_batch)

    def damage_at(self, base: int, position: int) -> str:
        """What is wrong in the segment that begins at `base`, at `position`; empty when nothing is, or not any more.
        Raises DiskFault."""
        segments = [segment for segment in self._history.segments if segment.base >= base][:2]
        if not segments or segments[0].base != base or position > segments[0].size:
            return ""
        segment = segments[0]
        ends = self._history.end_at(segment, position)
        scanner = Scanner(segment.file(), position, segment.size, next_offset=ends)
        next(scanner.chunks(), None)
        if scanner.damage:
            return f"{scanner.damage} at position {position} of {segment.path('.log')}"
        if len(segments) == 1 or position < segment.size or self.config.compacts:
            return ""
        following = segments[1].base
        return f"there is nothing between offset {ends} and {following}" if following > ends else ""

    def offset_for_timestamp(self, timestamp: int, up_to_offset: int) -> Stamp | None:
        """(offset, timestamp, leader epoch) of the first record not older than `timestamp` (ms)."""
        return self._history.find_timestamp(timestamp, self.start_offset, min(up_to_offset, self.written_end))

    def max_timestamp(self) -> Stamp | None:
        """(offset, timestamp, leader epoch) of the first record with the largest timestamp (ListOffsets -3)."""
        return self._history.latest_timestamp()

    def end_offset_for_epoch(self, epoch: int) -> tuple[int, int]:
        """(epoch, end offset) as OffsetForLeaderEpoch answers: of the largest known epoch not above `epoch`."""
        return self.epochs.end_offset_for(epoch, self.end_offset)

    def epoch_at(self, offset: int) -> int:
        """The leader epoch an offset was written in, -1 if unknown."""
        return self.epochs.at(offset)

    def aborted_transactions(self, from_offset: int, up_to_offset: int) -> list[AbortedTransaction]:
        """The aborted transactions with records in this range, as a read_committed Fetch response lists them."""
        found = []
        for segment in self._history.segments[self._history.index_of(from_offset) :]:
            for entry in aborted_transactions.load(self._disk, segment.path(".txnindex")):
                if entry.last_offset >= from_offset and entry.first_offset < up_to_offset:
                    found.append(entry)
                if entry.last_stable_offset >= up_to_offset:
                    return found
        return found

    def begin_epoch(self, leader_epoch: int) -> None:
        """What follows from here on is of this epoch, though nothing may follow: who asks where an earlier epoch ended
        is told so (KIP-101)."""
        self.epochs.assign(leader_epoch, self.end_offset)
        self._last_epoch = self.epochs.latest

    def take_epochs(self, other: Log) -> None:
        """Know of leader epochs what another copy of this log knows: also those in which nothing was written."""
        self.epochs.entries = list(other.epochs.entries)
        self.epochs.dirty = True
        self._last_epoch = self.epochs.latest

    # ---- cutting ----

    def truncate_to(self, offset: int) -> None:
        """Cut off everything from `offset` on (a follower that diverged). Durable on return. Raises DiskFault.

        The recovery point may have fallen: write its checkpoint down before appending again.
        """
        self.discard_staged()
        if offset >= self.end_offset:
            self.epochs.truncate_from_end(offset)
            self._last_epoch = self.epochs.latest
            return
        if offset < self._history.segments[0].base:
            self.truncate_fully_at(offset, self._active.created_ms)
            return
        for segment in self._history.cut(self._history.index_of(offset) + 1):
            self._remove_now(segment)
        segment, position = self._history.locate(offset)
        self._active = segment
        if segment in self._unsealed:
            self._unsealed.remove(segment)
        self._after_cut(segment.cut(offset, position))

    def truncate_fully_at(self, offset: int, now_ms: int = 0) -> None:
        """Drop everything and begin again, empty, at `offset`. Durable on return. Raises DiskFault."""
        self.discard_staged()
        for segment in self._history.cut(0):
            self._remove_now(segment)
        self._active = self._new_segment(offset, now_ms)
        self._history.add(self._active)
        self._active.file().sync()
        self._snapshots.remove(list(self._snapshots.offsets))
        self.epochs.truncate_from_end(0)
        self.start_offset = offset
        self._after_cut(offset)
        self.flushed_end = offset

    def _remove_now(self, segment: Segment) -> None:
        self._forget(segment)
        segment.release()
        for path in segment.files():
            if not path.endswith(".snapshot"):
                self._disk.remove(path)

    def _forget(self, segment: Segment) -> None:
        """A segment goes: nothing remains to be flushed or sealed of it."""
        self._unflushed.pop(segment.path(".log"), None)
        self._unflushed_paths.difference_update((*segment.index_paths(), segment.path(".txnindex")))
        if segment in self._unsealed:
            self._unsealed.remove(segment)

    def _after_cut(self, end_offset: int) -> None:
        self._cut_count += 1
        self._grown = True
        self.end_offset = self.written_end = end_offset
        self.flushed_end = min(self.flushed_end, end_offset)
        self._recovery_point = min(self._recovery_point, end_offset)
        self._checkpoint_end = min(self._checkpoint_end, end_offset)
        self.start_offset = min(self.start_offset, end_offset)
        self.epochs.truncate_from_end(end_offset)
        self._last_epoch = self.epochs.latest
        self._snapshots.remove_behind(end_offset)
        newest = self._snapshots.newest(end_offset)
        producers_from, self.producers = newest or (self._history.segments[0].base, ProducerStates())
        replay(self._history, producers_from, self.producers, self.epochs, end_offset)
        aborted_transactions.cut(self._disk, self._active.path(".txnindex"), end_offset)
        self._disk.sync_dir(self.path)
        self._set_roll_limits()

    # ---- forgetting ----

    def delete_before(self, offset: int) -> None:
        """The log begins at `offset` now (DeleteRecords; not above the high watermark). Segments go with retention.

        Write the log start offset checkpoint down before acknowledging.
        """
        if offset > self.start_offset:
            self.start_offset = min(offset, self.end_offset)
            self.epochs.truncate_from_start(self.start_offset)

    def apply_retention(self, now_ms: int, up_to: int | None = None) -> list[str]:
        """Let segments go by start offset, age and size, and remove files whose delay has passed.

        Nothing at or above `up_to` (the high watermark; the flushed end if not given) goes by age or size. Returns
        sentences for the diary. Raises DiskFault.
        """
        self.purge_deleted(now_ms)
        up_to = self.flushed_end if up_to is None else up_to
        return [self._drop(count, reason, now_ms) for count, reason in self._expired(up_to, now_ms) if count]

    def _expired(self, up_to: int, now_ms: int) -> list[tuple[int, str]]:
        facts = self._facts()
        below_start = retention.by_start_offset(facts, self.start_offset)
        facts = facts[below_start:]
        old = retention.by_age(facts, self._config, now_ms, up_to)
        large = retention.by_size(facts[old:], self._config, up_to)
        return [
            (below_start, f"below the start offset {self.start_offset}"),
            (old, f"older than retention.ms ({self._config.retention_ms})"),
            (large, f"beyond retention.bytes ({self._config.retention_bytes})"),
        ]

    def _facts(self) -> list[retention.SegmentFacts]:
        ends = [*self._history.bases[1:], self.end_offset]
        return [
            retention.SegmentFacts(end, segment.staged_size, self._latest_ms(segment))
            for segment, end in zip(self._history.segments, ends, strict=True)
        ]

    def _latest_ms(self, segment: Segment) -> int:
        if not segment.size:
            return -1
        largest = segment.largest_timestamp()
        return largest if largest >= 0 else self._disk.modified_ms(segment.path(".log"))

    def _drop(self, count: int, reason: str, now_ms: int) -> str:
        if count == len(self._history.segments):
            self.roll(now_ms)
            self._active.file()
            self._disk.sync_dir(self.path)
        gone = self._history.drop(count)
        self.start_offset = max(self.start_offset, self._history.segments[0].base)
        self.epochs.truncate_from_start(self.start_offset)
        self._snapshots.prune(self._history.bases)
        due_ms = now_ms + self._config.file_delete_delay_ms
        for segment in gone:
            self._forget(segment)
            self._trash += [(due_ms, path) for path in segment.retire()]
        return f"{self.name}: {count} segments removed, {reason}; it begins at offset {self.start_offset} now"

    @property
    def purge_due_ms(self) -> int | None:
        """When the next renamed file may be removed, if there is one."""
        return self._trash[0][0] if self._trash else None

    def purge_deleted(self, now_ms: int) -> None:
        """Remove files renamed to `*.deleted` whose file.delete.delay.ms has passed. Raises DiskFault."""
        while self._trash and self._trash[0][0] <= now_ms:
            self._disk.remove(self._trash[0][1])
            self._trash.pop(0)

    def expire_producers(self, now_ms: int) -> int:
        """Forget producers silent for producer.id.expiration.ms; returns how many."""
        return len(self.producers.expire(now_ms, self._config.producer_id_expiration_ms))

    def retire(self, fresh_id: str) -> str:
        """The topic is deleted: close, and rename the directory so that nobody takes it for a log.

        Returns the new path; remove it with `directory.remove_tree` when file.delete.delay.ms has passed. DiskFault.
        """
        self.discard_staged()
        self.close(clean=False)
        return retire_directory(self._disk, self.path, fresh_id)
