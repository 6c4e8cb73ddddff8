"""logctl context, and which cluster is meant when several things name one."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.ports import free_port
from support.scripted import ScriptedCluster

from logctl.admin.contexts import COLOURS, Context, changing, path
from logctl.cli.main import main
from logctl.cli.session import connected
from logctl.cli.target import Approach, Target, approach
from logctl.wire.messages.sasl_authenticate import SaslAuthenticateResponse
from logctl.wire.messages.sasl_handshake import SaslHandshakeResponse

Run = Callable[..., tuple[str, str]]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for name in ("LOGCTL_BOOTSTRAP_SERVER", "LOGCTL_CONTEXT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("topic", "list", code=7)` -> what stdout and stderr hold."""

    def call(*arguments: str, code: int = 0) -> tuple[str, str]:
        assert main(arguments) == code, capsys.readouterr().err
        said = capsys.readouterr()
        return said.out, said.err

    return call


@pytest.fixture
def cluster() -> Iterator[ScriptedCluster]:
    with ScriptedCluster(1, 2, topics={"orders": [1]}) as scripted:
        yield scripted


def keep(*contexts: Context, current: str | None = None) -> None:
    with changing() as held:
        held.append(held[0]._replace(current=current, contexts={one.name: one for one in contexts}))


def item(out: str) -> dict[str, Any]:
    (only,) = json.loads(out)["contexts"]
    assert isinstance(only, dict)
    return only


# -- the commands ------------------------------------------------------------------------------------------------------


def test_a_context_is_added_shown_used_and_removed(run: Run) -> None:
    properties = ("-X", "security.protocol=SASL_SSL", "-X", "sasl.password=keyring:logctl/ann")
    _, said = run("context", "add", "prod", "-b", "a:1,b:2", *properties, "--guard", "type-name", "--colour", "red")
    assert said == "added context prod\n"
    run("context", "add", "local", "-b", "localhost:9092", "--use")
    out, _ = run("context", "list", "-o", "json")
    assert [(one["name"], one["current"], one["guard"]) for one in json.loads(out)["contexts"]] == [
        ("prod", False, "type-name"),
        ("local", True, "none"),
    ]
    shown = item(run("context", "show", "prod", "-o", "json")[0])
    assert shown["properties"] == {"security.protocol": "SASL_SSL", "sasl.password": "keyring:logctl/ann"}
    run("context", "use", "prod")
    assert item(run("context", "show", "-o", "json")[0])["name"] == "prod"
    run("context", "remove", "prod")
    assert run("context", "show", code=2)[1].startswith("error: no context was named, and there is no current one")


def test_a_secret_in_the_file_is_not_shown(run: Run) -> None:
    keep(Context("a", "x:1", {"sasl.password": "canary-7", "sasl.jaas.config": 'x required password="canary-7";'}))
    for form in ("table", "wide", "json", "yaml", "csv"):
        out, _ = run("context", "show", "a", "-o", form)
        assert "canary" not in out
        assert "(not shown)" in out


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["a"], "no address was given for a"),
        (["a", "-b", "x:y"], "is not an address"),
        (["a b", "-b", "x:1"], "cannot be the name of a context"),
        (["a", "-b", "x:1", "--guard", "ask"], "--guard is one of none, confirm, type-name, read-only"),
        (["a", "-b", "x:1", "--colour", "mauve"], "--colour is one of red"),
        (["a", "-b", "x:1", "-X", "sasl.password=canary-8"], "can be seen by everybody"),
        (["a", "--command-config", "/absent/file"], "/absent/file cannot be read"),
        (["kept", "-b", "x:1"], "there is a context kept already"),
    ],
)
def test_a_context_that_cannot_be_is_not_added(run: Run, flags: list[str], complaint: str) -> None:
    keep(Context("kept", "x:1"))
    _, said = run("context", "add", *flags, code=2)
    assert complaint in said
    assert "canary" not in said + path().read_text()


# -- trying it ---------------------------------------------------------------------------------------------------------


