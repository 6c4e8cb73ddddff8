"""logctl topic: list, describe, create, add-partitions, delete.

What a command works with is imported when it runs: its help and its usage errors cost nothing but Typer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import typer

from logctl.cli import output
from logctl.cli.command import changing, reading
from logctl.cli.output import Column, Listing, Nested, View
from logctl.errors import UsageError

if TYPE_CHECKING:
    from logctl.admin.observe import Partition, Topic
    from logctl.admin.operation import Operation
    from logctl.admin.topics import Selection
    from logctl.cli.session import Session

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


class ListedTopic(TypedDict):
    name: str
    id: Annotated[str, "the topic's id, as base64"]
    partitions: int
    replication_factor: Annotated[int, "replicas of the first partition"]
    internal: Annotated[bool, "the cluster's own"]


class DescribedPartition(TypedDict):
    partition: int
    leader: Annotated[int | None, "broker id; null while there is none"]
    leader_epoch: int
    replicas: Annotated[list[int], "broker ids, the preferred leader first"]
    isr: Annotated[list[int], "broker ids of the in-sync replicas"]
    offline: Annotated[list[int], "broker ids of the replicas that cannot be reached"]
    elr: Annotated[list[int] | None, "eligible leader replicas (KIP-966); null where the cluster does not tell"]
    last_known_elr: Annotated[list[int] | None, "null where the cluster does not tell"]


class DescribedTopic(TypedDict):
    name: str
    id: Annotated[str, "the topic's id, as base64"]
    internal: Annotated[bool, "the cluster's own"]
    replication_factor: Annotated[int, "replicas of the first partition"]
    configs: Annotated[dict[str, str], "the settings made on the topic itself"]
    partitions: list[DescribedPartition]


class OfCluster(TypedDict):
    cluster_id: str | None


LISTED = Listing(
    "topics",
    ListedTopic,
    (
        Column("NAME", lambda topic: topic["name"]),
        Column("PARTITIONS", lambda topic: topic["partitions"], number=True),
        Column("REPLICATION", lambda topic: topic["replication_factor"], number=True),
        Column("ID", lambda topic: topic["id"], wide=True),
        Column("INTERNAL", lambda topic: "yes" if topic["internal"] else "no", wide=True),
    ),
    also=OfCluster,
)

DESCRIBED = Listing(
    "topics",
    DescribedTopic,
    (
        Column("PARTITION", lambda entry: entry["partition"], number=True),
        Column("LEADER", lambda entry: "none" if entry["leader"] is None else entry["leader"], number=True),
        Column("REPLICAS", lambda entry: _joined(entry["replicas"])),
        Column("ISR", lambda entry: _joined(entry["isr"])),
        Column("OFFLINE", lambda entry: _joined(entry["offline"]), wide=True),
        Column("EPOCH", lambda entry: entry["leader_epoch"], number=True, wide=True),
        Column("ELR", lambda entry: _joined(entry["elr"]), wide=True),
        Column("LAST-KNOWN-ELR", lambda entry: _joined(entry["last_known_elr"]), wide=True),
    ),
    Nested("partitions", "TOPIC", lambda item: _headline(item)),
    OfCluster,
)


@reading(LISTED)
def list_command(
    session: Session, topics: Patterns = None, regex: Regex = None, exclude_internal: ExcludeInternal = False
) -> View:
    """List topics.

    Replaces kafka-topics --list.

    \b
    Example:
      logctl topic list 'order*' -o json
    """
    from logctl.admin.topics import list_topics

    found = list_topics(session.cluster, _selection(topics, regex, exclude_internal), session.deadline)
    items: list[ListedTopic] = [
        {
            "name": topic.name,
            "id": topic.id_text,
            "partitions": len(topic.partitions),
            "replication_factor": topic.replication_factor,
            "internal": topic.internal,
        }
        for topic in found.topics
    ]
    return LISTED.view(items, found.failures, cluster_id=found.cluster_id)


@reading(DESCRIBED)
def describe_command(
    session: Session, topics: Patterns = None, regex: Regex = None, exclude_internal: ExcludeInternal = False
) -> View:
    """Show topics with their settings and every partition's leader, replicas and in-sync replicas.

    Replaces kafka-topics --describe.

    \b
    Example:
      logctl topic describe orders
    """
    from logctl.admin.topics import describe_topics

    found = describe_topics(session.cluster, _selection(topics, regex, exclude_internal), session.deadline)
    items = [_described(topic) for topic in found.topics]
    return DESCRIBED.view(items, found.failures, cluster_id=found.cluster_id)


@changing
def create_command(
    session: Session,
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
) -> Operation:
    """Create a topic, and wait until the cluster shows it.

    Replaces kafka-topics --create.

    \b
    Example:
      logctl topic create orders --partitions 6 --config retention.ms=86400000
    """
    from logctl.admin.topic_changes import CreateTopic

    return CreateTopic(
        one_name(name, named),
        partitions,
        replication_factor,
        parse_configs(config or []),
        parse_assignment(assignment) if assignment is not None else (),
        if_not_exists,
    )


@changing
def add_partitions_command(
    session: Session,
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
def delete_command(
    session: Session,
    names: Annotated[list[str] | None, typer.Argument(metavar="TOPIC...", help="The topics to delete.")] = None,
    named: TopicOption = None,
    if_exists: Annotated[bool, typer.Option("--if-exists", help="Accept a topic that does not exist.")] = False,
) -> Operation:
    """Delete topics with every record in them, and wait until they are gone.

    Asks first at a terminal; elsewhere -y is needed. Replaces kafka-topics --delete.

    \b
    Example:
      logctl topic delete orders -y
    """
    from logctl.admin.topic_changes import DeleteTopics

    wanted = tuple(dict.fromkeys([*(names or []), *([named] if named else [])]))
    if not wanted:
        raise UsageError("no topic was named", "see `logctl topic delete --help`")
    return DeleteTopics(wanted, if_exists)


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

def _joined(numbers: list[int] | None) -> str:
    if numbers is None:
        return "N/A"
    return ",".join(str(number) for number in numbers) or "-"


def _described(topic: Topic) -> DescribedTopic:
    return {
        "name": topic.name,
        "id": topic.id_text,
        "internal": topic.internal,
        "replication_factor": topic.replication_factor,
        "configs": topic.configs or {},
        "partitions": [_partition_item(partition) for partition in topic.partitions],
    }


def _partition_item(partition: Partition) -> DescribedPartition:
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
