"""Voters around a table: their messages are delivered one by one and written down, so that a test reads like a play.

Logs are toys: the list of the epochs in which their records were written, on disk as soon as they are appended.
Copying them is done here (`fetch`), as the owners of the log do it: a diverging end is cut, then the rest is copied.
Who votes is kept beside the logs: `change` writes a new set into the leader's, and `fetch` carries it to whoever copies
it. `guests` sit at the table without a vote.
"""

from __future__ import annotations

import random
from collections import deque

from logctl.engine.quorum.election_state import ElectionState
from logctl.engine.quorum.messages import BeginEpoch, BeginEpochAnswer, EndEpoch, Envelope, Message, Vote, VoteAnswer
from logctl.engine.quorum.raft import RaftNode, Timing
from logctl.engine.quorum.voters import VoterSet

TIMING = Timing(election_timeout_ms=1000, fetch_timeout_ms=2000, election_backoff_max_ms=1000)


class ToyLog:
    def __init__(self, epochs: list[int] | None = None) -> None:
        self.epochs = epochs or []

    @property
    def end_offset(self) -> int:
        return len(self.epochs)

    @property
    def flushed_end(self) -> int:
        return len(self.epochs)

    @property
    def last_epoch(self) -> int:
        return self.epochs[-1] if self.epochs else 0


