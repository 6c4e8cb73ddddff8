"""logctl topic: list, describe, create, add-partitions, delete.

What a command works with is imported when it runs: its help and its usage errors cost nothing but Typer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from logctl.cli import output
from logctl.cli.options import (
    DEFAULT_TIMEOUT,
    Bootstrap,
    DryRun,
    ExitCode,
    NoHeaders,
    Output,
    Properties,
    Timeout,
    Yes,
)
from logctl.cli.output import Column, Format, View
from logctl.errors import UsageError

if TYPE_CHECKING:
    from logctl.admin.observe import Partition, Topic
    from logctl.admin.topics import Found, Selection

Patterns = Annotated[
    list[str] | None, typer.Argument(metavar="[TOPIC]...", help="Names or shell patterns ('order*'); all by default.")
]
Regex = Annotated[
    str | None, typer.Option("--topic", metavar="REGEX", help="A regular expression instead, as kafka-topics takes it.")
]
TopicOption = Annotated[
    str | None, typer.Option("--topic", metavar="TOPIC", help="The name, as kafka-topics takes it.")
]
ExcludeInternal = Annotated[bool, typer.Option("--exclude-internal", help="Leave out the cluster's own topics.")]


def register(app: typer.Typer) -> None:
    """Add `logctl topic`."""
    topic = typer.Typer(no_args_is_help=True, help="List, describe, create, enlarge and delete topics.")
    topic.command("list")(list_command)
    topic.command("ls", hidden=True)(list_command)
    topic.command("describe")(describe_command)
    topic.command("create")(create_command)
    topic.command("add-partitions")(add_partitions_command)
    topic.command("delete")(delete_command)
    app.add_typer(topic, name="topic")


def list_command(
    topics: Patterns = None,
    regex: Regex = None,
    exclude_internal: ExcludeInternal = False,
    bootstrap: Bootstrap = None,
    properties: Properties = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
    form: Output = Format.TABLE,
    no_headers: NoHeaders = False,
) -> None:
    """List topics.

    Replaces kafka-topics --list.

    \b
    Example:
      logctl topic list 'order*' -o json
    """
    from logctl.admin.topics import list_topics
    from logctl.cli.session import connected

    with connected(bootstrap, properties, timeout) as session:
        found = list_topics(session.cluster, _selection(topics, regex, exclude_internal), session.deadline)
    output.show(_listing(found), form, headers=not no_headers)
    output.finish(found.failures)


def describe_command(
    topics: Patterns = None,
    regex: Regex = None,
    exclude_internal: ExcludeInternal = False,
    bootstrap: Bootstrap = None,
    properties: Properties = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
    form: Output = Format.TABLE,
    no_headers: NoHeaders = False,
) -> None:
    """Show topics with their settings and every partition's leader, replicas and in-sync replicas.

    Replaces kafka-topics --describe.

    \b
    Example:
      logctl topic describe orders
    """
    from logctl.admin.topics import describe_topics
    from logctl.cli.session import connected

    with connected(bootstrap, properties, timeout) as session:
        found = describe_topics(session.cluster, _selection(topics, regex, exclude_internal), session.deadline)
    _show_description(found, form, headers=not no_headers)
    output.finish(found.failures)


def create_command(
    name: Annotated[str | None, typer.Argument(metavar="TOPIC", help="The topic's name.")] = None,
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
    if_not_exists: Annotated[bool, typer.Option("--if-not-exists", help="Accept a topic that exists already.")] = False,
    bootstrap: Bootstrap = None,
    properties: Properties = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
    form: Output = Format.TABLE,
    yes: Yes = False,
    dry_run: DryRun = False,
    exit_code: ExitCode = False,
) -> int:
    """Create a topic, and wait until the cluster shows it.

    Replaces kafka-topics --create.

    \b
    Example:
      logctl topic create orders --partitions 6 --config retention.ms=86400000
    """
    from logctl.admin.topic_changes import CreateTopic
    from logctl.cli.run import ChangeFlags, change
    from logctl.cli.session import connected

    operation = CreateTopic(
        one_name(name, named),
        partitions,
        replication_factor,
        parse_configs(config or []),
        parse_assignment(assignment) if assignment is not None else (),
        if_not_exists,
    )
    operation.check()
    with connected(bootstrap, properties, timeout) as session:
        return change(session, operation, ChangeFlags(yes, dry_run, exit_code, form))


def add_partitions_command(
    name: Annotated[str | None, typer.Argument(metavar="TOPIC", help="The topic's name.")] = None,
    total: Annotated[int | None, typer.Argument(metavar="TOTAL", help="How many partitions it shall have.")] = None,
    named: TopicOption = None,
    partitions: Annotated[
        int | None, typer.Option("--partitions", metavar="TOTAL", help="The same, as kafka-topics takes it.")
    ] = None,
    assignment: Annotated[
        str | None,
        typer.Option("--replica-assignment", metavar="1:2,2:3", help="Brokers of each new partition."),
    ] = None,
    bootstrap: Bootstrap = None,
    properties: Properties = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
    form: Output = Format.TABLE,
    yes: Yes = False,
    dry_run: DryRun = False,
    exit_code: ExitCode = False,
) -> int:
    """Give a topic more partitions: TOTAL is their number afterwards.

    Records with a key may go to another partition than before, and partitions cannot be taken away again.
    Replaces kafka-topics --alter --partitions.

    \b
    Example:
      logctl topic add-partitions orders 12
    """
    from logctl.admin.topic_changes import AddPartitions
    from logctl.cli.run import ChangeFlags, change
    from logctl.cli.session import connected

    wanted = total if total is not None else partitions
    if wanted is None or (partitions is not None and partitions != wanted):
        raise UsageError("say how many partitions the topic shall have", "see `logctl topic add-partitions --help`")
    by_hand = parse_assignment(assignment) if assignment is not None else ()
    operation = AddPartitions(one_name(name, named), wanted, by_hand)
    operation.check()
    with connected(bootstrap, properties, timeout) as session:
        return change(session, operation, ChangeFlags(yes, dry_run, exit_code, form))


def delete_command(
    names: Annotated[list[str] | None, typer.Argument(metavar="TOPIC...", help="The topics to delete.")] = None,
    named: TopicOption = None,
    if_exists: Annotated[bool, typer.Option("--if-exists", help="Accept a topic that does not exist.")] = False,
    bootstrap: Bootstrap = None,
    properties: Properties = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
    form: Output = Format.TABLE,
    yes: Yes = False,
    dry_run: DryRun = False,
    exit_code: ExitCode = False,
) -> int:
    """Delete topics with every record in them, and wait until they are gone.

    Asks first at a terminal; elsewhere -y is needed. Replaces kafka-topics --delete.

    \b
    Example:
      logctl topic delete orders -y
    """
    from logctl.admin.topic_changes import DeleteTopics
    from logctl.cli.run import ChangeFlags, change
    from logctl.cli.session import connected

    wanted = tuple(dict.fromkeys([*(names or []), *([named] if named else [])]))
    if not wanted:
        raise UsageError("no topic was named", "see `logctl topic delete --help`")
    with connected(bootstrap, properties, timeout) as session:
        return change(session, DeleteTopics(wanted, if_exists), ChangeFlags(yes, dry_run, exit_code, form))


# -- arguments -------------------------------------------------------------------------------------------------------


def _selection(names: list[str] | None, regex: str | None, exclude_internal: bool) -> Selection:
    from logctl.admin.topics import Selection

    return Selection(tuple(names or ()), regex, internal=not exclude_internal)


def one_name(argument: str | None, option: str | None) -> str:
    """The one topic that the argument or --topic names. Raises UsageError."""
    if argument and option and argument != option:
        raise UsageError(f"two topics were named: {argument} and {option}")
    name = argument or option
    if not name:
        raise UsageError("no topic was named", "see `logctl topic create --help`")
    return name


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


# -- output ----------------------------------------------------------------------------------------------------------

_LIST_COLUMNS = (
    Column("NAME", lambda topic: topic["name"]),
    Column("PARTITIONS", lambda topic: topic["partitions"], number=True),
    Column("REPLICATION", lambda topic: topic["replication_factor"], number=True),
    Column("ID", lambda topic: topic["id"], wide=True),
    Column("INTERNAL", lambda topic: "yes" if topic["internal"] else "no", wide=True),
)

_PARTITION_COLUMNS = (
    Column("PARTITION", lambda entry: entry["partition"], number=True),
    Column("LEADER", lambda entry: "none" if entry["leader"] is None else entry["leader"], number=True),
    Column("REPLICAS", lambda entry: _joined(entry["replicas"])),
    Column("ISR", lambda entry: _joined(entry["isr"])),
    Column("OFFLINE", lambda entry: _joined(entry["offline"]), wide=True),
    Column("EPOCH", lambda entry: entry["leader_epoch"], number=True, wide=True),
    Column("ELR", lambda entry: _joined(entry["elr"]), wide=True),
    Column("LAST-KNOWN-ELR", lambda entry: _joined(entry["last_known_elr"]), wide=True),
)


def _joined(numbers: list[int] | None) -> str:
    if numbers is None:
        return "N/A"
    return ",".join(str(number) for number in numbers) or "-"


def _listing(found: Found) -> View:
    items = [
        {
            "name": topic.name,
            "id": topic.id_text,
            "partitions": len(topic.partitions),
            "replication_factor": topic.replication_factor,
            "internal": topic.internal,
        }
        for topic in found.topics
    ]
    return View("topics", items, _LIST_COLUMNS, found.failures, {"cluster_id": found.cluster_id})


def _described(topic: Topic) -> dict[str, Any]:
    return {
        "name": topic.name,
        "id": topic.id_text,
        "internal": topic.internal,
        "replication_factor": topic.replication_factor,
        "configs": topic.configs or {},
        "partitions": [_partition_item(partition) for partition in topic.partitions],
    }


def _partition_item(partition: Partition) -> dict[str, Any]:
    return {
        "partition": partition.number,
        "leader": partition.leader,
        "leader_epoch": partition.leader_epoch,
        "replicas": list(partition.replicas),
        "isr": list(partition.isr),
        "offline": list(partition.offline),
        "elr": None if partition.elr is None else list(partition.elr),
        "last_known_elr": None if partition.last_known_elr is None else list(partition.last_known_elr),
    }


def _show_description(found: Found, form: Format, *, headers: bool) -> None:
    items = [_described(topic) for topic in found.topics]
    if form in (Format.TABLE, Format.WIDE):
        columns = [column for column in _PARTITION_COLUMNS if form is Format.WIDE or not column.wide]
        blocks = [_headline(item) + output.as_table(columns, item["partitions"], headers) for item in items]
        output.write("\n".join(blocks))
    elif form is Format.CSV:
        rows = [{"topic": item["name"], **entry} for item in items for entry in item["partitions"]]
        columns = [Column("TOPIC", lambda entry: entry["topic"]), *_PARTITION_COLUMNS]
        output.write(output.as_csv(columns, rows, headers))
    else:
        output.show(View("topics", items, (), found.failures, {"cluster_id": found.cluster_id}), form)


def _headline(item: Mapping[str, Any]) -> str:
    said = [
        f"topic {item['name']}",
        f"id {item['id']}",
        f"partitions {len(item['partitions'])}",
        f"replication factor {item['replication_factor']}",
        *(["internal"] if item["internal"] else []),
    ]
    configs = "".join(f"  {name}={value}\n" for name, value in sorted(item["configs"].items()))
    return output.neutral(", ".join(said)) + "\n" + output.neutral_text(configs)
