"""Tab, as the shells ask for it: words of the commands, and live names from a cache that is young."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cli.conftest import command, environment, run

from logctl.cli import complete


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "logctl"


def offered(*words: str) -> list[str]:
    return [line.split("\t")[0] for line in complete.answer(words).splitlines()]


def test_words_of_commands_are_offered_with_their_help() -> None:
    assert "topic" in offered("to")
    assert complete.answer(["topic", "cre"]).startswith("create\tCreate topics, all alike")
    assert offered("topic", "") == [name for name in offered("topic", "") if name != "ls"], "hidden ones are not"


def test_options_are_offered_once_a_dash_is_typed() -> None:
    assert "--exclude-internal" in offered("topic", "list", "--ex")
    assert offered("topic", "list", "-o") == ["-o"]
    assert offered("topic", "list", "--", "--ex") == []


def test_choices_are_offered_behind_their_option() -> None:
    assert offered("topic", "list", "-o", "") == ["table", "wide", "json", "yaml", "csv", "name"]
    assert offered("topic", "list", "--output=j") == ["--output=json"]


def test_a_word_that_fits_nowhere_offers_nothing() -> None:
    assert offered("nonsense", "") == []
    assert offered("topic", "nonsense-verb", "--partitions", "") == []


def test_live_names_come_from_the_cluster_and_then_from_the_cache(
    bootstrap: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGCTL_BOOTSTRAP_SERVER", bootstrap)
    run("topic", "create", "tabbed-a", bootstrap=bootstrap)
    assert offered("topic", "describe", "tabbed") == ["tabbed-a"]
    run("topic", "create", "tabbed-b", bootstrap=bootstrap)
    assert offered("topic", "describe", "tabbed") == ["tabbed-a"], "young enough to be believed"
    [kept] = cache.iterdir()
    known = json.loads(kept.read_text())
    known["TOPIC"]["at"] = time.time() - 60
    kept.write_text(json.dumps(known))
    assert offered("topic", "describe", "tabbed") == ["tabbed-a", "tabbed-b"]


def test_brokers_settings_and_lists_of_settings_are_offered(
    bootstrap: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGCTL_BOOTSTRAP_SERVER", bootstrap)
    assert complete.names("BROKER", []) == ["1"]
    assert "retention.ms" in complete.names("SETTING", [])
    assert complete.names("GROUP", []) == complete.names("GROUP", ["-b", bootstrap])


def test_a_cluster_that_is_away_offers_nothing_and_is_not_asked_at_every_key(cache: Path) -> None:
    assert offered("topic", "describe", "-b", "127.0.0.1:1", "") == []
    [kept] = cache.iterdir()
    written = kept.stat().st_mtime_ns
    assert offered("topic", "describe", "-b", "127.0.0.1:1", "") == []
    assert kept.stat().st_mtime_ns == written


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"TOPIC": 1}', '{"TOPIC": {"names": [], "at": "x"}}'])
def test_a_damaged_cache_is_made_anew(cache: Path, damage: str) -> None:
    complete.names("TOPIC", ["-b", "127.0.0.1:1"])
    [kept] = cache.iterdir()
    kept.write_text(damage)
    assert complete.names("TOPIC", ["-b", "127.0.0.1:1"]) == []
    assert json.loads(kept.read_text())["TOPIC"]["names"] == []


def test_completion_needs_neither_typer_nor_a_network_when_names_are_young(bootstrap: str, cache: Path) -> None:
    asked = ("__complete", "topic", "describe", "-b", bootstrap, "")
    run(*asked)
    code = (
        "import sys\n"
        f"sys.argv = ['logctl', *{list(asked)!r}]\n"
        "from logctl.__main__ import main\n"
        "main()\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not {"typer", "click", "socket", "logctl.admin.client", "yaml", "asyncio"} & set(done.stderr.split())


# -- real shells -------------------------------------------------------------------------------------------------------


@pytest.fixture
def shell(tmp_path: Path, cache: Path) -> Callable[[str, str], list[str]]:
    """Run a script in a shell that has `logctl` on its path and the completion loaded."""
    logctl = tmp_path / "bin" / "logctl"
    logctl.parent.mkdir()
    logctl.write_text("#!/bin/sh\nexec " + " ".join(command()) + ' "$@"\n')
    logctl.chmod(0o755)

    def ask(name: str, script: str) -> list[str]:
        if not shutil.which(name):
            pytest.skip(f"{name} is not installed")
        taught = tmp_path / f"completion.{name}"
        taught.write_text(run("completion", name).out)
        env = {**environment(None), "PATH": f"{logctl.parent}:{os.environ['PATH']}", "XDG_CONFIG_HOME": str(tmp_path)}
        arguments = {"fish": ["fish", "--no-config"], "zsh": ["zsh", "-f"], "bash": ["bash", "--norc"]}[name]
        done = subprocess.run(
            [*arguments, "-c", script.replace("COMPLETION", str(taught))],
            env=env, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        return done.stdout.splitlines()

    return ask


def in_bash(line: str) -> str:
    return (
        f'source COMPLETION; COMP_LINE="{line}"; COMP_POINT=${{#COMP_LINE}}; _logctl; '
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )


def test_bash(shell: Callable[[str, str], list[str]]) -> None:
    assert shell("bash", in_bash("logctl topic des")) == ["describe"]
    assert shell("bash", in_bash("logctl topic list -o ")) == ["table", "wide", "json", "yaml", "csv", "name"]
    assert shell("bash", in_bash("logctl topic list --output=j")) == ["json"], "what stands before '=' is not repeated"


def test_fish(shell: Callable[[str, str], list[str]]) -> None:
    lines = shell("fish", "source COMPLETION; complete -C 'logctl topic des'")
    assert [line.split("\t")[0] for line in lines] == ["describe"]


def test_zsh(shell: Callable[[str, str], list[str]]) -> None:
    """The completion system exists only while a line is edited; its two doors are stood in for."""
    script = (
        "compdef() { }; _files() { print files }; _describe() { print -l -- ${(P)2} }; "
        "source COMPLETION; words=(logctl topic des); CURRENT=3; _logctl; "
        "words=(logctl up --data ''); CURRENT=4; _logctl"
    )
    described, files = shell("zsh", script)
    assert described.startswith("describe:Show topics")
    assert files == "files"
