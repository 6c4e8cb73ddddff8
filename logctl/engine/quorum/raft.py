"""Who leads the metadata log: a machine that is told what happened and answers what to do.

Theory of operation
-------------------
`step` takes a message from another voter, `tick` the time, `flushed` and `follower_fetched` how far logs have got.
None of them does anything; what there is to do gathers in a `Ready`, which the owner takes with `ready()` and carries
out in the order of its fields: the election state goes to disk before any message leaves and before anything is
appended, because a vote that is forgotten can be given twice.

Time is an argument, chance is a callable, the log is seen through `LogView`. With one voter the same path is walked at
once: it stands, votes for itself, has the majority, leads.

What makes it safe: an epoch only grows; a voter votes once per epoch, and only for a candidate whose log is at least as
long as its own; a leader counts an offset as committed when a majority has it on disk and it belongs to the leader's
own epoch (older records are committed by the ones behind them). What makes it live: timeouts with jitter, a pre-vote so
that a voter that was cut off does not unseat a leader that works, and a leader that resigns when the majority stops
fetching from it.

Who votes may change (KIP-853): the owner tells with `voters_changed` what the newest set in its log is, committed or
not, and everything counts by that. A node that is not in it is an *observer*: it follows whoever leads and never
stands; when it loses sight of the leader it says so by following nobody, and its owner asks around (`told`). It votes
when it is asked, because a candidate may know of a set that this log does not hold yet; whose votes count is for the
candidate to say. A leader that is voted out leads on until that is committed, without counting itself.

Sources: KIP-595 (Raft for Kafka), KIP-996 (pre-vote), KIP-853. Moving the records is not here; whoever fetches and
serves them reports.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol, assert_never

from logctl.engine.quorum.election_state import NOBODY, ElectionState
from logctl.engine.quorum.majority import Outcome, committed_offset, majority, outcome
from logctl.engine.quorum.messages import BeginEpoch, BeginEpochAnswer, EndEpoch, Envelope, Message, Vote, VoteAnswer
from logctl.engine.quorum.roles import (
    NEXT,
    OBSERVERS_KEPT,
    Candidate,
    Follower,
    Leader,
    Progress,
    Prospective,
    Resigned,
    Role,
    Unattached,
)
from logctl.engine.quorum.voters import ANY_DIRECTORY, VoterSet

_SOON_MS: Final = 100
"""So long at most until a voter asks for votes that knows of the leader's end: not all of them at once."""


class LogView(Protocol):
    """What the machine asks of the log."""

    @property
    def end_offset(self) -> int:
        """The next offset to be written."""

    @property
    def flushed_end(self) -> int:
        """Everything below is on disk."""

    @property
    def last_epoch(self) -> int:
        """The epoch of the last record; 0 for an empty log."""


class Timing(NamedTuple):
    """Apache's controller.quorum.*.timeout.ms."""

    election_timeout_ms: int = 1000
    fetch_timeout_ms: int = 2000
    election_backoff_max_ms: int = 1000


class LeaderChange(NamedTuple):
    """The first thing a leader appends: who leads, who may vote, who of them voted for it."""

    leader_id: int
    epoch: int
    voters: VoterSet
    granting: tuple[int, ...]


@dataclass(slots=True)
class Ready:
    """What to do now, in this order."""

    state: ElectionState | None = None  # on disk BEFORE anything below happens
    leader_change: LeaderChange | None = None  # append this, in its epoch, before any other record of that epoch
    messages: list[Envelope] = field(default_factory=list)
    high_watermark: int | None = None  # everything below is committed
    said: list[str] = field(default_factory=list)  # sentences for the diary

    def __bool__(self) -> bool:
        return bool(self.state or self.leader_change or self.messages or self.said or self.high_watermark is not None)


