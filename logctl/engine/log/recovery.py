"""Finding a log on disk, after an orderly stop or after a crash.

Theory of operation. After an orderly stop everything is taken as it is; only the few kilobytes behind the last index
entry are read. After a crash the recovery point tells what was flushed: below it nothing is read, behind it every
batch is read and its checksum computed, and the log ends where the first thing is wrong:

- A batch that is cut off, or whose bytes did not all arrive, with nothing sound behind it, is a write that the crash
  tore. It was never acknowledged as durable; the file is cut there.
- A broken batch with a sound one behind it is damage, or writes that reached the disk out of order. The log is cut
  there too, since a log has no holes, but what is cut off is first copied to `<segment>.log.<position>.damaged`.
- Segments behind a cut, or behind a gap between offsets, are set aside as `*.damaged`.

Indexes behind the recovery point are built anew on the way. Producers come from the newest snapshot not ahead of the
recovery point and the headers behind it; leader epochs from their checkpoint and the same headers. Any of these small
files may be missing or broken: they are set aside and the log is read instead. Then the recovered files are flushed, so
what the log says it holds, it holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from logctl.engine.log import aborted as aborted_transactions
from logctl.engine.log.aborted import AbortedTransaction
from logctl.engine.log.checkpoints import set_aside
from logctl.engine.log.config import LogConfig
from logctl.engine.log.epochs import FILE_NAME as EPOCHS_FILE
from logctl.engine.log.epochs import LeaderEpochs
from logctl.engine.log.history import History
from logctl.engine.log.leftovers import finish_cleaning
from logctl.engine.log.producer_snapshot import Snapshots
from logctl.engine.log.producers import ProducerStates
from logctl.engine.log.replay import replay
from logctl.engine.log.scan import Scanner, sound_batch_follows
from logctl.engine.log.segment import OpenFiles, Segment

_COPY_BYTES: Final = 1 << 20
_LEFTOVERS: Final = (".deleted", ".tmp")
_BESIDE_THE_LOG: Final = (".index", ".timeindex", ".txnindex")
_END: Final = 1 << 63


@dataclass(slots=True)
class Found:
    """What was on disk: the state a Log begins with. `index_paths`: index files that are not durable yet. `new`: there
    was no segment."""

    history: History
    snapshots: Snapshots
    end_offset: int
    start_offset: int
    recovery_point: int
    index_paths: list[str]
    new: bool
    producers: ProducerStates = field(default_factory=ProducerStates)
    epochs: LeaderEpochs = field(default_factory=LeaderEpochs)


class Recovery:
    """One run over the directory of one log. `notes` collects the sentences for the diary."""

    def __init__(self, files: OpenFiles, path: str, config: LogConfig, now_ms: int, notes: list[str]) -> None:
        self._files = files
        self._disk = files.disk
        self._path = path
        self._config = config
        self._now_ms = now_ms
        self._notes = notes
        self._touched: list[Segment] = []

    def run(
        self, *, clean: bool, recovery_point: int, log_start_offset: int | None, is_synced: bool = False
    ) -> Found:
        """`is_synced`: what lies there is durable, whatever the recovery point says. Raises DiskFault."""
        names = self._tidy(self._disk.listdir(self._path))
        segments = self._segments(names)
        new = not segments
        if new:
            segments = [self._new_segment(log_start_offset or 0)]
        verified_from = _END if clean else max(recovery_point, segments[0].base)
        end_offset = self._verify(segments, verified_from)
        history = History(segments, self._notes)
        start_offset = max(segments[0].base, log_start_offset or 0)
        found = Found(
            history,
            self._snapshots(names, end_offset),
            end_offset,
            start_offset=min(start_offset, end_offset),
            recovery_point=min(verified_from, end_offset),
            index_paths=[
                path
                for segment in self._touched
                for path in (*segment.index_paths(), segment.path(".txnindex"))
            ],
            new=new,
        )
        self._replay(found, found.recovery_point)
        if not is_synced or self._notes:
            self._make_durable(found, clean)
        return found

    def _make_durable(self, found: Found, clean: bool) -> None:
        """Below the recovery point everything is on disk already, the names of files and folders included.

        The recovery point itself stays: small files that are behind are written with the log's next flush.
        """
        if found.end_offset > found.recovery_point or self._notes:
            for segment in self._touched:
                segment.file().sync()
            if not clean:
                self._disk.sync_dir(self._path)
                self._disk.sync_dir(self._path.rpartition("/")[0])

    # ---- what is there ----

    def _tidy(self, names: list[str]) -> list[str]:
        """Finish removals that were under way, and set aside small files whose segment is gone for no known reason."""
        names = finish_cleaning(self._disk, self._path, names, self._notes)
        oldest = min((name for name in names if name.endswith(".log")), default="")
        kept = []
        for name in names:
            path = f"{self._path}/{name}"
            orphan = name.endswith(_BESIDE_THE_LOG) and name.partition(".")[0] + ".log" not in names
            if name.endswith(_LEFTOVERS) or (orphan and name < oldest):
                self._disk.remove(path)
            elif orphan:
                set_aside(self._disk, path, "Its segment is missing", self._notes)
            else:
                kept.append(name)
        return kept

    def _segments(self, names: list[str]) -> list[Segment]:
        bases = [int(name[:-4]) for name in names if name.endswith(".log") and name[:-4].isdigit()]
        return [self._segment(base) for base in sorted(bases)]

    def _segment(self, base: int) -> Segment:
        path = f"{self._path}/{base:020d}.log"
        size, created_ms = self._disk.file_size(path), self._disk.modified_ms(path)
        interval_bytes = self._config.index_interval_bytes
        segment = Segment(self._files, self._path, base, created_ms, interval_bytes=interval_bytes, size=size)
        segment.exists = True
        return segment

    def _new_segment(self, base: int) -> Segment:
        interval_bytes = self._config.index_interval_bytes
        segment = Segment(self._files, self._path, base, self._now_ms, interval_bytes=interval_bytes)
        segment.begin()
        return segment

    def _snapshots(self, names: list[str], end_offset: int) -> Snapshots:
        offsets = [int(name[:-9]) for name in names if name.endswith(".snapshot") and name[:-9].isdigit()]
        snapshots = Snapshots(self._disk, self._path, offsets, self._notes)
        snapshots.remove_behind(end_offset)
        return snapshots

    # ---- the batches ----

    def _verify(self, segments: list[Segment], verified_from: int) -> int:
        """Read what was not flushed, cut what is not sound, and return the offset behind the last batch.

        Begins with the segment of the last offset that was flushed: it may have been sealed after that.
        """
        first = max((at for at, segment in enumerate(segments) if segment.base < verified_from), default=0)
        next_offset = segments[first].base
        for at in range(first, len(segments)):
            segment = segments[at]
            scanner = self._scan(segment, verified_from)
            next_offset = scanner.next_offset if scanner else segment.base
            if scanner and scanner.damage:
                self._cut(segment, scanner)
                self._set_segments_aside(segments, at + 1, "It lies behind the end of the log")
            elif at + 1 < len(segments) and self._is_gap(next_offset, segments[at + 1].base):
                reason = f"It begins at offset {segments[at + 1].base} where {next_offset} is due"
                self._set_segments_aside(segments, at + 1, reason)
            if segment is segments[-1]:
                break
            segment.seal()
        return next_offset

    def _is_gap(self, next_offset: int, base: int) -> bool:
        """Compaction leaves gaps; in any other log they are a loss."""
        return base < next_offset or (base > next_offset and not self._config.compacts)

    def _scan(self, segment: Segment, verified_from: int) -> Scanner | None:
        """Check what is not trusted, building the index on the way; None for a segment without batches."""
        if not segment.size:
            segment.begin()
            return None
        if verified_from != _END:
            self._touched.append(segment)
        if segment.base >= verified_from:
            segment.begin()
        elif not segment.load_index():
            self._notes.append(f"The index of {segment.path('.log')} was missing or broken and is built anew")
            segment.begin()
        scanner = segment.scan_from(verified_from)
        index = segment.growing
        if index and index.stale and not index.written_offsets and segment.base < verified_from:
            segment.replace_index()
        return scanner

    def _cut(self, segment: Segment, scanner: Scanner) -> None:
        position, size = scanner.position, segment.size
        lost = size - position
        note = f"{segment.path('.log')}: {scanner.damage} at position {position}; the last {lost} bytes were cut off"
        if sound_batch_follows(segment.file(), position, size):
            copy = f"{segment.path('.log')}.{position}.damaged"
            self._copy(segment, position, size, copy)
            note += f" and kept as {copy}"
        self._notes.append(note)
        segment.size = segment.staged_size = position
        segment.truncate_file()
        segment.file().sync()

    def _copy(self, segment: Segment, position: int, end: int, target: str) -> None:
        source, copy = segment.file(), self._disk.open(target, create=True)
        for at in range(position, end, _COPY_BYTES):
            copy.pwritev([source.pread(min(_COPY_BYTES, end - at), at)], at - position)
        copy.sync()
        copy.close()
        self._disk.sync_dir(self._path)

    def _set_segments_aside(self, segments: list[Segment], count: int, reason: str) -> None:
        """Keep the first `count` segments."""
        for segment in segments[count:]:
            segment.release()
            for path in segment.files():
                set_aside(self._disk, path, reason, self._notes)
        del segments[count:]

    # ---- what the batches tell ----

    def _replay(self, found: Found, verified_from: int) -> None:
        first_offset = found.history.segments[0].base
        epochs = self._load_epochs()
        epochs_from = verified_from if epochs is not None else first_offset
        found.epochs = epochs or LeaderEpochs()
        found.epochs.truncate_from_end(found.end_offset)
        newest = found.snapshots.newest(verified_from)
        producers_from, found.producers = newest or (first_offset, ProducerStates())
        aborted: list[AbortedTransaction] = []
        if min(producers_from, epochs_from) < found.end_offset:
            aborted = replay(found.history, producers_from, found.producers, found.epochs, epochs_from)
        self._restore_aborted(found.history, aborted, verified_from)

    def _load_epochs(self) -> LeaderEpochs | None:
        path = f"{self._path}/{EPOCHS_FILE}"
        if not self._disk.exists(path):
            return None
        data = self._disk.read_file(path)
        if not data:
            return None
        try:
            return LeaderEpochs.decode(data)
        except ValueError as problem:
            set_aside(self._disk, path, f"The leader epoch checkpoint cannot be read ({problem})", self._notes)
            return None

    def _restore_aborted(self, history: History, aborted: list[AbortedTransaction], verified_from: int) -> None:
        """Make the transaction indexes say of the recovered part exactly what its markers say.

        Where a transaction began may lie in segments that are gone; an entry that was there already knows better.
        """
        for at in range(history.index_of(verified_from), len(history.segments)):
            segment = history.segments[at]
            behind = history.bases[at + 1] if at + 1 < len(history.bases) else _END
            path = segment.path(".txnindex")
            known = aborted_transactions.load(self._disk, path)
            kept = [entry for entry in known if segment.base <= entry.last_offset < verified_from]
            earlier = {(entry.producer_id, entry.last_offset): entry for entry in known}
            new = [
                earlier.get((entry.producer_id, entry.last_offset), entry)
                for entry in aborted
                if max(verified_from, segment.base) <= entry.last_offset < behind
            ]
            if known != kept + new:
                aborted_transactions.rewrite(self._disk, path, kept + new)

