"""Looks at the lag of groups, kept from one to the next."""

from __future__ import annotations

from logctl.admin.group_kinds import CLASSIC, NOWHERE, Group, Member
from logctl.admin.group_lag import GroupLag, PartitionLag
from logctl.admin.group_window import Window

READER = Member("m-1", None, "desk", "/h", {"t": (0, 1)})


def row(partition: int, committed: int | None, end: int | None, member: Member | None = READER) -> PartitionLag:
    return PartitionLag("t", partition, committed, -1, "", 0, end, end, member)


def look(*rows: PartitionLag, name: str = "g", members: tuple[Member, ...] = (READER,)) -> GroupLag:
    return GroupLag(Group(name, CLASSIC, "Stable", "consumer", "range", NOWHERE, members), rows)


def test_a_second_look_tells_rates_by_partition() -> None:
    window = Window()
    window.add(10.0, [look(row(0, 10, 50), row(1, 5, 5))])
    assert window.judge(look(row(0, 10, 50), row(1, 5, 5))).verdict.commit_rate is None
    now = look(row(0, 30, 60), row(1, 5, 5))
    window.add(20.0, [now])
    judged = window.judge(now)
    assert [verdict.commit_rate for verdict in judged.partitions] == [2.0, 0.0]
    assert [verdict.produce_rate for verdict in judged.partitions] == [1.0, 0.0]
    assert (judged.verdict.commit_rate, judged.partitions[0].catch_up_s) == (2.0, 30.0)


def test_partitions_that_come_later_have_a_window_of_their_own() -> None:
    window = Window()
    window.add(0.0, [look(row(1, 5, 5))])
    now = look(row(0, 1, 9), row(1, 7, 7))
    window.add(10.0, [now])
    judged = window.judge(now)
    assert [verdict.commit_rate for verdict in judged.partitions] == [None, 0.2]


def test_a_group_that_was_away_begins_anew() -> None:
    window = Window()
    window.add(0.0, [look(row(0, 5, 9))])
    window.add(10.0, [])
    now = look(row(0, 5, 9))
    window.add(60.0, [now])
    assert window.judge(now).verdict.word is None


def test_old_looks_give_way() -> None:
    window = Window(looks=3)
    for number in range(10):
        now = look(row(0, 100 if number else 900, 1000))
        window.add(float(number), [now])
    assert window.judge(now).partitions[0].word is None, "what went back has left the window"


def test_whose_assignment_cannot_be_read_may_read_any_partition() -> None:
    secretive = Member("m-1", None, "desk", "/h", None)
    window = Window()
    now = look(row(0, 5, 9, None), members=(secretive,))
    window.add(0.0, [now])
    assert window.judge(now).verdict.word is None
    alone = look(row(0, 5, 9, None), members=())
    assert window.judge(alone).verdict.word == "stopped"


def test_no_commit_is_not_a_position_of_zero() -> None:
    window = Window()
    window.add(0.0, [look(row(0, None, 9))])
    now = look(row(0, 4, 9))
    window.add(10.0, [now])
    assert window.judge(now).partitions[0].commit_rate is None
