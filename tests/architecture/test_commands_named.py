"""Commands that are named in hints, tables and pages are there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from logctl.admin.capabilities import CAPABILITIES
from logctl.cli import complete

ROOT = Path(__file__).parents[2]
GENERATED = {ROOT / "docs" / "cli.md"}
FILES = sorted({*ROOT.glob("logctl/**/*.py"), ROOT / "README.md", *ROOT.glob("docs/*.md")} - GENERATED)


def missing(words: list[str]) -> str | None:
    """The first of the words that is none of logctl's, or nothing when they lead to a command."""
    place: dict[str, Any] = complete.tree()
    for word in words:
        if "commands" not in place or not re.fullmatch(r"[a-z][a-z-]*", word):
            return None
        if word not in place["commands"]:
            return word
        place = place["commands"][word]
    return None


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_command_that_is_named_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    nouns = "|".join(complete.tree()["commands"])
    lines = re.findall(r"`logctl ([^`\n]+)`", text) + re.findall(rf"(?m)^ *(?:\$ )?logctl ((?:{nouns}) .*)$", text)
    lines = [line for line in lines if "# exits with 2" not in line and "${" not in line]
    wrong = {line: word for line in lines if (word := missing(line.split())) is not None}
    assert not wrong


def test_what_depends_on_an_api_exists() -> None:
    named = {command for one in CAPABILITIES.values() for command in one.commands}
    assert not {command: word for command in named if (word := missing(command.split())) is not None}
