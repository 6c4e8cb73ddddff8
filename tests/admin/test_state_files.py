"""State files: what they declare, and what is wrong with them, by file, line and field."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from logctl.admin.acl_rules import Rule
from logctl.admin.documents import documents_in, files_of
from logctl.admin.quotas import Quota, Subject
from logctl.admin.state_files import (
    Declared,
    DeclaredTopic,
    DeclaredUser,
    declared_in,
    load_state,
    read_acls,
    read_quotas,
)
from logctl.errors import UsageError

WHOLE = """
    owner: payments
    scope:
      topics: ['payments-*']
      acls: ['User:payments-*', {resource_type: group, resource_name: 'payments-*'}]
      quotas: ['user=payments-*']
      users: ['payments-*']
    topics:
      - name: payments-in
        partitions: 6
        replication_factor: 3
        configs: {retention.ms: 86400000, compression.type: no, min.insync.replicas: 0x2}
      - name: payments-out
    acls:
      - {principal: 'User:payments-app', operation: [Read, DESCRIBE], resource_type: topic, resource_name: payments-in}
    quotas:
      - {user: payments-app, client_id: <default>, limits: {producer_byte_rate: 10MiB}}
    users:
      - {name: payments-app, mechanisms: [scram-sha-256], password: 'env:PAYMENTS_PASSWORD'}
