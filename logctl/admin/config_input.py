"""Settings as an operator writes them, made into edits: name=value, kafka-configs's lists of them, .properties files.

What its name tells to be a secret becomes a `Secret` at once. In the open it may stand only in a file that is its
owner's alone; on a command line, where others can read it, a reference to it must stand (security/secret_sources).
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from logctl.admin.config_changes import Edit, looks_secret
from logctl.admin.java_properties import read
from logctl.errors import UsageError
from logctl.security.secret_sources import WAYS, Ask, is_reference, refuse_open_to_others, resolve
from logctl.security.secrets import Secret


def parse_settings(pairs: Iterable[str]) -> dict[str, str]:
    """['retention.ms=1000'] as a dictionary. Raises UsageError."""
    settings: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.strip()
        if not equals or not name:
            raise UsageError(f"{pair}: a setting has the form name=value", "to put one back: `logctl config unset`")
        if name in settings:
            raise UsageError(f"{name} is given twice")
        settings[name] = value.strip()
    return settings


def apache_pairs(text: str) -> list[str]:
    """'a=1,b=[x,y],c=' as kafka-configs takes it, as pairs: brackets keep the commas of a value together."""
    pairs: list[str] = []
    depth, begun = 0, 0
    for place, letter in enumerate(text):
        depth += (letter == "[") - (letter == "]")
        if letter == "," and depth == 0:
            pairs.append(text[begun:place])
            begun = place + 1
    pairs.append(text[begun:])
    found = [pair.partition("=") for pair in pairs if pair.strip()]
    return [f"{name}{equals}{unbracketed(value.strip())}" for name, equals, value in found]


def unbracketed(value: str) -> str:
    return value[1:-1] if value.startswith("[") and value.endswith("]") else value


def entries(value: str) -> tuple[str, ...]:
    """'x,y' or '[x,y]' as the entries of a list, each once."""
    return tuple(dict.fromkeys(entry.strip() for entry in unbracketed(value).split(",") if entry.strip()))


def from_command_line(pairs: Iterable[str], ask: Ask) -> dict[str, Edit]:
    """What to set, of 'name=value' pairs. Raises UsageError, also for a secret that stands there in the open."""
    edits: dict[str, Edit] = {}
    for name, value in parse_settings(pairs).items():
        if looks_secret(name) and value:
            edits[name] = _referred(name, value, ask)
        else:
            edits[name] = value
    return edits


def _referred(name: str, value: str, ask: Ask) -> Secret:
    if not is_reference(value):
        raise UsageError(
            f"{name}: a secret on the command line can be read by others",
            f"give its value as {WAYS}, or in a file of your own with --add-config-file",
        )
    return resolve(value, name, ask)


def from_file(path: str, ask: Ask) -> dict[str, Edit]:
    """What to set, of a .properties file. Raises UsageError, also for a secret in a file that others may read."""
    edits: dict[str, Edit] = {}
    for pair in read(path):
        if pair.name in edits:
            raise UsageError(f"{path}, line {pair.line}: {pair.name} is given twice")
        edits[pair.name] = _kept(path, pair.name, pair.value, ask) if looks_secret(pair.name) else pair.value
    return edits


def _kept(path: str, name: str, value: str, ask: Ask) -> Secret:
    if is_reference(value):
        return resolve(value, name, ask)
    refuse_open_to_others(path, os.stat(path), name)
    return Secret(value)
