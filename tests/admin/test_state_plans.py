"""From what is declared and what is there to the plan: the typed difference, and what is left alone."""

from __future__ import annotations

import json
from textwrap import dedent
from typing import Any

import pytest
from admin.test_plans import topic

from logctl.admin import acls, quotas, users
from logctl.admin.acl_rules import Rule
from logctl.admin.documents import documents_in
from logctl.admin.executor import agrees, state_of
from logctl.admin.observe import Snapshot, Topic
from logctl.admin.operation import Plan, Risk
from logctl.admin.quotas import Subject
from logctl.admin.state_files import declared_in
from logctl.admin.state_plan import SETTING_NAMES, ApplyState
from logctl.errors import OperationFailed, UsageError

ALLOWED = Rule("User:a-app", "*", "topic", "a-1", "literal", "read", "allow")


def state(text: str, *, delete: bool = False) -> ApplyState:
    return ApplyState(declared_in(documents_in(dedent(text), "s.yaml")), delete)


def seen(
    *topics: Topic,
    rules: tuple[Rule, ...] = (),
    limits: dict[Subject, dict[str, float]] | None = None,
    logins: dict[str, list[str]] | None = None,
    settings: tuple[str, ...] = (),
) -> Snapshot:
    subjects = [{"entity": subject.entity(), "limits": theirs} for subject, theirs in (limits or {}).items()]
    people = {name: {"mechanisms": dict.fromkeys(theirs, 4096)} for name, theirs in (logins or {}).items()}
    states: dict[Any, Any] = {
        acls.EVERY: {"rules": [rule._asdict() for rule in rules]},
        quotas.EVERY: {"subjects": subjects},
        users.EVERY: {"users": people},
        SETTING_NAMES: {"names": list(settings)} if settings else None,
    }
    return Snapshot("cluster", {}, {one.name: one for one in topics}, states=states)


def sentences(plan: Plan) -> list[str]:
    return [step.sentence for step in plan.steps]


TOPICS = """
    owner: a
    scope: {topics: ['a-*']}
    topics:
      - {name: a-1, partitions: 3, replication_factor: 1, configs: {retention.ms: 5}}
      - {name: a-2}
"""


def test_what_is_missing_is_created_and_what_differs_is_changed_as_one_change_of_a_topic() -> None:
    plan = state(TOPICS).plan(seen(topic("a-1", 2, {"retention.ms": "7"})))
    assert sentences(plan) == [
        "add 1 partition to topic a-1, which has 2",
        "set retention.ms=5 on topic a-1",
        "create topic a-2 with the cluster's default of partitions and the cluster's replication factor",
    ]
    first = plan.changes[0]
    assert (str(first.resource), first.before, first.after) == (
        "topic a-1",
        {"partitions": 2, "configs": {"retention.ms": "7"}},
        {"partitions": 3, "configs": {"retention.ms": "5"}},
    )
    assert plan.wants.topics == ("a-1", "a-2")
    assert plan.wants.configs
    assert not plan.wants.settings
    assert [[str(one) for one in step.about] for step in plan.steps] == [["topic a-1"], ["topic a-1"], ["topic a-2"]]
    after = seen(topic("a-1", 3, {"retention.ms": "5"}), topic("a-2"))
    assert all(agrees(state_of(after, change.resource), change.after) for change in plan.changes[:1])
    json.dumps(plan.document())


def test_what_is_as_declared_is_nothing_to_do() -> None:
    plan = state(TOPICS).plan(seen(topic("a-1", 3, {"retention.ms": "5"}), topic("a-2", 9, {"x": "1"})))
    assert (plan.steps, plan.warnings, plan.notes) == ((), (), ("everything is as declared",))


LIVE = (topic("a-1", 3, {"retention.ms": "5", "segment.ms": "9"}), topic("a-2"), topic("a-3"), topic("b-1"))


