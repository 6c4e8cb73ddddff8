"""The JSON files in which Apache's tools name partitions: an object with a list `partitions`, each with a topic and a
number, and with what the tool wants to know besides.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from logctl.admin.positions import Place
from logctl.errors import UsageError


class Entry(NamedTuple):
    """One entry of the file. `where` is how a complaint about it begins; `fields` are all of its fields."""

    place: Place
    where: str
    fields: Mapping[str, Any]


class PartitionFile(NamedTuple):
    """The whole document, and its entries in their order, each for a partition of its own."""

    document: Mapping[str, Any]
    entries: list[Entry]


def read_partition_file(text: str, path: str, form: str) -> PartitionFile:
    """The partitions in a file's text. Raises UsageError that names the file and the line or the entry; `form` is the
    example that it hints at."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}, line {error.lineno}: this is not JSON: {error.msg}") from None
    except RecursionError:
        raise UsageError(f"{path}: this is nested too deeply", form) from None
    listed = document.get("partitions") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise UsageError(f"{path}: an object with a list `partitions` was expected", form)
    entries: dict[Place, Entry] = {}
    for index, fields in enumerate(listed):
        where = f"{path}, partitions[{index}]"
        place = _place_in(fields, where, form)
        if place in entries:
            raise UsageError(f"{where}: {place[0]}:{place[1]} is there twice")
        entries[place] = Entry(place, where, fields)
    return PartitionFile(document, list(entries.values()))


def _place_in(fields: Any, where: str, form: str) -> Place:
    if not isinstance(fields, dict):
        raise UsageError(f"{where}: an object was expected", form)
    if not isinstance(fields.get("topic"), str):
        raise UsageError(f"{where}: `topic` is missing or is not a string", form)
    return fields["topic"], whole_number(fields, "partition", 0, where, form)


def whole_number(fields: Mapping[str, Any], name: str, least: int, where: str, form: str) -> int:
    """A field that holds a number from `least` up. Raises UsageError."""
    number = fields.get(name)
    if not isinstance(number, int) or isinstance(number, bool) or number < least:
        raise UsageError(f"{where}: `{name}` is missing or is not a number from {least} up", form)
    return number
