"""The metadata log at work: decisions are appended, flushed, committed, applied and only then answered.

Theory of operation
-------------------
Three images stand in a row. `image` is what is committed: everybody reads it. The *working* image adds the records that
were appended and not committed yet: the controller decides against it. Between them lies one image per decision that
waits, which is cheap because images share what did not change.

    decide(fn)  fn(controller) -> Decision; its records are replayed on the working image, written as one batch
    flush       the log is marked dirty; the shell flushes it with the others and calls `on_flushed`
    commit      the machine in `quorum.raft` moves the high watermark; every decision below it is applied in order:
                `image` advances, listeners are told, `done` is called with the decision

A decision without records waits for those in front of it, since it may have been made because of them. When the disk
refuses or office is lost, the working image is thrown away and whoever waits is told so.

Office is taken in `start`: with one voter the machine elects itself, writes the new epoch down, and a LeaderChange
record goes to the log before anything else. A cluster's very first leader appends the records of
`bootstrap.checkpoint`.

With more voters, `outbox` carries the machine's messages and `deliver` takes theirs, and the log is copied
(`metadata_copying`): `answer` is the leader's side, `question` and `take` are the others'. Such a node learns what is
committed only from the high watermark, so it begins with its snapshot and applies the log as that moves. Who takes
office first replays what its log holds beyond, without an answer that anybody waits for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from logctl.engine.broker.metadata_copying import PORTION_BYTES, Copier, LogView, Question, Reply, answer
from logctl.engine.broker.metadata_records import (
    Batch,
    ControlRecord,
    decode_batches,
    encode_batch,
    encode_control_batch,
    in_batches,
)
from logctl.engine.broker.metadata_snapshot_keeping import Options, SnapshotKeeper
from logctl.engine.broker.metadata_snapshots import SnapshotId, SnapshotReading, decode_snapshot, list_snapshots
from logctl.engine.broker.metadata_store import (
    DIRECTORY,
    Stored,
    check_controls,
    check_known,
    load,
    read_bootstrap,
)
from logctl.engine.broker.metadata_store import read_election_state as _read_state
from logctl.engine.broker.voters import controls_of, leader_control, note_controls, note_snapshot
from logctl.engine.controller.decision import Controller, Decision, Rules
from logctl.engine.controller.image import Image
from logctl.engine.controller.replay import apply
from logctl.engine.controller.versions import NEWEST_METADATA_LEVEL, record_version
from logctl.engine.log.disk import Disk, DiskFault
from logctl.engine.log.log import COORDINATOR, Log
from logctl.engine.log.segment import OpenFiles
from logctl.engine.quorum.election_state import FILE_NAME as STATE_FILE
from logctl.engine.quorum.election_state import ElectionState, encode_state
from logctl.engine.quorum.messages import NOBODY, Envelope
from logctl.engine.quorum.raft import LeaderChange, RaftNode, Ready, Timing
from logctl.engine.quorum.voters import ANY_DIRECTORY, VoterHistory, VoterSet
from logctl.errors import OperationFailed
from logctl.wire import errors
from logctl.wire.errors import WireError

_RECORDS_PER_BATCH: Final = 20_000
_WORTH_A_SNAPSHOT_BYTES: Final = 256 << 10
"""Replaying less than this at the next start is quicker than writing a snapshot at the stop."""

Listener = Callable[[Image, Image, list[Any]], None]
"""(image before, image after, the records between them), in the order of the log."""


class Status(NamedTuple):
    """Where the quorum stands, for `node status` and DescribeQuorum. Offsets are the next one to come."""

    node_id: int
    leader_id: int
    leader_epoch: int
    high_watermark: int
    log_start_offset: int
    log_end_offset: int
    voters: VoterSet


@dataclass(slots=True)
class _Waiting:
    """A decision on its way: committed when the high watermark reaches `end_offset`."""

    end_offset: int
    image: Image
    records: list[Any]
    decision: Decision[Any]
    done: Callable[[Decision[Any]], None]
    failed: Callable[[WireError], None]


def _ignore(refusal: WireError) -> None:
    pass


class Metadata:
    """One node's part in the metadata log. See the theory above; everything belongs to one thread."""

    def __init__(
        self,
        disk: Disk,
        log_dir: str,
        stored: Stored,
        view: LogView,
        raft: RaftNode,
        *,
        rules: Rules,
        options: Options,
        clock: Callable[[], int],
        new_uuid: Callable[[], bytes],
        mark_dirty: Callable[[Log], object],
    ) -> None:
        """Use `Metadata.open`."""
        self.log = stored.log
        alone = raft.is_alone
        self.image = stored.image if alone else stored.base
        self.rules = rules
        self.raft = raft
        self.listeners: list[Listener] = []
        self.incomprehensible = ""
        """What in the log is for a newer version, as sentences."""
        self.outbox: list[Envelope] = []
        self.notes = stored.notes
        """Sentences for the diary. The owner may read and clear them."""
        from_snapshot = stored.snapshot.end_offset if stored.snapshot else 0
        self.applied_offset = stored.log.end_offset if alone else from_snapshot
        """`image` is what the records below this offset amount to."""
        self._view = view
        self.voters: VoterHistory = stored.voters
        """Who votes, as the log says."""
        self._copier = Copier(view, raft, self.voters)
        self._disk = disk
        self._log_dir = log_dir
        self._path = f"{log_dir}/{DIRECTORY}"
        self.snapshots = SnapshotKeeper(
            disk, self._path, stored.log, options, clock, self.notes, stored.bytes_behind_snapshot
        )
        self.clock = clock
        self._new_uuid = new_uuid
        self._mark_dirty = mark_dirty
        self._working = self.image
        self._waiting: deque[_Waiting] = deque()

    @classmethod
    def open(
        cls,
        disk: Disk,
        log_dir: str,
        *,
        node_id: int,
        rules: Rules,
        clock: Callable[[], int],
        new_uuid: Callable[[], bytes],
        mark_dirty: Callable[[Log], object],
        clean: bool = False,
        voters: tuple[int, ...] = (),
        directory_id: bytes = ANY_DIRECTORY,
        joins: bool = False,
        jitter: Callable[[int], int] = lambda limit: 0,
        timing: Timing | None = None,
        options: Options | None = None,
        files: OpenFiles | None = None,
    ) -> Metadata:
        """The metadata log of the node whose first log directory is `log_dir`, replayed; call `start` next.

        `clock` answers ms since 1970. `mark_dirty` is told of a log that wants a flush. `voters` are those of the
        settings, which hold where the log names none; without any the node is its own quorum, unless it `joins` one.
        Raises OperationFailed when what is on disk cannot be used, DiskFault.
        """
        options = options or Options()
        stored = load(disk, log_dir, options.segment_bytes, now_ms=clock(), clean=clean, files=files)
        stored.voters.fixed = VoterSet.of_ids(voters or (() if joins else (node_id,)))
        if not disk.exists(f"{log_dir}/{DIRECTORY}/{STATE_FILE}"):
            disk.sync_dir(log_dir)  # a vote is lost with the folder that it is written into
        state = _read_state(disk, f"{log_dir}/{DIRECTORY}", stored.log, stored.voters.voters, stored.notes)
        view = LogView(stored.log, stored.snapshot.epoch if stored.snapshot else 0)
        raft = RaftNode(node_id, stored.voters.voters, view, state, jitter, timing, directory_id)
        return cls(
            disk,
            log_dir,
            stored,
            view,
            raft,
            rules=rules,
            options=options,
            clock=clock,
            new_uuid=new_uuid,
            mark_dirty=mark_dirty,
        )

    # ---- what others ask ----

    @property
    def has_failed(self) -> bool:
        """The disk refused something that must be there, or the log holds what this version does not know: among others
        this node is as good as gone until it is started anew. It neither votes nor leads nor follows."""
        return bool(self.incomprehensible) or (self.log.failed is not None and not self.raft.is_alone)

    @property
    def is_leader(self) -> bool:
        return self.raft.is_leader and not self.has_failed

    @property
    def leader_id(self) -> int:
        return NOBODY if self.has_failed else self.raft.leader_id

    @property
    def epoch(self) -> int:
        return self.raft.epoch

    @property
    def log_end(self) -> int:
        return self.log.end_offset

    @property
    def high_watermark(self) -> int:
        return self.raft.high_watermark or 0

    def describe(self) -> Status:
        return Status(
            node_id=self.raft.node_id,
            leader_id=self.leader_id,
            leader_epoch=self.epoch,
            high_watermark=self.high_watermark,
            log_start_offset=self.log.start_offset,
            log_end_offset=self.log_end,
            voters=self.raft.voter_set,
        )

    # ---- life ----

    def start(self) -> None:
        """Take up office. With one voter it leads when this returns, and what it appended is committed.

        Raises DiskFault; OperationFailed when bootstrap.checkpoint cannot be used.
        """
        self.raft.start(self.clock())
        self._carry_out()
        if self.is_leader:
            self.flush()

    def tick(self, now_ms: int) -> None:
        """Whatever is due in the quorum, and a snapshot whose time has come."""
        if self.has_failed:
            return
        self.raft.tick(now_ms)
        self._carry_out()
        due_ms = self.snapshots.due_ms()
        if due_ms is not None and due_ms <= now_ms:
            self._begin_snapshot()

    def next_deadline_ms(self) -> int | None:
        if self.has_failed:
            return None
        deadlines = (self.raft.deadline_ms, self.snapshots.due_ms())
        return min((due for due in deadlines if due is not None), default=None)

    def leader_is_gone(self, node_id: int) -> None:
        """Nobody listens where that node is reached: if it leads, another voter stands soon."""
        if not self.has_failed:
            self.raft.leader_is_gone(node_id, self.clock())

    def resign(self) -> None:
        """Leader: give up office in order, so that another voter stands at once."""
        if self.has_failed:
            return
        self.raft.resign(self.clock())
        self._carry_out()

    # ---- copying ----

    def answer(self, question: Question) -> Reply:
        """What somebody who copies the log is told. Raises DiskFault."""
        if self.has_failed:
            return Reply(errors.KAFKA_STORAGE_ERROR, NOBODY, self.epoch)
        snapshots = list_snapshots(self._disk, self._path) if question.offset < self.log.start_offset else []
        reply = answer(self._view, self.raft, question, snapshots[0] if snapshots else None, self.clock())
        self._carry_out()
        return reply

    def question(self) -> Question | None:
        """What to ask of the leader now; None when there is nobody to ask, or a flush comes first."""
        return None if self.has_failed else self._copier.question()

    def take(self, source: int, reply: Reply) -> None:
        """What node `source` answered. Raises DiskFault, DivergedBelowCommit."""
        if self.has_failed:
            return
        if self._copier.take(source, reply, self.applied_offset, self.clock()):
            self.snapshots.appended(len(reply.records), self.clock())
            self._mark_dirty(self.log)
        self._carry_out()

    def read_snapshot(self, snapshot: SnapshotId, position: int, limit_bytes: int) -> SnapshotReading | None:
        """A piece of a snapshot's file; None when there is no such snapshot. Raises DiskFault."""
        path = f"{self._path}/{snapshot.file_name}"
        if not self._disk.exists(path):
            return None
        file = self._disk.open(path)
        try:
            return SnapshotReading(file.size(), file.pread(limit_bytes, position))
        finally:
            file.close()

    def install(self, snapshot: SnapshotId, data: bytes) -> None:
        """Begin anew from a snapshot of the leader, because its log does not reach back to the end of ours.

        Raises UnreadableRecord when it makes no sense, DiskFault.
        """
        found = decode_snapshot(data)
        if not self._understands(found.records, found.controls):
            return
        self._disk.write_file(f"{self._path}/{snapshot.file_name}", data)
        self.log.truncate_fully_at(snapshot.end_offset, self.clock())
        self._view.base_epoch = snapshot.epoch
        before, self.image = self.image, apply(Image(), found.records)
        self._working = self.image
        note_snapshot(self.voters, snapshot.end_offset, found.controls)
        self.raft.voters_changed(self.voters.voters, self.clock())
        self.applied_offset = snapshot.end_offset
        self.snapshots.since_bytes = 0
        for listener in self.listeners:
            listener(before, self.image, found.records)

    def told(self, leader_id: int, epoch: int) -> None:
        """Somebody who was asked says who leads, and in which epoch."""
        if not self.has_failed:
            self.raft.told(leader_id, epoch, self.clock())
            self._carry_out()

    def deliver(self, envelope: Envelope) -> None:
        """A message from another voter."""
        if self.has_failed:
            return
        self.raft.step(envelope, self.clock())
        self._carry_out()

    def close(self, clean: bool = True) -> None:
        """Let go of the files; when `clean`, with everything flushed and a snapshot where that helps the next start.

        Raises DiskFault: then the stop was not orderly.
        """
        if clean:
            self.flush()
            if self.snapshots.since_bytes >= _WORTH_A_SNAPSHOT_BYTES:
                self._begin_snapshot()
        self.log.close(clean)

    # ---- deciding ----

    def decide(
        self,
        decide: Callable[[Controller], Decision[Any]],
        done: Callable[[Decision[Any]], None],
        failed: Callable[[WireError], None] = _ignore,
    ) -> None:
        """Make a decision; `done` is called with it once it is committed and `image` includes it, possibly at once.

        Raises WireError when the decision is refused, when this node does not lead, or when the log cannot be written.
        `failed` is called instead of `done` when the log fails, or office is lost, afterwards.
        """
        if not self.is_leader:
            raise WireError(errors.NOT_CONTROLLER, "This node does not lead the metadata quorum")
        controller = Controller(self._working, self.clock(), self.log.end_offset, self._new_uuid, self.rules)
        decision = decide(controller)
        if decision.records:
            image = apply(self._working, decision.records)
            try:
                self._append(decision.records)
            except DiskFault as fault:
                self._yield_to_others(fault)
                raise WireError(errors.KAFKA_STORAGE_ERROR, fault.message) from fault
            self._working = image
        elif not self._waiting:
            done(decision)
            return
        end = self.log.end_offset if decision.records else self._waiting[-1].end_offset
        self._waiting.append(_Waiting(end, self._working, decision.records, decision, done, failed))

    def change_voters(
        self, controls: list[ControlRecord], done: Callable[[], None], failed: Callable[[WireError], None]
    ) -> None:
        """Leader: write who votes from now on; `done` when that is committed, `failed` when office is lost before.

        Raises WireError when the log cannot be written.
        """
        try:
            self._write_controls(controls, self.clock())
        except DiskFault as fault:
            self._yield_to_others(fault)
            raise WireError(errors.KAFKA_STORAGE_ERROR, fault.message) from fault
        decision = Decision[Any]([], None)
        self._waiting.append(
            _Waiting(self.log.end_offset, self._working, [], decision, lambda decision: done(), failed)
        )
        self._carry_out()

    def _append(self, records: list[Any]) -> None:
        """Write records as one batch (very many: as several). When it raises (DiskFault, WireError) nothing was."""
        level = self._working.metadata_version or NEWEST_METADATA_LEVEL
        now_ms = self.clock()
        batches = [
            encode_batch(chunk, lambda kind: record_version(kind, level), now_ms=now_ms)
            for chunk in in_batches(records, _RECORDS_PER_BATCH)
        ]
        self._write(batches, now_ms)

    def _write(self, batches: list[bytearray], now_ms: int) -> None:
        try:
            for batch in batches:
                self.log.stage(memoryview(batch), self.epoch, now_ms, COORDINATOR)
        except WireError:
            self.log.discard_staged()
            raise
        self.log.write()
        self.snapshots.appended(sum(map(len, batches)), now_ms)
        self._mark_dirty(self.log)

    # ---- committing ----

    def flush(self) -> None:
        """Flush here and now, and commit. Raises DiskFault."""
        self.log.flush()
        self.on_flushed()

    def on_flushed(self) -> None:
        """The log's flushed end has moved."""
        if self.has_failed:
            return
        self._copier.flushed(self.clock())
        self.raft.flushed()
        self._carry_out()

    def on_flush_failed(self, fault: DiskFault) -> None:
        """The log's disk cannot be trusted any more: nothing that waits will be committed by this node."""
        self.log.fence(fault)
        self._give_up(WireError(errors.KAFKA_STORAGE_ERROR, fault.message))

    def _give_up(self, refusal: WireError) -> None:
        """What was decided and not committed is forgotten, with the image that held it."""
        waiting, self._waiting = self._waiting, deque()
        self._working = self.image
        for entry in waiting:
            entry.failed(refusal)

    def _carry_out(self) -> None:
        """Do what the machine says, in its order."""
        while not self.has_failed and (ready := self.raft.ready()) is not None:
            try:
                self._do(ready)
            except DiskFault as fault:
                if self.raft.is_alone:
                    raise
                self._fall_silent(fault)

    def _yield_to_others(self, fault: DiskFault) -> None:
        """A leader that cannot write decides nothing, full disk or not: among several, let another one lead."""
        if not self.raft.is_alone:
            self._fall_silent(fault)

    def _fall_silent(self, fault: DiskFault) -> None:
        """A vote or an office that could not be written down must not count, in this life or in the next."""
        self.outbox.clear()
        self.on_flush_failed(fault)

    def _do(self, ready: Ready) -> None:
        if ready.state is not None:
            self._disk.write_file(f"{self._path}/{STATE_FILE}", self._encoded(ready.state))
        self.notes += [sentence[0].upper() + sentence[1:] for sentence in ready.said]
        if ready.leader_change is not None:
            self._take_office(ready.leader_change)
        self.outbox += ready.messages
        if ready.high_watermark is not None:
            self._commit(ready.high_watermark)
        if self._waiting and not self.is_leader:
            self._give_up(WireError(errors.NOT_CONTROLLER, "This node does not lead the metadata quorum any more"))

    def _encoded(self, state: ElectionState) -> bytes:
        """Voters that the log names are not named in the file."""
        return encode_state(state, None if self.voters.are_in_the_log else self.raft.voters)

    def _take_office(self, change: LeaderChange) -> None:
        self._take_over()
        now_ms = self.clock()
        controls = [leader_control(change.leader_id, change.voters.ids, change.granting)]
        if self.log.end_offset == 0:
            controls += controls_of(self.voters.newest)
        self._write_controls(controls, now_ms)
        records: list[Any] = []
        if self._working.transaction_start is not None:
            from logctl.wire.stored.abort_transaction_record import AbortTransactionRecord

            records.append(AbortTransactionRecord(reason="its leader is gone"))
        if not self._working.metadata_version:
            records += self._first_records()
        if records:
            self.decide(lambda controller: Decision(records, None), lambda decision: None)

    def _write_controls(self, controls: list[ControlRecord], now_ms: int) -> None:
        first = self.log.end_offset
        self._write([encode_control_batch(controls, now_ms=now_ms)], now_ms)
        if note_controls(self.voters, first, controls):
            self.raft.voters_changed(self.voters.voters, now_ms)

    def _take_over(self) -> None:
        """What earlier leaders have written and nobody knows as committed yet: decisions build on it, and it is
        committed with the first record of this epoch."""
        records, end_offset = [record for batch in self._beyond() for record in batch.records], self.log.end_offset
        if records:
            self._working = apply(self._working, records)
            decision = Decision[Any](records, None)
            self._waiting.append(_Waiting(end_offset, self._working, records, decision, lambda _: None, _ignore))

    def _beyond(self, up_to_offset: int | None = None) -> Iterator[Batch]:
        """The batches of the log from the applied offset on."""
        offset = self.applied_offset
        end_offset = self.log.end_offset if up_to_offset is None else up_to_offset
        while offset < end_offset:
            found = self.log.read(offset, PORTION_BYTES, end_offset)
            if found.file is None:
                return
            for batch in decode_batches(found.file.pread(found.length, found.position)):
                offset = batch.header.base_offset + batch.header.last_offset_delta + 1
                yield batch

    def _first_records(self) -> list[Any]:
        records = read_bootstrap(self._disk, self._log_dir)
        if records is None:
            raise OperationFailed(
                f"{self._log_dir} has neither metadata records nor a bootstrap.checkpoint to begin with",
                "Restore the directory from a backup, or prepare an empty one with: logctl node format",
            )
        return records

    def _commit(self, high_watermark: int) -> None:
        while self._waiting and self._waiting[0].end_offset <= high_watermark:
            entry = self._waiting.popleft()
            before, self.image = self.image, entry.image
            self.applied_offset = entry.end_offset
            if entry.records:
                for listener in self.listeners:
                    listener(before, entry.image, entry.records)
            entry.done(entry.decision)
        if not self._waiting and self.applied_offset < high_watermark:
            self._apply_log(high_watermark)
        if self.snapshots.are_many_bytes_behind:
            self._begin_snapshot()
        if self.raft.is_leader and not self.raft.is_voter and self.voters.newest.offset < high_watermark:
            self.raft.resign(self.clock())

    def _begin_snapshot(self) -> None:
        self.snapshots.begin(self.image, self.applied_offset, controls_of(self.voters.at(self.applied_offset)))

    def _apply_log(self, high_watermark: int) -> None:
        """Apply what is committed and was not decided here."""
        for batch in self._beyond(high_watermark):
            if not self._understands(batch.records, batch.controls):
                return
            before, self.image = self.image, apply(self.image, batch.records)
            self.applied_offset = batch.header.base_offset + batch.header.last_offset_delta + 1
            if batch.records:
                for listener in self.listeners:
                    listener(before, self.image, batch.records)
        self.applied_offset = high_watermark
        self._working = self.image


    def _understands(self, records: list[Any], controls: list[ControlRecord]) -> bool:
        """Whether this version knows all that is there; an image with a hole would look like deleted topics."""
        try:
            check_controls(controls, self._path)
            for record in records:
                check_known(record, self._path)
        except OperationFailed as problem:
            self.incomprehensible = f"{problem.message}. {problem.hint}"
            self.outbox.clear()
            self._give_up(WireError(errors.NOT_CONTROLLER, problem.message))
        return not self.incomprehensible
