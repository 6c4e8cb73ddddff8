"""Replicas on their way from one log directory of this node to another (AlterReplicaLogDirs, KIP-113).

Theory of operation
-------------------
A move copies while the partition is in use. The copy grows in the target directory under Apache's name for it,
`orders-0.<32 hex digits>-future`, as a follower's log would: whole batches, with their offsets and epochs. Each `tick`
copies one piece, as fast as `replica.alter.log.dirs.io.max.bytes.per.second` allows, and has it flushed now and then in
the background. Once nothing is missing, in a tick in which nothing is staged, the copy is closed, renamed to `orders-0`
and opened again as the replica's log; the old one is renamed to `...-delete` and removed later. No request sees
anything of it: the swap is one step between two of them, which takes as long as a dozen flushes of small files. When a
follower's log is cut meanwhile, because its leader's parts from it, so is the copy.

A crash leaves a `-future` folder, or, within the swap, two folders of one name with the same records. The next start
sees to both: the first is removed and the move begun anew, the second set aside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from logctl.engine.broker.log_dirs import LogDir, Place
from logctl.engine.log.directory import remove_tree, retire_directory
from logctl.engine.log.disk import Disk, DiskFault
from logctl.engine.log.log import REPLICATION, Log, OpenFiles
from logctl.wire.errors import WireError

if TYPE_CHECKING:
    from logctl.engine.broker.appends import Appends
    from logctl.engine.broker.replica import Replica

_PIECE_BYTES: Final = 512 << 10
_PAUSE_MS: Final = 2
"""Between two pieces: requests come first."""
_UNFLUSHED_BYTES: Final = 8 << 20
"""What may be copied before a flush is wanted; as much again may follow while it runs."""
UNLIMITED: Final = (1 << 63) - 1


@dataclass(eq=False, slots=True)
class Move:
    """One replica's move. `unflushed`: bytes copied since a flush was last wanted, which covers up to `marked_end`."""

    replica: Replica
    source: LogDir
    target: LogDir
    log: Log
    begun: bool = False
    unflushed: int = 0
    marked_end: int = 0

    @property
    def place(self) -> Place:
        return Place(self.replica.topic, self.replica.partition)

    @property
    def lag(self) -> int:
        """Records that are still missing from the copy."""
        return self.replica.log.end_offset - self.log.end_offset

    @property
    def flushing(self) -> bool:
        return self.log.flushed_end < self.marked_end


