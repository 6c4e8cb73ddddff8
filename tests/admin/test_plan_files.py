"""Plans in files: there and back, and what a file that is wrong is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from admin.test_plans import snapshot, topic
from support import toys

from logctl.admin.configs import Entity
from logctl.admin.observe import Resource, Wants
from logctl.admin.operation import Plan, Risk
from logctl.admin.plan_files import read_plan, secrets_missing
from logctl.admin.topic_changes import CreateTopic, DeleteTopics
from logctl.errors import UsageError
from logctl.security.secrets import Secret


@pytest.fixture(autouse=True)
def _wall(monkeypatch: pytest.MonkeyPatch) -> None:
    toys.wall(monkeypatch)


PLANS = [
    CreateTopic("a", 3, 1, {"retention.ms": "1"}).plan(snapshot()),
    DeleteTopics(("a", "b")).plan(snapshot(topic("a", 2), topic("b"))),
    toys.painting("a", "b", risk=Risk.DISRUPTIVE, gates=("offline", "under-replicated")),
    Plan("nothing", notes=("it is so",), warnings=("but see",), wants=Wants(None, settings=(Entity("broker", "1"),))),
]


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.title)
@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_plan_comes_back_from_a_file_as_it_went(plan: Plan, form: str) -> None:
    document = plan.document()
    text = json.dumps(document) if form == "json" else yaml.safe_dump(document, sort_keys=False)
    back = read_plan(text, f"plan.{form}")
    assert back.document() == document
    assert back._replace(changes=(), steps=()) == plan._replace(
        changes=(), steps=(), wants=plan.wants._replace(near=False)
    )
    for one, other in zip(plan.steps, back.steps, strict=True):
        assert (one.risk, one.undo, one.about, one.gates) == (other.risk, other.undo, other.about, other.gates)


def test_a_secret_does_not_come_back() -> None:
    text = json.dumps(toys.painting("a", colour=Secret("canary")).document())
    assert "canary" not in text
    assert secrets_missing(read_plan(text, "plan.json").steps[0].arguments)
    assert not secrets_missing({"a": [{"b": "shown"}], "c": None})


def broken(path: str, value: Any) -> str:
    """A plan in JSON with one field changed: 'steps.0.risk'."""
    document: Any = toys.painting("a", "b").document()
    *way, last = [int(part) if part.isdecimal() else part for part in path.split(".")]
    place = document
    for part in way:
        place = place[part]
    place[last] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("logctl_plan", 2, "logctl_plan: 2 is a form that this logctl does not know; it knows 1"),
        ("logctl_plan", None, "this is not a plan: it has no logctl_plan"),
        ("colour", 1, "there is no field 'colour' here; there are logctl_plan, title,"),
        ("title", 7, "title: a text was expected, not 7"),
        ("title", None, "title: a text was expected"),
        ("cluster_id", 7, "cluster_id: a text was expected, not 7"),
        ("changes", {}, "changes: {} is not a list"),
        ("changes.1", "x", "changes[1]: 'x' is not an object of named fields"),
        ("changes.0.name", None, "changes[0].name: a text was expected"),
        ("changes.0.before", 3, "changes[0].before: 3 is not an object of named fields"),
        ("changes.0.now", 3, "changes[0]: there is no field 'now' here; there are kind, name, before, after"),
        ("steps.1.risk", "wild", "steps[1].risk: 'wild' is not one of safe, disruptive, destructive"),
        ("steps.1.risk", ["safe"], "steps[1].risk: ['safe'] is not one of safe, disruptive, destructive"),
        ("steps.0.action", "os.system", "steps[0].action: there is no action 'os.system'"),
        ("steps.0.arguments", [], "steps[0].arguments: [] is not an object of named fields"),
        ("steps.0.about", [{"kind": "toy"}], "steps[0].about[0].name: a text was expected"),
        ("steps.0.undo.risk", "", "steps[0].undo.risk: '' is not one of"),
        ("steps.0.undo.action", None, "steps[0].undo.action: a text was expected"),
        ("steps.0.gates", [1], "steps[0].gates[0]: a text was expected, not 1"),
        ("notes", "x" * 100, "notes: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx... is not a list"),
        ("wants.topics", [None], "wants.topics[0]: a text was expected"),
        ("wants.configs", "yes", "wants.configs: 'yes' is neither true nor false"),
        ("wants.looks", [{"kind": "moon", "name": "a"}], "wants.looks[0].kind: 'moon' cannot be looked at"),
        ("wants.settings", [{"kind": "moon", "name": "a"}], "wants.settings[0].kind: 'moon' has no settings"),
        ("wants", [], "wants: [] is not an object of named fields"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(path: str, value: Any, sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_plan(broken(path, value), "plan.json")
    assert refused.value.message.startswith(f"plan.json: {sentence}")
    assert refused.value.hint == "write one with --dry-run -o json"


@pytest.mark.parametrize(
    ("text", "name", "sentence"),
    [
        ("", "plan.json", "plan.json: line 1: this is not JSON: Expecting value"),
        ('{\n "a": 1,\n}', "plan.json", "plan.json: line 3: this is not JSON: "),
        ('{"title": "a", "title": "b"}', "plan.json", "plan.json: the field 'title' is given twice"),
        ("[" * 100_000, "plan.json", "plan.json: this is nested too deeply"),
        ("[]", "plan.json", "plan.json: [] is not an object of named fields"),
        ("a: 1\nb: [", "plan.yaml", "plan.yaml: line 2: this is not YAML: "),
        ("title: a\ntitle: b", "plan.yml", "plan.yml: the field 'title' is given twice"),
        ("!!python/object/apply:os.getpid []", "plan.yaml", "plan.yaml: line 1: this is not YAML: "),
        ("[" * 10_000, "plan.yaml", "plan.yaml: "),
        ("? [a]\n: b", "plan.yaml", "plan.yaml: "),
        ("", "plan.yaml", "plan.yaml: None is not an object of named fields"),
    ],
)
def test_what_is_no_plan_at_all_is_told_with_its_line(text: str, name: str, sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_plan(text, name)
    assert refused.value.message.startswith(sentence)


def test_fields_that_say_nothing_may_be_left_out() -> None:
    plan = read_plan('{"logctl_plan": 1, "title": "nothing"}', "plan.json")
    assert plan == Plan("nothing")
    assert Resource("toy", "a") not in plan.wants.looks
