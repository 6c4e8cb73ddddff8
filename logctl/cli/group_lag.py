"""logctl group lag: how far behind groups are, how fast they are, and whether they keep up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

import typer

from logctl.cli import output
from logctl.cli.cells import or_dash
from logctl.cli.command import reading
from logctl.cli.group_arguments import AllGroups, Kinds, Named, Patterns, States, selection
from logctl.cli.output import Column, Listing, Nested, OfCluster, View
from logctl.cli.units import duration_text, rate_count_text

if TYPE_CHECKING:
    from logctl.admin.group_lag import PartitionLag
    from logctl.admin.group_verdict import Verdict
    from logctl.admin.group_window import Judged, Window
    from logctl.admin.groups import Found, Selection
    from logctl.cli.session import Session

Word = Literal["ok", "warning", "rewinding", "stalled", "stopped"]


class LaggingPartition(TypedDict):
    topic: str
    partition: int
    committed: Annotated[int | None, "the next offset to read; null without a commit; where a share group begins"]
    committed_leader_epoch: Annotated[int | None, "leader epoch of the last record read"]
    metadata: Annotated[str | None, "the note that came with the commit"]
    start: Annotated[int | None, "the first offset the partition still holds"]
    end: Annotated[int | None, "the last stable offset: as far as a reader of transactions gets"]
    log_end: Annotated[int | None, "the end of the log, records of open transactions included"]
    lag: Annotated[int | None, "records unread; null without a commit or an end"]
    time_lag_ms: Annotated[int | None, "age of the oldest unread record; 0 when all is read; null when not looked for"]
    commit_rate: Annotated[float | None, "records a second that the group gets on, over the window"]
    produce_rate: Annotated[float | None, "records a second that are added, over the window"]
    catch_up_ms: Annotated[int | None, "until all is read, at these rates; null when there is no sign of it"]
    verdict: Annotated[Word | None, "null: it cannot be told"]
    reason: str
    member: Annotated[str | None, "the member that reads it now"]
    client_id: str | None
    host: str | None


class LaggingGroup(TypedDict):
    name: str
    type: str
    state: str
    total_lag: Annotated[int | None, "the sum of what is known; null when nothing is"]
    time_lag_ms: Annotated[int | None, "the largest of its partitions"]
    commit_rate: float | None
    produce_rate: float | None
    catch_up_ms: int | None
    verdict: Annotated[Word | None, "that of its worst partition; null: it cannot be told"]
    reason: str
    partition_count: int
    unknown_count: Annotated[int, "partitions without a lag"]
    partitions: Annotated[list[LaggingPartition], "empty with --summary"]


LAG = Listing(
    "groups",
    LaggingGroup,
    (
        Column("TOPIC", lambda entry: entry["topic"]),
        Column("PARTITION", lambda entry: entry["partition"], number=True),
        Column("COMMITTED", lambda entry: or_dash(entry["committed"]), number=True),
        Column("START", lambda entry: or_dash(entry["start"]), number=True, wide=True),
        Column("END", lambda entry: or_dash(entry["end"]), number=True),
        Column("LOG-END", lambda entry: or_dash(entry["log_end"]), number=True, wide=True),
        Column("LAG", lambda entry: or_dash(entry["lag"]), number=True),
        Column(
            "TIME-LAG",
            lambda entry: duration_text(entry["time_lag_ms"]),
            number=True,
            key=lambda entry: entry["time_lag_ms"],
        ),
        Column(
            "READS",
            lambda entry: rate_count_text(entry["commit_rate"]),
            number=True,
            wide=True,
            key=lambda entry: entry["commit_rate"],
        ),
        Column(
            "WRITES",
            lambda entry: rate_count_text(entry["produce_rate"]),
            number=True,
            wide=True,
            key=lambda entry: entry["produce_rate"],
        ),
        Column(
            "CATCH-UP",
            lambda entry: duration_text(entry["catch_up_ms"]),
            number=True,
            wide=True,
            key=lambda entry: entry["catch_up_ms"],
        ),
        Column("VERDICT", lambda entry: or_dash(entry["verdict"])),
        Column("CLIENT-ID", lambda entry: or_dash(entry["client_id"])),
        Column("REASON", lambda entry: entry["reason"], wide=True),
        Column("MEMBER", lambda entry: or_dash(entry["member"]), wide=True),
        Column("HOST", lambda entry: or_dash(entry["host"]), wide=True),
        Column("METADATA", lambda entry: entry["metadata"] or "-", wide=True),
    ),
    Nested("partitions", "GROUP", lambda item: _headline(item)),
    OfCluster,
)


@reading(LAG, watch=True)
def lag_command(
    session: Session,
    groups: Patterns = None,
    named: Named = None,
    all_groups: AllGroups = False,
    state: States = None,
    kind: Kinds = None,
    summary: Annotated[bool, typer.Option("--summary", help="A line for each group, without its partitions.")] = False,
    time: Annotated[
        bool | None,
        typer.Option(
            "--time/--no-time",
            help="Read the oldest unread record of each lagging partition, for its age. By default: when few lag.",
        ),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option("--for", metavar="DURATION", help="Look for so long before judging, a dozen times or more."),
    ] = None,
    patience: Annotated[
        str,
        typer.Option(
            "--patience", metavar="DURATION", help="So long a position may stand still until more is known of its pace."
        ),
    ] = "30s",
) -> View:
    """Show how many records groups have not read, how old these are, and whether the groups keep up.

    The end is the last stable offset, so a group that has read everything shows 0 on transactional topics too. A
    partition without a commit shows '-' and counts for nothing in the total. One look tells whether all is read and
    whether anybody reads; rates, the time to catch up and the other verdicts take several: --for or --watch.
    Replaces kafka-consumer-groups --describe.

    \b
    Example:
      logctl group lag billing --for 30s
    """
    from logctl.admin.group_window import Window
    from logctl.cli.durations import parse_duration_s

    judge: Window = session.memory.setdefault("window", Window(parse_duration_s(patience)))
    wanted = selection(groups, named, state, kind)
    if window is not None and not session.memory.get("looked"):
        found = _look_for(session, wanted, judge, parse_duration_s(window), time)
    else:
        with _no_collector():
            found = _look(session, wanted, judge, time)
    session.memory["looked"] = True
    now_ms = _now_ms()
    items = _items(found, judge, now_ms, summary)
    return LAG.view(items, found.failures, cluster_id=found.cluster_id)


def _items(found: Found, judge: Window, now_ms: int, summary: bool) -> Iterator[LaggingGroup]:
    """One by one, each shown before the next is made; what was found goes away meanwhile."""
    found.groups.reverse()
    while found.groups:
        yield _item(judge.judge(found.groups.pop()), now_ms, summary)


@contextmanager
def _no_collector() -> Iterator[None]:
    """A hundred thousand rows are made in one go, and none of them is garbage: looking for it would take a third of the
    time."""
    import gc

    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _now_ms() -> int:
    import time

    return int(time.time() * 1000)


def _look(session: Session, wanted: Selection, window: Window, times: bool | None) -> Found:
    import time

    from logctl.admin.group_lag import lag_of_groups

    found = lag_of_groups(session.cluster, wanted, session.deadline, times=times)
    window.add(time.monotonic(), found.groups)
    return found


_LOOKS = 12
_AT_MOST_EVERY_S = 0.5


def _look_for(session: Session, wanted: Selection, window: Window, span_s: float, times: bool | None) -> Found:
    """A dozen looks over `span_s`, fewer where they would come too fast; the answer is the last of them."""
    import time

    progress = output.Progress()
    looks = max(2, min(_LOOKS, int(span_s / _AT_MOST_EVERY_S)) + 1)
    began_s = time.monotonic()
    try:
        for number in range(looks - 1):
            _look(session.renewed(), wanted, window, False)
            left_s = span_s - (time.monotonic() - began_s)
            if progress.due():
                progress.tell(f"looking for {left_s:.0f} s more")
            time.sleep(max(0.0, began_s + span_s * (number + 1) / (looks - 1) - time.monotonic()))
    finally:
        progress.clear()
    return _look(session.renewed(), wanted, window, times)


def _item(judged: Judged, now_ms: int, summary: bool) -> LaggingGroup:
    found, said = judged.found, judged.verdict
    rows = list(zip(found.partitions, judged.partitions, strict=True))
    ages = [age for entry, _ in rows if (age := _time_lag_ms(entry, now_ms)) is not None]
    return {
        "name": found.group.name,
        "type": found.group.kind,
        "state": found.group.state,
        "total_lag": found.total,
        "time_lag_ms": max(ages, default=None) if _all_ages(found.partitions) else None,
        **_speed(said),
        "verdict": said.word,
        "reason": said.reason,
        "partition_count": len(rows),
        "unknown_count": sum(entry.lag is None for entry, _ in rows),
        "partitions": [] if summary else [_row(entry, verdict, now_ms) for entry, verdict in rows],
    }


def _all_ages(partitions: tuple[PartitionLag, ...]) -> bool:
    """The largest age is known only when that of every lagging partition is."""
    return all(not entry.lag or entry.oldest_ms is not None for entry in partitions)


def _row(entry: PartitionLag, said: Verdict, now_ms: int) -> LaggingPartition:
    member = entry.member
    committed = entry.committed is not None
    return {
        "topic": entry.topic,
        "partition": entry.partition,
        "committed": entry.committed,
        "committed_leader_epoch": entry.leader_epoch if committed and entry.leader_epoch >= 0 else None,
        "metadata": entry.metadata if committed else None,
        "start": entry.start,
        "end": entry.end,
        "log_end": entry.log_end,
        "lag": entry.lag,
        "time_lag_ms": _time_lag_ms(entry, now_ms),
        **_speed(said),
        "verdict": said.word,
        "reason": said.reason,
        "member": member.member_id if member else None,
        "client_id": member.client_id if member else None,
        "host": member.host if member else None,
    }


def _time_lag_ms(entry: PartitionLag, now_ms: int) -> int | None:
    if entry.lag == 0:
        return 0
    return None if entry.oldest_ms is None else max(0, now_ms - entry.oldest_ms)


class _Speed(TypedDict):
    commit_rate: float | None
    produce_rate: float | None
    catch_up_ms: int | None


def _speed(said: Verdict) -> _Speed:
    return {
        "commit_rate": _rounded(said.commit_rate),
        "produce_rate": _rounded(said.produce_rate),
        "catch_up_ms": None if said.catch_up_s is None else round(said.catch_up_s * 1000),
    }


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 3)


def _headline(item: Mapping[str, Any]) -> str:
    said = [
        f"group {item['name']}",
        f"state {item['state']}",
        f"partitions {item['partition_count']}",
        f"total lag {or_dash(item['total_lag'])}",
        *([f"{item['unknown_count']} without a lag"] if item["unknown_count"] else []),
        *([f"oldest unread {duration_text(item['time_lag_ms'])} old"] if item["time_lag_ms"] else []),
        *([f"reads {rate_count_text(item['commit_rate'])}"] if item["commit_rate"] is not None else []),
        *([f"writes {rate_count_text(item['produce_rate'])}"] if item["produce_rate"] is not None else []),
        *([f"caught up in {duration_text(item['catch_up_ms'])}"] if item["catch_up_ms"] is not None else []),
    ]
    verdict = f"{item['verdict'] or 'no verdict'}: {item['reason']}"
    return f"{output.neutral(', '.join(said))}\n{output.neutral(verdict)}\n"
