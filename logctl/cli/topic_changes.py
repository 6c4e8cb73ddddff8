"""logctl topic: create, alter, add-partitions, clone, trim, delete.

What a command works with is imported when it runs: its help and its usage errors cost nothing but Typer.
"""

from __future__ import annotations

import re
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from logctl.cli.command import changing, required
from logctl.errors import UsageError

if TYPE_CHECKING:
    from logctl.admin.operation import Operation
    from logctl.admin.positions import Position
    from logctl.admin.topic_clone import Definition
    from logctl.cli.session import Session

TopicArgument = Annotated[str | None, typer.Argument(metavar="TOPIC", help="The topic's name.")]
TopicOption = Annotated[
    str | None, typer.Option("--topic", metavar="TOPIC", help="The name, as kafka-topics takes it.")
]
IfExists = Annotated[bool, typer.Option("--if-exists", help="Accept a topic that does not exist.")]
IfNotExists = Annotated[bool, typer.Option("--if-not-exists", help="Accept a topic that exists already.")]


def register(topic: typer.Typer) -> None:
    """Add what changes topics to `logctl topic`."""
    topic.command("create")(create_command)
    topic.command("alter")(alter_command)
    topic.command("add-partitions")(add_partitions_command)
    topic.command("clone")(clone_command)
    topic.command("trim")(trim_command)
    topic.command("delete")(delete_command)


@changing
def create_command(
    session: Session,
    names: Annotated[list[str] | None, typer.Argument(metavar="TOPIC...", help="The names of the topics.")] = None,
    named: TopicOption = None,
    partitions: Annotated[
        int | None, typer.Option("--partitions", help="How many; the cluster's default if not given.")
    ] = None,
    replication_factor: Annotated[
        int | None, typer.Option("--replication-factor", help="Replicas of each; the cluster's default if not given.")
    ] = None,
    config: Annotated[
        list[str] | None, typer.Option("--config", metavar="NAME=VALUE", help="A setting. May be repeated.")
    ] = None,
    assignment: Annotated[
        str | None,
        typer.Option("--replica-assignment", metavar="1:2,2:3", help="Brokers of each partition, instead of counts."),
    ] = None,
    if_not_exists: IfNotExists = False,
) -> Operation:
    """Create topics, all alike, and wait until the cluster shows them.

    Replaces kafka-topics --create.

    \b
    Example:
      logctl topic create orders --partitions 6 --config retention.ms=86400000
    """
    from logctl.admin.topic_changes import CreateTopic, Together

    if names and named and names != [named]:
        raise UsageError(f"two topics were named: {names[0]} and {named}", "name all of them without --topic")
    wanted = required(all_names(names, named), "no topic was named")
    placed = parse_assignment(assignment) if assignment is not None else ()
    configs = parse_configs(config or [])
    topics = [CreateTopic(name, partitions, replication_factor, configs, placed, if_not_exists) for name in wanted]
    return topics[0] if len(topics) == 1 else Together(f"create {len(topics)} topics", tuple(topics))


@changing
def add_partitions_command(
    session: Session,
    name: TopicArgument = None,
    total: Annotated[int | None, typer.Argument(metavar="TOTAL", help="How many partitions it shall have.")] = None,
    named: TopicOption = None,
    partitions: Annotated[
        int | None, typer.Option("--partitions", metavar="TOTAL", help="The same, as kafka-topics takes it.")
    ] = None,
    assignment: Annotated[
        str | None,
        typer.Option("--replica-assignment", metavar="1:2,2:3", help="Brokers of each new partition."),
    ] = None,
) -> Operation:
    """Give a topic more partitions: TOTAL is their number afterwards.

    Records with a key may go to another partition than before, and partitions cannot be taken away again.
    Replaces kafka-topics --alter --partitions.

    \b
    Example:
      logctl topic add-partitions orders 12
    """
    from logctl.admin.topic_changes import AddPartitions

    wanted = total if total is not None else partitions
    if wanted is None or (partitions is not None and partitions != wanted):
        raise UsageError("say how many partitions the topic shall have", "see `logctl topic add-partitions --help`")
    by_hand = parse_assignment(assignment) if assignment is not None else ()
    return AddPartitions(one_name(name, named), wanted, by_hand)