"""


def declared(*texts: str) -> Declared:
    documents = [one for number, text in enumerate(texts, 1) for one in documents_in(dedent(text), f"{number}.yaml")]
    return declared_in(documents)


def test_a_whole_file_is_read() -> None:
    found = declared(WHOLE)
    settings = {"retention.ms": "86400000", "compression.type": "no", "min.insync.replicas": "0x2"}
    assert [item.wanted for item in found.items] == [
        DeclaredTopic("payments-in", 6, 3, settings),
        DeclaredTopic("payments-out"),
        Rule("User:payments-app", "*", "topic", "payments-in", "literal", "read", "allow"),
        Rule("User:payments-app", "*", "topic", "payments-in", "literal", "describe", "allow"),
        (Subject((("user", "payments-app"), ("client-id", None))), {"producer_byte_rate": 10485760.0}),
        DeclaredUser("payments-app", ("SCRAM-SHA-256",), "env:PAYMENTS_PASSWORD"),
    ]
    assert found.items[0].where == "1.yaml:9"
    assert found.claimants("topics", "payments-audit") == ["payments"]
    assert found.claimants("topics", "orders") == []
    group = Rule("User:zoe", "*", "group", "payments-x", "literal", "read", "allow")
    assert found.claimants("acls", group) == ["payments"]
    assert found.claimants("acls", group._replace(resource_name="orders")) == []


WRONG = {
    "not yaml": ("owner: a\ntopics: [", "1.yaml:3?: this is not YAML"),
    "a list": ("- owner: a\n", "1.yaml:1: a list is not a list of names with values"),
    "no owner": ("topics: []\n", "1.yaml:1: owner is missing"),
    "empty owner": ("owner:\n", "1.yaml:1: owner: a text was expected, not nothing"),
    "unknown field": ("owner: a\ntopcis: []\n", "1.yaml:2: topcis: there is no such field"),
    "twice": ("owner: a\ntopics: []\ntopics: []\n", "1.yaml:3: topics is given twice; first in 1.yaml:2"),
    "not a list": ("owner: a\ntopics: {name: x}\n", "1.yaml:2: topics: a mapping is not a list"),
    "no name": ("owner: a\ntopics:\n  - partitions: 1\n", r"1.yaml:3: topics\[0\]: name is missing"),
    "a word for a number": (
        "owner: a\ntopics:\n  - name: x\n    partitions: six\n",
        r"1.yaml:4: topics\[0\].partitions: 'six' is not a whole number from 1 up",
    ),
    "no partitions": (
        "owner: a\ntopics: [{name: x, partitions: 0}]\n",
        r"topics\[0\].partitions: '0' is not a whole number from 1 up",
    ),
    "a name that cannot be": ("owner: a\ntopics: [{name: 'a b'}]\n", r"topics\[0\]: 'a b' cannot be a topic's name"),
    "setting without value": (
        "owner: a\ntopics:\n- name: x\n  configs:\n    retention.ms:\n",
        r"1.yaml:5: topics\[0\].configs.retention.ms: a value is missing",
    ),
    "setting with a list": (
        "owner: a\ntopics:\n- name: x\n  configs:\n    cleanup.policy: [compact]\n",
        r"configs.cleanup.policy: a setting has one value",
    ),
    "setting twice": (
        "owner: a\ntopics:\n- name: x\n  configs:\n    a: 1\n    a: 2\n",
        r"1.yaml:6: topics\[0\].configs: a is given twice",
    ),
    "operation": (
        "owner: a\nacls:\n- {principal: 'User:a', resource_type: topic, resource_name: x, operation: reed}\n",
        r"1.yaml:3: acls\[0\].operation: 'reed' is no operation",
    ),
    "operation of another resource": (
        "owner: a\nacls:\n- {principal: 'User:a', resource_type: group, resource_name: x, operation: write}\n",
        r"1.yaml:3: acls\[0\]: write cannot be done to a group",
    ),
    "principal": (
        "owner: a\nacls:\n- {principal: a, resource_type: group, resource_name: x, operation: read}\n",
        r"acls\[0\]: 'a' is no principal",
    ),
    "acl of nothing": (
        "owner: a\nacls: [{principal: 'User:a', resource_type: group, operation: read}]\n",
        r"acls\[0\]: resource_name is missing",
    ),
    "quota of nobody": ("owner: a\nquotas: [{limits: {producer_byte_rate: 1MiB}}]\n", "Nobody was named"),
    "quota": (
        "owner: a\nquotas:\n- user: x\n  limits: {producer_byte_rat: 1}\n",
        r"1.yaml:4: quotas\[0\].limits.producer_byte_rat: there is no limit",
    ),
    "quota figure": (
        "owner: a\nquotas: [{user: x, limits: {producer_byte_rate: fast}}]\n",
        "'fast' is not a number of",
    ),
    "mechanism": ("owner: a\nusers: [{name: x, mechanisms: [PLAIN]}]\n", r"users\[0\]: 'PLAIN' is no mechanism"),
    "a password": ("owner: a\nusers: [{name: x, password: hunter2}]\n", r"users\[0\]: a password is not written"),
    "scope": ("owner: a\nscope: {topic: ['*']}\n", "scope.topic: there is no such field"),
    "empty pattern": ("owner: a\nscope: {acls: [{}]}\n", "a pattern that says nothing"),
    "outside": (
        "owner: a\nscope: {topics: ['b-*']}\ntopics: [{name: c}]\n",
        "1.yaml:3: topic c lies outside the scope of its owner a",
    ),
    "declared twice": (
        "owner: a\ntopics: [{name: c}]\n---\nowner: a\ntopics: [{name: c}]\n",
        "1.yaml:5: topic c is declared twice; first in 1.yaml:2",
    ),
    "merge keys": ("owner: a\n<<: {topics: []}\n", "1.yaml:2: <<: there is no such field"),
    "too deep": ("owner: " + "[" * 100_000, "this is n"),
}


@pytest.mark.parametrize(("text", "sentence"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_by_file_line_and_field(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as refused:
        declared(text)
    assert "hunter2" not in str(refused.value) + refused.value.hint


def test_a_misspelt_field_suggests_the_right_one() -> None:
    with pytest.raises(UsageError) as refused:
        declared("owner: a\ntopics: [{name: x, partition: 3}]\n")
    assert refused.value.hint == "did you mean partitions?"


def test_two_owners_cannot_have_one_thing() -> None:
    orders = "owner: orders\ntopics: [{name: shared}]\n"
    with pytest.raises(UsageError, match=r"topic shared is claimed by two owners: orders \(1.yaml:2\) and payments"):
        declared(orders, "owner: payments\ntopics: [{name: shared}]\n")
    with pytest.raises(UsageError, match="claimed by two owners: orders, and payments whose scope covers it"):
        declared(orders, "owner: payments\nscope: {topics: ['sha*']}\n")


def test_one_owner_may_have_several_documents_with_scopes_of_their_own() -> None:
    found = declared(
        "owner: a\nscope: {topics: ['x-*']}\ntopics: [{name: x-1}]\n",
        "owner: a\nscope: {topics: ['y-*']}\ntopics: [{name: y-1}]\n---\n---\nowner: b\ntopics: [{name: z}]\n",
    )
    assert [(owner.name, len(owner.scopes)) for owner in found.owners] == [("a", 2), ("b", 1)]
    assert [item.where for item in found.items] == ["1.yaml:3", "2.yaml:3", "2.yaml:7"]


def test_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("owner: a\ntopics: [{name: b}]\n")
    (tmp_path / "a.json").write_text('{"owner": "a", "topics": [{"name": "a"}]}')
    (tmp_path / "notes.txt").write_text("not: [a state file")
    assert [str(item.wanted) for item in load_state([str(tmp_path)]).items] == ["a", "b"]
    assert files_of([str(tmp_path), str(tmp_path / "b.yaml")]) == [str(tmp_path / "a.json"), str(tmp_path / "b.yaml")]
    with pytest.raises(UsageError, match=r"cannot read .*nowhere.yaml: No such file"):
        load_state([str(tmp_path / "nowhere.yaml")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"there are no \.yaml"):
        load_state([str(tmp_path / "empty")])
    (tmp_path / "bytes.yaml").write_bytes(b"owner: \xff\n")
    with pytest.raises(UsageError, match="not text in UTF-8"):
        load_state([str(tmp_path / "bytes.yaml")])
    (tmp_path / "nothing.yaml").write_text("# later\n")
    with pytest.raises(UsageError, match="nothing is declared"):
        load_state([str(tmp_path / "nothing.yaml")])


def test_lists_of_one_kind_are_read_from_listings_exports_and_state_files(tmp_path: Path) -> None:
    path = tmp_path / "acls.yaml"
    path.write_text(
        "cluster_id: x\nacls:\n- {name: any, principal: 'User:a', resource_type: cluster, operation: alter}\n"
        "complete: true\nerrors: []\n"
    )
    assert [str(rule) for rule in read_acls(str(path))] == ["allow User:a alter on cluster kafka-cluster"]
    with pytest.raises(UsageError, match="quotas is missing"):
        read_quotas(str(path))
    path.write_text("quotas:\n- {ip: <default>, limits: {connection_creation_rate: 5}}\n")
    assert read_quotas(str(path)) == [Quota(Subject((("ip", None),)), {"connection_creation_rate": 5.0})]
