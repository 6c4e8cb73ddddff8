"""ACLs as data: what a rule says, what a filter matches, and the plans of granting and revoking."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.scripted import ScriptedCluster

from logctl.admin.acl_rules import Filter, Rule, Who, consumer_rules, producer_rules, rules_for, word_from
from logctl.admin.acls import EVERY, Grant, Revoke, RevokeRules, list_rules, revoke
from logctl.admin.client import Client, parse_addresses
from logctl.admin.deadline import Deadline
from logctl.admin.observe import Resource, Snapshot
from logctl.admin.operation import Plan, Risk
from logctl.admin.routing import Cluster
from logctl.errors import OperationFailed, UsageError
from logctl.wire import errors
from logctl.wire.messages.delete_acls import DeleteAclsFilterResult, DeleteAclsMatchingAcl, DeleteAclsResponse
from logctl.wire.messages.describe_acls import DescribeAclsResponse

ALICE = Who(allowed=("User:alice",))


def rule(
    principal: str = "User:alice",
    name: str = "orders",
    operation: str = "read",
    *,
    kind: str = "topic",
    pattern: str = "literal",
    permission: str = "allow",
    host: str = "*",
) -> Rule:
    return Rule(principal, host, kind, name, pattern, operation, permission)


def seen(*rules: Rule) -> Snapshot:
    return Snapshot("cluster", states={EVERY: {"rules": [one._asdict() for one in rules]}})


# -- rules -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (rule(), "allow User:alice read on topic orders"),
        (rule(pattern="prefixed", host="10.0.0.1"), "allow User:alice read on topic prefix orders from 10.0.0.1"),
        (rule("User:CN=a b", "*"), 'allow "User:CN=a b" read on topic *'),
        (rule(name="x from y", permission="deny"), 'deny User:alice read on topic "x from y"'),
        (rule(name="\x1b[2J"), 'allow User:alice read on topic "\\u001b[2J"'),
    ],
)
def test_a_rule_has_one_text(one: Rule, text: str) -> None:
    assert str(one) == text


def test_different_rules_have_different_texts() -> None:
    words = ("prefix", "from", "a", "a b", "*", "")
    rules = {
        rule(name=name, host=host, pattern=pattern)
        for name in words
        for host in words
        for pattern in ("literal", "prefixed")
    }
    assert len({str(one) for one in rules}) == len(rules)


@pytest.mark.parametrize(
    ("what", "given", "word"),
    [
        ("operation", "DescribeConfigs", "describe-configs"),
        ("operation", "DESCRIBE_CONFIGS", "describe-configs"),
        ("operation", "TwoPhaseCommit", "two-phase-commit"),
        ("resource type", "TransactionalId", "transactional-id"),
        ("resource type", "user-principal", "user"),
        ("pattern type", "PREFIXED", "prefixed"),
    ],
)
def test_apaches_spellings_are_understood(what: str, given: str, word: str) -> None:
    assert word_from(what, given) == word
    with pytest.raises(UsageError, match=f"no {what}"):
        word_from(what, given + "x")


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        (rule("alice"), "'alice' is no principal"),
        (rule("User:"), "is no principal"),
        (rule(name=""), "which topic"),
        (rule(operation="cluster-action"), "cluster-action cannot be done to a topic"),
        (rule(operation="write", kind="group"), "write cannot be done to a group"),
        (rule(pattern="match"), "literal or prefixed"),
        (rule(permission="any"), "allows or denies"),
        (rule(kind="cluster", name="mine", operation="alter"), "the cluster is named kafka-cluster"),
        (rule(kind="any"), "no resource type"),
    ],
)
def test_a_rule_that_means_nothing_is_refused_before_asking(one: Rule, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        Grant((one,)).check()


def test_everything_may_be_done_to_everything_by_all() -> None:
    for kind in ("topic", "group", "transactional-id", "delegation-token", "user"):
        rule(kind=kind, operation="all").check()


# -- filters -----------------------------------------------------------------------------------------------------------

RULES = {
    "literal": rule(),
    "other": rule("User:bob", "payments"),
    "prefix": rule(name="ord", pattern="prefixed"),
    "every": rule(name="*"),
    "group": rule(kind="group"),
    "denied": rule("User:bob", permission="deny", operation="all"),
}


@pytest.mark.parametrize(
    ("wanted", "matched"),
    [
        (Filter(), "literal other prefix every group denied"),
        (Filter(("User:bob",)), "other denied"),
        (Filter(resources=(("topic", "orders"),)), "literal denied"),
        (Filter(resources=(("topic", "orders"),), pattern_type="literal"), "literal denied"),
        (Filter(resources=(("topic", "orders"),), pattern_type="match"), "literal prefix every denied"),
        (Filter(resources=(("topic", "ord"),), pattern_type="prefixed"), "prefix"),
        (Filter(resources=(("topic", "or"),), pattern_type="match"), "every"),
        (Filter(resources=(("group", None),)), "group"),
        (Filter(permission="deny"), "denied"),
        (Filter(operations=("all",)), "denied"),
        (Filter(hosts=("10.0.0.1",)), ""),
    ],
)
def test_a_filter_matches(wanted: Filter, matched: str) -> None:
    assert [name for name, one in RULES.items() if wanted.matches(one)] == matched.split()


# -- presets -----------------------------------------------------------------------------------------------------------


def test_a_producer_needs() -> None:
    rules = producer_rules(ALICE, ["orders"], ["tx"], True, "prefixed")
    assert [(one.operation, one.resource_type, one.resource_name, one.pattern_type) for one in rules] == [
        ("write", "topic", "orders", "prefixed"),
        ("describe", "topic", "orders", "prefixed"),
        ("create", "topic", "orders", "prefixed"),
        ("write", "transactional-id", "tx", "prefixed"),
        ("describe", "transactional-id", "tx", "prefixed"),
        ("idempotent-write", "cluster", "kafka-cluster", "literal"),
    ]
    Grant(tuple(rules)).check()


def test_a_consumer_needs() -> None:
    rules = consumer_rules(ALICE, ["orders"], ["billing"])
    assert [(one.operation, one.resource_type) for one in rules] == [
        ("read", "topic"),
        ("describe", "topic"),
        ("read", "group"),
    ]


def test_hosts_go_with_the_principals_of_their_kind() -> None:
    who = Who(("User:a",), ("User:b",), ("10.0.0.1",), ())
    rules = rules_for(who, [("topic", "t")], [])
    assert [(one.permission, one.principal, one.host, one.operation) for one in rules] == [
        ("allow", "User:a", "10.0.0.1", "all"),
        ("deny", "User:b", "*", "all"),
    ]
    [anyone] = rules_for(Who(denied_hosts=("10.0.0.9",)), [("topic", "t")], [])
    assert (anyone.permission, anyone.principal, anyone.host) == ("deny", "User:*", "10.0.0.9")


# -- plans -------------------------------------------------------------------------------------------------------------


def names(plan: Plan) -> list[str]:
    return [change.resource.name for change in plan.changes]


def test_only_what_is_missing_is_granted_and_can_be_taken_back() -> None:
    there, missing = rule(), rule(operation="write")
    plan = Grant((there, missing)).plan(seen(there))
    assert names(plan) == [str(missing)]
    assert plan.notes == (f"{there} is there already",)
    [step] = plan.steps
    assert (step.action, step.risk, step.sentence) == ("acl.grant", Risk.SAFE, f"add the ACL: {missing}")
    assert step.undo is not None
    assert (step.undo.action, step.undo.arguments) == ("acl.revoke", {"rules": [missing._asdict()]})
    assert plan.wants.looks == (Resource("acl", str(missing)),)
    json.dumps(plan.document())


def test_what_is_there_already_is_nothing_to_do() -> None:
    plan = Grant((rule(),)).plan(seen(rule()))
    assert (plan.steps, plan.changes) == ((), ())
    assert plan.notes


def test_denying_disturbs_and_a_first_rule_may_lock_others_out() -> None:
    plan = Grant((rule(permission="deny"),)).plan(seen())
    assert plan.risk is Risk.DISRUPTIVE
    [warning] = plan.warnings
    assert "first ACL on topic orders" in warning
    assert not Grant((rule(operation="write"),)).plan(seen(rule())).warnings


def test_a_revocation_names_what_was_seen_and_nothing_else() -> None:
    plan = Revoke(Filter(("User:bob",))).plan(seen(*RULES.values()))
    assert names(plan) == [str(RULES["other"]), str(RULES["denied"])]
    [step] = plan.steps
    assert step.arguments == {"rules": [RULES["other"]._asdict(), RULES["denied"]._asdict()]}
    assert (step.risk, step.undo and step.undo.action) == (Risk.DISRUPTIVE, "acl.grant")
    assert [change.after for change in plan.changes] == [None, None]


def test_revoking_what_is_not_there_is_nothing_to_do() -> None:
    assert Revoke(Filter(("User:zoe",))).plan(seen(rule())).notes == ("no ACL matches",)
    plan = RevokeRules((rule("User:zoe"), rule())).plan(seen(rule()))
    assert names(plan) == [str(rule())]
    assert plan.notes == (f"{rule('User:zoe')} is not there",)


def test_a_revocation_of_everything_is_refused() -> None:
    with pytest.raises(UsageError, match="everyone on everything"):
        Revoke(Filter(operations=("read",))).check()


# -- faults ------------------------------------------------------------------------------------------------------------


def ask(scripted: ScriptedCluster, act: Any) -> Any:
    with Client(parse_addresses(scripted.bootstrap)) as client:
        return act(Cluster(client), Deadline(10.0))


def test_a_cluster_without_an_authorizer_says_what_to_do() -> None:
    with ScriptedCluster(1) as scripted:
        disabled = DescribeAclsResponse(error_code=errors.SECURITY_DISABLED, error_message="No Authorizer")
        scripted.answer("DescribeAcls", lambda request, version: disabled)
        with pytest.raises(OperationFailed, match="SECURITY_DISABLED") as refused:
            ask(scripted, lambda cluster, deadline: list_rules(cluster, Filter(), deadline))
        assert "authorizer.class.name" in refused.value.hint


def test_a_cluster_that_keeps_no_acls_is_named_as_such() -> None:
    with ScriptedCluster(1) as scripted, pytest.raises(OperationFailed, match="does not offer DescribeAcls"):
        ask(scripted, lambda cluster, deadline: list_rules(cluster, Filter(), deadline))


def test_each_rule_has_an_outcome_of_its_own() -> None:
    gone, kept, removed = rule(operation="write"), rule(), rule(operation="alter")
    failed = DeleteAclsMatchingAcl(
        error_code=errors.CLUSTER_AUTHORIZATION_FAILED, resource_type=2, resource_name="orders", principal="User:alice"
    )
    answer = DeleteAclsResponse(
        filter_results=[
            DeleteAclsFilterResult(),
            DeleteAclsFilterResult(matching_acls=[failed]),
            DeleteAclsFilterResult(error_code=errors.INVALID_REQUEST),
        ]
    )
    with ScriptedCluster(1) as scripted:
        scripted.answer("DeleteAcls", lambda request, version: answer)
        arguments = {"rules": [one._asdict() for one in (gone, kept, removed)]}
        outcomes = ask(scripted, lambda cluster, deadline: revoke(cluster, arguments, deadline, False))
    told = {resource.name: error.kafka_name if error else None for resource, error in outcomes.items()}
    assert told == {
        str(gone): None,
        str(kept): "CLUSTER_AUTHORIZATION_FAILED",
        str(removed): "INVALID_REQUEST",
    }