@changing
def alter_command(
    session: Session,
    name: TopicArgument = None,
    named: TopicOption = None,
    partitions: Annotated[
        int | None, typer.Option("--partitions", metavar="TOTAL", help="How many partitions it shall have.")
    ] = None,
    assignment: Annotated[
        str | None, typer.Option("--replica-assignment", metavar="1:2,2:3", help="Brokers of each new partition.")
    ] = None,
    config: Annotated[
        list[str] | None, typer.Option("--config", metavar="NAME=VALUE", help="A setting. May be repeated.")
    ] = None,
    delete_config: Annotated[
        list[str] | None,
        typer.Option("--delete-config", metavar="NAME", help="A setting to put back to its default. May be repeated."),
    ] = None,
) -> Operation:
    """Give a topic more partitions, other settings, or both.

    Replaces kafka-topics --alter.

    \b
    Example:
      logctl topic alter orders --partitions 12 --config retention.ms=3600000
    """
    from logctl.admin.topic_alter import AlterTopic

    settings: dict[str, str | None] = {**parse_configs(config or [])}
    for key in delete_config or []:
        if key in settings:
            raise UsageError(f"{key} is given with --config and with --delete-config")
        settings[key] = None
    by_hand = parse_assignment(assignment) if assignment is not None else ()
    return AlterTopic(one_name(name, named), partitions, by_hand, settings)


@changing
def delete_command(
    session: Session,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="TOPIC...", help="Names or shell patterns ('test-*').")
    ] = None,
    named: Annotated[
        str | None,
        typer.Option("--topic", metavar="REGEX", help="A regular expression, as kafka-topics takes it."),
    ] = None,
    if_exists: IfExists = False,
    internal: Annotated[bool, typer.Option("--internal", help="Also the cluster's own topics.")] = False,
) -> Operation:
    """Delete topics with every record in them, and wait until they are gone.

    Asks first at a terminal; elsewhere -y is needed. What a pattern matches is shown before.
    Replaces kafka-topics --delete.

    \b
    Example:
      logctl topic delete orders -y
    """
    from logctl.admin.topic_changes import DeleteTopics
    from logctl.admin.topics import selection_of

    required(all_names(names, named), "no topic was named")
    meant = selection_of(dict.fromkeys(names or ()), named)
    return DeleteTopics(tuple(dict.fromkeys(meant.names)), if_exists, meant.regex, internal)


@changing
def clone_command(
    session: Session,
    source: Annotated[str | None, typer.Argument(metavar="SOURCE", help="The topic to take after.")] = None,
    target: Annotated[
        str | None, typer.Argument(metavar="NEW", help="Its clone; needed unless it comes from another cluster.")
    ] = None,
    from_bootstrap: Annotated[
        str | None,
        typer.Option("--from-bootstrap", metavar="HOST:PORT,...", help="The cluster that SOURCE is in, if another."),
    ] = None,
    from_context: Annotated[
        str | None, typer.Option("--from-context", metavar="NAME", help="The same, by the name of its context.")
    ] = None,
    partitions: Annotated[int | None, typer.Option("--partitions", help="Another number than SOURCE has.")] = None,
    replication_factor: Annotated[
        int | None, typer.Option("--replication-factor", help="Other replicas than SOURCE has.")
    ] = None,
    config: Annotated[
        list[str] | None,
        typer.Option("--config", metavar="NAME=VALUE", help="A setting in addition or instead. May be repeated."),
    ] = None,
    if_not_exists: IfNotExists = False,
) -> Operation:
    """Create a topic with the partitions, replication factor and settings of another; records are not copied.

    \b
    Example:
      logctl topic clone orders orders-v2
    """
    from logctl.admin.topic_clone import CloneTopic, read_definition

    name = required(source, "no topic was named")
    elsewhere = from_bootstrap is not None or from_context is not None
    new = target or (name if elsewhere else required(target, "the new topic was not named"))
    clone = CloneTopic(
        name, new, None, partitions, replication_factor, parse_configs(config or []), if_not_exists
    )
    if not elsewhere:
        clone.check()
        return clone._replace(definition=read_definition(session.cluster, name, session.deadline))
    return clone._replace(definition=_definition_elsewhere(session, name, from_bootstrap, from_context))


