"""What several looks at the lag of groups have in common: the window that verdicts are made over.

Each look keeps two numbers for a partition, in flat arrays: a window over a hundred thousand partitions stays small.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from logctl.admin.group_lag import GroupLag, PartitionLag
from logctl.admin.group_verdict import PATIENCE_S, Circumstances, Look, Verdict, judge, judge_group, judge_once
from logctl.admin.positions import Place

LOOKS: Final = 24
"""How many looks a window holds; the oldest gives way."""

_UNKNOWN: Final = -1


class Judged(NamedTuple):
    """A group with its verdict, and one for each of its partitions in their order."""

    found: GroupLag
    verdict: Verdict
    partitions: tuple[Verdict, ...]


class _Kept(NamedTuple):
    """One look at one group."""

    at_s: float
    places: tuple[Place, ...]
    committed: array[int]
    end: array[int]


class Window:
    """The looks so far, by group."""

    def __init__(self, patience_s: float = PATIENCE_S, looks: int = LOOKS) -> None:
        self._patience_s = patience_s
        self._looks = looks
        self._groups: dict[str, deque[_Kept]] = {}

    def add(self, at_s: float, lags: Iterable[GroupLag]) -> None:
        """Keep a look, made at `at_s` (seconds of any steady clock). Groups that are not in it lose their past: whoever
        comes back is another one."""
        kept: dict[str, deque[_Kept]] = {}
        for group in lags:
            past = self._groups.get(group.group.name) or deque(maxlen=self._looks)
            places = tuple((entry.topic, entry.partition) for entry in group.partitions)
            if past and past[-1].places == places:
                places = past[-1].places
            past.append(
                _Kept(
                    at_s,
                    places,
                    array("q", [_or_unknown(entry.committed) for entry in group.partitions]),
                    array("q", [_or_unknown(entry.end) for entry in group.partitions]),
                )
            )
            kept[group.group.name] = past
        self._groups = kept

    def judge(self, group: GroupLag) -> Judged:
        """The verdicts on a group of the look that was added last."""
        past = self._groups[group.group.name]
        known = _known(past, past[-1].places) if len(past) > 1 else []
        # A member whose assignment cannot be read may be the one that reads any of them.
        guessed = any(member.assignment is None for member in group.group.members)
        verdicts = tuple(
            self._judge_one(known, number, entry, _circumstances(entry, guessed))
            for number, entry in enumerate(group.partitions)
        )
        names = (f"{entry.topic}-{entry.partition}" for entry in group.partitions)
        lags = [entry.lag for entry in group.partitions]
        return Judged(group, judge_group(zip(names, verdicts, strict=True), lags), verdicts)


    def _judge_one(self, known: Known, number: int, entry: PartitionLag, circumstances: Circumstances) -> Verdict:
        """Most partitions of most clusters are read to their end: of these only the first and the last look matter."""
        if not known:
            return judge_once(entry.committed, entry.end, circumstances)
        looks = _looks(known[:1], number) if entry.lag == 0 else []
        if looks and looks[0].committed is not None and looks[0].end is not None:
            return judge([*looks, Look(known[-1][0].at_s, entry.committed, entry.end)], circumstances)
        return judge(_looks(known, number), circumstances, self._patience_s)


def _or_unknown(offset: int | None) -> int:
    return _UNKNOWN if offset is None else offset


Known = list[tuple[_Kept, Sequence[int]]]


def _known(past: Sequence[_Kept], places: tuple[Place, ...]) -> Known:
    """Each look with where in it the places of the last look are found; -1 where they are not."""
    numbers = range(len(places))
    told: Known = []
    for kept in past:
        if kept.places is places:
            told.append((kept, numbers))
        else:
            at = {place: number for number, place in enumerate(kept.places)}
            told.append((kept, [at.get(place, -1) for place in places]))
    return told


def _looks(known: Iterable[tuple[_Kept, Sequence[int]]], number: int) -> list[Look]:
    looks = []
    for kept, at in known:
        place = at[number]
        if place >= 0:
            committed, end = kept.committed[place], kept.end[place]
            looks.append(Look(kept.at_s, None if committed < 0 else committed, None if end < 0 else end))
    return looks


def _circumstances(entry: PartitionLag, guessed: bool) -> Circumstances:
    return Circumstances(entry.member is not None or guessed, entry.start, entry.log_end, entry.lag)
