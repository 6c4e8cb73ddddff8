"""Every change is written down, shown, gone on with and taken back; plans lie in files; guards ask."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cli.conftest import command, environment
from support.mortal import Done, Kill, Mortals
from support.node import running_node


class Shell:
    """Commands against one node, with a journal and contexts of their own."""

    def __init__(self, mortals: Mortals, address: str, home: Path) -> None:
        self.mortals = mortals
        self.address = address
        self.env = {"XDG_STATE_HOME": str(home / "state"), "XDG_CONFIG_HOME": str(home / "config")}
        self.home = home

    def __call__(
        self, *arguments: str, code: int = 0, kill: Kill | None = None, env: Mapping[str, str] | None = None
    ) -> Done:
        """Run it; `env` without the address where that must come from elsewhere."""
        more = {"LOGCTL_BOOTSTRAP_SERVER": self.address} if env is None else env
        done = self.mortals.run(*arguments, env={**self.env, **more}, kill=kill)
        assert done.code == code, done
        return done

    def json(self, *arguments: str, **more: Any) -> Any:
        return json.loads(self(*arguments, "-o", "json", **more).out)

    def states(self) -> list[str]:
        return [plan["state"] for plan in self.json("audit", "list")["plans"]]

    def setting(self, topic: str, name: str) -> str | None:
        [found] = self.json("topic", "describe", topic)["topics"]
        value: str | None = found["configs"].get(name)
        return value


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mortals, str]]:
    with running_node(tmp_path_factory.mktemp("audited")) as node, Mortals() as mortals:
        yield mortals, node.address


@pytest.fixture
def shell(ground: tuple[Mortals, str], tmp_path: Path) -> Shell:
    return Shell(*ground, tmp_path)


# -- list and show ---------------------------------------------------------------------------------------------------


def test_a_change_is_listed_and_shown_without_any_cluster(shell: Shell, name: str) -> None:
    report = shell.json("topic", "create", name, "--partitions", "2")
    nobody = {"LOGCTL_BOOTSTRAP_SERVER": "127.0.0.1:1"}
    [listed] = shell.json("audit", "list", env=nobody)["plans"]
    assert (listed["name"], listed["state"], listed["title"]) == (report["id"], "done", f"create topic {name}")
    assert (listed["command"], listed["bootstrap"]) == ("logctl topic create", shell.address)
    document = shell.json("audit", "show", "last", env=nobody)
    jsonschema.validate(document, json.loads(shell("audit", "show", "--schema").out))
    [shown] = document["plans"]
    [change] = shown["changes"]
    assert (change["before"], change["after"], change["verified"]) == (None, {"partitions": 2}, True)
    assert change["seen"]["partitions"] == 2
    assert [step["state"] for step in shown["steps"]] == ["done"]
    table = shell("audit", "list", "--no-headers").out
    assert table.split()[0] == report["id"]
    assert f"create topic {name}: done\n" in shell("audit", "show", report["id"][:10]).out


def test_a_list_is_cut_to_what_is_asked_for(shell: Shell, name: str) -> None:
    for number in range(3):
        shell("topic", "create", f"{name}.{number}")
    assert [plan["title"] for plan in shell.json("audit", "list", "-n", "2")["plans"]] == [
        f"create topic {name}.{number}" for number in (1, 2)
    ]
    assert shell.json("audit", "list", "--state", "failed", "--state", "unknown")["plans"] == []
    assert "there is no state 'lost'" in shell("audit", "list", "--state", "lost", code=2).err


def test_a_refused_change_is_written_down_as_failed(shell: Shell, name: str) -> None:
    refused = shell("topic", "create", name, "--replication-factor", "3", code=1)
    assert "audit resume" not in refused.err, "there is nothing to go on with"
    [plan] = shell.json("audit", "list")["plans"]
    assert plan["state"] == "failed"
    [shown] = shell.json("audit", "show", plan["name"])["plans"]
    assert "INVALID_REPLICATION_FACTOR" in shown["error"]


def test_what_was_only_looked_at_is_not_written_down(shell: Shell, name: str) -> None:
    shell("topic", "create", name, "--dry-run")
    shell("topic", "create", name)
    shell("topic", "create", name, "--if-not-exists")
    shell("topic", "create", name, code=1)
    assert shell.states() == ["done"]


def test_an_empty_journal_is_an_empty_list(shell: Shell) -> None:
    assert shell.states() == []
    assert "the journal knows no plan 'last'" in shell("audit", "show", "last", code=2).err


def test_a_damaged_line_is_told_of_and_the_rest_is_shown(shell: Shell, name: str) -> None:
    shell("topic", "create", name)
    with (shell.home / "state" / "logctl" / "journal.jsonl").open("a") as file:
        file.write("{")
    listed = shell("audit", "list", "-o", "json")
    assert (json.loads(listed.out)["damaged_lines"], len(json.loads(listed.out)["plans"])) == (1, 1)
    assert "a line of it cannot be read, as a crash leaves it" in listed.err


# -- resume and undo -------------------------------------------------------------------------------------------------


def test_a_setting_is_put_back_to_what_it_was(shell: Shell, name: str) -> None:
    shell("topic", "create", name, "--config", "retention.ms=1000")
    shell("config", "set", "--topic", name, "retention.ms=2000", "segment.ms=3000")
    undone = shell("audit", "undo", "last", env={})
    assert f"changed topic {name}: retention.ms=1000, segment.ms back to its default" in undone.err
    assert (shell.setting(name, "retention.ms"), shell.setting(name, "segment.ms")) == ("1000", None)
    assert shell.states() == ["done", "undone", "done"]
    again = shell("audit", "undo", shell.json("audit", "list")["plans"][1]["name"], code=5)
    assert "it was undone by" in again.err
    shell("audit", "undo", "last")
    assert shell.setting(name, "retention.ms") == "2000", "what was taken back is taken back"


def test_what_there_is_no_way_back_from_is_said_so(shell: Shell, name: str) -> None:
    shell("topic", "create", name)
    shell("topic", "delete", name, "-y")
    refused = shell("audit", "undo", "last", "-y", code=1)
    assert f"cannot be undone: delete topic {name}, its 1 partition and every record in it: there is no way back" in (
        refused.err
    )


def test_undoing_a_creation_is_destructive_and_asks(shell: Shell, name: str) -> None:
    shell("topic", "create", name)
    assert "add -y to go ahead" in shell("audit", "undo", "last", code=5).err
    assert "[destructive, no way back]" in shell("audit", "undo", "last", "--dry-run").out
    shell("audit", "undo", "last", "-y")
    assert "does not exist" in shell("topic", "describe", name, code=1).err


def test_another_cluster_than_the_one_that_was_changed_is_refused(shell: Shell, name: str) -> None:
    shell("topic", "create", name)
    path = shell.home / "state" / "logctl" / "journal.jsonl"
    [cluster] = {plan["cluster_id"] for plan in shell.json("audit", "list")["plans"]}
    path.write_text(path.read_text().replace(cluster, "another"))
    for verb in ("resume", "undo"):
        refused = shell("audit", verb, "last", "-y", code=2)
        assert f"was made for cluster another, and this is {cluster}" in refused.err


def test_ctrl_c_tells_what_was_done_and_how_to_go_on(shell: Shell, name: str) -> None:
    interrupted = shell("topic", "create", name, code=130, kill=Kill(2, "interrupted"))
    [plan] = shell.json("audit", "list")["plans"]
    assert plan["state"] == "interrupted"
    assert interrupted.err == (
        "interrupted: 0 of 1 changes are done and were seen\n"
        f"  not done, or not answered yet: topic {name}\n"
        f"hint: go on with `logctl audit resume {plan['name']}`, or take back what was done with "
        f"`logctl audit undo {plan['name']}`\n"
    )
    shell("audit", "resume", plan["name"])
    assert shell.states() == ["done"]


def test_ctrl_c_before_the_first_step_changed_nothing(shell: Shell, name: str) -> None:
    done = shell("topic", "create", name, code=130, kill=Kill(0, "interrupted"))
    assert (done.err, shell.states()) == ("interrupted: nothing was changed\n", [])


# -- the journal as a condition --------------------------------------------------------------------------------------


def test_without_a_journal_nothing_is_changed_unless_that_is_wanted(shell: Shell, name: str) -> None:
    (shell.home / "state").write_text("not a folder")
    refused = shell("topic", "create", name, code=5)
    assert "journal.jsonl cannot be written: Not a directory" in refused.err
    assert "LOGCTL_JOURNAL=off" in refused.err
    off = shell("topic", "create", name, env={"LOGCTL_BOOTSTRAP_SERVER": shell.address, "LOGCTL_JOURNAL": "off"})
    assert "this change is not written down, and cannot be resumed or undone" in off.err


# -- plans in files --------------------------------------------------------------------------------------------------


def planned(shell: Shell, *arguments: str) -> Path:
    path = shell.home / "plan.json"
    path.write_text(shell(*arguments, "--dry-run", "-o", "json").out)
    return path


def test_a_plan_in_a_file_is_carried_out_later_and_once(shell: Shell, name: str) -> None:
    path = planned(shell, "topic", "create", name, "--partitions", "2")
    assert shell("topic", "create", "--plan", str(path), "--dry-run", "--exit-code", code=3).out.startswith("create")
    assert f"created topic {name}: partitions 2" in shell("topic", "create", "--plan", str(path)).err
    again = shell("topic", "create", "--plan", str(path))
    assert again.err == f"everything that {path} plans is so already; nothing to do\n"
    assert shell.states() == ["done"]


def test_a_plan_in_yaml_is_understood(shell: Shell, name: str) -> None:
    path = shell.home / "plan.yaml"
    path.write_text(shell("topic", "create", name, "--dry-run", "-o", "yaml").out)
    shell("topic", "create", "--plan", str(path))
    assert shell.states() == ["done"]


def test_a_plan_whose_world_has_moved_is_refused(shell: Shell, name: str) -> None:
    shell("topic", "create", name, "--config", "retention.ms=1000")
    path = planned(shell, "config", "set", "--topic", name, "retention.ms=2000")
    shell("config", "set", "--topic", name, "retention.ms=3000")
    stale = shell("config", "set", "--plan", str(path), code=9)
    assert f"topic {name} is no longer as it was when this was planned" in stale.err
    assert "configs.retention.ms was 1000 and is 3000" in stale.err


def test_a_destructive_plan_in_a_file_is_asked_about_as_well(shell: Shell, name: str) -> None:
    shell("topic", "create", name)
    path = planned(shell, "topic", "delete", name)
    assert "add -y to go ahead" in shell("topic", "delete", "--plan", str(path), code=5).err
    shell("topic", "delete", "--plan", str(path), "--confirm", name)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"risk": "safe"', '"risk": "wild"', "steps[0].risk: 'wild' is not one of safe, disruptive, destructive"),
        ('"cluster_id": "', '"cluster_id": "not-', " was made for cluster not-"),
        ('"replication_factor": null', '"factor": 1', "plan.json: steps[0].arguments: 'replication_factor' is missing"),
        ('"configs": {}', '"configs": "(not shown)"', "steps[0] needs a secret, which is not kept"),
        ("topic.create", "topic.fly", "plan.json: there is no action 'topic.fly'"),
        ("topic.create", "os.system", "steps[0].action: there is no action 'os.system'"),
    ],
)
def test_a_plan_that_was_spoilt_changes_nothing(shell: Shell, name: str, old: str, new: str, sentence: str) -> None:
    path = planned(shell, "topic", "create", name)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    refused = shell("topic", "create", "--plan", str(path), code=2)
    assert sentence in refused.err
    assert shell.states() == []


def test_a_file_that_cannot_be_read_is_said_so(shell: Shell, tmp_path: Path) -> None:
    assert "No such file or directory" in shell("topic", "create", "--plan", str(tmp_path / "none"), code=2).err
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    assert "this is not text in UTF-8" in shell("topic", "create", "--plan", str(tmp_path / "bytes"), code=2).err


# -- guards ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("guard", "flags", "code"),
    [
        ("confirm", [], 5),
        ("confirm", ["-y"], 0),
        ("type-name", ["-y"], 0),
        ("read-only", ["-y"], 5),
        ("none", ["--confirm", "another"], 5),
    ],
)
def test_a_context_asks_for_what_its_guard_says(
    shell: Shell, name: str, guard: str, flags: list[str], code: int
) -> None:
    shell("context", "add", "prod", "-b", shell.address, "--guard", guard)
    shell("topic", "create", name, "-C", "prod", *flags, code=code, env={})
    shell("topic", "create", name, "-C", "prod", "--dry-run", env={}, code=1 if code == 0 else 0)


def test_where_the_name_is_asked_for_a_yes_is_not_enough(shell: Shell, name: str) -> None:
    shell("context", "add", "prod", "-b", shell.address, "--guard", "type-name")
    shell("topic", "create", name, "-C", "prod", "-y", env={})
    refused = shell("topic", "delete", name, "-C", "prod", "-y", env={}, code=5)
    assert f"hint: add --confirm {name}" in refused.err
    shell("topic", "delete", name, "-C", "prod", "--confirm", name, env={})
    [listed, _] = shell.json("audit", "list")["plans"]
    assert listed["context"] == "prod"


def test_a_cluster_that_its_context_does_not_expect_is_not_changed(shell: Shell, name: str) -> None:
    shell("context", "add", "prod", "-b", shell.address, "--cluster-id", "somewhere-else")
    refused = shell("topic", "create", name, "-C", "prod", "-y", env={}, code=5)
    assert f"cannot create topic {name}: context prod expects cluster somewhere-else, and this is " in refused.err
    assert shell.states() == []


def test_what_was_done_in_a_context_is_taken_back_in_it(shell: Shell, name: str) -> None:
    shell("context", "add", "prod", "-b", shell.address, "--guard", "type-name")
    shell("topic", "create", name, "-C", "prod", "-y", env={})
    assert "guard type-name" in shell("audit", "undo", "last", "-y", env={}, code=5).err
    shell("audit", "undo", "last", "--confirm", name, env={})
    assert shell.states() == ["undone", "done"]


@pytest.mark.parametrize(
    ("guard", "answer", "code", "asked"),
    [
        ("none", "y\n", 0, "Go ahead on {prod}? [y/N]"),
        ("none", "\n", 5, "Go ahead on {prod}? [y/N]"),
        ("type-name", "{name}\n", 0, "Type {name} to go ahead on {prod}:"),
        ("type-name", "yes\n", 5, "Type {name} to go ahead on {prod}:"),
        ("none", "\x03", 130, "Go ahead on {prod}? [y/N]"),
    ],
)
def test_a_human_is_asked(shell: Shell, name: str, guard: str, answer: str, code: int, asked: str) -> None:
    shell("context", "add", "prod", "-b", shell.address, "--guard", guard, "--colour", "red")
    shell("topic", "create", name)
    prompt = asked.format(name=name, prod="\x1b[1;31mprod\x1b[0m")
    said, ended = at_a_terminal(shell, answer.format(name=name), prompt, "topic", "delete", name)
    assert ended == code
    assert f"about to delete topic {name}, its 1 partition and every record in it [destructive, no way back]" in said
    assert ("interrupted: nothing was changed" in said) == (code == 130)


def at_a_terminal(shell: Shell, answer: str, prompt: str, *arguments: str) -> tuple[str, int]:
    """Run it at a terminal of 200 columns, give the answer when it is asked for; what was said, and the exit code."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(*arguments, "-C", "prod"),
        stdin=theirs,
        stderr=theirs,
        stdout=subprocess.DEVNULL,
        env={**environment(None), **shell.env},
        start_new_session=True,
        preexec_fn=_take_the_terminal,
    )
    os.close(theirs)
    said = ""
    try:
        while True:
            said += os.read(ours, 4096).decode()
            if prompt in said and answer:
                os.write(ours, answer.encode())
                answer = ""
    except OSError:
        pass
    os.close(ours)
    return said, process.wait(20)


def _take_the_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
