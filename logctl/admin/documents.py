"""YAML (and so JSON) documents, read field by field: what is wrong is told by file, line and field.

A `Value` is a node of the document that knows where it stands. Whoever reads it says what it expects there; what is not
so becomes a UsageError that begins with 'topics.yaml:7: topics[2].partitions: '. Scalars are taken as they are written:
a setting `compression.type: no` is the text 'no', not false. A name given twice is refused, and so is a field that
nobody asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from logctl.admin.topics import near_names
from logctl.errors import UsageError

_NULL: Final = "tag:yaml.org,2002:null"
_TEXT: Final = "tag:yaml.org,2002:str"


class Value:
    """One node of a document: `file` and `path` say where it is ('acls[0].host')."""

    __slots__ = ("_node", "file", "path")

    def __init__(self, node: Any, file: str, path: str = "") -> None:
        self._node = node
        self.file = file
        self.path = path

    @property
    def where(self) -> str:
        """'topics.yaml:7'."""
        return f"{self.file}:{self._node.start_mark.line + 1}"

    def wrong(self, sentence: str, hint: str = "") -> UsageError:
        """The error that says so, and where."""
        return UsageError(f"{self.where}: {self.path}{': ' if self.path else ''}{sentence}", hint)

    @property
    def is_null(self) -> bool:
        return bool(self._node.tag == _NULL)

    @property
    def is_list(self) -> bool:
        return bool(self._node.id == "sequence")

    @property
    def is_mapping(self) -> bool:
        return bool(self._node.id == "mapping")

    def pairs(self) -> dict[str, Value]:
        """Names that are the document's own, each with its value."""
        if not self.is_mapping:
            raise self.wrong(f"{self._shown} is not a list of names with values")
        found: dict[str, Value] = {}
        for key, one in self._node.value:
            name = Value(key, self.file, self.path).text()
            if name in found:
                raise Value(key, self.file, self.path).wrong(f"{name} is given twice; first in {found[name].where}")
            found[name] = Value(one, self.file, f"{self.path}.{name}" if self.path else name)
        return found

    def fields(self, known: Iterable[str], required: Iterable[str] = ()) -> dict[str, Value]:
        """Fields that must be among `known`; of those that may be left out, null is the same as left out."""
        found, names = self.pairs(), list(known)
        for name, one in found.items():
            if name not in names:
                near = near_names(name, names)
                hint = f"did you mean {' or '.join(near)}?" if near else f"known here: {', '.join(names)}"
                raise one.wrong("there is no such field", hint)
        for name in required:
            if name not in found:
                raise self.wrong(f"{name} is missing")
        return {name: one for name, one in found.items() if not one.is_null or name in required}

    def each(self) -> list[Value]:
        """The entries of a list."""
        if not self.is_list:
            raise self.wrong(f"{self._shown} is not a list")
        return [Value(one, self.file, f"{self.path}[{index}]") for index, one in enumerate(self._node.value)]

    def text(self) -> str:
        """A scalar as it is written; not null, not empty."""
        if self._node.id != "scalar" or self.is_null or not self._node.value:
            raise self.wrong(f"a text was expected, not {self._shown}")
        return str(self._node.value)

    def value_text(self) -> str:
        """The value of a setting: a scalar as it is written. An empty one is written ''."""
        if self._node.id == "scalar" and not self.is_null:
            return str(self._node.value)
        if self.is_null:
            raise self.wrong("a value is missing", "leave the name out, or write '' for an empty value")
        raise self.wrong("a setting has one value", "lists are written as one text, with commas: 'compact,delete'")

    def texts(self) -> list[str]:
        """A list of texts; a single one may stand for a list of one."""
        return [one.text() for one in self.each()] if self.is_list else [self.text()]

    def whole(self, least: int) -> int:
        """A whole number from `least` up."""
        text = self.text()
        if self._node.tag == _TEXT or not text.isascii() or not text.isdigit() or int(text) < least:
            raise self.wrong(f"{self._shown} is not a whole number from {least} up")
        return int(text)

    @property
    def _shown(self) -> str:
        if self._node.id != "scalar":
            return "a list" if self.is_list else "a mapping"
        said = "nothing" if self.is_null else repr(str(self._node.value))
        return said if len(said) <= 40 else f"{said[:37]}..."


def read_documents(path: str) -> list[Value]:
    """The documents of a file; '-' reads stdin. Raises UsageError."""
    return documents_in(_text_of(path), "stdin" if path == "-" else path)


def documents_in(text: str, file: str) -> list[Value]:
    """The documents of a text; empty ones are left out. Raises UsageError."""
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return [Value(node, file) for node in yaml.compose_all(text, loader) if node is not None and node.tag != _NULL]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise UsageError(f"{file}{line}: this is not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise UsageError(f"{file}: this is not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise UsageError(f"{file}: this is nested too deeply") from None


def _text_of(path: str) -> str:
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: this is not text in UTF-8 (byte {error.start})") from None


def files_of(paths: Iterable[str]) -> list[str]:
    """The files meant: a folder stands for the .yaml, .yml and .json files in it, by name. Raises UsageError."""
    found: list[str] = []
    for path in paths:
        if path == "-" or not Path(path).is_dir():
            found.append(path)
            continue
        inside = sorted(str(one) for one in Path(path).iterdir() if one.suffix in (".yaml", ".yml", ".json"))
        if not inside:
            raise UsageError(f"there are no .yaml, .yml or .json files in {path}")
        found.extend(inside)
    return list(dict.fromkeys(found))