def test_a_context_is_tried_and_its_cluster_remembered(run: Run, cluster: ScriptedCluster) -> None:
    keep(Context("a", cluster.bootstrap), current="a")
    tested = item(run("context", "test", "--remember", "-o", "json")[0])
    assert (tested["cluster_id"], tested["brokers"], tested["security_protocol"]) == ("scripted", 2, "PLAINTEXT")
    assert tested["login"] is tested["tls_version"] is None
    assert item(run("context", "show", "-o", "json")[0])["cluster_id"] == "scripted"


def test_a_context_that_leads_to_another_cluster_fails_its_trial(run: Run, cluster: ScriptedCluster) -> None:
    keep(Context("a", cluster.bootstrap, cluster_id="other"))
    _, said = run("context", "test", "a", "--remember", code=1)
    assert "context a expects cluster other, and scripted answered" in said
    assert item(run("context", "show", "a", "-o", "json")[0])["cluster_id"] == "other"


def test_a_context_that_leads_nowhere_is_unreachable(run: Run) -> None:
    keep(Context("a", f"localhost:{free_port()}"))
    assert "connection refused" in run("context", "test", "a", code=7)[1]


def test_another_cluster_than_expected_is_read_with_a_warning(run: Run, cluster: ScriptedCluster) -> None:
    keep(Context("a", cluster.bootstrap, cluster_id="other"))
    out, said = run("topic", "list", "-C", "a", "-o", "name")
    assert out == "orders\n"
    assert said == "warning: context a expects cluster other, and this is cluster scripted\n"


def test_another_cluster_than_expected_is_not_changed(run: Run, cluster: ScriptedCluster) -> None:
    keep(Context("a", cluster.bootstrap, cluster_id="other"))
    cluster.answer("DescribeConfigs", lambda request, version: None)
    run("topic", "delete", "orders", "-C", "a", "-y", code=5)
    assert sum(broker.count("DeleteTopics") for broker in cluster.brokers.values()) == 0


# -- which cluster is meant --------------------------------------------------------------------------------------------

NAMED = Context("named", "named:1", {"client.id": "of-named"}, guard="read-only", cluster_id="n")
CURRENT = Context("current", "current:1", {"client.id": "of-current"}, guard="confirm")


def found(target: Mapping[str, Any]) -> tuple[str, str | None, str]:
    """(address, context in force, client id)"""
    said: Approach = approach(Target(**target))
    return str(said.addresses[0]), said.context.name if said.context else None, said.client_id


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({}, ("current:1", "current", "of-current")),
        ({"context": "named"}, ("named:1", "named", "of-named")),
        ({"bootstrap": "flag:1"}, ("flag:1", None, "logctl")),
        ({"bootstrap": "flag:1", "context": "named"}, ("flag:1", "named", "of-named")),
        ({"properties": ["client.id=x"]}, ("current:1", "current", "x")),
        ({"properties": ["bootstrap.servers=x:1"]}, ("x:1", None, "logctl")),
        ({"properties": ["bootstrap.servers=x:1"], "context": "named"}, ("x:1", "named", "of-named")),
        ({"command_config": "FILE"}, ("file:1", None, "of-file")),
        ({"command_config": "FILE", "context": "named"}, ("named:1", "named", "of-file")),
        ({"command_config": "FILE", "bootstrap": "flag:1"}, ("flag:1", None, "of-file")),
        ({"command_config": "FILE", "properties": ["client.id=x"]}, ("file:1", None, "x")),
    ],
)
def test_the_nearest_word_wins(tmp_path: Path, target: dict[str, Any], expected: tuple[str, str | None, str]) -> None:
    keep(NAMED, CURRENT, current="current")
    file = tmp_path / "client.properties"
    file.write_text("bootstrap.servers=file:1\nclient.id=of-file\n")
    given = {**target, "command_config": str(file)} if "command_config" in target else target
    assert found(given) == expected


def test_the_properties_of_a_context_win_over_those_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "client.properties"
    file.write_text("bootstrap.servers=file:1\nclient.id=of-file\n")
    keep(Context("a", command_config=str(file)), Context("b", "b:1", {"client.id": "own"}, str(file)))
    assert found({"context": "a"}) == ("file:1", "a", "of-file")
    assert found({"context": "b"}) == ("b:1", "b", "own")


