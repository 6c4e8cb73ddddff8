"""The arithmetic of majorities.

    voters   flushed up to
    1        ##########          10
    2        ######               6   <- two of three have at least this much: committed is 6
    3        ###                  3
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum


class Outcome(Enum):
    PENDING = "neither side has a majority yet"
    WON = "a majority has granted"
    LOST = "so many have refused that no majority is left"


def majority(voters: int) -> int:
    """How many of so many voters are more than half."""
    return voters // 2 + 1


def committed_offset(ends: Collection[int]) -> int:
    """The largest offset that a majority has reached; `ends` holds one offset per voter, at least one."""
    return sorted(ends, reverse=True)[majority(len(ends)) - 1]


def outcome(voters: int, granted: int, rejected: int) -> Outcome:
    """Where an election stands."""
    assert granted + rejected <= voters
    if granted >= majority(voters):
        return Outcome.WON
    if voters - rejected < majority(voters):
        return Outcome.LOST
    return Outcome.PENDING
