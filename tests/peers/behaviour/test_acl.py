"""logctl acl, in every world: what is granted and revoked is read back by others, and what others grant is read."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)
from support.settled import settles
from support.waiting import wait_until
from support.worlds import Done, Witness, only

Logctl = Callable[..., Done]
Fresh = Callable[[str], str]

NOWHERE = {"LOGCTL_BOOTSTRAP_SERVER": "127.0.0.1:1"}


def texts(logctl: Logctl, *filters: str) -> set[str]:
    return set(logctl("acl", "list", *filters, "-o", "name").out.splitlines())


def seen_by(
    witness: Witness, principal: str | None, topic: str | None = None, pattern: str = "ANY"
) -> set[tuple[str, ...]]:
    """(principal, host, operation, permission, resource type, name, pattern) as kafka-python reads them."""
    where = ResourcePatternFilter(ResourceType.ANY, topic, ACLResourcePatternType[pattern])
    wanted = ACLFilter(principal, None, ACLOperation.ANY, ACLPermissionType.ANY, where)
    found, _ = witness.admin.describe_acls(wanted)
    return {_told(one) for one in found}


def names_seen(witness: Witness, principal: str, topic: str, pattern: str) -> set[str]:
    return {one[5] for one in seen_by(witness, principal, topic, pattern)}


def _told(acl: Any) -> tuple[str, ...]:
    on = acl.resource_pattern
    what = acl.operation.name, acl.permission_type.name
    return (acl.principal, acl.host, *what, on.resource_type.name, on.resource_name, on.pattern_type.name)


@only("apache", "apache3")
def test_what_is_granted_is_seen_by_others_and_can_be_taken_back(
    logctl: Logctl, fresh: Fresh, witness: Witness
) -> None:
    who, topic = f"User:{fresh('alice')}", fresh("orders")
    grant = ("acl", "grant", "--principal", who, "--operation", "read", "--operation", "Describe", "--topic", topic)
    logctl(*grant, "--dry-run")
    settles(lambda: seen_by(witness, who), set())
    first = logctl(*grant)
    assert f"the first ACL on topic {topic}" in first.err
    read = (who, "*", "READ", "ALLOW", "TOPIC", topic, "LITERAL")
    settles(lambda: seen_by(witness, who), {read, (*read[:2], "DESCRIBE", *read[3:])})
    assert "nothing to do" in logctl(*grant).err
    plan_id = logctl("audit", "list", "-o", "name").out.split()[-1]
    logctl("audit", "undo", plan_id, code=5)
    logctl("audit", "undo", plan_id, "-y")
    settles(lambda: seen_by(witness, who), set())


@only("apache", "apache3")
def test_what_others_granted_is_listed_and_revoked_by_what_was_seen(
    logctl: Logctl, fresh: Fresh, witness: Witness
) -> None:
    who, topic = f"User:{fresh('bob')}", fresh("orders")
    for name, pattern in ((topic, "LITERAL"), (topic[:-1], "PREFIXED"), (f"{topic}-other", "LITERAL")):
        on = ResourcePattern(ResourceType.TOPIC, name, ACLResourcePatternType[pattern])
        witness.admin.create_acls([ACL(who, "10.0.0.1", ACLOperation.WRITE, ACLPermissionType.DENY, on)])
    wait_until(lambda: len(texts(logctl, "--principal", who)) == 3, "the ACLs to be seen")
    listed = logctl("acl", "list", "--principal", who, "-o", "json").json
    assert [one["resource_name"] for one in listed["acls"]] == sorted([topic[:-1], topic, f"{topic}-other"])
    assert listed["acls"][0] == {
        "name": f"deny {who} write on topic prefix {topic[:-1]} from 10.0.0.1",
        "principal": who,
        "host": "10.0.0.1",
        "resource_type": "topic",
        "resource_name": topic[:-1],
        "pattern_type": "prefixed",
        "operation": "write",
        "permission": "deny",
    }
    for pattern in ("literal", "prefixed", "match", "any"):
        ours = logctl("acl", "list", "--principal", who, "--topic", topic, "--pattern", pattern, "-o", "json").json
        names = {one["resource_name"] for one in ours["acls"]}
        settles(functools.partial(names_seen, witness, who, topic, pattern.upper()), names)
    revoke = "acl", "revoke", "--deny-principal", who, "--topic", topic, "--pattern", "match"
    previewed = logctl(*revoke, "--dry-run").out
    assert f"deny {who} write on topic prefix {topic[:-1]} from 10.0.0.1" in previewed
    logctl(*revoke, code=5)
    assert len(seen_by(witness, who)) == 3
    logctl(*revoke, "-y")
    settles(lambda: {one[5] for one in seen_by(witness, who)}, {f"{topic}-other"})
    assert "no ACL matches" in logctl(*revoke, "-y").err
    logctl("acl", "revoke", "--deny-principal", who, "-y")
    settles(lambda: texts(logctl, "--principal", who), set())


@only("apache", "apache3")
def test_a_preset_is_what_apaches_tool_grants(logctl: Logctl, fresh: Fresh, witness: Witness) -> None:
    ours, theirs, topic, group = f"User:{fresh('c')}", f"User:{fresh('d')}", fresh("orders"), fresh("billing")
    producer = "--topic", topic, "--transactional-id", "tx", "--idempotent", "--resource-pattern-type", "prefixed"
    consumer = "--topic", topic, "--group", group
    logctl("acl", "preset", "producer", "--allow-principal", ours, *producer)
    logctl("acl", "preset", "consumer", "--allow-principal", ours, *consumer)
    witness.script("kafka-acls", "--add", "--producer", "--allow-principal", theirs, *producer)
    witness.script("kafka-acls", "--add", "--consumer", "--allow-principal", theirs, *consumer)
    assert len(texts(logctl, "--principal", ours)) == 9
    settles(lambda: {one[1:] for one in seen_by(witness, theirs)}, {one[1:] for one in seen_by(witness, ours)})
    wait_until(lambda: len(texts(logctl, "--principal", theirs)) == 9, "what Apache's tool granted to be seen")
    logctl("acl", "preset", "producer", "--principal", theirs, *producer, "--remove", "-y")
    logctl("acl", "preset", "consumer", "--principal", theirs, *consumer, "--remove", "-y")
    settles(lambda: seen_by(witness, theirs), set())
    logctl("acl", "revoke", "--principal", ours, "-y")


@only("apache", "apache3")
def test_acls_go_to_a_file_and_back(logctl: Logctl, fresh: Fresh, tmp_path: Path) -> None:
    who, topic = f"User:{fresh('eve x')}", fresh("orders")
    logctl("acl", "grant", "--principal", who, "--operation", "all", "--topic", topic, "--cluster", "--group", "*")
    before = texts(logctl, "--principal", who)
    assert len(before) == 3
    path = tmp_path / "acls.yaml"
    for written in (
        logctl("acl", "export", "--principal", who),
        logctl("acl", "export", "--principal", who, "-o", "json"),
        logctl("acl", "list", "--principal", who, "-o", "yaml"),
    ):
        path.write_bytes(written.data)
        assert "nothing to do" in logctl("acl", "import", str(path)).err
    logctl("acl", "revoke", "--principal", who, "-y")
    logctl("acl", "import", str(path))
    settles(lambda: texts(logctl, "--principal", who), before)
    logctl("acl", "revoke", "--principal", who, "-y")
    logctl("acl", "export", "-o", "csv", code=2)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("grant", "--topic", "t", "--operation", "read"), "no principal was named"),
        (("grant", "--principal", "User:a"), "no resource was named"),
        (("grant", "--principal", "a", "--topic", "t"), "'a' is no principal"),
        (("grant", "--principal", "User:a", "--topic", "t", "--operation", "reed"), "'reed' is no operation"),
        (("grant", "--principal", "User:a", "--group", "g", "--operation", "write"), "cannot be done to a group"),
        (("grant", "--principal", "User:a", "--topic", "t", "--pattern", "match"), "literal or prefixed"),
        (("revoke",), "neither a principal nor a resource was named"),
        (("revoke", "--principal", "User:a", "--deny-principal", "User:b"), "one after the other"),
        (("list", "--pattern", "glob"), "'glob' is no pattern type"),
        (("list", "--permission", "maybe"), "'maybe' is no permission"),
        (("preset", "consumer", "--principal", "User:a", "--topic", "t"), "no group was named"),
        (("import", "/nowhere.yaml"), "cannot read /nowhere.yaml"),
    ],
)
@only("ours")
def test_what_is_wrong_is_found_before_connecting(logctl: Logctl, arguments: tuple[str, ...], sentence: str) -> None:
    assert sentence in logctl("acl", *arguments, env=NOWHERE, code=2).err


@only("ours")
@pytest.mark.parametrize(
    "arguments",
    [
        ("list",),
        ("export",),
        ("grant", "--principal", "User:a", "--topic", "t"),
        ("revoke", "--principal", "User:a"),
        ("preset", "producer", "--principal", "User:a", "--topic", "t"),
    ],
)
def test_a_cluster_without_acls_says_so(logctl: Logctl, arguments: tuple[str, ...]) -> None:
    assert "this cluster does not offer DescribeAcls (key 29)" in logctl("acl", *arguments, code=1).err
