"""Plans for settings and for more partitions: what is there, what is wanted, and the plan that follows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from admin.test_plans import snapshot, topic
from support.scripted import SILENCE, ScriptedCluster

from logctl.admin.client import Client, parse_addresses
from logctl.admin.config_changes import Append, ChangeSettings, Subtract, _altered, change_settings
from logctl.admin.config_diff import differences
from logctl.admin.configs import ALL_BROKERS, HIDDEN, Config, Entity, Layer, describe_each
from logctl.admin.deadline import Deadline
from logctl.admin.executor import agrees, state_of
from logctl.admin.observe import Snapshot
from logctl.admin.operation import Risk
from logctl.admin.routing import Cluster
from logctl.admin.topic_changes import AddPartitions
from logctl.errors import DeadlineExceeded, OperationFailed, UsageError
from logctl.security.secrets import Secret
from logctl.wire.messages.describe_configs import (
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
)

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


# -- lists, several at once, and the way back --------------------------------------------------------------------------

ORDERS, PAYS = Entity("topic", "orders"), Entity("topic", "pays")


def policy(value: str, *, is_set: bool = True) -> Config:
    default = Layer("log.cleanup.policy", "delete", "default")
    source = "topic" if is_set else "default"
    return Config("cleanup.policy", value, source, is_set, False, False, "list", None, (default,))


def with_topics(**configs: Config) -> Snapshot:
    return snapshot()._replace(settings={Entity("topic", name): (one,) for name, one in configs.items()})


def test_entries_are_added_by_the_cluster_and_their_outcome_is_foreseen() -> None:
    operation = ChangeSettings(ORDERS, {"cleanup.policy": Append(("compact", "delete"))})
    plan = operation.plan(with_topics(orders=policy("delete", is_set=False)))
    assert plan.changes[0].before == {"configs": {"cleanup.policy": None}}
    assert plan.changes[0].after == {"configs": {"cleanup.policy": "delete,compact"}}
    [step] = plan.steps
    assert step.arguments["changes"] == {"cleanup.policy": {"append": ["compact", "delete"]}}
    assert step.undo is not None
    assert step.undo.arguments["changes"] == {"cleanup.policy": None}
    assert operation.plan(with_topics(orders=policy("compact,delete"))).notes == (
        "compact, delete is in cleanup.policy on topic orders already",
    )


def test_entries_are_taken_out() -> None:
    operation = ChangeSettings(ORDERS, {"cleanup.policy": Subtract(("compact",))})
    plan = operation.plan(with_topics(orders=policy("compact,delete")))
    assert plan.changes[0].after == {"configs": {"cleanup.policy": "delete"}}
    assert plan.steps[0].sentence == "take compact out of cleanup.policy on topic orders"
    assert operation.plan(with_topics(orders=policy("delete"))).steps == ()


def test_what_is_no_list_takes_no_entries() -> None:
    with pytest.raises(OperationFailed, match="a is not a list"):
        ChangeSettings(BROKER, {"a": Append(("x",))}).plan(seen(config("a", "1")))


def test_several_are_changed_in_one_step_and_those_that_are_so_already_left_out() -> None:
    operation = ChangeSettings(ORDERS, {"cleanup.policy": "compact"}, (PAYS, Entity("topic", "mails")))
    there = with_topics(orders=policy("delete"), pays=policy("compact"), mails=policy("delete", is_set=False))
    plan = operation.plan(there)
    assert plan.title == "change settings of topic orders and 2 more"
    assert [change.resource.name for change in plan.changes] == ["orders", "mails"]
    [step] = plan.steps
    assert [one["name"] for one in step.arguments["each"]] == ["orders", "mails"]
    assert step.undo is not None
    assert [one["changes"] for one in step.undo.arguments["each"]] == [
        {"cleanup.policy": "delete"},
        {"cleanup.policy": None},
    ]
    assert plan.notes == ("cleanup.policy is compact on topic pays already",)


def test_each_broker_is_a_step_of_its_own() -> None:
    other = Entity("broker", "2")
    there = snapshot()._replace(settings={BROKER: (config("a", "1"),), other: (config("a", "1"),)})
    plan = ChangeSettings(BROKER, {"a": "2"}, (other,)).plan(there)
    assert [step.about for step in plan.steps] == [(BROKER,), (other,)]


def test_a_secret_that_is_replaced_has_no_way_back_and_one_that_is_new_has() -> None:
    wanted = ChangeSettings(BROKER, {"ssl.key.password": Secret("hush")})
    hidden = Config("ssl.key.password", None, "broker", True, False, True, "password", None, ())
    replaced = wanted.plan(seen(hidden))
    assert replaced.steps[0].undo is None
    new = wanted.plan(seen())
    assert new.steps[0].undo is not None
    assert "hush" not in repr(replaced) + repr(new) + json.dumps(replaced.document()) + json.dumps(new.document())
    assert agrees(state_of(seen(hidden), replaced.changes[0].resource), replaced.changes[0].after)


def test_a_secret_left_out_of_a_plan_s_file_is_not_sent_as_if_it_were_one() -> None:
    with pytest.raises(UsageError, match="does not hold the value of"):
        _altered("ssl.key.password", HIDDEN)
    assert _altered("ssl.key.password", Secret("hush")) == (0, "hush")
    assert _altered("a", None) == (1, None)
    assert _altered("a", {"append": ["x", "y"]}) == (2, "x,y")
    assert _altered("a", {"subtract": ["x"]}) == (3, "x")


def test_shorter_retention_is_warned_about_longer_is_not() -> None:
    now = seen(config("retention.ms", "1000"), entity=ORDERS)
    assert ChangeSettings(ORDERS, {"retention.ms": "10"}).plan(now).warnings == (
        "a lower retention.ms deletes records of topic orders that lie beyond it, for good",
    )
    assert not ChangeSettings(ORDERS, {"retention.ms": "-1"}).plan(now).warnings
    assert not ChangeSettings(ORDERS, {"retention.ms": "2000"}).plan(now).warnings


def test_a_logger_that_is_put_back_still_tells_a_level() -> None:
    logger = Entity("broker-logger", "1")
    root = Config("root", "DEBUG", "logger", True, False, False, "string", None, ())
    plan = ChangeSettings(logger, {"root": None}).plan(seen(root, entity=logger))
    assert plan.changes[0].after == {"configs": {}}
    assert plan.steps[0].undo is not None
    assert plan.steps[0].undo.arguments["changes"] == {"root": "DEBUG"}


# -- comparing ---------------------------------------------------------------------------------------------------------


def test_only_what_holds_differently_is_a_difference() -> None:
    left = [config("a", "1"), config("b", "2"), config("c", "3"), config("s", None, sensitive=True)]
    right = [config("a", "1", is_set=False), config("b", "9"), config("d", "4"), config("s", None, sensitive=True)]
    found = {
        one.name: (one.left.value if one.left else None, one.right.value if one.right else None)
        for one in differences(left, right)
    }
    assert found == {"b": ("2", "9"), "c": ("3", None), "d": (None, "4")}


def test_of_a_secret_only_its_being_set_is_compared() -> None:
    one, none = config("s", None, sensitive=True), config("s", None, is_set=False, sensitive=True)
    assert [difference.name for difference in differences([one], [none])] == ["s"]


# -- faults ------------------------------------------------------------------------------------------------------------


def described(request: Any, version: int) -> DescribeConfigsResponse:
    entry = DescribeConfigsResourceResult(name="a", value="1", config_source=2, config_type=5)
    results = [
        DescribeConfigsResult(resource_type=one.resource_type, resource_name=one.resource_name, configs=[entry])
        for one in request.resources
    ]
    return DescribeConfigsResponse(results=results)


def test_topics_are_asked_about_together_and_brokers_each_for_itself() -> None:
    with ScriptedCluster(1, 2) as scripted, Client(parse_addresses(scripted.bootstrap)) as client:
        scripted.answer("DescribeConfigs", described)
        entities = [ORDERS, PAYS, BROKER, Entity("broker", "2")]
        found = describe_each(Cluster(client), entities, Deadline(10))
        assert set(found.answers) == set(entities)
        asked = {
            node: [[one.resource_name for one in request.resources] for name, _, request in broker.asked if name == _DC]
            for node, broker in scripted.brokers.items()
        }
        assert asked == {1: [["orders", "pays"], ["1"]], 2: [["2"]]}


_DC = "DescribeConfigs"


def test_a_silent_broker_leaves_the_others_settings_standing() -> None:
    with ScriptedCluster(1, 2) as scripted, Client(parse_addresses(scripted.bootstrap)) as client:
        scripted.answer("DescribeConfigs", described)
        scripted.brokers[2].answer("DescribeConfigs", lambda request, version: SILENCE)
        found = describe_each(Cluster(client), [BROKER, Entity("broker", "2"), Entity("broker", "7")], Deadline(1))
        assert set(found.answers) == {BROKER}
        assert "did not answer in time" in str(found.missing[Entity("broker", "2")])
        assert "is not among the brokers" in str(found.missing[Entity("broker", "7")])


def test_a_broker_that_hangs_up_over_a_change_leaves_its_outcome_in_doubt() -> None:
    with ScriptedCluster(1) as scripted, Client(parse_addresses(scripted.bootstrap)) as client:
        scripted.answer("IncrementalAlterConfigs", lambda request, version: None)
        arguments = {"kind": "broker", "name": "1", "changes": {"a": "2"}}
        with pytest.raises(DeadlineExceeded, match="whether it was carried out is unknown"):
            change_settings(Cluster(client), arguments, Deadline(5), False)


def test_a_cluster_that_cannot_change_single_settings_says_so() -> None:
    with ScriptedCluster(1) as scripted, Client(parse_addresses(scripted.bootstrap)) as client:
        arguments = {"kind": "topic", "name": "a", "changes": {"a": "2"}}
        with pytest.raises(OperationFailed, match=r"does not offer IncrementalAlterConfigs \(key 44\).*since 2\.3"):
            change_settings(Cluster(client), arguments, Deadline(5), False)
