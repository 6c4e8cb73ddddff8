"""The roles a voter plays, and what may follow what.

    unattached   knows of no leader; may have voted in this epoch
    prospective  asks whether it would be elected (pre-vote)
    candidate    stands for election in a new epoch, has voted for itself
    leader       was elected; the only one in its epoch
    follower     knows who leads its epoch and copies the leader's log
    resigned     led this epoch until it stopped, restarted or lost touch with the majority

Each role holds only what is true while it is played. `deadline_ms` is when `tick` must look again; what to do then is
in `raft.py`. Names and transitions are Apache's (QuorumState). An observer, which has no vote, is a follower or
unattached.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from logctl.engine.quorum.messages import NOBODY

OBSERVERS_KEPT: Final = 1000


@dataclass(slots=True)
class Unattached:
    deadline_ms: int
    voted_id: int = NOBODY


@dataclass(slots=True)
class Prospective:
    """`leader_id` is the leader it lost sight of: it goes back to it if the majority still follows it."""

    deadline_ms: int
    voted_id: int = NOBODY
    leader_id: int = NOBODY
    granted: set[int] = field(default_factory=set)
    rejected: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Candidate:
    deadline_ms: int
    voted_id: int
    granted: set[int] = field(default_factory=set)
    rejected: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Progress:
    """How far another voter has fetched, and when it last did; before its first fetch, when office was taken.

    `caught_up_ms`: the last time at which it had everything that the leader had then; -1 never in this epoch.
    """

    offset: int
    fetched_ms: int
    heard: bool = False  # it has fetched or answered in this epoch, so it knows who leads
    leader_end: int = -1  # where the leader's log ended when it last fetched; -1 before its first fetch
    caught_up_ms: int = -1


@dataclass(slots=True)
class Leader:
    """`epoch_start` is the offset of its LeaderChange record: nothing is committed before that is. `progress` is that
    of the other voters, `observers` of those who fetch without a vote, by node and directory, who fetched last at the
    end."""

    deadline_ms: int
    epoch_start: int
    progress: dict[int, Progress] = field(default_factory=dict)
    observers: dict[tuple[int, bytes], Progress] = field(default_factory=dict)


@dataclass(slots=True)
class Follower:
    """`has_fetched` at least once from this leader: then it does not help to replace it."""

    deadline_ms: int
    leader_id: int
    voted_id: int = NOBODY
    has_fetched: bool = False


@dataclass(slots=True)
class Resigned:
    deadline_ms: int
    voted_id: int = NOBODY


Role = Unattached | Prospective | Candidate | Leader | Follower | Resigned

NEXT: Final[dict[type, tuple[type, ...]]] = {
    Unattached: (Unattached, Prospective, Candidate, Follower),
    Prospective: (Unattached, Prospective, Candidate, Follower),
    Candidate: (Unattached, Prospective, Leader, Follower),
    Leader: (Unattached, Resigned, Follower),
    Follower: (Unattached, Prospective, Follower),
    Resigned: (Unattached, Prospective, Candidate, Follower),
}
"""Only a candidate becomes leader; a leader gives up its epoch only by resigning or by learning of a higher one."""
