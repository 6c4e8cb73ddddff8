"""Plans as data: what is there, what is wanted, and the plan that follows."""

from __future__ import annotations

from typing import Any

import pytest

from logctl.admin.executor import agrees
from logctl.admin.observe import Partition, Snapshot, Topic
from logctl.admin.operation import Risk
from logctl.admin.topic_changes import CreateTopic, DeleteTopics
from logctl.admin.topics import Selection, near_names, unknown_topics
from logctl.errors import LogctlError, OperationFailed, UsageError


def topic(name: str, partitions: int = 1, configs: dict[str, str] | None = None) -> Topic:
    rows = tuple(Partition(number, 1, 0, (1,), (1,), ()) for number in range(partitions))
    return Topic(name, name.encode().ljust(16), False, rows, configs)


def snapshot(*topics: Topic, names: tuple[str, ...] = ()) -> Snapshot:
    return Snapshot("cluster", {}, {one.name: one for one in topics}, {}, names)


# -- create ----------------------------------------------------------------------------------------------------------

CREATED: list[tuple[CreateTopic, dict[str, Any], str]] = [
    (
        CreateTopic("a"),
        {},
        "create topic a with the cluster's default of partitions and the cluster's replication factor",
    ),
    (
        CreateTopic("a", 3, 2, {"retention.ms": "1"}),
        {"partitions": 3, "replication_factor": 2, "configs": {"retention.ms": "1"}},
        "create topic a with 3 partitions and replication factor 2",
    ),
    (
        CreateTopic("a", assignment=((1, 2), (2, 3))),
        {"partitions": 2, "replication_factor": 2, "assignment": {"0": [1, 2], "1": [2, 3]}},
        "create topic a with 2 partitions placed as given",
    ),
]


@pytest.mark.parametrize(("operation", "after", "sentence"), CREATED)
def test_creating_is_one_safe_step_whose_end_is_known(operation: CreateTopic, after: Any, sentence: str) -> None:
    plan = operation.plan(snapshot())
    assert [(str(change.resource), change.before, change.after) for change in plan.changes] == [
        ("topic a", None, after)
    ]
    assert [step.sentence for step in plan.steps] == [sentence]
    assert plan.risk is Risk.SAFE


def test_creating_what_exists_is_refused_unless_that_is_accepted() -> None:
    with pytest.raises(OperationFailed, match="topic a exists already"):
        CreateTopic("a").plan(snapshot(topic("a")))
    plan = CreateTopic("a", if_not_exists=True).plan(snapshot(topic("a")))
    assert (plan.changes, plan.steps, plan.notes) == ((), (), ("topic a exists already",))


def test_what_exists_in_another_shape_is_accepted_with_a_warning_for_each_difference() -> None:
    wanted = CreateTopic("a", 3, 1, {"retention.ms": "5", "cleanup.policy": "compact"}, if_not_exists=True)
    plan = wanted.plan(snapshot(topic("a", 2, {"retention.ms": "7", "cleanup.policy": "compact"})))
    assert not plan.steps
    assert plan.warnings == ("topic a has partitions 2, not 3", "topic a has retention.ms=7, not 5")


@pytest.mark.parametrize(
    "operation",
    [
        CreateTopic(""),
        CreateTopic("."),
        CreateTopic("a b"),
        CreateTopic("a" * 250),
        CreateTopic("a\x1b[2J"),
        CreateTopic("a", 0),
        CreateTopic("a", 1, -1),
        CreateTopic("a", 1, assignment=((1,),)),
    ],
)
def test_what_kafka_would_refuse_anyway_is_found_before_asking(operation: CreateTopic) -> None:
    with pytest.raises(UsageError):
        operation.plan(snapshot())


def test_a_topic_that_may_not_be_looked_at_is_not_created_blindly() -> None:
    denied = OperationFailed("topic a: TOPIC_AUTHORIZATION_FAILED")
    with pytest.raises(OperationFailed, match="TOPIC_AUTHORIZATION_FAILED"):
        CreateTopic("a").plan(Snapshot("cluster", failures={"a": denied}))


