"""Does a group keep up? Rules over a window of looks at one partition, and their sum over a group.

Theory of operation
-------------------
A look is a time, the position of the group and the end of the partition. The rules are asked in this order; the first
that fits decides, and its reason goes with the verdict. They stand on those of Burrow, with its two known flaws mended.

    ok          nothing was committed, and the partition holds nothing either
    (none)      nothing was committed, or the end is not known
    warning     what was to be read is gone: the position lies before the partition's start or behind its end
    ok          nothing is unread now
    rewinding   the position went back within the window, and is still behind where it had been
    stopped     something is unread, nobody reads the partition, and the position does not move
    stalled     something is unread, a member reads the partition, and the position has not moved for too long
    ok          the group keeps up: what is unread is explained by the rhythm of its commits, or the floor of the lag
                falls from the first half of the window to the second, or the lag was gone in half of the looks
    warning     it moves and does not get nearer to the end

*One dip must not hide a backlog.* Burrow calls a partition ok when its lag was zero anywhere in the window. Here it is
the floor of the lag that counts, the least lag of each half of the window: between commits the lag rises by itself, so
its peaks say nothing, but a group that keeps up brings the floor down. One moment at zero is not half of the looks.

*Who commits seldom must not be judged late, nor wrongly.* Burrow waits for the whole window of ten commits, however
long that takes. Here a position stands still for too long when that is three times the longest gap between
two of its moves, or `patience_s` where no two moves were seen: a group that commits every second is judged after a few
seconds, and one that commits every minute is given minutes.

From a single look only some of this can be told: that all is read, that what was to be read is gone, that nobody reads.
Otherwise there is no verdict, and the reason says what it takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final, Literal, NamedTuple

Word = Literal["ok", "warning", "rewinding", "stalled", "stopped"]

SEVERITY: Final[dict[str | None, int]] = {
    "ok": 0, None: 1, "warning": 2, "rewinding": 3, "stalled": 4, "stopped": 5,
}  # fmt: skip
"""From the best to the worst; no verdict is worse than a good one."""

PATIENCE_S: Final = 30.0
_GAPS: Final = 3
_USUAL_GAP_S: Final = 5.0
"""How often consumers commit by default."""


class Look(NamedTuple):
    """One look at a partition; `committed` and `end` None where they were not known."""

    at_s: float
    committed: int | None
    end: int | None


class Circumstances(NamedTuple):
    """What is known besides the window: is there a member that reads the partition, where its log begins and ends, the
    lag as it was counted in the last look (which may know better than end minus position)."""

    read: bool
    start: int | None = None
    log_end: int | None = None
    lag: int | None = None


class Verdict(NamedTuple):
    """`word` None: it cannot be told, and `reason` says why. Rates in records a second over the window, None from a
    single look; `catch_up_s` None when there is nothing to catch up, or no sign that it ever will be."""

    word: Word | None
    reason: str
    commit_rate: float | None = None
    produce_rate: float | None = None
    catch_up_s: float | None = None


_NO_COMMIT: Final = Verdict(None, "nothing has been committed")
_EMPTY: Final = Verdict("ok", "there is nothing to read")
_NO_END: Final = Verdict(None, "the end of the partition is not known")


def judge(window: Sequence[Look], known: Circumstances, patience_s: float = PATIENCE_S) -> Verdict:
    """The verdict on one partition; `window` holds at least one look, the oldest first."""
    last = window[-1]
    if last.committed is None or last.end is None:
        return _unknown(last.committed, last.end, known)
    if len(window) == 1:
        return judge_once(last.committed, last.end, known)
    whole = _Whole(
        _Point(at_s, committed, end, end - committed if end > committed else 0)
        for at_s, committed, end in window
        if committed is not None and end is not None
    )
    lag = max(0, last.end - last.committed) if known.lag is None else known.lag
    word, reason = _word(whole, known, lag, patience_s)
    commit_rate, produce_rate = _rates(whole)
    return Verdict(word, reason, commit_rate, produce_rate, _catch_up_s(lag, commit_rate, produce_rate))


def _unknown(committed: int | None, end: int | None, known: Circumstances) -> Verdict:
    if committed is None:
        return _EMPTY if end is not None and end == known.start else _NO_COMMIT
    return _NO_END


def judge_once(committed: int | None, end: int | None, known: Circumstances) -> Verdict:
    """The verdict from a single look."""
    if committed is None or end is None:
        return _unknown(committed, end, known)
    lag = max(0, end - committed) if known.lag is None else known.lag
    if (known.start or 0) <= committed <= (committed if known.log_end is None else known.log_end):
        return _once(lag, known.read)
    return Verdict(*_word(_Whole([_Point(0.0, committed, end, lag)]), known, lag, 0.0))


@lru_cache(maxsize=4096)
def _once(lag: int, read: bool) -> Verdict:
    """Nothing but the lag and whether anybody reads makes a difference then, so many partitions share a verdict."""
    known = Circumstances(read)
    return Verdict(*_word(_Whole([_Point(0.0, 0, lag, lag)]), known, lag, 0.0))


class _Point(NamedTuple):
    """A look that saw both."""

    at_s: float
    committed: int
    end: int
    lag: int


class _Whole(list[_Point]):
    """The looks that saw both; `moves_s`: when the position was first seen at each new place."""

    def __init__(self, points: Iterable[_Point]) -> None:
        super().__init__(points)
        self.moves_s = [later.at_s for earlier, later in pairwise(self) if later.committed != earlier.committed]


def _word(points: _Whole, known: Circumstances, lag: int, patience_s: float) -> tuple[Word | None, str]:
    last = points[-1]
    if known.start is not None and last.committed < known.start:
        gone = known.start - last.committed
        return "warning", f"{_records(gone)} from {last.committed} on were deleted before they were read"
    if known.log_end is not None and last.committed > known.log_end:
        return "warning", f"the position {last.committed} lies behind the end {known.log_end}: records were lost"
    if lag == 0:
        return "ok", "everything is read"
    highest = max(point.committed for point in points)
    if last.committed < highest and _went_back(points):
        return "rewinding", f"the position went back from {highest} to {last.committed}"
    still_s = _still_s(points)
    moved = still_s < points[-1].at_s - points[0].at_s
    if not known.read and not moved:
        return "stopped", f"no member reads it, and {_records(lag)} {'waits' if lag == 1 else 'wait'}"
    if len(points) < 2:
        return None, f"{_records(lag)} unread; whether the group keeps up takes more than one look"
    if still_s >= _too_long_s(points, patience_s):
        return "stalled", f"the position has not moved for {_seconds(still_s)}, and {_records(lag)} unread"
    if not moved:
        return None, f"{_records(lag)} unread; {_seconds(still_s)} without a move are too few to tell"
    return _keeps_up(points, lag)


def _keeps_up(points: _Whole, lag: int) -> tuple[Word | None, str]:
    commit_rate, produce_rate = _rates(points)
    assert commit_rate is not None
    assert produce_rate is not None
    if lag <= produce_rate * 2 * _rhythm_s(points):
        return "ok", "what is unread came since the last commits"
    empty = sum(point.lag == 0 for point in points)
    if empty * 2 >= len(points):
        return "ok", "everything is read most of the time"
    middle = len(points) // 2
    earlier, later = (min(point.lag for point in half) for half in (points[:middle], points[middle:]))
    if later < earlier and commit_rate > produce_rate:
        return "ok", f"the lag falls, from {earlier} to {later}"
    if len(points) < 3:
        return None, f"{_records(lag)} unread; whether they get fewer takes more looks"
    return "warning", f"the group reads, and {_records(lag)} unread do not get fewer"


def _went_back(points: _Whole) -> bool:
    return any(later.committed < earlier.committed for earlier, later in pairwise(points))


def _still_s(points: _Whole) -> float:
    """For how long the position has been where it is, as far as the window tells."""
    moves_s = points.moves_s
    return points[-1].at_s - (moves_s[-1] if moves_s else points[0].at_s)


def _gaps_s(points: _Whole) -> list[float]:
    return sorted(later - earlier for earlier, later in pairwise(points.moves_s))


def _rhythm_s(points: _Whole) -> float:
    """How often the group commits, as a rule. Where every look sees another position it is at least as often as that,
    and what consumers do by default is likelier."""
    gaps = _gaps_s(points)
    if not gaps:
        return _USUAL_GAP_S
    usual_s = gaps[len(gaps) // 2]
    return usual_s if usual_s > 1.5 * _between_s(points) else min(usual_s, _USUAL_GAP_S)


def _between_s(points: _Whole) -> float:
    return (points[-1].at_s - points[0].at_s) / (len(points) - 1)


def _too_long_s(points: _Whole, patience_s: float) -> float:
    """Looks see a move late by up to the time between them, so a gap shorter than two of these is not known."""
    gaps = _gaps_s(points)
    return _GAPS * max(gaps[-1], 2 * _between_s(points), 1.0) if gaps else patience_s


def _rates(points: _Whole) -> tuple[float | None, float | None]:
    span_s = points[-1].at_s - points[0].at_s
    if span_s <= 0:
        return None, None
    first, last = points[0], points[-1]
    return (last.committed - first.committed) / span_s, (last.end - first.end) / span_s


def _catch_up_s(lag: int, commit_rate: float | None, produce_rate: float | None) -> float | None:
    if not lag or commit_rate is None or produce_rate is None or commit_rate <= produce_rate:
        return None
    return lag / (commit_rate - produce_rate)


def _records(count: int) -> str:
    return "1 record" if count == 1 else f"{count} records"


def _seconds(span_s: float) -> str:
    return f"{span_s:.0f} s" if span_s >= 9.5 else f"{span_s:.1f} s"


# -- a group -----------------------------------------------------------------------------------------------------------


def judge_group(partitions: Iterable[tuple[str, Verdict]], lags: Iterable[int | None]) -> Verdict:
    """The worst of its partitions, named, and how many share it. Rates are summed; the catch-up is the latest.

    `partitions`: a name and a verdict for each, beside their `lags`.
    """
    judged = list(partitions)
    if not judged:
        return _NO_COMMIT
    worst = max((verdict.word for _, verdict in judged), key=lambda word: SEVERITY[word])
    name, said = next((name, verdict) for name, verdict in judged if verdict.word == worst)
    alike = sum(verdict.word == worst for _, verdict in judged)
    reason = said.reason if len(judged) == 1 else f"{name}: {said.reason}"
    if worst == "ok":
        reason = "everything is read" if not any(lags) else "it keeps up"
    elif alike > 1:
        reason += f" (and {alike - 1} more)"
    return Verdict(
        worst,
        reason,
        _summed(verdict.commit_rate for _, verdict in judged),
        _summed(verdict.produce_rate for _, verdict in judged),
        max((verdict.catch_up_s for _, verdict in judged if verdict.catch_up_s is not None), default=None),
    )


def _summed(rates: Iterable[float | None]) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known else None
