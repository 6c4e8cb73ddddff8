"""Every command that talks to a cluster is used by a story of tests/peers/behaviour, or is excused with its reason."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cli_page import commands

STORIES = Path(__file__).parents[1] / "peers" / "behaviour"
OF_THIS_MACHINE = "it is about nodes and files of this machine: "
EXCUSED = {
    "up": OF_THIS_MACHINE + "tests/cli/test_up.py, test_up_apache.py",
    "down": OF_THIS_MACHINE + "tests/cli/test_up.py",
    "node start": OF_THIS_MACHINE + "tests/cli/test_node.py",
    "node stop": OF_THIS_MACHINE + "tests/cli/test_up_apache.py, test_up_several.py",
    "node join": OF_THIS_MACHINE + "tests/cli/test_node_joining.py",
    "node format": OF_THIS_MACHINE + "tests/cli/test_node.py",
    "node status": OF_THIS_MACHINE + "tests/cli/test_node.py",
    "engine install": OF_THIS_MACHINE + "tests/cli/test_engine.py",
    "engine list": OF_THIS_MACHINE + "tests/cli/test_engine.py",
    **dict.fromkeys(
        ("context list", "context show", "context use", "context remove"), OF_THIS_MACHINE + "tests/cli/test_context.py"
    ),
}
TALKING = [path for one in commands() if (path := one.path.removeprefix("logctl ")) not in EXCUSED]


def words_in(node: ast.AST) -> Iterator[list[str]]:
    """The literal words of every call, tuple and list of a file, up to the first that is none."""
    for one in ast.walk(node):
        given = one.args if isinstance(one, ast.Call) else getattr(one, "elts", [])
        words = []
        for argument in given:
            if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
                break
            words.append(argument.value)
        yield words


@pytest.fixture(scope="module")
def used() -> set[str]:
    """The first words of everything that the stories say to logctl."""
    found = set()
    for path in STORIES.glob("test_*.py"):
        for words in words_in(ast.parse(path.read_text(encoding="utf-8"))):
            found |= {" ".join(words[:count]) for count in (1, 2, 3)}
    page = (Path(__file__).parents[2] / "docs" / "week.md").read_text(encoding="utf-8")
    for line in page.splitlines():
        words = line.partition("logctl ")[2].split() if line.startswith("$ ") else []
        found |= {" ".join(words[:count]) for count in (1, 2, 3)}
    return found


@pytest.mark.parametrize("command", TALKING)
def test_a_story_uses_the_command(command: str, used: set[str]) -> None:
    assert command in used, f"no story in {STORIES} says `logctl {command}`"


def test_nothing_is_excused_that_is_no_command() -> None:
    assert {f"logctl {command}" for command in EXCUSED} <= {one.path for one in commands()}
