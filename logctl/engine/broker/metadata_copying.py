"""The metadata log on its way from its leader to those who copy it: what they ask and what they are told.

Theory of operation
-------------------
A copier asks from the end of what it has on disk, and says in which epoch its last record was written. The leader
compares that with its own history: where they parted, it tells where, and the copier cuts its end and asks again; where
its log does not begin early enough any more, it names the snapshot to begin with; otherwise it sends what it has from
there on, flushed or not, with the offset below which everything is committed.

An offset asked for is a promise: everything below is on the copier's disk. So a copier asks again only when what it
was sent has been flushed, and that question is what commits it.

The epochs of both must be the same before anything else counts: who is behind is told who leads, and who is ahead is
not answered from an older history.

Source: KIP-595 (Fetch on the metadata log), KIP-630 (snapshots).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from logctl.engine.broker.metadata_records import control_batches
from logctl.engine.broker.metadata_snapshots import SnapshotId
from logctl.engine.broker.voters import note_batch
from logctl.engine.log.log import REPLICATION, Log
from logctl.engine.quorum.election_state import NOBODY
from logctl.engine.quorum.raft import RaftNode
from logctl.engine.quorum.voters import VoterHistory
from logctl.wire import errors

PORTION_BYTES: Final = 8 << 20


class Question(NamedTuple):
    """`offset`: everything below is on the disk of the one who asks, whose last record is of `last_epoch`."""

    replica_id: int
    epoch: int
    offset: int
    last_epoch: int
    high_watermark: int = -1
    directory_id: bytes = bytes(16)


class Parting(NamedTuple):
    """The newest epoch that both logs may have in common, and where it ends in the leader's."""

    epoch: int
    end_offset: int


class Reply(NamedTuple):
    """`error` is Kafka's code; with it only `leader_id` and `epoch` count. At most one of `parting`, `snapshot` and
    `records` is there."""

    error: int
    leader_id: int
    epoch: int
    high_watermark: int = -1
    log_start_offset: int = -1
    parting: Parting | None = None
    snapshot: SnapshotId | None = None
    records: bytes = b""

    @property
    def is_empty(self) -> bool:
        return not (self.error or self.parting or self.snapshot or self.records)


class LogView:
    """The metadata log as the quorum sees it. `base_epoch` is that of the last record in the snapshot which the log
    begins behind: a log without records of its own ends in it."""

    def __init__(self, log: Log, base_epoch: int) -> None:
        self.log = log
        self.base_epoch = base_epoch

    @property
    def end_offset(self) -> int:
        return self.log.end_offset

    @property
    def flushed_end(self) -> int:
        return self.log.flushed_end

    @property
    def last_epoch(self) -> int:
        return self.log.leader_epoch if self.log.leader_epoch >= 0 else self.base_epoch


def answer(view: LogView, raft: RaftNode, question: Question, newest: SnapshotId | None, now_ms: int) -> Reply:
    """The leader's side; a node that does not lead says who does. An empty reply to somebody who knows the high
    watermark may wait for news. Raises DiskFault."""
    log = view.log
    refusal = _refusal(raft, question.epoch)
    if refusal:
        return Reply(refusal, raft.leader_id, raft.epoch)
    told = Reply(errors.NONE, raft.leader_id, raft.epoch, raft.high_watermark or 0, log.start_offset)
    if question.offset < log.start_offset:
        return told._replace(snapshot=newest)
    parting = _parting(view, question)
    if parting is not None:
        return told._replace(parting=parting)
    raft.follower_fetched(question.replica_id, question.offset, now_ms, question.directory_id)
    told = told._replace(high_watermark=raft.high_watermark or 0)
    return told._replace(records=_read(log, question.offset))


def _refusal(raft: RaftNode, epoch: int) -> int:
    if epoch < raft.epoch:
        return errors.FENCED_LEADER_EPOCH
    if epoch > raft.epoch:
        return errors.UNKNOWN_LEADER_EPOCH
    return errors.NONE if raft.is_leader else errors.NOT_LEADER_OR_FOLLOWER