@changing
def trim_command(
    session: Session,
    topics: Annotated[
        list[str] | None,
        typer.Argument(metavar="TOPIC[:PARTITION,...]...", help="Topics, or some of their partitions."),
    ] = None,
    before_offset: Annotated[
        int | None, typer.Option("--before-offset", metavar="OFFSET", help="The first offset to keep.")
    ] = None,
    before: Annotated[
        str | None,
        typer.Option("--before", metavar="TIME", help="Keep what is as young as this: 2026-01-31T12:00:00Z, @MS, 2h."),
    ] = None,
    to_latest: Annotated[bool, typer.Option("--to-latest", help="Keep nothing of what is there now.")] = False,
    offset_file: Annotated[
        str | None,
        typer.Option("--offset-json-file", metavar="FILE", help="Offsets in a file, as kafka-delete-records takes it."),
    ] = None,
) -> Operation:
    """Delete the oldest records of topics: before an offset, a moment, or all there are now.

    Shows how many records go, and about how many bytes. There is no way back: asks first at a terminal; elsewhere -y
    is needed. Replaces kafka-delete-records.

    \b
    Example:
      logctl topic trim orders --before 2026-01-31T12:00:00Z -y
    """
    given = [before_offset is not None, before is not None, to_latest, offset_file is not None]
    if sum(given) != 1:
        raise UsageError("say where to cut: one of --before-offset, --before, --to-latest, --offset-json-file")
    if offset_file is not None:
        return _trim_of_file(session, offset_file, topics)
    return _trim(session, required(topics, "no topic was named"), cut_of(before_offset, before))


# -- arguments -------------------------------------------------------------------------------------------------------


def one_name(argument: str | None, option: str | None) -> str:
    """The one topic that the argument or --topic names. Raises UsageError."""
    if argument and option and argument != option:
        raise UsageError(f"two topics were named: {argument} and {option}")
    name = argument or option
    if not name:
        raise UsageError("no topic was named", "see `logctl topic create --help`")
    return name


def all_names(arguments: list[str] | None, option: str | None) -> list[str]:
    """The topics that the arguments and --topic name, each once."""
    return list(dict.fromkeys([*(arguments or []), *([option] if option else [])]))


def parse_configs(pairs: list[str]) -> dict[str, str]:
    """['retention.ms=1000'] as a dictionary. Raises UsageError."""
    configs: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"--config {pair}: a setting has the form name=value")
        if name.strip() in configs:
            raise UsageError(f"--config {name.strip()} is given twice")
        configs[name.strip()] = value.strip()
    return configs


def parse_assignment(text: str) -> tuple[tuple[int, ...], ...]:
    """'1:2,2:3' as the replicas of each partition, as kafka-topics takes it. Raises UsageError."""
    try:
        assignment = tuple(tuple(int(broker) for broker in part.split(":")) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"--replica-assignment {text}: broker ids joined by ':' were expected, partitions joined by ','"
        ) from None
    for number, replicas in enumerate(assignment):
        if len(set(replicas)) != len(replicas):
            raise UsageError(f"--replica-assignment {text}: partition {number} names a broker twice")
        if len(replicas) != len(assignment[0]):
            raise UsageError(f"--replica-assignment {text}: every partition needs the same number of replicas")
    return assignment


def cut_of(offset: int | None, before: str | None) -> Position:
    """Where --before-offset or --before cut; with neither, at the end. Raises UsageError."""
    from logctl.admin.positions import END, Kind, Position, parse_position

    if offset is not None:
        if offset < 0:
            raise UsageError(f"--before-offset {offset}: offsets begin with 0", "for all there is: --to-latest")
        return Position(Kind.OFFSET, offset)
    if before is None:
        return END
    ago_ms = _ago_ms(before)
    found = Position(Kind.TIME, ago_ms) if ago_ms is not None else parse_position(before)
    if found.kind is not Kind.TIME:
        raise UsageError(f"--before {before}: a time was expected", "for an offset: --before-offset")
    return found


def _ago_ms(text: str) -> int | None:
    """The moment so long ago: '2h', '7d'; None for what is no duration."""
    found = re.fullmatch(r"([0-9]+)(s|m|h|d)", text.strip())
    if found is None:
        return None
    return round(time.time() * 1000) - int(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]] * 1000


def _trim(session: Session, topics: list[str], cut: Position) -> Operation:
    from logctl.admin.partitions import parse_places
    from logctl.admin.trims import intend

    return intend(session.cluster, parse_places(topics), cut, session.deadline)


def _trim_of_file(session: Session, path: str, topics: list[str] | None) -> Operation:
    from logctl.admin.trims import intend_cuts, read_cuts

    if topics:
        raise UsageError("the file says which partitions: leave out the topics")
    return intend_cuts(session.cluster, read_cuts(read_text(path, "--offset-json-file"), path), session.deadline)


def read_text(path: str, flag: str) -> str:
    """The file's text; '-' is stdin. Raises UsageError."""
    try:
        if path == "-":
            return sys.stdin.read()
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"{flag} {path}: {reason}") from None


def _definition_elsewhere(session: Session, name: str, bootstrap: str | None, context: str | None) -> Definition:
    from logctl.admin.topic_clone import read_definition
    from logctl.cli.session import Target, connected

    with connected(Target(bootstrap, context), f"{session.timeout_s:g}s") as source:
        return read_definition(source.cluster, name, source.deadline)