class RaftNode:
    """One voter, or one that only follows. See the theory above."""

    def __init__(
        self,
        node_id: int,
        voters: VoterSet,
        log: LogView,
        state: ElectionState,
        jitter: Callable[[int], int],
        timing: Timing | None = None,
        directory_id: bytes = ANY_DIRECTORY,
    ) -> None:
        """`jitter(n)` answers a number from 0 to n - 1. `state` is what was read from disk. `directory_id`: where this
        node keeps its log, and so votes from."""
        self.node_id = node_id
        self.directory_id = directory_id
        self.voter_set = voters
        self.log = log
        self.timing = timing or Timing()
        self.epoch = state.epoch
        self.high_watermark: int | None = None
        self.role: Role = Unattached(0, state.voted_id)
        self._saved = state
        self._voted_directory = state.voted_directory_id
        self._jitter = jitter
        self._ready = Ready()

    # ---- what the owner calls ----

    def start(self, now_ms: int) -> None:
        """Take up work after a restart. A voter that led when it stopped leads that epoch no more."""
        saved = self._saved
        if self.is_alone:
            self._stand(now_ms)
        elif saved.leader_id == self.node_id:
            self.role = Resigned(self._election_deadline(now_ms), saved.voted_id)
        elif saved.leader_id != NOBODY:
            self.role = Follower(now_ms + self.timing.fetch_timeout_ms, saved.leader_id, saved.voted_id)
        else:
            self.role = Unattached(self._election_deadline(now_ms), saved.voted_id)

    def ready(self) -> Ready | None:
        """What there is to do since the last call; None for nothing."""
        self._note_state()
        if not self._ready:
            return None
        taken, self._ready = self._ready, Ready()
        return taken

    def step(self, envelope: Envelope, now_ms: int) -> None:
        """A message has arrived."""
        source, message = envelope.source, envelope.message
        if message.epoch > self.epoch:
            self._observe(source, message, now_ms)
        elif message.epoch == self.epoch:
            self._learn_leader(message, now_ms)
        match message:
            case Vote():
                self._answer_vote(source, message, now_ms)
            case VoteAnswer():
                self._count_vote(source, message, now_ms)
            case BeginEpoch():
                self._follow_begin(source, message, now_ms)
            case BeginEpochAnswer():
                self._heard(source, message)
            case EndEpoch():
                self._succeed(source, message, now_ms)
            case _:
                assert_never(message)

    def told(self, leader_id: int, epoch: int, now_ms: int) -> None:
        """Somebody who was asked for the log says who leads (NOBODY: not known), and in which epoch."""
        self.step(Envelope(leader_id, self.node_id, BeginEpochAnswer(epoch, leader_id)), now_ms)

    def voters_changed(self, voters: VoterSet, now_ms: int) -> None:
        """The newest set in the log is another one than before."""
        self.voter_set = voters
        role = self.role
        if isinstance(role, Leader):
            self._recount(role, now_ms)
        elif isinstance(role, Prospective | Candidate) and not self.is_voter:
            self._lose_sight(now_ms)

    def _recount(self, leader: Leader, now_ms: int) -> None:
        """Who came to vote has fetched before; who went goes on fetching."""
        known = {(voter, ANY_DIRECTORY): progress for voter, progress in leader.progress.items()} | leader.observers
        leader.progress = {}
        for voter in self.voter_set:
            if voter.node_id != self.node_id:
                found = known.get((voter.node_id, voter.directory_id)) or known.get((voter.node_id, ANY_DIRECTORY))
                leader.observers.pop((voter.node_id, voter.directory_id), None)
                leader.progress[voter.node_id] = found or Progress(0, now_ms)
        self._commit(leader)

    def tick(self, now_ms: int) -> None:
        """Time has passed."""
        if now_ms < self.role.deadline_ms:
            return
        if isinstance(self.role, Leader):
            self._check_majority(self.role, now_ms)
        elif self.is_voter:
            self._ask_first(now_ms)
        elif isinstance(self.role, Unattached):
            self.role.deadline_ms = self._election_deadline(now_ms)
        else:
            self._lose_sight(now_ms)

    def _lose_sight(self, now_ms: int) -> None:
        """An observer does not stand: it follows nobody until it is told whom."""
        role = Unattached(self._election_deadline(now_ms), self._voted_id)
        self._become(role, f"does not hear of a leader after epoch {self.epoch}")

    @property
    def deadline_ms(self) -> int | None:
        """When `tick` has something to do; None for a leader without other voters, whom time cannot unseat."""
        return None if self.is_leader and self.is_alone else self.role.deadline_ms

    @property
    def voters(self) -> tuple[int, ...]:
        """Their ids, ascending."""
        return self.voter_set.ids

    @property
    def is_voter(self) -> bool:
        return self.voter_set.has(self.node_id, self.directory_id)

    @property
    def is_alone(self) -> bool:
        """The only voter."""
        return self.voter_set.ids == (self.node_id,) and self.is_voter

    @property
    def has_committed(self) -> bool:
        """Leader: something of its own epoch is committed, so it knows all that was committed before."""
        role = self.role
        return isinstance(role, Leader) and (self.high_watermark or 0) > role.epoch_start

    @property
    def is_leader(self) -> bool:
        return isinstance(self.role, Leader)

    @property
    def leader_id(self) -> int:
        """Who leads this epoch as far as this node knows; NOBODY."""
        if isinstance(self.role, Leader):
            return self.node_id
        return self.role.leader_id if isinstance(self.role, Follower) else NOBODY

    def flushed(self) -> None:
        """The own log has more on disk."""
        if isinstance(self.role, Leader):
            self._commit(self.role)

    def follower_fetched(
        self, node_id: int, offset: int, now_ms: int, directory_id: bytes = ANY_DIRECTORY
    ) -> None:
        """Leader: a node asks for records from `offset` on, so it has everything below on disk."""
        role = self.role
        if not isinstance(role, Leader) or node_id < 0 or node_id == self.node_id:
            return
        votes = self.voter_set.has(node_id, directory_id)
        last = role.progress[node_id] if votes else role.observers.pop((node_id, directory_id), Progress(0, now_ms))
        end, caught_up_ms = self.log.end_offset, last.caught_up_ms
        if offset >= end:
            caught_up_ms = now_ms
        elif 0 <= last.leader_end <= offset:
            caught_up_ms = max(caught_up_ms, last.fetched_ms)
        progress = Progress(offset, now_ms, True, end, caught_up_ms)
        if votes:
            role.progress[node_id] = progress
            self._commit(role)
        else:
            role.observers[node_id, directory_id] = progress
            while len(role.observers) > OBSERVERS_KEPT:
                del role.observers[next(iter(role.observers))]

    def observers(self, now_ms: int, within_ms: int) -> dict[tuple[int, bytes], Progress]:
        """Leader: who has fetched lately without a vote, by node and directory."""
        found = self.role.observers if isinstance(self.role, Leader) else {}
        return {who: seen for who, seen in found.items() if now_ms - seen.fetched_ms <= within_ms}

    def progress_of(self, voter: int) -> Progress | None:
        """Leader: how far another voter has got; None when it has not fetched in this epoch."""
        known = self.role.progress.get(voter) if isinstance(self.role, Leader) else None
        return known if known is not None and known.leader_end >= 0 else None

    def fetched(self, leader_id: int, high_watermark: int, now_ms: int) -> None:
        """Follower: a fetch from the leader of this epoch has succeeded and its records are on disk."""
        role = self.role
        if isinstance(role, Follower) and role.leader_id == leader_id:
            role.has_fetched = True
            role.deadline_ms = now_ms + self.timing.fetch_timeout_ms
            self._advance(min(high_watermark, self.log.flushed_end))

    def leader_is_gone(self, leader_id: int, now_ms: int) -> None:
        """Follower: nobody listens at the leader's address. It is not waited for, nor are others kept from asking."""
        role = self.role
        if isinstance(role, Follower) and role.leader_id == leader_id:
            role.has_fetched = False
            role.deadline_ms = min(role.deadline_ms, now_ms + 1 + self._jitter(_SOON_MS))

    def resign(self, now_ms: int) -> None:
        """Leader: step down in order; the voter that is furthest may stand at once."""
        if not isinstance(self.role, Leader):
            return
        progress = self.role.progress
        successors = tuple(sorted(progress, key=lambda voter: (-progress[voter].offset, voter)))
        for voter in successors:
            self._send(voter, EndEpoch(self.epoch, successors))
        self._become(Resigned(self._election_deadline(now_ms), self.node_id), f"resigns epoch {self.epoch}")

    # ---- transitions ----

    def _become(self, role: Role, sentence: str) -> None:
        assert type(role) in NEXT[type(self.role)], f"{self.role} does not become {role}"
        self.role = role
        self._ready.said.append(f"node {self.node_id} {sentence}")

    def _enter(self, epoch: int) -> None:
        assert epoch > self.epoch, "an epoch only grows"
        self.epoch = epoch

    def _observe(self, source: int, message: Message, now_ms: int) -> None:
        """Somebody is in a higher epoch: join it, as a follower where its leader is known."""
        self._enter(message.epoch)
        leader = source if isinstance(message, BeginEpoch) else getattr(message, "leader_id", NOBODY)
        if leader not in (NOBODY, self.node_id):
            self._follow(leader, now_ms)
            return
        sentence = f"joins epoch {self.epoch}, whose leader it does not know"
        if leader == self.node_id:
            sentence = (
                f"never led epoch {self.epoch}, and is said to: its directory was lost since, or another node runs "
                "with this node.id; stop one of them"
            )
        self._become(Unattached(self._election_deadline(now_ms)), sentence)

    def _learn_leader(self, message: Message, now_ms: int) -> None:
        """Somebody says who leads this epoch. The leader that was lost sight of is no news: who asks whether it would
        be elected instead goes on asking."""
        leader = getattr(message, "leader_id", NOBODY)
        if isinstance(self.role, Prospective) and self.role.leader_id == leader:
            return
        if leader not in (NOBODY, self.node_id) and not isinstance(self.role, Leader | Follower):
            self._follow(leader, now_ms, self._voted_id)

    def _follow(self, leader_id: int, now_ms: int, voted_id: int = NOBODY) -> None:
        role = Follower(now_ms + self.timing.fetch_timeout_ms, leader_id, voted_id)
        self._become(role, f"follows node {leader_id} in epoch {self.epoch}")

    def _ask_first(self, now_ms: int) -> None:
        """Nobody leads, or not any more: find out whether an election could be won before calling one."""
        role = Prospective(self._election_deadline(now_ms), self._voted_id, self.leader_id, granted={self.node_id})
        self._become(role, f"asks whether it would be elected after epoch {self.epoch}")
        for voter in self._others():
            self._send(voter, self._vote(pre_vote=True))
        self._conclude(role, now_ms)

    def _stand(self, now_ms: int) -> None:
        self._enter(self.epoch + 1)
        self._voted_directory = self._own_directory
        role = Candidate(self._election_deadline(now_ms), self.node_id, granted={self.node_id})
        self._become(role, f"stands for election in epoch {self.epoch}")
        for voter in self._others():
            self._send(voter, self._vote(pre_vote=False))
        self._conclude(role, now_ms)

    def _lead(self, candidate: Candidate, now_ms: int) -> None:
        start = self.log.end_offset
        progress = {voter: Progress(0, now_ms) for voter in self._others()}
        self._become(
            Leader(self._begin_deadline(now_ms), start, progress),
            f"leads epoch {self.epoch} from offset {start}",
        )
        self._ready.leader_change = LeaderChange(
            self.node_id, self.epoch, self.voter_set, tuple(sorted(candidate.granted))
        )
        for voter in progress:
            self._send(voter, BeginEpoch(self.epoch))

    # ---- votes ----

    def _answer_vote(self, source: int, vote: Vote, now_ms: int) -> None:
        granted = vote.epoch == self.epoch and self._may_stand(source) and self._would_grant(source, vote)
        if granted and not vote.pre_vote:
            self._voted_directory = vote.directory_id
            self._become(
                Unattached(self._election_deadline(now_ms), source), f"votes for node {source} in epoch {self.epoch}"
            )
        self._send(source, VoteAnswer(self.epoch, self.leader_id, granted, vote.pre_vote))

    def _may_stand(self, source: int) -> bool:
        """Where directories are known the log names the voters, and the candidate's may be ahead of this one."""
        return source in self.voter_set or all(voter.directory_id != ANY_DIRECTORY for voter in self.voter_set)

    def _would_grant(self, source: int, vote: Vote) -> bool:
        long_enough = (vote.last_epoch, vote.last_offset) >= (self.log.last_epoch, self.log.end_offset)
        match self.role:
            case Leader():
                return False
            case Follower(has_fetched=has_fetched):
                return vote.pre_vote and not has_fetched and long_enough
            case Unattached(voted_id=voted_id) | Prospective(voted_id=voted_id, leader_id=-1):
                again = voted_id == source and vote.directory_id == self._voted_directory
                return (vote.pre_vote or voted_id == NOBODY or again) and long_enough
            case _:
                return vote.pre_vote and long_enough

    def _count_vote(self, source: int, answer: VoteAnswer, now_ms: int) -> None:
        role = self.role
        expected = Prospective if answer.pre_vote else Candidate
        if answer.epoch != self.epoch or not isinstance(role, expected) or source not in self.voter_set:
            return
        (role.granted if answer.granted else role.rejected).add(source)
        assert isinstance(role, Prospective | Candidate)
        self._conclude(role, now_ms)

    def _conclude(self, role: Prospective | Candidate, now_ms: int) -> None:
        result = outcome(len(self.voters), len(role.granted), len(role.rejected - role.granted))
        if result is Outcome.WON:
            if isinstance(role, Candidate):
                self._lead(role, now_ms)
            else:
                self._stand(now_ms)
        elif result is Outcome.LOST:
            self._lost(role, now_ms)

    def _lost(self, role: Prospective | Candidate, now_ms: int) -> None:
        """Back to the leader if the majority still has one; else wait a random while, so that not all stand at once."""
        if isinstance(role, Prospective) and role.leader_id != NOBODY:
            self._follow(role.leader_id, now_ms, role.voted_id)
            return
        backoff = 1 + self._jitter(self.timing.election_backoff_max_ms)
        self._become(Unattached(now_ms + backoff, role.voted_id), f"is not elected after epoch {self.epoch}")

    # ---- epochs begin and end ----

    def _follow_begin(self, source: int, begin: BeginEpoch, now_ms: int) -> None:
        if begin.epoch == self.epoch:
            assert not self.is_leader, f"nodes {self.node_id} and {source} both lead epoch {self.epoch}"
            if self.leader_id != source:
                self._follow(source, now_ms, self._voted_id)
        self._send(source, BeginEpochAnswer(self.epoch, self.leader_id))

    def _heard(self, source: int, answer: BeginEpochAnswer) -> None:
        if isinstance(self.role, Leader) and answer.epoch == self.epoch and source in self.role.progress:
            self.role.progress[source].heard = True

    def _succeed(self, source: int, end: EndEpoch, now_ms: int) -> None:
        """Sooner the longer the own log: first place at once, the others after a while that grows with their place.
        Until then they help whoever stands: the leader is known to be gone."""
        if end.epoch != self.epoch or self.leader_id != source or self.node_id not in end.successors:
            return
        place = end.successors.index(self.node_id)
        if place == 0:
            self._ask_first(now_ms)
        else:
            if isinstance(self.role, Follower):
                self.role.has_fetched = False
            wait = place * self.timing.election_backoff_max_ms // len(end.successors)
            self.role.deadline_ms = min(self.role.deadline_ms, now_ms + 1 + wait + self._jitter(50))

    def _check_majority(self, leader: Leader, now_ms: int) -> None:
        """Leader: give up when a majority has not fetched for long; tell those who may not know who leads.

        Silence ends when this look was due: a node that comes late to it (a slow disk, a machine that does not let it
        run) has not listened since.
        """
        silence, due_ms = self.timing.fetch_timeout_ms * 3 // 2, leader.deadline_ms
        recent = self.is_voter + sum(due_ms - progress.fetched_ms < silence for progress in leader.progress.values())
        if recent < majority(len(self.voters)):
            silent = f"{len(self.voters) - recent} of {len(self.voters)} voters have not fetched for {silence} ms"
            role = Resigned(self._election_deadline(now_ms), self.node_id)
            self._become(role, f"resigns epoch {self.epoch}: {silent}")
            return
        leader.deadline_ms = self._begin_deadline(now_ms)
        for voter, progress in leader.progress.items():
            if not progress.heard:
                self._send(voter, BeginEpoch(self.epoch))

    # ---- what is committed ----

    def _commit(self, leader: Leader) -> None:
        ends = [progress.offset for progress in leader.progress.values()]
        if self.is_voter:
            ends.append(self.log.flushed_end)
        end = committed_offset(ends)
        if end > leader.epoch_start:
            self._advance(end)

    def _advance(self, high_watermark: int) -> None:
        if self.high_watermark is None or high_watermark > self.high_watermark:
            self.high_watermark = high_watermark
            self._ready.high_watermark = high_watermark

    # ---- small things ----

    def _note_state(self) -> None:
        voted_id = self._voted_id
        directory_id = self._voted_directory if voted_id != NOBODY else ANY_DIRECTORY
        state = ElectionState(self.epoch, self.leader_id, voted_id, directory_id)
        if state != self._saved:
            self._saved = self._ready.state = state

    @property
    def _voted_id(self) -> int:
        """A leader needs no vote of its own on disk: that it led says as much."""
        return NOBODY if isinstance(self.role, Leader) else self.role.voted_id

    def _vote(self, *, pre_vote: bool) -> Vote:
        return Vote(self.epoch, self.log.last_epoch, self.log.end_offset, pre_vote, self._own_directory)

    @property
    def _own_directory(self) -> bytes:
        """As the voters know it: not at all where they are known by id alone."""
        voter = self.voter_set.get(self.node_id)
        return ANY_DIRECTORY if voter is None else voter.directory_id

    def _send(self, target: int, message: Message) -> None:
        self._ready.messages.append(Envelope(self.node_id, target, message))

    def _others(self) -> list[int]:
        return [voter for voter in self.voters if voter != self.node_id]

    def _election_deadline(self, now_ms: int) -> int:
        return now_ms + self.timing.election_timeout_ms + self._jitter(self.timing.election_timeout_ms)

    def _begin_deadline(self, now_ms: int) -> int:
        return now_ms + self.timing.fetch_timeout_ms // 2
