"""The commands as data: every word, its options, what their values are called. Completion reads it as a file, because
making it from the app takes as long as loading the app.

    python -m logctl.cli.tree     writes tree.json anew
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import typer

from logctl.cli.complete import TREE
from logctl.cli.main import whole

_PLAIN_METAVAR: Final = re.compile(r"[^A-Z_:/=-].*|[\[\].]")


def command_tree() -> dict[str, Any]:
    """The tree of the whole app; hidden commands and options are not offered, though they work."""
    return _described(typer.main.get_command(whole()))


def text_of(tree: dict[str, Any]) -> str:
    return json.dumps(tree, indent=1, ensure_ascii=True) + "\n"


def _described(command: Any) -> dict[str, Any]:
    described: dict[str, Any] = {"help": first_sentence(command.help or "")}
    options, arguments = {}, []
    for parameter in command.params:
        if getattr(parameter, "hidden", False):
            continue
        if parameter.param_type_name == "argument":
            arguments.append({"value": _value(parameter), "repeated": parameter.nargs == -1})
        else:
            entry = {"help": first_sentence(parameter.help or ""), "value": _value(parameter)}
            options.update(dict.fromkeys([*parameter.opts, *parameter.secondary_opts], entry))
    if arguments:
        described["arguments"] = arguments
    options.setdefault("--help", {"help": "Show this message and exit.", "value": None})
    described["options"] = options
    commands = getattr(command, "commands", {})
    if commands:
        described["commands"] = {name: _described(one) for name, one in commands.items() if not one.hidden}
    return described


def _value(parameter: Any) -> str | list[str] | None:
    """What the value is called, the choices there are for it, or None where an option takes none."""
    if getattr(parameter, "is_flag", False):
        return None
    choices = getattr(parameter.type, "choices", None)
    if choices:
        return [getattr(choice, "value", choice) for choice in choices]
    metavar = (parameter.metavar or parameter.name or "").strip("[]. ")
    return re.split(r"[^A-Za-z_-]", metavar)[0].upper()


def first_sentence(text: str) -> str:
    line = text.strip().split("\n\n")[0].replace("\n", " ")
    return line.split(". ")[0].rstrip(".")


if __name__ == "__main__":
    TREE.write_text(text_of(command_tree()), encoding="utf-8")
