"""The judge is judged first: a faithful history passes, and every planted lie is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from support.history import Anomaly, Outcome, Poll, Send, check

ORDERS = ("orders", 0)
History = tuple[list[Send], list[Poll]]


def faithful() -> History:
    """Two clients, six sends each to one partition; one send of each ended unknown, and only the first's arrived."""
    sends: list[Send] = []
    log: list[int] = []
    for turn in range(6):
        for process in ("a", "b"):
            value, now = len(sends), float(len(sends))
            unknown = turn == 3
            if not (unknown and process == "b"):
                log.append(value)
            outcome, offset = (Outcome.INFO, None) if unknown else (Outcome.OK, len(log) - 1)
            sends.append(Send(process, ORDERS, value, now, now + 0.5, outcome, offset))
    seen = tuple(enumerate(log))
    return sends, [Poll("early", ORDERS, seen[2:5]), Poll("last", ORDERS, seen, final=True)]


def kinds(history: History) -> set[str]:
    return {anomaly.kind for anomaly in check(*history)}


def read_back(history: History, change: Callable[[list[tuple[int, int]]], list[tuple[int, int]]]) -> History:
    """The same history, but the final read was handed something else."""
    sends, (early, last) = history
    return sends, [early, replace(last, seen=tuple(change(list(last.seen))))]


def test_a_faithful_history_passes() -> None:
    assert check(*faithful()) == []


def test_an_unknown_send_may_be_there_or_not() -> None:
    sends, polls = faithful()
    present = {value for poll in polls for _, value in poll.seen}
    unknown = [send.value in present for send in sends if send.outcome is Outcome.INFO]
    assert sorted(unknown) == [False, True]


@pytest.mark.parametrize(
    ("kind", "lie"),
    [
        pytest.param("lost", lambda seen: seen[:-1], id="the tail is gone"),
        pytest.param("lost", lambda seen: seen[:5] + seen[6:], id="a record in the middle is gone"),
        pytest.param("lost", lambda seen: [], id="everything is gone"),
        pytest.param("skipped", lambda seen: seen[:5] + seen[6:], id="an offset is stepped over"),
        pytest.param("doubled", lambda seen: [*seen, (len(seen), seen[4][1])], id="a record is there twice"),
        pytest.param("offset-clash", lambda seen: [(0, seen[1][1]), *seen[1:]], id="two values at one offset"),
        pytest.param("phantom", lambda seen: [*seen, (len(seen), 999)], id="a value from nowhere"),
        pytest.param("reordered", lambda seen: [seen[1], seen[0], *seen[2:]], id="a poll goes backwards"),
        pytest.param("moved", lambda seen: [*seen[:-1], (seen[-1][0] + 7, seen[-1][1])], id="a record has moved"),
    ],
)
def test_a_lie_in_the_final_read_is_named(
    kind: str, lie: Callable[[list[tuple[int, int]]], list[tuple[int, int]]]
) -> None:
    assert kind in kinds(read_back(faithful(), lie))


def test_a_failed_send_that_is_there_after_all_is_named() -> None:
    sends, polls = faithful()
    sends[0] = replace(sends[0], outcome=Outcome.FAIL, offset=None)
    assert kinds((sends, polls)) == {"undead"}


def test_one_process_gets_rising_offsets() -> None:
    sends, polls = faithful()
    mine = [index for index, send in enumerate(sends) if send.process == "a"][:2]
    first, second = (sends[index] for index in mine)
    sends[mine[0]] = replace(first, offset=second.offset)
    sends[mine[1]] = replace(second, offset=first.offset)
    assert "reordered" in kinds((sends, polls))


def test_what_begins_after_an_acknowledgement_lies_behind_it() -> None:
    early = Send("a", ORDERS, 1, began=0.0, ended=1.0, outcome=Outcome.OK, offset=1)
    late = Send("b", ORDERS, 2, began=2.0, ended=3.0, outcome=Outcome.OK, offset=0)
    at_once = replace(late, began=0.5)
    polls = [Poll("last", ORDERS, ((0, 2), (1, 1)), final=True)]
    assert kinds(([early, late], polls)) == {"went-back"}
    assert kinds(([early, at_once], polls)) == set()


def test_partitions_are_judged_apart() -> None:
    other = ("orders", 1)
    sends = [
        Send("a", ORDERS, 1, began=0.0, ended=1.0, outcome=Outcome.OK, offset=0),
        Send("a", other, 2, began=2.0, ended=3.0, outcome=Outcome.OK, offset=0),
    ]
    polls = [Poll("last", ORDERS, ((0, 1),), final=True), Poll("last", other, ((0, 2),), final=True)]
    assert check(sends, polls) == []


def test_an_anomaly_says_what_and_where() -> None:
    sends = [Send("a", ORDERS, 7, began=0.0, ended=1.0, outcome=Outcome.OK, offset=3)]
    [anomaly] = check(sends, [])
    assert anomaly == Anomaly("lost", "value 7 of a to orders-0 was acknowledged at offset 3 and is gone")
