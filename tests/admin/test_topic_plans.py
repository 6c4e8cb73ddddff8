"""Topics, several at once, altered, cloned and deleted by pattern: what is there, and the plan that follows."""

from __future__ import annotations

from typing import Any

import pytest

from logctl.admin.configs import Config, Entity
from logctl.admin.observe import Partition, Snapshot, Topic
from logctl.admin.operation import Risk
from logctl.admin.topic_alter import AlterTopic
from logctl.admin.topic_changes import AddPartitions, CreateTopic, DeleteTopics, Together
from logctl.admin.topic_clone import CloneTopic, Definition
from logctl.admin.topics import Selection, selection_of
from logctl.errors import Declined, OperationFailed, UsageError


def topic(name: str, partitions: int = 1, configs: dict[str, str] | None = None, replicas: int = 1) -> Topic:
    brokers = tuple(range(1, replicas + 1))
    rows = tuple(Partition(number, 1, 0, brokers, brokers, ()) for number in range(partitions))
    return Topic(name, name.encode().ljust(16), name.startswith("__"), rows, configs)


def snapshot(*topics: Topic, names: tuple[str, ...] = (), settings: Any = None) -> Snapshot:
    return Snapshot("cluster", {}, {one.name: one for one in topics}, {}, names, settings or {})


def setting(name: str, value: str, is_set: bool = True) -> Config:
    return Config(name, value, "topic" if is_set else "default", is_set, False, False, "string", None, ())


def sentences(plan: Any) -> list[str]:
    return [step.sentence for step in plan.steps]


# -- create ----------------------------------------------------------------------------------------------------------


def test_the_way_back_from_creating_is_deleting_and_costs_what_was_written_meanwhile() -> None:
    [step] = CreateTopic("a", 3).plan(snapshot()).steps
    assert step.undo is not None
    assert (step.undo.action, dict(step.undo.arguments), step.undo.risk) == (
        "topic.delete",
        {"name": "a"},
        Risk.DESTRUCTIVE,
    )
    assert "every record" in step.undo.sentence
    assert [str(one) for one in step.about] == ["topic a"]


def test_several_topics_are_one_plan_with_a_step_for_each() -> None:
    both = Together("create 2 topics", (CreateTopic("a", 1, 1), CreateTopic("b", 1, 1)))
    plan = both.plan(snapshot())
    assert (plan.title, len(plan.steps), plan.wants.topics) == ("create 2 topics", 2, ("a", "b"))
    assert [str(one) for step in plan.steps for one in step.about] == ["topic a", "topic b"]


def test_one_topic_that_exists_keeps_all_from_being_created_unless_that_is_accepted() -> None:
    with pytest.raises(OperationFailed, match="topic b exists already"):
        Together("create 2 topics", (CreateTopic("a"), CreateTopic("b"))).plan(snapshot(topic("b")))
    accepting = Together("create", (CreateTopic("a"), CreateTopic("b", if_not_exists=True)))
    plan = accepting.plan(snapshot(topic("b")))
    assert (len(plan.steps), plan.notes) == (1, ("topic b exists already",))


# -- alter -----------------------------------------------------------------------------------------------------------

HELD = {Entity("topic", "a"): (setting("retention.ms", "7"), setting("cleanup.policy", "delete", is_set=False))}


def test_partitions_and_settings_are_one_change_of_one_topic() -> None:
    wanted = AlterTopic("a", 4, (), {"retention.ms": "9", "cleanup.policy": "compact"})
    plan = wanted.plan(snapshot(topic("a", 2), settings=HELD))
    [change] = plan.changes
    assert change.before == {"partitions": 2, "configs": {"retention.ms": "7", "cleanup.policy": None}}
    assert change.after == {"partitions": 4, "configs": {"retention.ms": "9", "cleanup.policy": "compact"}}
    assert [step.action for step in plan.steps] == ["topic.add_partitions", "config.change"]
    assert plan.steps[0].undo is None, "partitions cannot be taken away again"
    assert (plan.wants.configs, plan.wants.settings) == (True, ())


def test_what_is_so_already_needs_no_step() -> None:
    plan = AlterTopic("a", 2, (), {"retention.ms": "7"}).plan(snapshot(topic("a", 2), settings=HELD))
    assert (plan.steps, plan.changes) == ((), ())
    assert plan.notes == ("topic a has 2 partitions already", "retention.ms is 7 on topic a already")


