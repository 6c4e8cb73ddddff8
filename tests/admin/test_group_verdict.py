"""Does a group keep up? Windows as data, and what is to be said of each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logctl.admin.group_verdict import SEVERITY, Circumstances, Look, Verdict, judge, judge_group

READ = Circumstances(read=True, start=0)
UNREAD = Circumstances(read=False, start=0)


def window(every_s: float, *places: tuple[int | None, int | None]) -> list[Look]:
    """Looks so far apart, each (committed, end)."""
    return [Look(number * every_s, committed, end) for number, (committed, end) in enumerate(places)]


def steady(count: int, every_s: float, commit: int, produce: int, behind: int, commits_every: int = 1) -> list[Look]:
    """`commit` and `produce` records a second, beginning `behind` the end; a commit at each `commits_every`th look."""
    looks = []
    for number in range(count):
        at_s = number * every_s
        committed_at_s = number // commits_every * commits_every * every_s
        looks.append(Look(at_s, 1000 + int(commit * committed_at_s), 1000 + behind + int(produce * at_s)))
    return looks


@pytest.mark.parametrize(
    ("looks", "known", "word", "reason"),
    [
        # one look
        (window(1, (10, 10)), READ, "ok", "everything is read"),
        (window(1, (10, 10)), UNREAD, "ok", "everything is read"),
        (window(1, (5, 10)), UNREAD, "stopped", "no member reads it, and 5 records wait"),
        (window(1, (9, 10)), UNREAD, "stopped", "no member reads it, and 1 record waits"),
        (window(1, (5, 10)), READ, None, "5 records unread; whether the group keeps up takes more than one look"),
        (window(1, (None, 10)), READ, None, "nothing has been committed"),
        (window(1, (None, 0)), READ, "ok", "there is nothing to read"),
        (window(1, (5, None)), READ, None, "the end of the partition is not known"),
        (
            window(1, (5, 10)),
            Circumstances(True, start=8),
            "warning",
            "3 records from 5 on were deleted before they were read",
        ),
        (
            window(1, (50, 10)),
            Circumstances(True, start=0, log_end=10),
            "warning",
            "the position 50 lies behind the end 10: records were lost",
        ),
        # what a transaction left behind is no lag
        (window(1, (9, 10)), Circumstances(True, 0, 10, lag=0), "ok", "everything is read"),
        # nobody reads, or nobody moves
        (window(10, (5, 10), (5, 20), (5, 30)), UNREAD, "stopped", "no member reads it, and 25 records wait"),
        (window(10, (5, 10), (5, 20)), READ, None, "15 records unread; 10 s without a move are too few to tell"),
        (
            window(10, (5, 10), (5, 20), (5, 30), (5, 40)),
            READ,
            "stalled",
            "the position has not moved for 30 s, and 35 records unread",
        ),
        # it had moved every second: three of those are enough
        (
            window(1, (1, 50), (2, 50), (3, 50), (4, 50), *[(4, 50)] * 6),
            READ,
            "stalled",
            "the position has not moved for 6.0 s, and 46 records unread",
        ),
        # backwards
        (window(5, (50, 60), (20, 60)), READ, "rewinding", "the position went back from 50 to 20"),
        (window(5, (50, 60), (20, 60), (60, 60)), READ, "ok", "everything is read"),
        (window(5, (50, 90), (20, 90), (55, 90), (85, 90)), READ, "ok", "the lag falls, from 40 to 5"),
        # a reader that is no member: somebody commits, so somebody reads
        (window(5, (10, 90), (40, 90), (60, 90), (80, 90)), UNREAD, "ok", "the lag falls, from 50 to 10"),
    ],
)
def test_a_window_is_judged(looks: list[Look], known: Circumstances, word: str | None, reason: str) -> None:
    verdict = judge(looks, known)
    assert (verdict.word, verdict.reason) == (word, reason)


def test_one_dip_does_not_hide_a_backlog() -> None:
    """Burrow's first flaw: a lag of zero anywhere in its window is ok for ever."""
    looks = steady(12, 5.0, commit=100, produce=100, behind=1_000_000)
    looks[3] = looks[3]._replace(end=looks[3].committed)
    verdict = judge(looks, READ)
    assert verdict.word == "warning"
    assert verdict.reason.startswith("the group reads, and 1000000 records unread do not get fewer")