class Moves:
    """All moves of a node. `arrived(move, log)` is told when the replica's log is the new one."""

    def __init__(
        self,
        disk: Disk,
        files: OpenFiles,
        appends: Appends,
        say: Callable[[str, str], None],
        new_id: Callable[[], bytes],
        arrived: Callable[[Move, Log, int], None],
    ) -> None:
        self._disk = disk
        self._files = files
        self._appends = appends
        self._say = say
        self._new_id = new_id
        self._arrived = arrived
        self._moves: dict[Replica, Move] = {}
        self._credit_bytes = 0.0
        self._credited_ms = 0
        self._due_ms = 0
        self.bytes_per_second = UNLIMITED

    def __len__(self) -> int:
        return len(self._moves)

    def of(self, replica: Replica) -> Move | None:
        return self._moves.get(replica)

    def all(self) -> list[Move]:
        return list(self._moves.values())

    def begin(self, replica: Replica, source: LogDir, target: LogDir, now_ms: int) -> None:
        """Move the replica to `target`; another move of it is given up. Raises DiskFault."""
        before = self._moves.get(replica)
        if before is not None and before.target is target:
            return
        self.cancel(replica)
        place = Place(replica.topic, replica.partition)
        path = f"{target.path}/{place.folder}.{self._new_id().hex()}-future"
        log = self._open(replica, path, now_ms, start_offset=None)
        self._moves[replica] = Move(replica, source, target, log)
        self._due_ms = now_ms
        self._say("move", f"{place.folder} begins to move from {source.path} to {target.path}")

    def _open(self, replica: Replica, path: str, now_ms: int, start_offset: int | None) -> Log:
        return Log.open(
            self._disk,
            path,
            topic=replica.topic,
            partition=replica.partition,
            topic_id=replica.topic_id,
            config=replica.log.config,
            now_ms=now_ms,
            clean=True,
            recovery_point=replica.log.end_offset if start_offset is not None else 0,
            log_start_offset=start_offset,
            files=self._files,
        )

    def cancel(self, replica: Replica) -> None:
        """The replica stays where it is, or goes altogether; the copy is removed. Harmless when it does not move."""
        move = self._moves.pop(replica, None)
        if move is None:
            return
        self._appends.dirty.discard(move.log)
        try:
            move.log.close(clean=False)
            remove_tree(self._disk, retire_directory(self._disk, move.log.path, self._new_id().hex()))
        except DiskFault as fault:
            self._say("disk", f"{fault.message}. {fault.hint}")

    def source_was_cut(self, replica: Replica) -> None:
        """The log ends earlier than before, or begins anew: so does its copy, before anything else is written."""
        move = self._moves.get(replica)
        if move is None:
            return
        source, copy = replica.log, move.log
        try:
            if copy.end_offset > source.end_offset:
                copy.truncate_to(source.end_offset)
        except DiskFault as fault:
            self._say("move", f"{move.place.folder} does not move to {move.target.path}: {fault.message}")
            self.cancel(replica)
        move.begun = move.begun and source.start_offset < source.end_offset
        move.unflushed, move.marked_end = 0, min(move.marked_end, copy.end_offset)

    def leave(self, directory: LogDir) -> None:
        """The directory has failed: nothing is copied from it or to it any more."""
        for move in self.all():
            if directory in (move.source, move.target):
                del self._moves[move.replica]
                self._say("move", f"{move.place.folder} does not move to {move.target.path}: {directory.path} failed")

    def close(self) -> None:
        """The node stops; the copies are left in order, and the moves are begun anew at the next start."""
        for move in self.all():
            try:
                move.log.close(clean=True)
            except DiskFault as fault:
                self._say("disk", f"{fault.message}. {fault.hint}")
        self._moves.clear()

    # Copying.

    def next_deadline_ms(self) -> int | None:
        return self._due_ms if self._moves else None

    def tick(self, now_ms: int) -> None:
        """Copy a piece of each move, if the limit allows, and finish what is complete."""
        if not self._moves or now_ms < self._due_ms or not self._may_copy(now_ms):
            return
        self._due_ms = now_ms + _PAUSE_MS
        for move in self.all():
            try:
                self._advance(move, now_ms)
            except (DiskFault, WireError) as problem:
                self._say("move", f"{move.place.folder} does not move to {move.target.path}: {problem.message}")
                self.cancel(move.replica)

    def _may_copy(self, now_ms: int) -> bool:
        """Whether the limit leaves something to copy; a second's worth may be saved up."""
        rate = self.bytes_per_second
        if rate >= UNLIMITED:
            return True
        earned = max(0, now_ms - self._credited_ms) * rate / 1000
        self._credit_bytes = min(self._credit_bytes + earned, float(rate))
        self._credited_ms = now_ms
        if self._credit_bytes > 0:
            return True
        wait_ms = 1000 if not rate else int(-self._credit_bytes * 1000 / rate) + 1
        self._due_ms = now_ms + min(wait_ms, 1000)
        return False

    def _advance(self, move: Move, now_ms: int) -> None:
        source = move.replica.log
        if not move.begun or move.log.end_offset < source.start_offset:
            self._begin_at_the_start(move, now_ms)
        if move.flushing and move.unflushed >= _UNFLUSHED_BYTES:
            return
        if move.log.end_offset < source.written_end:
            self._copy_piece(move, source, now_ms)
        elif not move.flushing and not move.replica.staging:
            self._finish(move, now_ms)

    def _begin_at_the_start(self, move: Move, now_ms: int) -> None:
        """The copy's first batch is the one that holds the log's first offset."""
        source = move.replica.log
        first = source.read(source.start_offset, 1, source.written_end)
        move.log.truncate_fully_at(first.first_offset if first.length else source.start_offset, now_ms)
        move.begun = True

    def _copy_piece(self, move: Move, source: Log, now_ms: int) -> None:
        part = source.read(move.log.end_offset, _PIECE_BYTES, source.written_end)
        if part.file is None:
            return
        piece = bytearray(part.file.pread(part.length, part.position))
        move.log.stage(memoryview(piece), -1, now_ms, REPLICATION)
        move.log.write()
        self._credit_bytes -= len(piece)
        move.unflushed += len(piece)
        if move.unflushed >= _UNFLUSHED_BYTES and not move.flushing:
            move.unflushed, move.marked_end = 0, move.log.end_offset
            self._appends.dirty.add(move.log)

    def _finish(self, move: Move, now_ms: int) -> None:
        """Between two requests: the copy becomes the log. Raises DiskFault, with the old log still in office."""
        replica, future = move.replica, move.log
        self._appends.dirty.discard(future)
        future.close(clean=True)
        path = move.target.path_of(move.place)
        self._disk.rename(future.path, path)
        self._disk.sync_dir(move.target.path)
        log = self._open(replica, path, now_ms, start_offset=replica.log.start_offset)
        assert log.end_offset == replica.log.end_offset, "the copy has every record"
        del self._moves[replica]
        self._arrived(move, log, now_ms)
        self._say("move", f"{move.place.folder} has moved from {move.source.path} to {move.target.path}")
