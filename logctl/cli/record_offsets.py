"""logctl record offsets: where partitions begin and end, and where a moment in time falls.

What the command works with is imported when it runs: its help and its usage errors cost nothing but Typer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from logctl.cli.command import reading
from logctl.cli.output import Column, Listing, OfCluster, View
from logctl.cli.record_options import Partitions
from logctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from logctl.admin.positions import Place
    from logctl.admin.record_offsets import Offsets
    from logctl.cli.session import Session


class PartitionOffsets(TypedDict):
    name: Annotated[str, "topic-partition"]
    topic: str
    partition: int
    earliest: Annotated[int, "the first offset that is still there"]
    latest: Annotated[int, "the offset the next record will get"]
    stable: Annotated[int, "the last stable offset: those who read committed records read up to here"]
    offset: Annotated[int | None, "where --time points; null when no record is as young as that"]
    timestamp_ms: Annotated[int | None, "of the record there; null where there is none"]
    leader_epoch: Annotated[int | None, "in which that record was written; null where unknown"]


OFFSETS = Listing(
    "partitions",
    PartitionOffsets,
    (
        Column("TOPIC", lambda entry: entry["topic"]),
        Column("PARTITION", lambda entry: entry["partition"], number=True),
        Column("EARLIEST", lambda entry: entry["earliest"], number=True),
        Column("LATEST", lambda entry: entry["latest"], number=True),
        Column("STABLE", lambda entry: entry["stable"], number=True, wide=True),
        Column("OFFSET", lambda entry: "-" if entry["offset"] is None else entry["offset"], number=True),
        Column("TIME", lambda entry: time_text(entry["timestamp_ms"]), key=lambda entry: entry["timestamp_ms"]),
        Column("EPOCH", lambda entry: "-" if entry["leader_epoch"] is None else entry["leader_epoch"], True, True),
    ),
    also=OfCluster,
)


@reading(OFFSETS, watch=True)
def offsets_command(
    session: Session,
    topics: Annotated[
        list[str] | None, typer.Argument(metavar="[TOPIC]...", help="Names or shell patterns; all by default.")
    ] = None,
    regex: Annotated[str | None, typer.Option("--topic", metavar="REGEX", help="A regular expression instead.")] = None,
    time: Annotated[
        str,
        typer.Option(
            "--time",
            metavar="TIME",
            help="What OFFSET shows: latest, earliest, max-timestamp, ISO 8601 or milliseconds, ...",
        ),
    ] = "max-timestamp",
    partitions: Partitions = None,
    numbers: Annotated[str | None, typer.Option("--partitions", metavar="0,1", hidden=True)] = None,
    exclude_internal: Annotated[
        bool, typer.Option("--exclude-internal", "--exclude-internal-topics", help="Leave out the cluster's own.")
    ] = False,
) -> View:
    """Show where partitions begin and end, and the offset of their newest record or of a moment in time.

    Replaces kafka-get-offsets.

    \b
    Example:
      logctl record offsets orders --time 2026-01-31T12:00:00Z
    """
    from logctl.admin.record_offsets import by_name, look_up, parse_when
    from logctl.admin.topics import Selection, list_topics

    when = parse_when(time)
    wanted = _numbers(partitions, numbers)
    found = list_topics(session.cluster, Selection(tuple(topics or ()), regex, not exclude_internal), session.deadline)
    places = [(topic.name, one.number) for topic in found.topics for one in topic.partitions]
    places = [place for place in places if not wanted or place[1] in wanted]
    if not places and wanted:
        raise UsageError(f"none of these topics has partition {', '.join(map(str, sorted(wanted)))}")
    told, failures = look_up(session.cluster, places, when, session.deadline)
    items = [_item(place, offsets) for place, offsets in told.items()]
    return OFFSETS.view(items, {**found.failures, **by_name(failures)}, cluster_id=found.cluster_id)


def _numbers(partitions: Sequence[int] | None, text: str | None) -> set[int]:
    try:
        return {*(partitions or ()), *(int(number) for number in (text or "").split(",") if number.strip())}
    except ValueError:
        raise UsageError(f"--partitions {text}: numbers joined by ',' were expected") from None


def _item(place: Place, offsets: Offsets) -> PartitionOffsets:
    spot = offsets.wanted
    return {
        "name": f"{place[0]}-{place[1]}",
        "topic": place[0],
        "partition": place[1],
        "earliest": offsets.earliest,
        "latest": offsets.latest,
        "stable": offsets.stable,
        "offset": spot.offset if spot.offset >= 0 else None,
        "timestamp_ms": spot.timestamp_ms if spot.timestamp_ms >= 0 else None,
        "leader_epoch": spot.leader_epoch if spot.leader_epoch >= 0 else None,
    }


def time_text(timestamp_ms: int | None) -> str:
    """A timestamp as a table shows it."""
    from logctl.admin.record_text import iso_time

    return "-" if timestamp_ms is None else iso_time(timestamp_ms)
