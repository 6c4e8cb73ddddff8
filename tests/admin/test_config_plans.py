"""Plans for settings and for more partitions: what is there, what is wanted, and the plan that follows."""

from __future__ import annotations

import pytest
from admin.test_plans import snapshot, topic

from logctl.admin.config_changes import ChangeSettings
from logctl.admin.configs import ALL_BROKERS, HIDDEN, Config, Entity
from logctl.admin.executor import agrees, state_of
from logctl.admin.observe import Snapshot
from logctl.admin.operation import Risk
from logctl.admin.topic_changes import AddPartitions
from logctl.errors import OperationFailed, UsageError

BROKER = Entity("broker", "1")


def config(name: str, value: str | None, *, is_set: bool = True, sensitive: bool = False) -> Config:
    source = "broker" if is_set else "default"
    return Config(name, value, source, is_set, False, sensitive, "long", None, ())


def seen(*configs: Config, entity: Entity = BROKER) -> Snapshot:
    return snapshot()._replace(settings={entity: configs})


def test_only_what_differs_becomes_a_step() -> None:
    wanted = ChangeSettings(BROKER, {"a": "1", "b": "2", "c": None, "d": None})
    plan = wanted.plan(seen(config("a", "1"), config("b", "9"), config("c", "3"), config("d", "4", is_set=False)))
    [change] = plan.changes
    assert (str(change.resource), change.before, change.after) == (
        "broker 1",
        {"configs": {"b": "9", "c": "3"}},
        {"configs": {"b": "2", "c": None}},
    )
    assert [step.sentence for step in plan.steps] == ["set b=2 and put c back to the default on broker 1"]
    assert plan.notes == ("a is 1 on broker 1 already", "d is not set on broker 1")
    assert plan.risk is Risk.SAFE


def test_an_inherited_value_is_not_the_broker_s_own() -> None:
    plan = ChangeSettings(BROKER, {"a": "1"}).plan(seen(config("a", "1", is_set=False)))
    assert plan.changes[0].before == {"configs": {"a": None}}


def test_a_secret_is_neither_compared_nor_told() -> None:
    before = seen(config("ssl.key.password", None, sensitive=True))
    plan = ChangeSettings(BROKER, {"ssl.key.password": "hush"}).plan(before)
    assert "hush" not in plan.steps[0].sentence
    assert plan.changes[0].before == {"configs": {"ssl.key.password": HIDDEN}}
    assert agrees(state_of(before, plan.changes[0].resource), plan.changes[0].after)


def test_a_name_that_is_not_listed_is_doubted() -> None:
    plan = ChangeSettings(BROKER, {"log.retention.sm": "1"}).plan(seen(config("log.retention.ms", "5")))
    assert plan.warnings == ("broker 1 lists no setting log.retention.sm; did you mean log.retention.ms?",)
    assert plan.steps, "the cluster decides"
    assert not ChangeSettings(ALL_BROKERS, {"x": "1"}).plan(seen(entity=ALL_BROKERS)).warnings


def test_a_topic_that_does_not_exist_is_refused_with_near_names() -> None:
    with pytest.raises(OperationFailed, match="topic orders does not exist") as refused:
        ChangeSettings(Entity("topic", "orders"), {"a": "1"}).plan(snapshot(names=("order",)))
    assert refused.value.hint == "did you mean order?"


@pytest.mark.parametrize(
    "operation",
    [
        ChangeSettings(BROKER, {}),
        ChangeSettings(Entity("broker", "one"), {"a": "1"}),
        ChangeSettings(Entity("topic", ""), {"a": "1"}),
        AddPartitions("a", 0),
        AddPartitions("a b", 3),
    ],
)
def test_what_cannot_be_meant_is_refused_before_asking(operation: ChangeSettings | AddPartitions) -> None:
    with pytest.raises(UsageError):
        operation.check()


def test_partitions_are_added_up_to_a_total() -> None:
    plan = AddPartitions("a", 5).plan(snapshot(topic("a", 3)))
    [change] = plan.changes
    assert (change.before, change.after) == ({"partitions": 3}, {"partitions": 5})
    assert plan.steps[0].sentence == "add 2 partitions to topic a, which has 3"
    assert len(plan.warnings) == 1
    assert AddPartitions("a", 3).plan(snapshot(topic("a", 3))).notes == ("topic a has 3 partitions already",)


def test_partitions_never_become_fewer_nor_are_placed_by_half() -> None:
    with pytest.raises(OperationFailed, match="can only become more"):
        AddPartitions("a", 2).plan(snapshot(topic("a", 3)))
    with pytest.raises(UsageError, match="replicas are given for 1 partition, but 2 are new"):
        AddPartitions("a", 5, ((1,),)).plan(snapshot(topic("a", 3)))
    with pytest.raises(OperationFailed, match="topic b does not exist"):
        AddPartitions("b", 5).plan(snapshot(topic("a", 3)))
