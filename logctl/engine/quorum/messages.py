"""What voters say to each other about who leads, as values (KIP-595, KIP-996).

Epochs are those of the sender. Fetch is not here: it moves bytes, so the rooms that own the log speak it and tell the
machine how far it got (`RaftNode.follower_fetched`, `RaftNode.fetched`).
"""

from __future__ import annotations

from dataclasses import dataclass

NOBODY = -1


@dataclass(frozen=True, slots=True)
class Vote:
    """Asks for a vote. The candidate's log ends at `last_offset`, its last record was written in `last_epoch`.

    With `pre_vote` it only asks whether it would get one, in its current epoch: a node that was cut off does not
    disturb the others with ever higher epochs.
    """

    epoch: int
    last_epoch: int
    last_offset: int
    pre_vote: bool = False


@dataclass(frozen=True, slots=True)
class VoteAnswer:
    epoch: int
    leader_id: int
    granted: bool
    pre_vote: bool = False


@dataclass(frozen=True, slots=True)
class BeginEpoch:
    """The sender leads this epoch. Repeated until the voter fetches."""

    epoch: int


@dataclass(frozen=True, slots=True)
class BeginEpochAnswer:
    epoch: int
    leader_id: int


@dataclass(frozen=True, slots=True)
class EndEpoch:
    """The sender leads no longer. `successors` are voters with the longest log first: the first may stand at once."""

    epoch: int
    successors: tuple[int, ...]


Message = Vote | VoteAnswer | BeginEpoch | BeginEpochAnswer | EndEpoch


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message on its way from one voter to another."""

    source: int
    target: int
    message: Message
