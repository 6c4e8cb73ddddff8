"""A change is killed at every point of its way, and the next run finishes it, or takes it back: on a real node.

The plan creates a topic and changes a setting of two others: three steps. Its journal has an entry for the plan, two
for each step, one or more for what was verified and one for its end; the process dies before, within and after each.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support.mortal import MOMENTS, Done, Kill, Mortals
from support.node import running_node
from support.ports import free_port

from logctl.admin.client import Client, parse_addresses
from logctl.admin.deadline import Deadline
from logctl.admin.observe import Wants, observe
from logctl.admin.routing import Cluster

ENTRIES = 9
BEFORE = {"old-1": {"retention.ms": "1000"}, "old-2": {}}
AFTER = {"old-1": {"retention.ms": "5000"}, "old-2": {"retention.ms": "5000"}, "new": {}}


class World(NamedTuple):
    """A node with the two topics, and the plan in a file."""

    address: str
    mortals: Mortals
    plan: Path
    cluster_id: str

    def topics(self) -> dict[str, dict[str, str]]:
        with Client(parse_addresses(self.address)) as client:
            found = observe(Cluster(client), Wants(None, configs=True), Deadline(20))
        return {name: dict(topic.configs or {}) for name, topic in sorted(found.topics.items())}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("killed")
    with running_node(folder / "node", port=free_port()) as node, Mortals() as mortals:
        env = {"LOGCTL_BOOTSTRAP_SERVER": node.address, "XDG_STATE_HOME": str(folder / "making")}
        made = mortals.run("topic", "create", "old-1", "--config", "retention.ms=1000", env=env)
        assert (made.code, mortals.run("topic", "create", "old-2", env=env).code) == (0, 0), made.err
        dry = mortals.run("topic", "create", "new", "--dry-run", "-o", "json", env=env)
        plan = folder / "plan.json"
        plan.write_text(json.dumps(three_steps(json.loads(dry.out))))
        yield World(node.address, mortals, plan, json.loads(dry.out)["cluster_id"])


def three_steps(create: dict[str, Any]) -> dict[str, Any]:
    """The plan that creates `new`, with two steps more."""
    for name, old in (("old-1", "1000"), ("old-2", None)):
        about = {"kind": "topic", "name": name}
        before, after = {"retention.ms": old}, {"retention.ms": "5000"}
        create["changes"].append({**about, "before": {"configs": before}, "after": {"configs": after}})
        step = {
            "action": "config.change",
            "sentence": f"keep {name} for 5 s",
            "risk": "safe",
            "arguments": {**about, "changes": after},
        }
        way_back = {**step, "sentence": f"keep {name} as it was", "arguments": {**about, "changes": before}}
        create["steps"].append({**step, "about": [about], "undo": way_back, "gates": []})
        create["wants"]["topics"].append(name)
    return create


@pytest.fixture
def logctl(world: World, tmp_path: Path) -> Iterator[Any]:
    """Commands with a journal of the story's own; afterwards the topics are as they were."""

    def run(*arguments: str, kill: Kill | None = None) -> Done:
        env = {"LOGCTL_BOOTSTRAP_SERVER": world.address, "XDG_STATE_HOME": str(tmp_path)}
        return world.mortals.run(*arguments, env=env, kill=kill)

    assert world.topics() == BEFORE
    yield run
    assert world.topics() == BEFORE


POINTS = [Kill(entry, moment) for entry in range(ENTRIES) for moment in MOMENTS]


def killed(world: World, logctl: Any, kill: Kill) -> str | None:
    """Carry out the plan until the kill; answers its id, None when the journal does not know of it yet."""
    done = logctl("topic", "create", "--plan", str(world.plan), kill=kill)
    assert done.code == -signal.SIGKILL, (done, "the plan came to its end: ENTRIES is too high")
    plans = json.loads(logctl("audit", "list", "-o", "json").out)["plans"]
    if not plans:
        assert kill.entry == 0, "only the first entry can be missing whole"
        assert world.topics() == BEFORE, "what is not written down is not done"
        return None
    [plan] = plans
    assert plan["state"] == "interrupted" or kill == Kill(ENTRIES - 1, "after")
    return str(plan["name"])


