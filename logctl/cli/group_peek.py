"""logctl group peek: the records that a group is stuck at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

import typer

from logctl.cli import output
from logctl.cli.cells import or_dash
from logctl.cli.command import reading, required
from logctl.cli.group_arguments import Named, Topics, names_of
from logctl.cli.output import Column, Listing, Nested, OfCluster, View
from logctl.errors import UsageError

if TYPE_CHECKING:
    from logctl.admin.group_peek import Peeked, Record
    from logctl.cli.session import Session

_CELL = 60


class PeekedHeader(TypedDict):
    name: str
    value: str | None


class PeekedRecord(TypedDict):
    offset: int
    place: Annotated[Literal["read", "next", "later"], "before the position, at it, or behind it"]
    timestamp_ms: Annotated[int | None, "ms since 1970"]
    key: Annotated[str | None, "as text; bytes that are none as \\xNN"]
    value: Annotated[str | None, "as text; bytes that are none as \\xNN"]
    value_bytes: Annotated[int | None, "size of the value; null for a tombstone"]
    headers: list[PeekedHeader]


class PeekedPartition(TypedDict):
    name: Annotated[str, "topic-partition"]
    group: str
    topic: str
    partition: int
    committed: int
    end: int
    lag: int
    records: list[PeekedRecord]


PEEKED = Listing(
    "partitions",
    PeekedPartition,
    (
        Column("OFFSET", lambda record: record["offset"], number=True),
        Column("PLACE", lambda record: record["place"]),
        Column("TIME", lambda record: _time(record["timestamp_ms"]), key=lambda record: record["timestamp_ms"]),
        Column("KEY", lambda record: _cell(record["key"])),
        Column("VALUE", lambda record: _cell(record["value"])),
        Column("BYTES", lambda record: or_dash(record["value_bytes"]), number=True),
        Column("HEADERS", lambda record: _cell(_headers(record["headers"]))),
    ),
    Nested("records", "PARTITION", lambda item: _headline(item)),
    OfCluster,
)


@reading(PEEKED)
def peek_command(
    session: Session,
    group: Annotated[str | None, typer.Argument(metavar="GROUP", help="The group's name.")] = None,
    named: Named = None,
    topic: Topics = None,
    after: Annotated[int, typer.Option("-n", "--after", help="Unread records to show of each partition.")] = 1,
    before: Annotated[int, typer.Option("--before", help="Records just read to show before these.")] = 1,
) -> View:
    """Show the records at a group's position in each partition that it lags in: what it is stuck at.

    With --topic also where it does not lag. Nothing is committed, and nobody's place is taken.

    \b
    Example:
      logctl group peek billing -n 3
    """
    from logctl.admin.group_peek import peek
    from logctl.admin.group_reset import parse_scope

    names = required(names_of([group] if group else [], named), "no group was named")
    if len(names) > 1:
        raise UsageError(f"one group at a time can be peeked at, not {len(names)}")
    scope = parse_scope(topic or ())
    found = peek(session.cluster, names[0], session.deadline, scope=scope, before=before, after=after)
    return PEEKED.view([_item(peeked) for peeked in found.groups], found.failures, cluster_id=found.cluster_id)


def _item(peeked: Peeked) -> PeekedPartition:
    entry = peeked.entry
    return {
        "name": f"{entry.topic}-{entry.partition}",
        "group": peeked.group,
        "topic": entry.topic,
        "partition": entry.partition,
        "committed": entry.committed or 0,
        "end": entry.end or 0,
        "lag": entry.lag or 0,
        "records": [
            *(_record(record, "read") for record in peeked.before),
            *(_record(record, "later" if number else "next") for number, record in enumerate(peeked.unread)),
        ],
    }


def _record(record: Record, place: Literal["read", "next", "later"]) -> PeekedRecord:
    return {
        "offset": record.offset,
        "place": place,
        "timestamp_ms": record.timestamp if record.timestamp >= 0 else None,
        "key": _text(record.key),
        "value": _text(record.value),
        "value_bytes": None if record.value is None else len(record.value),
        "headers": [{"name": name, "value": _text(value)} for name, value in record.headers],
    }


def _text(data: bytes | None) -> str | None:
    return None if data is None else bytes(data).decode("utf-8", "backslashreplace")


def _cell(text: str | None) -> str:
    if text is None:
        return "-"
    return text if len(text) <= _CELL else f"{text[: _CELL - 1]}…"


def _headers(headers: list[PeekedHeader]) -> str | None:
    return ",".join(f"{one['name']}={or_dash(one['value'])}" for one in headers) or None


def _time(timestamp_ms: int | None) -> str:
    from logctl.admin.record_text import iso_time

    return "-" if timestamp_ms is None else iso_time(timestamp_ms)


def _headline(item: Mapping[str, Any]) -> str:
    said = f"{item['name']}: group {item['group']} is at {item['committed']} of {item['end']}, lag {item['lag']}"
    return output.neutral(said) + "\n"