@pytest.mark.parametrize("wanted", [AlterTopic("a"), AlterTopic("a", None, ((1,),), {"x": "1"}), AlterTopic("a", 0)])
def test_altering_nothing_is_refused_before_asking(wanted: AlterTopic) -> None:
    with pytest.raises(UsageError):
        wanted.check()


def test_there_is_no_way_to_fewer_partitions() -> None:
    with pytest.raises(OperationFailed, match="can only become more"):
        AddPartitions("a", 1).plan(snapshot(topic("a", 2)))


# -- clone -----------------------------------------------------------------------------------------------------------


def test_a_clone_has_the_partitions_the_factor_and_the_settings_of_its_source() -> None:
    source = topic("a", 3, {"retention.ms": "7"}, replicas=2)
    plan = CloneTopic("a", "b").plan(snapshot(source))
    [change] = plan.changes
    assert change.after == {"partitions": 3, "replication_factor": 2, "configs": {"retention.ms": "7"}}
    assert plan.title == "clone topic a as b"


def test_a_clone_may_differ_where_that_is_said() -> None:
    plan = CloneTopic("a", "b", None, 5, 1, {"retention.ms": "9"}).plan(snapshot(topic("a", 3, {"retention.ms": "7"})))
    assert plan.changes[0].after == {"partitions": 5, "replication_factor": 1, "configs": {"retention.ms": "9"}}


def test_throttles_of_a_move_are_not_taken_over() -> None:
    throttled = {"leader.replication.throttled.replicas": "0:1", "retention.ms": "7"}
    plan = CloneTopic("a", "b").plan(snapshot(topic("a", 1, throttled)))
    assert plan.changes[0].after == {"partitions": 1, "replication_factor": 1, "configs": {"retention.ms": "7"}}
    assert any("leader.replication.throttled.replicas of a is about its own" in warning for warning in plan.warnings)


def test_a_definition_from_elsewhere_needs_no_source_here() -> None:
    plan = CloneTopic("a", "a", Definition("a", 2, 1, {})).plan(snapshot())
    assert plan.changes[0].after == {"partitions": 2, "replication_factor": 1}


def test_a_source_that_does_not_exist_is_answered_with_near_names() -> None:
    with pytest.raises(OperationFailed, match="topic ordrs does not exist") as caught:
        CloneTopic("ordrs", "b").plan(snapshot(names=("orders",)))
    assert caught.value.hint == "did you mean orders?"
    with pytest.raises(UsageError, match="cannot be a clone of itself"):
        CloneTopic("a", "a").check()


# -- delete ----------------------------------------------------------------------------------------------------------

THERE = snapshot(topic("a1"), topic("a2", 2), topic("b"), topic("__own"))


def test_a_pattern_shows_what_it_matched() -> None:
    plan = DeleteTopics(("a*",)).plan(THERE)
    assert plan.title == "delete 2 topics"
    assert sentences(plan) == [
        "delete topic a1, its 1 partition and every record in it",
        "delete topic a2, its 2 partitions and every record in it",
    ]
    assert [step.undo for step in plan.steps] == [None, None], "deleted records do not come back"
    assert plan.wants.topics == ("a1", "a2")


def test_a_pattern_that_matches_nothing_is_nothing_to_do() -> None:
    assert DeleteTopics(("z*",)).plan(THERE).notes == ("no topic matches z*",)
    assert DeleteTopics((), regex="z.*").plan(THERE).notes == ("no topic matches z.*",)


def test_the_clusters_own_topics_are_left_by_patterns_and_refused_by_name() -> None:
    plan = DeleteTopics(("*",)).plan(THERE)
    assert [str(change.resource) for change in plan.changes] == ["topic a1", "topic a2", "topic b"]
    assert plan.notes == ("topic __own is the cluster's own and is left",)
    with pytest.raises(Declined, match="topic __own is the cluster's own") as caught:
        DeleteTopics(("a1", "__own")).plan(THERE)
    assert "--internal" in caught.value.hint
    assert DeleteTopics(("__own",), internal=True).plan(THERE).warnings == ("topic __own is the cluster's own",)


def test_nothing_named_is_refused() -> None:
    with pytest.raises(UsageError):
        DeleteTopics(()).check()


# -- selecting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("regex", "selection"),
    [("a.b", Selection(("a.b",))), ("a.*", Selection((), "a.*")), (None, Selection()), ("a|b", Selection((), "a|b"))],
)
def test_an_expression_that_could_be_a_name_is_that_name(regex: str | None, selection: Selection) -> None:
    assert selection_of((), regex) == selection
