"""What is wrong with a partition: in the eyes of an operator, and by the letter of kafka-topics."""

from __future__ import annotations

import pytest

from logctl.admin.observe import Partition, Topic
from logctl.admin.partitions import FILTERS, STILL, Move, Seen, faults, parse_place, parse_places, replication_factor
from logctl.errors import UsageError


def seen(
    leader: int | None, replicas: tuple[int, ...], isr: tuple[int, ...], min_isr: int = 1, move: Move = STILL
) -> Seen:
    return Seen(Partition(0, leader, 0, replicas, isr, ()), move, min_isr, {1, 2, 3})


CASES = [
    ("all is well", seen(1, (1, 2, 3), (1, 2, 3), 2), [], []),
    ("one replica is all it was made for", seen(1, (1,), (1,)), [], ["at-min-isr"]),
    ("one replica, though two are asked for", seen(1, (1,), (1,), 2), [], ["under-min-isr"]),
    ("one is behind", seen(1, (1, 2, 3), (1, 2), 1), ["under-replicated"], ["under-replicated"]),
    (
        "one more loss stops writes",
        seen(1, (1, 2, 3), (1, 2), 2),
        ["under-replicated", "at-min-isr"],
        ["under-replicated", "at-min-isr"],
    ),
    (
        "writes are refused",
        seen(1, (1, 2, 3), (1,), 2),
        ["under-replicated", "under-min-isr"],
        ["under-replicated", "under-min-isr"],
    ),
    (
        "nobody leads",
        seen(None, (1, 2), (2,), 1),
        ["offline", "under-replicated", "at-min-isr"],
        ["offline", "under-replicated", "under-min-isr", "at-min-isr"],
    ),
    (
        "who leads is not there",
        seen(4, (4,), (4,), 1),
        ["offline"],
        ["offline", "at-min-isr"],
    ),
    ("another leads", seen(2, (1, 2), (1, 2), 1), ["no-preferred-leader"], []),
    (
        "a move adds a replica that is not in sync yet",
        seen(1, (1, 2, 3), (1, 2), 1, Move((3,), (1,))),
        [],
        [],
    ),
    (
        "a move adds a replica while another is behind",
        seen(1, (1, 2, 3), (1,), 1, Move((3,), ())),
        ["under-replicated", "at-min-isr"],
        ["under-replicated", "at-min-isr"],
    ),
]


@pytest.mark.parametrize(("story", "partition", "wrong", "filtered"), CASES, ids=[case[0] for case in CASES])
def test_faults_are_told(story: str, partition: Seen, wrong: list[str], filtered: list[str]) -> None:
    assert list(faults(partition)) == wrong
    assert [name for name, holds in FILTERS.items() if holds(partition)] == filtered


def test_replicas_that_are_only_coming_do_not_count() -> None:
    topic = Topic("a", bytes(16), False, (Partition(0, 1, 0, (1, 2, 3), (1, 2), ()),))
    assert replication_factor(topic, None) == 3
    assert replication_factor(topic, {("a", 0): Move((3,), (1,))}) == 2
    assert replication_factor(topic._replace(partitions=()), {}) == 0


def test_partitions_are_named_by_topic_and_number() -> None:
    assert parse_places(["a", "b:0,2", "b:1", "a:7"]) == {"a": None, "b": (0, 2, 1)}
    assert parse_place("a:3") == ("a", 3)
    for text in ("a:", "a:x", "a:1,,2", "a:-1"):
        with pytest.raises(UsageError, match="does not name partitions"):
            parse_places([text])
    for text in ("a", "a:1,2"):
        with pytest.raises(UsageError, match="does not name one partition"):
            parse_place(text)