class Quorum:
    """`transcript` holds one line per thing that happened."""

    def __init__(
        self, size: int = 3, logs: dict[int, list[int]] | None = None, seed: int | None = None, guests: int = 0
    ) -> None:
        self.first = VoterSet.of_ids(range(1, size + 1))
        self.voters = tuple(range(1, size + guests + 1))
        """Everybody at the table."""
        self.sets: dict[int, list[tuple[int, VoterSet]]] = {node_id: [] for node_id in self.voters}
        self.now_ms = 0
        self.transcript: list[str] = []
        self.wire: deque[Envelope] = deque()
        self.cut: set[tuple[int, int]] = set()
        self.down: set[int] = set()
        self.saved = {voter: ElectionState() for voter in self.voters}
        self.logs = {voter: ToyLog(list((logs or {}).get(voter, []))) for voter in self.voters}
        self.random = random.Random(seed) if seed is not None else None
        self.nodes: dict[int, RaftNode] = {}
        self.leaders: dict[int, int] = {}
        for voter in self.voters:
            self.start(voter)

    def _jitter(self, voter: int) -> int:
        return voter * 150

    def start(self, voter: int) -> None:
        """Start a voter, or start it again from what it has saved."""

        def jitter(limit: int) -> int:
            return self.random.randrange(limit) if self.random else self._jitter(voter) % limit

        self.down.discard(voter)
        self.nodes[voter] = RaftNode(voter, self.set_of(voter), self.logs[voter], self.saved[voter], jitter, TIMING)
        self.nodes[voter].start(self.now_ms)
        self.collect(voter)

    def set_of(self, voter: int) -> VoterSet:
        """The newest in that node's log."""
        return self.sets[voter][-1][1] if self.sets[voter] else self.first

    def change(self, *voters: int) -> None:
        """The leader writes a new set."""
        leader = self.leader
        assert leader is not None
        log, node = self.logs[leader], self.nodes[leader]
        self.sets[leader].append((log.end_offset, VoterSet.of_ids(voters)))
        log.epochs.append(node.epoch)
        node.voters_changed(self.set_of(leader), self.now_ms)
        node.flushed()
        self.collect(leader)

    def crash(self, voter: int) -> None:
        self.down.add(voter)

    def isolate(self, voter: int) -> None:
        for other in self.voters:
            if other != voter:
                self.cut |= {(voter, other), (other, voter)}

    def heal(self) -> None:
        self.cut = set()

    def collect(self, voter: int) -> None:
        """Carry out what the machine says, as its owner does."""
        while (ready := self.nodes[voter].ready()) is not None:
            if ready.state is not None:
                assert ready.state.epoch >= self.saved[voter].epoch, "an epoch never falls"
                self.saved[voter] = ready.state
            self.transcript += ready.said
            if ready.leader_change is not None:
                change = ready.leader_change
                assert self.leaders.setdefault(change.epoch, voter) == voter, "one leader per epoch"
                self.logs[voter].epochs.append(change.epoch)
                self.nodes[voter].flushed()
            self.wire.extend(ready.messages)
            if ready.high_watermark is not None:
                self.transcript.append(f"node {voter} knows everything below {ready.high_watermark} as committed")

    def deliver(self, quiet: bool = False) -> None:
        """Deliver everything that is on its way, and what comes of it."""
        while self.wire:
            envelope = self.wire.popleft()
            lost = (envelope.source, envelope.target) in self.cut or {envelope.source, envelope.target} & self.down
            if not quiet:
                line = f"{envelope.source} -> {envelope.target} {said(envelope.message)}"
                self.transcript.append(line + (" (lost)" if lost else ""))
            if not lost:
                self.nodes[envelope.target].step(envelope, self.now_ms)
                self.collect(envelope.target)

    def pass_time(self, milliseconds: int, fetching: bool = True, quiet: bool = True) -> None:
        """Let time pass in steps; followers fetch as they would."""
        end = self.now_ms + milliseconds
        while self.now_ms < end:
            self.now_ms += min(100, end - self.now_ms)
            for voter in self.voters:
                if voter not in self.down:
                    self.nodes[voter].tick(self.now_ms)
                    self.collect(voter)
            self.deliver(quiet)
            if fetching:
                for voter in self.voters:
                    self.fetch(voter)

    def fetch(self, voter: int) -> bool:
        """One fetch of a follower from its leader; whether it succeeded."""
        node = self.nodes[voter]
        leader = node.leader_id
        if (
            voter in self.down
            or leader in (-1, voter)
            or leader in self.down
            or {(voter, leader), (leader, voter)} & self.cut
        ):
            return False
        if not self.nodes[leader].is_leader or self.nodes[leader].epoch != node.epoch:
            return False
        mine, theirs = self.logs[voter].epochs, self.logs[leader].epochs
        agreed = next((at for at, pair in enumerate(zip(mine, theirs, strict=False)) if pair[0] != pair[1]), None)
        agreed = min(len(mine), len(theirs)) if agreed is None else agreed
        assert agreed >= (node.high_watermark or 0), "what was committed is never cut"
        del mine[agreed:]
        self.nodes[leader].follower_fetched(voter, len(mine), self.now_ms)
        self.collect(leader)
        mine += theirs[agreed:]
        kept = [one for one in self.sets[voter] if one[0] < agreed]
        self.sets[voter] = kept + [one for one in self.sets[leader] if one[0] >= agreed]
        if self.set_of(voter) != node.voter_set:
            node.voters_changed(self.set_of(voter), self.now_ms)
        node.fetched(leader, self.nodes[leader].high_watermark or 0, self.now_ms)
        self.collect(voter)
        return True

    @property
    def leader(self) -> int | None:
        """Who leads the highest epoch, of those that are up and not cut off from everybody."""
        leading = [voter for voter in self.voters if voter not in self.down and self.nodes[voter].is_leader]
        return max(leading, key=lambda voter: self.nodes[voter].epoch, default=None)

    def told(self) -> str:
        """The transcript since the last call."""
        lines, self.transcript = self.transcript, []
        return "\n".join(lines)


def said(message: Message) -> str:
    match message:
        case Vote(epoch, last_epoch, last_offset, pre_vote, _):
            asks = "would you vote for me after" if pre_vote else "vote for me in"
            return f"{asks} epoch {epoch}? my log ends at {last_offset} in epoch {last_epoch}"
        case VoteAnswer(epoch, leader_id, granted, _):
            leader = f", {leader_id} leads" if leader_id >= 0 else ""
            return f"{'yes' if granted else 'no'}, epoch {epoch}{leader}"
        case BeginEpoch(epoch):
            return f"I lead epoch {epoch}"
        case BeginEpochAnswer(epoch, leader_id):
            return f"understood, {leader_id} leads epoch {epoch}"
        case EndEpoch(epoch, successors):
            return f"I lead epoch {epoch} no longer; successors {', '.join(map(str, successors))}"
