"""The edges of a command: exit codes, surprises, readers that go away, terminal tricks, and what help teaches."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import typer
from cli.conftest import command, environment, run
from support.scripted import ScriptedCluster, topic_id

from logctl import __version__, errors
from logctl.cli import main
from logctl.cli.durations import parse_duration_s
from logctl.cli.exits import Exit, exit_code_for
from logctl.cli.output import neutral, neutral_json, neutral_text
from logctl.wire.messages.metadata import MetadataResponse, MetadataResponseBroker, MetadataResponseTopic

# -- exit codes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.OperationFailed, 1),
        (errors.UsageError, 2),
        (errors.Declined, 5),
        (errors.DeadlineExceeded, 6),
        (errors.Unreachable, 7),
        (errors.AccessDenied, 8),
        (errors.StalePlan, 9),
    ],
)
def test_every_kind_of_failure_has_its_code(kind: type[errors.LogctlError], code: int) -> None:
    assert exit_code_for(kind("x")) == code
    special = type("Special", (kind,), {})
    assert exit_code_for(special("x")) == code, "a special case has the code of its kind"


def test_a_partial_failure_has_its_code_and_the_rest_is_a_refusal() -> None:
    assert exit_code_for(errors.PartialFailure("x", [])) == Exit.PARTIAL
    assert exit_code_for(errors.LogctlError("x")) == Exit.REFUSED


def test_the_version_is_told() -> None:
    assert run("--version") == (0, f"logctl {__version__}\n", "")
    assert run("--version", "topic").out == f"logctl {__version__}\n"


# -- surprises -------------------------------------------------------------------------------------------------------


@pytest.fixture
def command_that() -> Iterator[Any]:
    """`command_that(failure)` makes a command `surprise` that ends with it."""
    module = ModuleType("surprise")

    def install(failure: BaseException) -> None:
        def surprise() -> None:
            print("some output")
            raise failure

        module.register = lambda app: app.command("surprise")(surprise)  # type: ignore[attr-defined]

    sys.modules["surprise"] = module
    main.COMMANDS["surprise"] = "surprise"
    yield install
    del sys.modules["surprise"], main.COMMANDS["surprise"]


def test_a_failure_nobody_expected_is_one_line_and_the_way_to_see_more(
    command_that: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOGCTL_DEBUG", raising=False)
    command_that(ZeroDivisionError("by zero"))
    assert main.main(["surprise"]) == 1
    said = capsys.readouterr()
    assert said.out == "some output\n"
    assert said.err == (
        "error: logctl failed in a way it did not expect: ZeroDivisionError: by zero\n"
        "hint: set LOGCTL_DEBUG=1 and repeat to see where, and please report that\n"
    )
    monkeypatch.setenv("LOGCTL_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main.main(["surprise"])


@pytest.mark.parametrize(
    ("failure", "code", "said"),
    [
        (errors.Unreachable("gone", "look"), 7, "error: gone\nhint: look\n"),
        (errors.PartialFailure("2 failed", ["a: no", "b: \x1b[2J"]), 4, "error: 2 failed\n  a: no\n  b: \\x1b[2J\n"),
        (KeyboardInterrupt(), 130, ""),
        (typer.Exit(3), 3, ""),
    ],
)
def test_a_failure_is_a_message_and_a_code(
    command_that: Any, capsys: pytest.CaptureFixture[str], failure: BaseException, code: int, said: str
) -> None:
    command_that(failure)
    assert main.main(["surprise"]) == code
    assert capsys.readouterr().err == said


# -- readers that go away --------------------------------------------------------------------------------------------


def test_a_reader_that_has_enough_is_no_failure() -> None:
    with ScriptedCluster(topics={f"topic-{number:05}": [1] for number in range(20_000)}) as cluster:
        listing = subprocess.Popen(
            command("topic", "list", "-o", "name"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(cluster.bootstrap),
        )  # fmt: skip
        assert listing.stdout is not None
        assert listing.stdout.readline() == b"topic-00000\n"
        listing.stdout.close()
        assert listing.stderr is not None
        assert (listing.stderr.read(), listing.wait(30)) == (b"", 0)
        listing.stderr.close()


# -- terminal tricks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("grün 中文 🙂", "grün 中文 🙂"),
        ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
        ("a\nb\tc\r", "a\\x0ab\\x09c\\x0d"),
        ("\x7f\x9b2J", "\\x7f\\x9b2J"),
        ("user\u202etxt.exe", "user\\u202etxt.exe"),
        ("lone \udc80", "lone \\udc80"),
    ],
)
def test_control_characters_are_spelt_out(text: str, shown: str) -> None:
    assert neutral(text) == shown


def test_lines_of_text_keep_their_ends_and_json_stays_json() -> None:
    assert neutral_text("a\tb\n\x1b[2J\n") == "a\tb\n\\x1b[2J\n"
    assert neutral_json('"\x9b2J grün \u202e"') == '"\\u009b2J grün \\u202e"'


@pytest.mark.parametrize("form", ["table", "wide", "csv", "name", "json", "yaml"])
def test_a_hostile_cluster_cannot_write_to_the_terminal(form: str) -> None:
    evil = "evil\x1b[2J\x9b\u202e"

    def answer(request: Any, version: int) -> MetadataResponse:
        broker = MetadataResponseBroker(node_id=1, host="127.0.0.1", port=cluster.brokers[1].port)
        topic = MetadataResponseTopic(name=evil, topic_id=topic_id("evil"))
        return MetadataResponse(cluster_id="\x1b[31mred", controller_id=1, brokers=[broker], topics=[topic])

    with ScriptedCluster() as cluster:
        cluster.answer("Metadata", answer)
        done = run("topic", "list", "-o", form, bootstrap=cluster.bootstrap)
    assert done.code == 0
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", done.out)
    assert "evil" in done.out


# -- asking ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), ("1.5s", 1.5), ("500ms", 0.5), ("2m", 120), ("1h", 3600), (" 3 ", 3)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "0", "-1", "1d", "1e3", "inf", "1 s s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(errors.UsageError):
        parse_duration_s(text)


# -- help ------------------------------------------------------------------------------------------------------------


def commands() -> Iterator[tuple[str, Any]]:
    """The commands of the app with the words that call them."""
    root: Any = typer.main.get_command(main.whole())
    for first, found in root.commands.items():
        if hasattr(found, "commands"):
            yield from ((f"{first} {second}", one) for second, one in found.commands.items())
        else:
            yield first, found


ALL = {words: found for words, found in commands() if words.split()[0] in ("topic", "record")}


@pytest.mark.parametrize("words", ALL)
def test_the_help_of_a_command_teaches_by_an_example(words: str) -> None:
    text = " ".join((ALL[words].help or "").split())
    assert f"logctl {words.replace(' ls', ' list')}" in text, "no example"
    assert "Example:" in text


def test_a_module_is_loaded_for_the_command_that_was_asked_for_and_no_other() -> None:
    code = "import sys, logctl.cli.main as m; m.build(['topic', 'list']); print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "logctl.cli.topic" in loaded
    assert not {"logctl.cli.record", "logctl.cli.up", "logctl.admin.client"} & set(loaded)
