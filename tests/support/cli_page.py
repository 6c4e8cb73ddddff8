"""Writes what is generated from the commands: docs/cli.md, docs/schemas/ and the tree that completion reads.

    PYTHONPATH=tests python tests/support/cli_page.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import typer

from logctl.cli import tree
from logctl.cli.command import FLAG_NAMES
from logctl.cli.complete import TREE
from logctl.cli.main import whole
from logctl.cli.schema import schema_of

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "cli.md"
SCHEMAS = DOCS / "schemas"

_HEAD = """\
# The commands

Generated from the commands themselves by `tests/support/cli_page.py`; a test checks that it is current. `logctl NOUN
VERB --help` says the same in the terminal. [from-apache.md](from-apache.md) goes the other way: from each script of
Apache Kafka to the line that replaces it.

Data goes to stdout, conversation to stderr. Exit codes: 0 done or nothing to do; 1 the cluster refused, or what was
wanted was not seen; 2 flags, context or file are wrong; 3 the plan holds changes (with `--exit-code`); 4 partly done,
each item listed; 5 a guard refused, or you said no; 6 still in progress or outcome unknown; 7 unreachable; 8 not
authenticated or not authorised; 9 the world moved since the preview; 130 interrupted.

"""


class Command(NamedTuple):
    path: str
    click: Any

    @property
    def listing(self) -> Any:
        return getattr(self.click.callback, "listing", None)

    @property
    def changes(self) -> bool:
        return hasattr(self.click.callback, "changes")

    @property
    def anchor(self) -> str:
        return self.path.replace(" ", "-")


def commands() -> list[Command]:
    """Every command that is not hidden, in the order of the help."""
    return list(_below(typer.main.get_command(whole()), "logctl"))


def _below(group: Any, path: str) -> Iterator[Command]:
    for name, one in group.commands.items():
        if one.hidden:
            continue
        if hasattr(one, "commands"):
            yield from _below(one, f"{path} {name}")
        else:
            yield Command(f"{path} {name}", one)


def schemas() -> dict[str, str]:
    """File name -> the JSON schema of what that command prints with -o json."""
    return {
        f"{one.anchor.removeprefix('logctl-')}.json": json.dumps(schema_of(one.listing), indent=2) + "\n"
        for one in commands()
        if one.listing is not None
    }


def page() -> str:
    """The whole of docs/cli.md."""
    found = commands()
    contents = "".join(f"- [{one.path}](#{one.anchor}): {tree.first_sentence(one.click.help or '')}\n" for one in found)
    common = _common_flags(found)
    return _HEAD + contents + "\n" + common + "\n" + "\n".join(map(_section, found))


def _common_flags(found: list[Command]) -> str:
    """The flags that many commands share, told once, with who has them."""
    seen: dict[str, Any] = {}
    for one in found:
        for parameter in one.click.params:
            if parameter.name in FLAG_NAMES and (one.listing is not None or one.changes):
                seen.setdefault(parameter.name, parameter)
    lines = ["## Flags that mean the same everywhere\n\n"]
    lines += ["Every command that talks to a cluster has the first five, every listing those about output, and every\n"]
    lines += ["change those about going ahead. What a command says otherwise stands with it.\n\n"]
    lines += [_option(seen[name]) for name in FLAG_NAMES if name in seen]
    return "".join(lines)


def _section(one: Command) -> str:
    own = [parameter for parameter in one.click.params if not getattr(parameter, "hidden", False)]
    arguments = [parameter for parameter in own if parameter.param_type_name == "argument"]
    options = [p for p in own if p.param_type_name == "option" and p.name not in FLAG_NAMES]
    usage = " ".join([one.path, "[OPTIONS]", *(_metavar(parameter) for parameter in arguments)])
    parts = [f"## {one.path}\n\n", _prose(one.click.help or ""), f"\n    {usage}\n"]
    told = [_argument(parameter) for parameter in arguments] + [_option(parameter) for parameter in options]
    if told:
        parts.append("\n" + "".join(told))
    if one.listing is not None:
        name = f"{one.anchor.removeprefix('logctl-')}.json"
        titles = ", ".join(column.title.lower() for column in one.listing.columns)
        parts.append(f"\nColumns: {titles}. JSON: [schemas/{name}](schemas/{name}).\n")
    return "".join(parts)


def _prose(help_text: str) -> str:
    """The command's own help; what stands behind \\b is an example and stays as it is."""
    blocks = help_text.replace("\f", "").split("\b")
    text = blocks[0].strip() + "\n"
    for block in blocks[1:]:
        head, _, rest = block.strip("\n").partition("\n")
        example, _, after = rest.partition("\n\n")
        text += f"\n{head.strip()}\n\n" + "".join(f"    {line.strip()}\n" for line in example.splitlines())
        text += f"\n{after.strip()}\n" if after.strip() else ""
    return text


def _argument(parameter: Any) -> str:
    return f"- `{_metavar(parameter)}`: {_help(parameter)}\n"


def _metavar(parameter: Any) -> str:
    return parameter.metavar or parameter.name.upper()


def _option(parameter: Any) -> str:
    names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    value = ""
    if not parameter.is_flag:
        choices = getattr(parameter.type, "choices", None)
        shown = "|".join(getattr(one, "value", one) for one in choices) if choices else parameter.metavar
        value = f" *{shown or parameter.type.name}*"
    return f"- {names}{value}: {_help(parameter)}\n"


def _help(parameter: Any) -> str:
    text = re.sub(r"\s+", " ", parameter.help or "").strip()
    envvar = getattr(parameter, "envvar", None)
    default = parameter.default
    if isinstance(default, str) and default and not getattr(parameter, "is_flag", False):
        text += f" Default: {getattr(default, 'value', default)}."
    return text + (f" Environment: `{envvar}`." if envvar else "")


def write() -> None:
    PAGE.write_text(page(), encoding="utf-8")
    SCHEMAS.mkdir(exist_ok=True)
    wanted = schemas()
    for stale in set(SCHEMAS.glob("*.json")) - {SCHEMAS / name for name in wanted}:
        stale.unlink()
    for name, text in wanted.items():
        (SCHEMAS / name).write_text(text, encoding="utf-8")
    TREE.write_text(tree.text_of(tree.command_tree()), encoding="utf-8")


if __name__ == "__main__":
    write()
