"""What voters say to each other about who leads, as values (KIP-595, KIP-996).

Epochs are those of the sender. Fetch is not here: it moves bytes, so the rooms that own the log speak it and tell the
machine how far it got (`RaftNode.follower_fetched`, `RaftNode.fetched`).
"""

from __future__ import annotations

from typing import NamedTuple

NOBODY = -1


class Vote(NamedTuple):
    """Asks for a vote. The candidate's log ends at `last_offset`, its last record was written in `last_epoch`.

    With `pre_vote` it only asks whether it would get one, in its current epoch: a node that was cut off does not
    disturb the others with ever higher epochs.
    """

    epoch: int
    last_epoch: int
    last_offset: int
    pre_vote: bool = False
    directory_id: bytes = bytes(16)  # where the candidate keeps its log; zeros: not told


class VoteAnswer(NamedTuple):
    epoch: int
    leader_id: int
    granted: bool
    pre_vote: bool = False


class BeginEpoch(NamedTuple):
    """The sender leads this epoch. Repeated until the voter fetches."""

    epoch: int


class BeginEpochAnswer(NamedTuple):
    epoch: int
    leader_id: int


class EndEpoch(NamedTuple):
    """The sender leads no longer. `successors` are voters with the longest log first: the first may stand at once."""

    epoch: int
    successors: tuple[int, ...]


Message = Vote | VoteAnswer | BeginEpoch | BeginEpochAnswer | EndEpoch


class Envelope(NamedTuple):
    """A message on its way from one voter to another."""

    source: int
    target: int
    message: Message