# -- delete ----------------------------------------------------------------------------------------------------------


def test_deleting_is_destructive_and_holds_on_to_the_topic_that_was_seen() -> None:
    plan = DeleteTopics(("a", "b")).plan(snapshot(topic("a", 2), topic("b")))
    assert plan.risk is Risk.DESTRUCTIVE
    assert [step.sentence for step in plan.steps] == [
        "delete topic a, its 2 partitions and every record in it",
        "delete topic b, its 1 partition and every record in it",
    ]
    assert [change.after for change in plan.changes] == [None, None]
    recreated = topic("a", 2)._replace(topic_id=b"another topic id").state()
    assert not agrees(recreated, plan.changes[0].before), "a topic of the same name is not the one that was shown"


def test_deleting_what_does_not_exist_suggests_what_does() -> None:
    with pytest.raises(OperationFailed, match="topic ordrs does not exist") as caught:
        DeleteTopics(("ordrs",)).plan(snapshot(names=("orders", "payments")))
    assert caught.value.hint == "did you mean orders?"


def test_deleting_what_does_not_exist_is_nothing_to_do_when_that_is_accepted() -> None:
    plan = DeleteTopics(("a", "b"), if_exists=True).plan(snapshot(topic("b")))
    assert plan.notes == ("topic a does not exist",)
    assert [str(change.resource) for change in plan.changes] == ["topic b"]


def test_a_plan_can_be_written_down() -> None:
    document = DeleteTopics(("a",)).plan(snapshot(topic("a"))).document()
    assert document["cluster_id"] == "cluster"
    assert document["changes"][0]["after"] is None
    assert document["steps"][0] == {
        "action": "topic.delete",
        "sentence": "delete topic a, its 1 partition and every record in it",
        "risk": "destructive",
        "arguments": {"name": "a"},
        "about": [{"kind": "topic", "name": "a"}],
        "undo": None,
        "gates": [],
    }


# -- comparing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "wanted", "same"),
    [
        (None, None, True),
        ({}, None, False),
        (None, {}, False),
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 2}, False),
        ({"configs": {"x": "1", "y": "2"}}, {"configs": {"x": "1"}}, True),
        ({"configs": {"y": "2"}}, {"configs": {"x": "1"}}, False),
        ({}, {"configs": {"x": "1"}}, False),
    ],
)
def test_what_was_wanted_is_seen_when_everything_it_names_is_so(seen: Any, wanted: Any, same: bool) -> None:
    assert agrees(seen, wanted) is same


# -- selecting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selection", "chosen"),
    [
        (Selection(), ["a1", "a2", "b.c", "__own"]),
        (Selection(internal=False), ["a1", "a2", "b.c"]),
        (Selection(("a1",)), ["a1"]),
        (Selection(("a*", "b.c")), ["a1", "a2", "b.c"]),
        (Selection(("a[2-9]",)), ["a2"]),
        (Selection(regex="[ab].*"), ["a1", "a2", "b.c"]),
        (Selection(regex="a"), []),
    ],
)
def test_topics_are_selected_by_name_pattern_or_expression(selection: Selection, chosen: list[str]) -> None:
    names = ["a1", "a2", "b.c", "__own"]
    assert [name for name in names if selection.includes(name, internal=name.startswith("__"))] == chosen


def test_only_what_is_named_is_asked_for() -> None:
    assert Selection(("a", "b")).wants().topics == ("a", "b")
    assert Selection(("a", "b*")).wants().topics is None
    assert Selection(regex="a").wants().topics is None


def test_an_expression_that_does_not_parse_is_refused() -> None:
    with pytest.raises(UsageError, match="not a regular expression"):
        Selection(regex="(").check()


def test_near_names_are_few_and_nearest_first() -> None:
    assert near_names("orders", ["order", "orders-1", "payments", "orders-2", "order-3"]) == [
        "order",
        "orders-2",
        "orders-1",
    ]
    error: LogctlError = unknown_topics(["orders"], [])
    assert error.hint == "create it with `logctl topic create orders`"
