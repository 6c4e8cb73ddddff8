"""logctl group reset, clone-offsets, delete, delete-offsets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from logctl.cli import output
from logctl.cli.command import changing, required
from logctl.cli.group_arguments import EveryGroup, Named, Targets, Topics, names_of
from logctl.errors import OperationFailed, UsageError

if TYPE_CHECKING:
    from logctl.admin.group_reset import ResetGroups, Scope, Target
    from logctl.admin.operation import Operation
    from logctl.admin.positions import Place
    from logctl.cli.session import Session

AllTopics = Annotated[
    bool, typer.Option("--all-topics", "--all-input-topics", help="Every topic that the group has a position in.")
]
ResetWord = Annotated[bool, typer.Option("--reset-offsets", hidden=True)]
Execute = Annotated[
    bool, typer.Option("--execute", hidden=True, help="As -y: how kafka-consumer-groups is told to go ahead.")
]


@changing
def reset_command(
    session: Session,
    groups: Targets = None,
    named: Named = None,
    all_groups: EveryGroup = False,
    topic: Topics = None,
    all_topics: AllTopics = False,
    to_earliest: Annotated[bool, typer.Option("--to-earliest", help="To the first record there is.")] = False,
    to_latest: Annotated[bool, typer.Option("--to-latest", help="To the end.")] = False,
    to_current: Annotated[
        bool, typer.Option("--to-current", help="To where it is; to the end where it is nowhere.")
    ] = False,
    to_offset: Annotated[int | None, typer.Option("--to-offset", metavar="N", help="To this offset.")] = None,
    shift_by: Annotated[
        int | None, typer.Option("--shift-by", metavar="N", help="So many records forward, or back with -N.")
    ] = None,
    to_datetime: Annotated[
        str | None,
        typer.Option("--to-datetime", metavar="TIME", help="To the first record from 2026-01-31T12:00:00 on (UTC)."),
    ] = None,
    by_duration: Annotated[
        str | None,
        typer.Option("--by-duration", metavar="PT1H", help="To the first record of so long ago: PT1H, P1D; or 1h."),
    ] = None,
    from_file: Annotated[
        str | None, typer.Option("--from-file", metavar="FILE", help="To the offsets in a CSV file; '-' reads stdin.")
    ] = None,
    export: Annotated[
        bool, typer.Option("--export", help="Print where the groups would be as CSV, for --from-file; change nothing.")
    ] = False,
    to_file: Annotated[
        str | None, typer.Option("--to-file", metavar="FILE", help="As --export, into a file.")
    ] = None,
    execute: Execute = False,
    verb: ResetWord = False,
) -> Operation:
    """Move groups to other offsets: the beginning, the end, a time, a number, a shift, or what a file says.

    The groups must be empty. An offset outside of its partition is brought back into it, with a warning; a time after
    the last record means the end. A group that does not exist is made. --dry-run shows each partition with the offset
    before and after. Replaces kafka-consumer-groups --reset-offsets and kafka-share-groups --reset-offsets.

    \b
    Example:
      logctl group reset billing --topic orders --to-earliest --dry-run
    """
    from logctl.admin.group_reset import prepare

    target = _target(
        to_earliest, to_latest, to_current, to_offset, shift_by, to_datetime, by_duration, from_file is not None
    )
    scope = _scope(session, names_of(groups, named), all_groups, topic, all_topics, from_file is not None)
    filed = _filed(from_file, scope.names) if from_file is not None else {}
    if from_file is not None:
        scope = scope._replace(names=tuple(filed))
    reset = prepare(session.cluster, scope, target, filed, session.deadline)
    if export or to_file is not None:
        _export(session, reset, to_file)
        raise typer.Exit(0)
    return reset._replace(existing=_existing(session))


def _target(
    to_earliest: bool,
    to_latest: bool,
    to_current: bool,
    to_offset: int | None,
    shift_by: int | None,
    to_datetime: str | None,
    by_duration: str | None,
    from_file: bool,
) -> Target:
    """The one target that was named. Raises UsageError for none and for several."""
    from logctl.admin.group_reset import Target, To
    from logctl.admin.positions import parse_time_ms

    targets = [
        *([Target(To.EARLIEST)] if to_earliest else []),
        *([Target(To.LATEST)] if to_latest else []),
        *([Target(To.CURRENT)] if to_current else []),
        *([Target(To.OFFSET, to_offset)] if to_offset is not None else []),
        *([Target(To.SHIFT, shift_by)] if shift_by is not None else []),
        *([Target(To.TIME, parse_time_ms(to_datetime))] if to_datetime is not None else []),
        *([Target(To.TIME, _ago_ms(by_duration))] if by_duration is not None else []),
        *([Target(To.FILE)] if from_file else []),
    ]
    if len(targets) != 1:
        raise UsageError(
            "say where to: " + ("nothing was named" if not targets else f"{len(targets)} places were named"),
            "one of --to-earliest, --to-latest, --to-current, --to-offset, --shift-by, --to-datetime, --by-duration "
            "and --from-file",
        )
    return targets[0]


def _ago_ms(text: str) -> int:
    """Now less a duration, of ISO 8601 or as every other flag takes it."""
    import time

    from logctl.admin.group_reset import parse_iso_duration_ms
    from logctl.cli.durations import parse_duration_s

    iso = text.strip().lstrip("-").upper().startswith("P")
    span_ms = parse_iso_duration_ms(text) if iso else round(parse_duration_s(text) * 1000)
    return int(time.time() * 1000) - span_ms


def _scope(
    session: Session, names: tuple[str, ...], every: bool, topic: list[str] | None, all_topics: bool, filed: bool
) -> Scope:
    from logctl.admin.group_reset import Scope, parse_scope

    if topic and all_topics:
        raise UsageError("--topic and --all-topics exclude each other")
    if not (topic or all_topics or filed):
        raise UsageError("say in which topics", "--topic TOPIC (may be repeated), or --all-topics")
    topics = None if all_topics or filed else parse_scope(topic or ())
    return Scope(_resolved(session, names, every), topics, skip_live=every)


def _resolved(session: Session, names: tuple[str, ...], every: bool) -> tuple[str, ...]:
    """Groups by name; patterns and --all-groups are looked up. Raises OperationFailed when that finds none."""
    from logctl.admin.groups import Selection, list_groups
    from logctl.admin.topics import is_pattern

    if every and names:
        raise UsageError("--all-groups and names exclude each other")
    if not every:
        required(list(names), "no group was named")
    patterns = tuple(filter(is_pattern, names))
    if not (every or patterns):
        return names
    found = list_groups(session.cluster, Selection(patterns), session.deadline)
    for failure in found.failures.values():
        raise failure
    matched = [group.name for group in found.groups]
    if not matched and len(patterns) == len(names):
        what = f"there is no group {' or '.join(patterns)}" if patterns else "there are no groups"
        raise OperationFailed(what, "see `logctl group list`")
    exact = [name for name in names if name not in patterns]
    return tuple(dict.fromkeys([*exact, *matched]))


def _existing(session: Session) -> tuple[str, ...]:
    """The groups that can be suggested for a name that is none; a broker that does not tell suggests nothing."""
    from logctl.admin.groups import Selection, list_groups

    return tuple(group.name for group in list_groups(session.cluster, Selection(), session.deadline).groups)


def _filed(path: str, names: tuple[str, ...]) -> dict[str, dict[Place, int]]:
    import sys

    from logctl.admin.reset_files import read_positions

    if path == "-":
        text, source = sys.stdin.read(), "stdin"
    else:
        try:
            with open(path, encoding="utf-8", newline="") as file:
                text, source = file.read(), path
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--from-file {path}: {error}") from None
    filed = read_positions(text, source, names)
    if not filed:
        raise UsageError(f"{source} has no offset of {', '.join(names)}")
    return filed


def _export(session: Session, reset: ResetGroups, path: str | None) -> None:
    """Where each group would be, moved or not: what --from-file takes."""
    from logctl.admin.group_operations import state_of_group
    from logctl.admin.observe import observe
    from logctl.admin.reset_files import write_positions

    reset.check()
    snapshot = observe(session.cluster, reset.wants(), session.deadline)
    told = {}
    for name in reset.names:
        told[name], doubts = reset.wanted(name, state_of_group(snapshot, name))
        for doubt in doubts:
            output.warn(doubt)
    text = write_positions(told)
    if path is None:
        output.write(text)
        return
    try:
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"--to-file {path}: {error}") from None
    output.note(f"wrote {sum(map(len, told.values()))} positions to {path}")


@changing
def clone_offsets_command(
    session: Session,
    source: Annotated[str | None, typer.Argument(metavar="FROM", help="The group to copy from.")] = None,
    target: Annotated[str | None, typer.Argument(metavar="TO", help="The group to copy to; made if need be.")] = None,
    topic: Annotated[
        list[str] | None,
        typer.Option("--topic", metavar="TOPIC", help="These topics only: names or shell patterns. May be repeated."),
    ] = None,
) -> Operation:
    """Put one group where another one is: TO gets the positions of FROM.

    TO must be empty, or not exist yet; FROM may go on reading.

    \b
    Example:
      logctl group clone-offsets billing billing-canary --dry-run
    """
    from logctl.admin.group_operations import CloneOffsets

    sentence = "two groups must be named: FROM and TO"
    clone = CloneOffsets(required(source, sentence), required(target, sentence), tuple(topic or ()))
    clone.check()
    return clone._replace(existing=_existing(session))


@changing
def delete_command(
    session: Session,
    groups: Targets = None,
    named: Named = None,
    all_groups: EveryGroup = False,
    if_exists: Annotated[bool, typer.Option("--if-exists", help="Accept a group that does not exist.")] = False,
) -> Operation:
    """Delete groups with their positions. They must be empty.

    Replaces kafka-consumer-groups --delete, kafka-share-groups --delete and kafka-streams-groups --delete.

    \b
    Example:
      logctl group delete billing-canary --dry-run
    """
    from logctl.admin.group_operations import DeleteGroups

    return DeleteGroups(_resolved(session, names_of(groups, named), all_groups), if_exists, _existing(session))


@changing
def delete_offsets_command(
    session: Session,
    group: Annotated[str | None, typer.Argument(metavar="GROUP", help="The group's name.")] = None,
    named: Named = None,
    topic: Topics = None,
    all_topics: AllTopics = False,
) -> Operation:
    """Make a group forget where it was in some topics. A topic that it reads now is refused.

    Replaces kafka-consumer-groups --delete-offsets and kafka-share-groups --delete-offsets.

    \b
    Example:
      logctl group delete-offsets billing --topic orders --dry-run
    """
    from logctl.admin.group_operations import DeleteOffsets
    from logctl.admin.group_reset import parse_scope

    names = required(names_of([group] if group else [], named), "no group was named")
    if len(names) > 1:
        raise UsageError(f"one group at a time can forget, not {len(names)}")
    if bool(topic) == all_topics:
        raise UsageError("say in which topics", "--topic TOPIC (may be repeated), or --all-topics")
    return DeleteOffsets(names[0], parse_scope(topic or ()), _existing(session))