def test_the_undeclared_is_told_and_left() -> None:
    plan = state(TOPICS).plan(seen(*LIVE))
    assert not plan.steps
    assert plan.warnings == (
        "setting segment.ms=9 of topic a-1 is not declared; --delete would take it away",
        "topic a-3, which is in the scope of a, is not declared; --delete would take it away",
    )


def test_the_undeclared_goes_with_delete_alone_and_strangers_stay() -> None:
    plan = state(TOPICS, delete=True).plan(seen(*LIVE))
    assert sentences(plan) == [
        "put segment.ms back to the default on topic a-1",
        "delete topic a-3, its 1 partition and every record in it",
    ]
    assert plan.risk is Risk.DESTRUCTIVE
    assert not plan.warnings


def test_without_a_scope_nothing_undeclared_is_even_looked_at() -> None:
    narrow = state("owner: a\ntopics: [{name: a-1}]\n", delete=True)
    assert narrow.wants().topics == ("a-1",)
    assert narrow.wants().looks == ()
    assert not narrow.plan(seen(*LIVE)).steps
    assert state(TOPICS).wants().topics is None


def test_a_scope_of_everything_does_not_cover_the_cluster_s_own() -> None:
    own = topic("__consumer_offsets")._replace(internal=True)
    wide = state("owner: a\nscope: {topics: ['*']}\n", delete=True)
    assert not wide.plan(seen(own)).steps
    with pytest.raises(OperationFailed, match=r"s.yaml:2: topic __consumer_offsets is the cluster's own"):
        state("owner: a\ntopics: [{name: __consumer_offsets}]\n").plan(seen(own))


def test_what_cannot_be_done_is_refused_whole_with_what_to_do() -> None:
    text = "owner: a\ntopics:\n- {name: a-1, partitions: 1}\n- {name: a-2, replication_factor: 3}\n- {name: a-9}\n"
    with pytest.raises(OperationFailed, match="2 things cannot be applied") as refused:
        state(text).plan(seen(*LIVE))
    assert "s.yaml:3: topic a-1 has 3 partitions, and 1 are declared" in refused.value.message
    assert "s.yaml:4: topic a-2 has replication factor 1, not 3" in refused.value.message


def test_what_lies_in_two_scopes_is_refused() -> None:
    two = "owner: a\nscope: {topics: ['a-*']}\n---\nowner: b\nscope: {topics: ['*-1']}\n"
    for delete in (False, True):
        with pytest.raises(OperationFailed, match="topic a-1 lies in the scopes of two owners: a and b"):
            state(two, delete=delete).plan(seen(*LIVE))


def test_a_setting_that_the_cluster_does_not_know_is_doubted() -> None:
    text = "owner: a\ntopics: [{name: a-2, configs: {retention.sm: 5}}]\n"
    plan = state(text).plan(seen(*LIVE, settings=("retention.ms", "segment.ms")))
    [warning] = plan.warnings
    assert warning == "s.yaml:2: topics of this cluster have no setting retention.sm; did you mean retention.ms?"


def test_a_topic_that_is_kept_from_us_is_not_guessed() -> None:
    denied = {"a-1": OperationFailed("topic a-1: TOPIC_AUTHORIZATION_FAILED")}
    with pytest.raises(OperationFailed, match="TOPIC_AUTHORIZATION_FAILED"):
        state(TOPICS).plan(seen(topic("a-2"))._replace(failures=denied))
    strange = {"b-1": OperationFailed("topic b-1: TOPIC_AUTHORIZATION_FAILED")}
    assert state(TOPICS).plan(seen(*LIVE[:3])._replace(failures=strange)).warnings


ACCESS = """
    owner: a
    scope: {acls: ['User:a-*'], quotas: ['user=a-*'], users: ['a-*']}
    acls: [{principal: 'User:a-app', operation: read, resource_type: topic, resource_name: a-1}]
    quotas: [{user: a-app, limits: {producer_byte_rate: 10MiB}}]
    users: [{name: a-app, mechanisms: [SCRAM-SHA-256], password: 'env:A'}]
"""