def test_who_commits_seldom_is_not_judged_wrongly() -> None:
    """Burrow's second flaw: it counts commits, not time. Commits a minute apart, looks every ten seconds: the group
    stands still for most of the looks, and keeps up."""
    looks = steady(24, 10.0, commit=50, produce=50, behind=0, commits_every=6)
    for size in range(14, 25):
        verdict = judge(looks[:size], READ)
        assert verdict.word == "ok", (size, verdict)


def test_who_commits_seldom_is_not_judged_late() -> None:
    """The same group dies: three of its minutes later, and not ten commits later, that is told."""
    looks = steady(14, 10.0, commit=50, produce=50, behind=0, commits_every=6)
    last = looks[-1]
    dead = [Look(last.at_s + 10 * number, last.committed, (last.end or 0) + 500 * number) for number in range(1, 20)]
    words = [judge([*looks, *dead[:number]], READ).word for number in range(1, 20)]
    assert "stalled" in words
    assert words.index("stalled") * 10 <= 3 * 60


def test_a_backlog_that_grows_or_stays_is_a_warning() -> None:
    assert judge(steady(10, 5.0, commit=100, produce=100, behind=50_000), READ).word == "warning"
    assert judge(steady(10, 5.0, commit=100, produce=200, behind=50_000), READ).word == "warning"


def test_what_its_own_rhythm_explains_is_no_backlog() -> None:
    verdict = judge(steady(10, 5.0, commit=100, produce=100, behind=400), READ)
    assert (verdict.word, verdict.reason) == ("ok", "what is unread came since the last commits")


def test_rates_and_the_time_to_catch_up() -> None:
    verdict = judge(steady(7, 10.0, commit=300, produce=100, behind=50_000), READ)
    assert verdict.word == "ok"
    assert (verdict.commit_rate, verdict.produce_rate) == (300, 100)
    assert verdict.catch_up_s == pytest.approx((50_000 - 200 * 60) / 200)
    assert judge(steady(7, 10.0, commit=100, produce=100, behind=50_000), READ).catch_up_s is None
    assert judge(window(1, (5, 10)), READ).commit_rate is None


def test_the_patience_is_the_operators() -> None:
    looks = window(1, (5, 10), (5, 10), (5, 10))
    assert judge(looks, READ, patience_s=2.0).word == "stalled"
    assert judge(looks, READ, patience_s=3.0).word is None


_OFFSETS = st.one_of(st.none(), st.integers(0, 100))


@given(st.lists(st.tuples(st.floats(0.01, 100), _OFFSETS, _OFFSETS), min_size=1, max_size=12), st.booleans())
def test_no_window_is_beyond_judgement(steps: list[tuple[float, int | None, int | None]], read: bool) -> None:
    at_s = 0.0
    looks = []
    for step_s, committed, end in steps:
        at_s += step_s
        looks.append(Look(at_s, committed, end))
    verdict = judge(looks, Circumstances(read, start=3, log_end=90))
    assert verdict.reason
    assert verdict.word in SEVERITY


def test_a_group_is_as_well_as_its_worst_partition() -> None:
    fine, slow = Verdict("ok", "fine", 10.0, 5.0), Verdict("warning", "slow", 1.0, 2.0, None)
    dead = Verdict("stopped", "nobody", 0.0, 1.0)
    unknown = Verdict(None, "nothing has been committed")
    told = judge_group([("t-0", fine), ("t-1", dead), ("t-2", dead), ("t-3", slow)], [0, 5, 6, 2])
    assert (told.word, told.reason, told.commit_rate) == ("stopped", "t-1: nobody (and 1 more)", 11.0)
    assert judge_group([("t-0", fine), ("t-1", unknown)], [0, None])[:2] == (None, "t-1: nothing has been committed")
    assert judge_group([("t-0", fine)], [0])[:2] == ("ok", "everything is read")
    assert judge_group([("t-0", fine)], [3])[:2] == ("ok", "it keeps up")
    assert judge_group([], [])[:2] == (None, "nothing has been committed")
