"""Trimming: what a partition holds, where to cut, and the plan that follows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from logctl.admin.observe import Resource, Snapshot
from logctl.admin.operation import Risk
from logctl.admin.trims import Trim, read_cuts
from logctl.errors import OperationFailed, UsageError


def snapshot(**held: tuple[int, int, int | None]) -> Snapshot:
    """Logs by name (a_0 is partition 0 of a): start, end, size."""
    states = {
        Resource("log", name.replace("_", ":")): {"start": start, "end": end, "size_bytes": size}
        for name, (start, end, size) in held.items()
    }
    return Snapshot("cluster", states=states)


def test_a_trim_says_how_many_records_go_and_about_how_many_bytes() -> None:
    plan = Trim({("a", 0): 30, ("a", 1): 10}).plan(snapshot(a_0=(10, 110, 1000), a_1=(0, 20, 500)))
    assert plan.title == "trim 2 partitions of topic a"
    [step] = plan.steps
    assert step.sentence == "delete 30 records of topic a, about 450 bytes: partition 0 before 30, 1 before 10"
    assert (step.risk, step.undo) == (Risk.DESTRUCTIVE, None)
    assert step.arguments == {"cuts": [["a", 0, 30], ["a", 1, 10]]}
    assert [(str(one.resource), one.before, one.after) for one in plan.changes] == [
        ("log a:0", {"start": 10}, {"start": 30}),
        ("log a:1", {"start": 0}, {"start": 10}),
    ]


def test_each_topic_is_a_step_of_its_own() -> None:
    plan = Trim({("a", 0): 5, ("b", 0): 5}).plan(snapshot(a_0=(0, 5, None), b_0=(0, 6, None)))
    assert [step.sentence for step in plan.steps] == [
        "delete 5 records of topic a: partition 0 before 5",
        "delete 5 records of topic b: partition 0 before 5",
    ]
    assert plan.warnings == ("every record of a:0 goes",)
    assert plan.title == "trim 2 topics"


def test_what_starts_there_already_is_nothing_to_do() -> None:
    plan = Trim({("a", 0): 5}).plan(snapshot(a_0=(7, 9, 1)))
    assert (plan.steps, plan.notes) == ((), ("a:0 starts at 7 already",))


def test_nothing_can_be_cut_behind_the_end() -> None:
    with pytest.raises(OperationFailed, match="a:0 ends at 9, so nothing can be cut at 10"):
        Trim({("a", 0): 10}).plan(snapshot(a_0=(0, 9, 1)))


def test_what_is_not_there_or_cannot_be_seen_is_refused() -> None:
    with pytest.raises(OperationFailed, match="partition 0 of topic a does not exist"):
        Trim({("a", 0): 10}).plan(snapshot())
    unseen = Snapshot("cluster", failures={"a:0": OperationFailed("a:0 has no leader")})
    with pytest.raises(OperationFailed, match="a:0 has no leader"):
        Trim({("a", 0): 10}).plan(unseen)


@pytest.mark.parametrize("cuts", [{}, {("a", 0): -1}])
def test_what_makes_no_sense_is_refused_before_asking(cuts: Any) -> None:
    with pytest.raises(UsageError):
        Trim(cuts).check()


def test_a_file_of_kafka_delete_records_is_read() -> None:
    text = '{"partitions": [{"topic": "a", "partition": 1, "offset": 7}, {"topic": "a", "partition": 0, "offset": -1}]}'
    assert read_cuts(text, "f") == {("a", 1): 7, ("a", 0): -1}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "f, line 1: this is not JSON"),
        ('{"partitions": {}}', "an object with a list `partitions`"),
        ('{"partitions": [], "version": 2}', "version 2 is not known"),
        ('{"partitions": [{"topic": "a", "partition": 0}]}', r"f, partitions\[0\]: `offset` is missing"),
        ('{"partitions": [{"topic": 1, "partition": 0, "offset": 0}]}', r"`topic` is missing or is not a string"),
        ('{"partitions": [{"topic": "a", "partition": 0, "offset": -2}]}', "not a number from -1 up"),
        (
            json.dumps({"partitions": [{"topic": "a", "partition": 0, "offset": offset} for offset in (1, 2)]}),
            "a:0 is there twice",
        ),
    ],
)
def test_a_file_that_is_wrong_is_told_where(text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        read_cuts(text, "f")
