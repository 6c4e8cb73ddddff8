"""Reading a node's config file: YAML, or Java .properties, with Apache's setting names.

Both kinds give the same thing: entries of name, text and place, in the order of the file. No value is interpreted
here, so that `on`, `0x10` and `1_000` mean in YAML what they mean in .properties: the text that stands there. In
YAML, settings may be nested (`log: {dirs: /data}` is `log.dirs`) and lists are joined with commas. A name that stands
twice is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from logctl.errors import UsageError

if TYPE_CHECKING:
    import yaml


class Entry(NamedTuple):
    """One setting as it was written; `place` is the file and line, or the flag."""

    name: str
    text: str
    place: str


def read_config(path: str) -> list[Entry]:
    """The entries of the file at `path`; `.properties` files in Java's form, everything else as YAML."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read the config file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"the config file {path} is not text in UTF-8 (byte {error.start})") from error
    entries = list(_properties(text, path) if path.endswith(".properties") else _yaml(text, path))
    _refuse_duplicates(entries)
    return entries


def _refuse_duplicates(entries: list[Entry]) -> None:
    seen: dict[str, Entry] = {}
    for entry in entries:
        first = seen.setdefault(entry.name, entry)
        if first is not entry:
            raise UsageError(f"{entry.place}: {entry.name} was already set at {first.place}", "keep one of them")


_SEPARATOR = re.compile(r"(?<!\\)(?:\\\\)*([ \t]*[=:][ \t]*|[ \t]+)")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})|\\(.)", re.DOTALL)
_ESCAPED = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else _ESCAPED.get(m[2], m[2]), text)


def _properties(text: str, path: str) -> Iterator[Entry]:
    """java.util.Properties: `#` and `!` comments, `=`, `:` or blank between name and value, `\\` continues a line."""
    for number, line in _logical_lines(text):
        separator = _SEPARATOR.search(line)
        name, value = (line[: separator.start(1)], line[separator.end(1) :]) if separator else (line, "")
        yield Entry(_unescape(name), _unescape(value).strip(), f"{path}:{number}")


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    pending, first = "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.lstrip()
        if not pending and (not line or line[0] in "#!"):
            continue
        first = first if pending else number
        pending += line
        if (len(pending) - len(pending.rstrip("\\"))) % 2:
            pending = pending[:-1] or " "
            continue
        yield first, pending
        pending = ""
    if pending.strip():
        yield first, pending


def _yaml(text: str, path: str) -> Iterator[Entry]:
    import yaml

    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else path
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise UsageError(f"{place}: {problem}", "a config file is YAML, or .properties with that ending") from error
    if root is None:
        return
    if not isinstance(root, yaml.MappingNode):
        raise UsageError(f"{path}:{root.start_mark.line + 1}: settings are lines of `name: value`")
    yield from _flatten(root, "", path)


def _flatten(node: yaml.MappingNode, prefix: str, path: str) -> Iterator[Entry]:
    import yaml

    for key, value in node.value:
        place = f"{path}:{key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode):
            raise UsageError(f"{place}: a setting's name is plain text")
        name = f"{prefix}{key.value}"
        if isinstance(value, yaml.MappingNode):
            yield from _flatten(value, f"{name}.", path)
        elif isinstance(value, yaml.SequenceNode):
            yield Entry(name, _joined(value, name, place), place)
        else:
            yield Entry(name, value.value, place)


def _joined(node: yaml.SequenceNode, name: str, place: str) -> str:
    import yaml

    if not all(isinstance(item, yaml.ScalarNode) for item in node.value):
        raise UsageError(f"{place}: {name} is a list of plain texts")
    return ",".join(item.value for item in node.value)
