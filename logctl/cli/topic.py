"""logctl topic: list, describe, size; what changes topics is in `topic_changes`.

What a command works with is imported when it runs: its help and its usage errors cost nothing but Typer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, Final, TypedDict

import typer

from logctl.cli import output, topic_changes
from logctl.cli.cells import joined
from logctl.cli.command import reading
from logctl.cli.output import Column, Listing, Nested, OfCluster, View
from logctl.cli.units import count_text, size_text

if TYPE_CHECKING:
    from logctl.admin.observe import Partition, Topic
    from logctl.admin.partitions import Move
    from logctl.admin.sizes import TopicSize
    from logctl.admin.topics import Found, Selection
    from logctl.cli.session import Session
    from logctl.errors import LogctlError

Patterns = Annotated[
    list[str] | None, typer.Argument(metavar="[TOPIC]...", help="Names or shell patterns ('order*'); all by default.")
]
Regex = Annotated[
    str | None,
    typer.Option(
        "--topic", metavar="REGEX", help="A regular expression instead, as kafka-topics takes it; a name means itself."
    ),
]
TopicId = Annotated[str | None, typer.Option("--topic-id", metavar="ID", help="The topic with this id.")]
IfExists = Annotated[bool, typer.Option("--if-exists", help="Accept names that do not exist.")]
ExcludeInternal = Annotated[bool, typer.Option("--exclude-internal", help="Leave out the cluster's own topics.")]
WithOverrides = Annotated[
    bool, typer.Option("--topics-with-overrides", help="Only topics on which settings were made.")
]
UnderReplicated = Annotated[
    bool, typer.Option("--under-replicated-partitions", help="Only partitions with too few replicas in sync.")
]
Unavailable = Annotated[
    bool, typer.Option("--unavailable-partitions", help="Only partitions without a leader that is there.")
]
UnderMinIsr = Annotated[
    bool, typer.Option("--under-min-isr-partitions", help="Only partitions below min.insync.replicas: writes fail.")
]
AtMinIsr = Annotated[
    bool, typer.Option("--at-min-isr-partitions", help="Only partitions with just as many replicas in sync as that.")
]


def register(app: typer.Typer) -> None:
    """Add `logctl topic`."""
    topic = typer.Typer(no_args_is_help=True, help="List, describe, measure and change topics.")
    topic.command("list")(list_command)
    topic.command("ls", hidden=True)(list_command)
    topic.command("describe")(describe_command)
    topic.command("size")(size_command)
    topic_changes.register(topic)
    app.add_typer(topic, name="topic")


class ListedTopic(TypedDict):
    name: str
    id: Annotated[str, "the topic's id, as base64"]
    partitions: int
    replication_factor: Annotated[int, "replicas of the first partition, without those that a move is adding"]
    internal: Annotated[bool, "the cluster's own"]


class DescribedPartition(TypedDict):
    partition: int
    leader: Annotated[int | None, "broker id; null while there is none"]
    leader_epoch: int
    replicas: Annotated[list[int], "broker ids, the preferred leader first"]
    isr: Annotated[list[int], "broker ids of the in-sync replicas"]
    offline: Annotated[list[int], "broker ids of the replicas that cannot be reached"]
    adding: Annotated[list[int] | None, "broker ids a move is adding; null where the cluster does not tell"]
    removing: Annotated[list[int] | None, "broker ids a move will remove; null where the cluster does not tell"]
    elr: Annotated[list[int] | None, "eligible leader replicas (KIP-966); null where the cluster does not tell"]
    last_known_elr: Annotated[list[int] | None, "null where the cluster does not tell"]


class DescribedTopic(TypedDict):
    name: str
    id: Annotated[str, "the topic's id, as base64"]
    internal: Annotated[bool, "the cluster's own"]
    replication_factor: Annotated[int, "replicas of the first partition, without those that a move is adding"]
    partition_count: Annotated[int, "of the whole topic, also where a filter leaves some out"]
    configs: Annotated[dict[str, str], "the settings made on the topic itself"]
    partitions: list[DescribedPartition]


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
        Column("REPLICAS", lambda entry: joined(entry["replicas"])),
        Column("ISR", lambda entry: joined(entry["isr"])),
        Column("OFFLINE", lambda entry: joined(entry["offline"]), wide=True),
        Column("ADDING", lambda entry: joined(entry["adding"]), wide=True),
        Column("REMOVING", lambda entry: joined(entry["removing"]), wide=True),
        Column("EPOCH", lambda entry: entry["leader_epoch"], number=True, wide=True),
        Column("ELR", lambda entry: joined(entry["elr"]), wide=True),
        Column("LAST-KNOWN-ELR", lambda entry: joined(entry["last_known_elr"]), wide=True),
    ),
    Nested("partitions", "TOPIC", lambda item: _headline(item)),
    OfCluster,
)


class BrokerSize(TypedDict):
    broker: int
    replicas: Annotated[int, "replicas that the broker has of the topic"]
    size_bytes: Annotated[int | None, "bytes of their segments; null where the broker did not tell"]


class SizedTopic(TypedDict):
    name: str
    partitions: int
    leader_size_bytes: Annotated[int | None, "what the topic holds: bytes at the leaders; null when one did not tell"]
    size_bytes: Annotated[int, "what it takes on disk: bytes of all replicas that were told of"]
    complete: Annotated[bool, "every broker that has a replica told how large it is"]
    brokers: list[BrokerSize]


SIZED = Listing(
    "topics",
    SizedTopic,
    (
        Column("NAME", lambda topic: topic["name"]),
        Column("PARTITIONS", lambda topic: topic["partitions"], number=True),
        Column(
            "SIZE",
            lambda topic: size_text(topic["leader_size_bytes"]),
            number=True,
            key=lambda topic: topic["leader_size_bytes"],
        ),
        Column(
            "ON-DISK",
            lambda topic: size_text(topic["size_bytes"]) + ("" if topic["complete"] else "+"),
            number=True,
            key=lambda topic: topic["size_bytes"],
        ),
    ),
    also=OfCluster,
)
_BY_BROKER: Final = (
    Column("BROKER", lambda entry: entry["broker"], number=True),
    Column("REPLICAS", lambda entry: count_text(entry["replicas"]), number=True),
    Column("SIZE", lambda entry: size_text(entry["size_bytes"]), number=True, key=lambda entry: entry["size_bytes"]),
)


@reading(LISTED)
def list_command(
    session: Session,
    topics: Patterns = None,
    regex: Regex = None,
    exclude_internal: ExcludeInternal = False,
    with_overrides: WithOverrides = False,
    if_exists: Annotated[bool, typer.Option("--if-exists", hidden=True)] = False,
) -> View:
    """List topics.

    Replaces kafka-topics --list.

    \b
    Example:
      logctl topic list 'order*' -o json
    """
    from logctl.admin.topics import describe_topics, list_topics

    meant = _selection(topics, regex, exclude_internal, missing_ok=if_exists)
    look = describe_topics if with_overrides else list_topics
    found = look(session.cluster, meant, session.deadline)
    return LISTED.view(
        [_listed(topic) for topic in found.topics if topic.configs or not with_overrides],
        found.failures,
        cluster_id=found.cluster_id,
    )


@reading(DESCRIBED, watch=True)
def describe_command(
    session: Session,
    topics: Patterns = None,
    regex: Regex = None,
    topic_id: TopicId = None,
    exclude_internal: ExcludeInternal = False,
    with_overrides: WithOverrides = False,
    under_replicated: UnderReplicated = False,
    unavailable: Unavailable = False,
    under_min_isr: UnderMinIsr = False,
    at_min_isr: AtMinIsr = False,
    if_exists: IfExists = False,
) -> View:
    """Show topics with their settings and every partition's leader, replicas and in-sync replicas.

    With a filter: the partitions it holds for, by the rules of kafka-topics.
    Replaces kafka-topics --describe.

    \b
    Example:
      logctl topic describe orders
    """
    from logctl.admin import partitions

    meant = _selection(topics, regex, exclude_internal, topic_id, if_exists)
    flags = {
        partitions.UNDER_REPLICATED: under_replicated,
        partitions.OFFLINE: unavailable,
        partitions.UNDER_MIN_ISR: under_min_isr,
        partitions.AT_MIN_ISR: at_min_isr,
    }
    return _descriptions(session, meant, {name for name, wanted in flags.items() if wanted}, with_overrides)


@reading(SIZED, watch=True)
def size_command(
    session: Session,
    topics: Patterns = None,
    regex: Regex = None,
    exclude_internal: ExcludeInternal = False,
    by_broker: Annotated[bool, typer.Option("--by-broker", help="What each broker holds of each topic.")] = False,
) -> View:
    """Show how many bytes topics hold, and how many they take on the disks of all replicas.

    A broker that does not answer leaves the others standing; `+` marks a sum that it is missing from.
    Replaces kafka-log-dirs --describe, added up.

    \b
    Example:
      logctl topic size --sort -size
    """
    from logctl.admin.sizes import topic_sizes

    found = topic_sizes(session.cluster, _selection(topics, regex, exclude_internal), session.deadline)
    view = SIZED.view([_sized(topic) for topic in found.topics], found.failures, cluster_id=found.cluster_id)
    if not by_broker:
        return view
    return view._replace(columns=_BY_BROKER, nested=Nested("brokers", "TOPIC", _size_headline))


def _selection(
    names: list[str] | None,
    regex: str | None,
    exclude_internal: bool,
    topic_id: str | None = None,
    missing_ok: bool = False,
) -> Selection:
    from logctl.admin.topics import selection_of

    return selection_of(
        names or (), regex, internal=not exclude_internal, topic_id=topic_id, missing_ok=missing_ok
    )


# -- output ----------------------------------------------------------------------------------------------------------

def _listed(topic: Topic) -> ListedTopic:
    return {
        "name": topic.name,
        "id": topic.id_text,
        "partitions": len(topic.partitions),
        "replication_factor": topic.replication_factor,
        "internal": topic.internal,
    }


def _only(topic: Topic, found: Found, faults: set[str]) -> Topic:
    """The topic with the partitions that have one of these faults; as it is, when none is asked about."""
    from logctl.admin.partitions import FILTERS, STILL, Seen

    if not faults:
        return topic
    moving, least = found.moving or {}, found.min_isr.get(topic.name)

    def kept(one: Partition) -> bool:
        seen = Seen(one, moving.get((topic.name, one.number), STILL), least, found.live)
        return any(FILTERS[name](seen) for name in faults)

    return topic._replace(partitions=tuple(one for one in topic.partitions if kept(one)))


def _descriptions(session: Session, meant: Selection, faults: set[str], with_overrides: bool) -> View:
    """The first page of topics has been asked for; the others are as they are read."""
    from logctl.admin.topics import pages

    following = pages(session.cluster, meant, session.deadline)
    first = next(following)
    failures: dict[str, LogctlError] = {**first.failures}

    def items() -> Iterator[DescribedTopic]:
        for page in chain([first], following):
            failures.update(page.failures)
            for topic in page.topics:
                if with_overrides and not topic.configs:
                    continue
                chosen = _only(topic, page, faults)
                if chosen.partitions or not faults:
                    yield _described(chosen, topic, page)

    view = DESCRIBED.view(items(), failures, cluster_id=first.cluster_id)
    return view._replace(columns=_with_moves(view.columns)) if first.moving else view


def _described(topic: Topic, whole: Topic, found: Found) -> DescribedTopic:
    from logctl.admin.partitions import STILL, replication_factor

    moving = found.moving
    rows = [
        partition_row(one, None if moving is None else moving.get((topic.name, one.number), STILL))
        for one in topic.partitions
    ]
    return {
        "name": topic.name,
        "id": topic.id_text,
        "internal": topic.internal,
        "replication_factor": replication_factor(whole, moving),
        "partition_count": len(whole.partitions),
        "configs": topic.configs or {},
        "partitions": rows,
    }


def partition_row(one: Partition, move: Move | None) -> DescribedPartition:
    return {
        "partition": one.number,
        "leader": one.leader,
        "leader_epoch": one.leader_epoch,
        "replicas": list(one.replicas),
        "isr": list(one.isr),
        "offline": list(one.offline),
        "adding": None if move is None else list(move.adding),
        "removing": None if move is None else list(move.removing),
        "elr": None if one.elr is None else list(one.elr),
        "last_known_elr": None if one.last_known_elr is None else list(one.last_known_elr),
    }


def _with_moves(columns: Sequence[Column]) -> list[Column]:
    """While something is moving, everybody sees what comes and goes."""
    return [one._replace(wide=False) if one.title in ("ADDING", "REMOVING") else one for one in columns]


def _sized(topic: TopicSize) -> SizedTopic:
    return {
        "name": topic.name,
        "partitions": topic.partitions,
        "leader_size_bytes": topic.leader_bytes,
        "size_bytes": topic.all_bytes,
        "complete": topic.complete,
        "brokers": [
            {"broker": one.broker, "replicas": one.replicas, "size_bytes": one.size_bytes} for one in topic.brokers
        ],
    }


def _size_headline(item: Mapping[str, Any]) -> str:
    held, disk = size_text(item["leader_size_bytes"]), size_text(item["size_bytes"])
    return output.neutral(f"topic {item['name']}, {held}, {disk} on disk") + "\n"


def _headline(item: Mapping[str, Any]) -> str:
    said = [
        f"topic {item['name']}",
        f"id {item['id']}",
        f"partitions {item['partition_count']}",
        f"replication factor {item['replication_factor']}",
        *(["internal"] if item["internal"] else []),
    ]
    configs = "".join(f"  {name}={value}\n" for name, value in sorted(item["configs"].items()))
    return output.neutral(", ".join(said)) + "\n" + output.neutral_text(configs)