def _parting(view: LogView, question: Question) -> Parting | None:
    """Where the histories part; None when the one who asks has what the leader has up to there."""
    if question.offset == view.log.start_offset and question.last_epoch == view.base_epoch:
        return None
    epoch, end_offset = view.log.end_offset_for_epoch(question.last_epoch)
    if epoch == question.last_epoch and question.offset <= end_offset:
        return None
    return Parting(max(epoch, 0), max(end_offset, 0))


def _read(log: Log, offset: int) -> bytes:
    found = log.read(offset, PORTION_BYTES, log.written_end, minimum_one_batch=True)
    return b"" if found.file is None else found.file.pread(found.length, found.position)


class Copier:
    """The follower's side. The owner asks `question()` when nothing is on its way, and hands the reply to `take`."""

    def __init__(self, view: LogView, raft: RaftNode, voters: VoterHistory) -> None:
        self._view = view
        self._voters = voters
        self._log = view.log
        self._raft = raft
        self._told: tuple[int, int, int] | None = None

    def question(self) -> Question | None:
        """What to ask of the leader, or, where it is not known to an observer, of anybody; None while there is nothing
        to ask, or what came is not on disk yet."""
        raft, log = self._raft, self._log
        nobody = raft.leader_id == NOBODY and raft.is_voter
        if nobody or raft.leader_id == raft.node_id or log.flushed_end < log.end_offset:
            return None
        known = -1 if raft.high_watermark is None else raft.high_watermark
        return Question(
            raft.node_id, raft.epoch, log.end_offset, self._view.last_epoch, known, raft.directory_id
        )

    def take(self, source: int, reply: Reply, committed: int, now_ms: int) -> bool:
        """Carry out what the leader said; whether something was written that wants a flush, after which `flushed` is
        called. `committed`: the offset below which nothing may be cut. Raises DiskFault, and DivergedBelowCommit when
        the leader contradicts what was committed."""
        if reply.error or reply.epoch != self._raft.epoch or source != self._raft.leader_id:
            return False
        if reply.parting is not None:
            self._cut(reply.parting, committed, now_ms)
        elif reply.records:
            self._told = (source, reply.epoch, reply.high_watermark)
            first = self._log.end_offset
            self._log.stage(memoryview(bytearray(reply.records)), reply.epoch, now_ms, REPLICATION)
            self._log.write()
            self._note_voters(reply.records, first, now_ms)
            return True
        elif reply.snapshot is None:
            self._raft.fetched(source, reply.high_watermark, now_ms)
        return False

    def flushed(self, now_ms: int) -> None:
        """What was written is on disk: now it counts as fetched."""
        told, self._told = self._told, None
        if told is not None and told[1] == self._raft.epoch:
            self._raft.fetched(told[0], told[2], now_ms)

    def _cut(self, parting: Parting, committed: int, now_ms: int) -> None:
        own_end = self._log.end_offset_for_epoch(parting.epoch)[1]
        offset = min(parting.end_offset, own_end if own_end >= 0 else parting.end_offset)
        if offset < committed:
            raise DivergedBelowCommit(
                f"the leader's history parts from ours at offset {offset}, below {committed}, which was committed"
            )
        self._log.truncate_to(offset)
        if self._voters.truncate(offset):
            self._raft.voters_changed(self._voters.voters, now_ms)

    def _note_voters(self, records: bytes, first: int, now_ms: int) -> None:
        """A set of voters counts as soon as it stands in the log."""
        noted = [
            note_batch(self._voters, batch)
            for batch in control_batches(records)
            if batch.header.base_offset >= first
        ]
        if any(noted):
            self._raft.voters_changed(self._voters.voters, now_ms)


class DivergedBelowCommit(Exception):
    """Two histories of what was agreed: neither may be followed blindly. Says where, as a sentence."""