def test_the_environment_names_cluster_and_context(
    run: Run, cluster: ScriptedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(Context("a", "absent.invalid:1", guard="read-only"), current="a")
    monkeypatch.setenv("LOGCTL_BOOTSTRAP_SERVER", cluster.bootstrap)
    assert run("topic", "list", "-o", "name")[0] == "orders\n"
    monkeypatch.setenv("LOGCTL_CONTEXT", "a")
    assert run("topic", "list", "-o", "name")[0] == "orders\n"
    run("topic", "delete", "orders", "-y", code=5)
    monkeypatch.delenv("LOGCTL_BOOTSTRAP_SERVER")
    assert "the name does not resolve" in run("topic", "list", code=7)[1]


def test_with_nothing_at_all_what_to_do_is_said(run: Run) -> None:
    assert "start one with `logctl up`, or name a cluster with -b" in run("topic", "list", code=2)[1]


def test_a_typing_mistake_in_a_file_is_warned_about_once(run: Run, cluster: ScriptedCluster, tmp_path: Path) -> None:
    file = tmp_path / "client.properties"
    file.write_text("sasl.mechanims=PLAIN\n")
    _, said = run("topic", "list", "-b", cluster.bootstrap, "--command-config", str(file))
    warning = f"{file}, line 1: sasl.mechanims is not a property of any client; did you mean sasl.mechanisms"
    assert said.startswith(f"warning: {warning}")
    assert said.count("\n") == 1


def test_a_context_has_its_colour_on_a_terminal_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    keep(*(Context(colour, "x:1", colour=colour) for colour in COLOURS))
    for colour in COLOURS:
        with connected(Target(context=colour), "1s") as session:
            assert session.label == colour
            with monkeypatch.context() as terminal:
                terminal.setattr("sys.stderr.isatty", lambda: True, raising=False)
                terminal.delenv("NO_COLOR", raising=False)
                assert session.label.startswith("\x1b[1;3")
                assert session.label.endswith(f"m{colour}\x1b[0m")
                terminal.setenv("NO_COLOR", "1")
                assert session.label == colour
    with connected(Target("x:1"), "1s") as session:
        assert session.label == ""


# -- asking ------------------------------------------------------------------------------------------------------------


def test_a_password_is_asked_for_at_the_terminal_and_not_shown_there(cluster: ScriptedCluster) -> None:
    """In a process of its own, whose terminal is one that the test holds the other end of; stdin is something else."""
    cluster.answer("SaslHandshake", lambda request, version: SaslHandshakeResponse(mechanisms=["PLAIN"]))
    cluster.answer("SaslAuthenticate", lambda request, version: SaslAuthenticateResponse())
    login = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": "ann"}
    keep(Context("a", cluster.bootstrap, login), current="a")
    outside, inside = os.openpty()
    command = [sys.executable, "-m", "logctl", "topic", "list", "-o", "name"]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=inside, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(inside, termios.TIOCSCTTY, 0),
    ) as process:  # fmt: skip
        os.close(inside)
        assert "password of ann (not shown): " in _until_asked(outside)
        os.write(outside, b"canary-9\n")
        said, _ = process.communicate(timeout=30)
    assert said == b"orders\n"
    assert b"canary" not in _rest(outside)
    (token,) = [request.auth_bytes for name, _, request in cluster.brokers[1].asked if name == "SaslAuthenticate"]
    assert bytes(token) == b"\0ann\0canary-9"
    os.close(outside)


def _until_asked(terminal: int) -> str:
    shown = b""
    while not shown.endswith(b": "):
        shown += os.read(terminal, 1000)
    return shown.decode()


def _rest(terminal: int) -> bytes:
    shown = b""
    try:
        while part := os.read(terminal, 1000):
            shown += part
    except OSError:  # the other end is closed
        pass
    return shown


def test_without_a_terminal_nobody_is_asked(run: Run, cluster: ScriptedCluster) -> None:
    login = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": "ann"}
    keep(Context("a", cluster.bootstrap, login), current="a")
    _, said = run("topic", "list", code=2)
    assert "no password was given for ann: password of ann: there is no terminal" in said
    assert "env:NAME, file:PATH, keyring:SERVICE/USER or prompt:" in said