def test_users_acls_and_quotas_are_made_in_that_order() -> None:
    plan = state(ACCESS).plan(seen())
    assert [step.action for step in plan.steps] == ["user.set", "acl.grant", "quota.change"]
    assert plan.steps[0].arguments["password_from"] == "env:A"
    assert {look.kind for look in plan.wants.looks} == {"user", "acl", "quota"}
    assert plan.risk is Risk.SAFE


def strange_world() -> Snapshot:
    stranger, extra = ALLOWED._replace(principal="User:b"), ALLOWED._replace(operation="write")
    return seen(
        rules=(ALLOWED, extra, stranger),
        limits={
            Subject((("user", "a-app"),)): {"producer_byte_rate": 10485760.0, "request_percentage": 50.0},
            Subject((("user", "a-old"),)): {"request_percentage": 50.0},
            Subject((("user", "b"),)): {"request_percentage": 50.0},
        },
        logins={"a-app": ["SCRAM-SHA-256", "SCRAM-SHA-512"], "a-old": ["SCRAM-SHA-256"], "b": ["SCRAM-SHA-256"]},
    )


def test_undeclared_access_is_told_by_kind() -> None:
    plan = state(ACCESS).plan(strange_world())
    assert not plan.steps
    assert [warning.split(";")[0] for warning in plan.warnings] == [
        "SCRAM-SHA-512 of user a-app is not declared",
        "user a-old, which is in the scope of a, is not declared",
        "ACL allow User:a-app write on topic a-1, which is in the scope of a, is not declared",
        "request_percentage of quota user=a-app is not declared",
        "quota user=a-old, which is in the scope of a, is not declared",
    ]


def test_undeclared_access_goes_with_delete_after_everything_else() -> None:
    plan = state(ACCESS, delete=True).plan(strange_world())
    assert sentences(plan) == [
        "take request_percentage away for user a-app",
        "take request_percentage away for user a-old",
        "remove the ACL: allow User:a-app write on topic a-1",
        "take SCRAM-SHA-512 from user a-app; the password cannot be brought back",
        "delete user a-old; the password cannot be brought back",
    ]


def test_a_user_that_changes_its_mechanism_is_one_change_and_stays() -> None:
    text = "owner: a\nusers: [{name: x, mechanisms: [SCRAM-SHA-512], password: 'env:X'}]\n"
    plan = state(text, delete=True).plan(seen(logins={"x": ["SCRAM-SHA-256"]}))
    [change] = plan.changes
    assert change.after == {"mechanisms": {"SCRAM-SHA-512": 8192, "SCRAM-SHA-256": None}}
    assert [step.action for step in plan.steps] == ["user.set", "user.delete"]


def test_a_new_user_with_two_mechanisms_is_one_change() -> None:
    text = "owner: a\nusers: [{name: x, mechanisms: [SCRAM-SHA-256, SCRAM-SHA-512], password: 'env:X'}]\n"
    [change] = state(text).plan(seen()).changes
    assert (change.before, change.after) == (None, {"mechanisms": {"SCRAM-SHA-256": 8192, "SCRAM-SHA-512": 8192}})


def test_a_user_cannot_be_made_without_a_password() -> None:
    with pytest.raises(OperationFailed, match=r"s.yaml:2: user x does not exist, and no password is declared"):
        state("owner: a\nusers: [{name: x}]\n").plan(seen())
    assert not state("owner: a\nusers: [{name: x}]\n").plan(seen(logins={"x": ["SCRAM-SHA-512"]})).steps


def test_a_password_that_cannot_be_read_is_found_before_the_first_step() -> None:
    def unreadable(user: str, place: str) -> None:
        raise UsageError(f"{user}: nothing at {place}")

    with pytest.raises(UsageError, match="a-app: nothing at env:A"):
        state(ACCESS)._replace(has_password=unreadable).plan(seen())
    assert not state(ACCESS)._replace(has_password=unreadable).plan(strange_world()).steps
