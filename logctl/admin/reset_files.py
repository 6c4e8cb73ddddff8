"""The CSV files that kafka-consumer-groups --reset-offsets writes with --export and reads with --from-file.

A row has topic, partition and offset, or a group in front of these where several groups are meant; there is no title.
Apache Kafka quotes a text that is longer than 24 characters or holds one that sorts before '-' ('"', ',', blanks): so
is it done here, so that the files are the same, byte for byte.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from typing import Final

from logctl.admin.positions import Place
from logctl.errors import UsageError

_UNQUOTED_LENGTH: Final = 24
_LARGEST_OFFSET: Final = (1 << 63) - 1

Positions = Mapping[str, Mapping[Place, int]]
"""Group -> place -> offset."""


def write_positions(positions: Positions) -> str:
    """The file's text, in the order of `positions`; groups are named when there are several."""
    several = len(positions) > 1
    lines = []
    for group, offsets in positions.items():
        for (topic, partition), offset in offsets.items():
            lead = [_quoted(group)] if several else []
            lines.append(",".join([*lead, _quoted(topic), str(partition), str(offset)]) + "\n")
    return "".join(lines)


def _quoted(text: str) -> str:
    if len(text) <= _UNQUOTED_LENGTH and all(character >= "-" for character in text):
        return text
    escaped = text.replace('"', '""')
    return f'"{escaped}"'


def read_positions(text: str, source: str, groups: Iterable[str]) -> dict[str, dict[Place, int]]:
    """What the file says of `groups`. Rows without a group are the only group's, and rows of other groups are left
    out. Raises UsageError that names the line and the field."""
    wanted = list(groups)
    positions: dict[str, dict[Place, int]] = {}
    for number, row in enumerate(csv.reader(text.splitlines()), start=1):
        where = f"{source}, line {number}"
        if not row or not "".join(row).strip():
            continue
        if len(row) == 3 and len(wanted) == 1:
            row = [wanted[0], *row]
        elif len(row) == 3:
            raise UsageError(f"{where}: with several groups a row is group,topic,partition,offset")
        elif len(row) != 4:
            raise UsageError(f"{where}: topic,partition,offset was expected, not {len(row)} fields")
        group, topic, partition, offset = (field.strip() for field in row)
        place = topic, _number(partition, f"{where}: the partition", (1 << 31) - 1)
        if not topic:
            raise UsageError(f"{where}: the topic is empty")
        if place in positions.get(group, {}):
            raise UsageError(f"{where}: partition {partition} of {topic} is named twice")
        positions.setdefault(group, {})[place] = _number(offset, f"{where}: the offset", _LARGEST_OFFSET)
    return {group: positions[group] for group in wanted if group in positions}


def _number(text: str, what: str, largest: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= largest):
        raise UsageError(f"{what} {text!r} is not a number from 0 to {largest}")
    return int(text)
