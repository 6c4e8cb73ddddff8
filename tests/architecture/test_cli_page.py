"""What is generated from the commands is current, and every command teaches."""

from __future__ import annotations

import shlex

import jsonschema
import pytest
from support.cli_page import PAGE, SCHEMAS, Command, commands, page, schemas

from logctl.cli import tree
from logctl.cli.complete import TREE, locate

ANEW = "write it anew with: PYTHONPATH=tests python tests/support/cli_page.py"
COMMANDS = commands()


def test_the_page_of_commands_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), ANEW


def test_the_schemas_are_current_and_schemas_indeed() -> None:
    wanted = schemas()
    assert {path.name for path in SCHEMAS.iterdir()} == set(wanted), ANEW
    for name, text in wanted.items():
        assert (SCHEMAS / name).read_text(encoding="utf-8") == text, ANEW
        jsonschema.Draft202012Validator.check_schema(jsonschema.validators.json.loads(text))


def test_the_tree_that_completion_reads_is_current() -> None:
    assert TREE.read_text(encoding="utf-8") == tree.text_of(tree.command_tree()), ANEW


@pytest.mark.parametrize("one", COMMANDS, ids=lambda one: one.path)
def test_every_command_has_an_example_of_itself(one: Command) -> None:
    text = one.click.help or ""
    assert "Example" in text
    example = [line.strip() for line in text.splitlines() if one.path in line]
    assert example, f"the help of {one.path} shows no line that uses it"
    words = next(shlex.split(part)[1:] for part in example[0].split("|") if one.path in part.partition("#")[0])
    place = locate(tree.command_tree(), [*words, ""])
    assert "logctl " + " ".join(place.path) == one.path


@pytest.mark.parametrize("one", COMMANDS, ids=lambda one: one.path)
def test_every_flag_says_what_it_is_for(one: Command) -> None:
    silent = [p.name for p in one.click.params if not getattr(p, "hidden", False) and not p.help]
    assert not silent