@pytest.mark.parametrize("kill", POINTS, ids=lambda kill: f"{kill.moment}-{kill.entry}")
def test_a_change_that_was_killed_is_finished_and_then_undone(world: World, logctl: Any, kill: Kill) -> None:
    plan_id = killed(world, logctl, kill)
    if plan_id is None:
        assert logctl("topic", "create", "--plan", str(world.plan)).code == 0
        plan_id = "last"
    resumed = logctl("audit", "resume", plan_id)
    assert (resumed.code, world.topics()) == (0, AFTER), resumed.err
    [plan] = json.loads(logctl("audit", "list", "-o", "json").out)["plans"]
    assert plan["state"] == "done"
    undone = logctl("audit", "undo", plan_id, "-y")
    assert undone.code == 0, undone.err
    assert [one["state"] for one in json.loads(logctl("audit", "list", "-o", "json").out)["plans"]] == [
        "undone",
        "done",
    ]


@pytest.mark.parametrize("kill", POINTS, ids=lambda kill: f"{kill.moment}-{kill.entry}")
def test_a_change_that_was_killed_is_taken_back(world: World, logctl: Any, kill: Kill) -> None:
    plan_id = killed(world, logctl, kill)
    if plan_id is not None:
        undone = logctl("audit", "undo", plan_id, "-y")
        assert undone.code == 0, undone.err


@pytest.mark.parametrize("kill", [Kill(0, "after"), Kill(3, "before"), Kill(6, "torn")], ids=str)
def test_a_resumption_that_is_killed_itself_is_resumed(world: World, logctl: Any, kill: Kill) -> None:
    plan_id = killed(world, logctl, Kill(1, "after"))
    assert logctl("audit", "resume", plan_id, kill=kill).code == -signal.SIGKILL
    assert logctl("audit", "resume", plan_id).code == 0
    assert world.topics() == AFTER
    assert logctl("audit", "undo", plan_id, "-y").code == 0


def test_an_undo_that_is_killed_is_itself_finished(world: World, logctl: Any) -> None:
    assert logctl("topic", "create", "--plan", str(world.plan)).code == 0
    assert logctl("audit", "undo", "last", "-y", kill=Kill(3, "after")).code == -signal.SIGKILL
    states = [one["state"] for one in json.loads(logctl("audit", "list", "-o", "json").out)["plans"]]
    assert states == ["done", "interrupted"]
    assert logctl("audit", "resume", "last", "-y").code == 0
    states = [one["state"] for one in json.loads(logctl("audit", "list", "-o", "json").out)["plans"]]
    assert states == ["undone", "done"]


def test_what_somebody_changed_meanwhile_is_not_overwritten_and_both_sides_are_told(world: World, logctl: Any) -> None:
    plan_id = killed(world, logctl, Kill(6, "after"))
    assert logctl("config", "set", "--topic", "old-2", "retention.ms=7").code == 0
    for verb in ("resume", "undo"):
        stale = logctl("audit", verb, plan_id, "-y")
        assert stale.code == 9
        assert "topic old-2" in stale.err
        assert "configs.retention.ms was (not there) and is 7" in stale.err
    assert world.topics() == {**AFTER, "old-2": {"retention.ms": "7"}}, "nothing was touched, not the others either"
    assert logctl("config", "unset", "--topic", "old-2", "retention.ms").code == 0
    assert logctl("audit", "undo", plan_id, "-y").code == 0


def test_a_topic_that_was_made_again_under_its_name_is_not_deleted(world: World, logctl: Any) -> None:
    assert logctl("topic", "create", "new").code == 0
    [made] = json.loads(logctl("audit", "list", "-o", "json").out)["plans"]
    assert logctl("topic", "delete", "new", "-y").code == 0
    assert logctl("topic", "create", "new").code == 0
    stale = logctl("audit", "undo", made["name"], "-y")
    assert (stale.code, "new" in world.topics()) == (9, True)
    assert logctl("audit", "undo", "last", "-y").code == 0


def test_a_dry_run_of_either_shows_what_is_left_and_does_nothing(world: World, logctl: Any) -> None:
    plan_id = killed(world, logctl, Kill(3, "after"))
    left = logctl("audit", "resume", plan_id, "--dry-run", "--exit-code")
    assert left.code == 3
    assert left.out.splitlines()[:2] == ["keep old-1 for 5 s", "keep old-2 for 5 s"]
    back = logctl("audit", "undo", plan_id, "--dry-run", "-o", "json")
    assert [step["action"] for step in json.loads(back.out)["steps"]] == ["topic.delete"]
    assert world.topics() == {**BEFORE, "new": {}}
    assert logctl("audit", "undo", plan_id, "-y").code == 0
