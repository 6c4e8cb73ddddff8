"""docs/from-apache.md is whole and current: every script and option of Apache Kafka 4.3 is there, and every line of
logctl on it can be said."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from support.apache_options import EVERYWHERE, OPTIONS, SCRIPTS

from logctl.cli.main import whole

PAGE = (Path(__file__).parents[2] / "docs" / "from-apache.md").read_text(encoding="utf-8")
SECTIONS = {
    script.strip(): text
    for part in PAGE.split("\n## ")[1:]
    for heading, _, text in [part.partition("\n")]
    for script in heading.split(",")
}
SPANS = [span.replace(r"\|", "|") for line in PAGE.splitlines() for span in re.findall(r"`([^`]*)`", line)]
LINES = sorted({span for span in SPANS if re.search(r"\blogctl ", span)})


@cache
def app() -> Any:
    return typer.main.get_command(whole())


def test_every_script_has_its_section() -> None:
    assert sorted(SECTIONS) == sorted([*SCRIPTS, "Every script"])


@pytest.mark.parametrize("script", OPTIONS)
def test_every_option_is_told_of(script: str) -> None:
    told = set(re.findall(r"(?<![\w-])--?([a-z][a-z.-]*[a-z])", SECTIONS[script]))
    assert not set(OPTIONS[script].split()) - told - EVERYWHERE


@pytest.mark.parametrize("script", OPTIONS)
def test_no_option_of_apaches_is_made_up(script: str) -> None:
    """What a table's first column names, the script takes."""
    rows = re.findall(r"^\| (?!Apache|---)(.*?) \| ", SECTIONS[script], re.MULTILINE)
    named = {option for row in rows for option in re.findall(r"--([a-z][a-z.-]*[a-z])", row)}
    assert not named - set(OPTIONS[script].split()) - EVERYWHERE


@pytest.mark.parametrize("line", LINES)
def test_every_line_can_be_said(line: str) -> None:
    """Read by the parser of the commands themselves: words, options, values and their number."""
    words = shlex.split(line.rpartition("|")[2])
    assert words[0] == "logctl"
    parse(words[1:])


def parse(words: list[str]) -> None:
    """Raises what Typer raises when the words are none of logctl's."""
    command, context = app(), None
    if words in (["--version"], ["--help"]):
        return
    while True:
        asks_for_help = "--help" in words and not hasattr(command, "commands")
        context = command.make_context(
            command.name, [] if asks_for_help else list(words), parent=context, resilient_parsing=asks_for_help
        )
        if not hasattr(command, "commands"):
            return
        name, *words = words
        assert name in command.commands, f"{context.command_path} has no {name}"
        command = command.commands[name]


def test_what_cannot_be_said_is_found() -> None:
    with pytest.raises(AssertionError, match="has no crate"):
        parse(["topic", "crate", "orders"])
    for wrong in (["topic", "list", "--frob"], ["record", "offsets", "--time"], ["topic", "list", "-o", "xml"]):
        with pytest.raises(Exception, match=r"frob|time|xml"):
            parse(wrong)
