"""logctl partition: list with what is wrong, and elect leaders.

What a command works with is imported when it runs: its help and its usage errors cost nothing but Typer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import typer

from logctl.cli.cells import joined
from logctl.cli.command import changing, reading
from logctl.cli.output import Column, Listing, OfCluster, View
from logctl.errors import UsageError

if TYPE_CHECKING:
    from logctl.admin.operation import Operation
    from logctl.admin.partitions import Seen
    from logctl.admin.topics import Found
    from logctl.cli.session import Session

Places = Annotated[
    list[str] | None,
    typer.Argument(metavar="[TOPIC[:PARTITION,...]]...", help="Topics, or some of their partitions."),
]


def register(app: typer.Typer) -> None:
    """Add `logctl partition`."""
    partition = typer.Typer(no_args_is_help=True, help="List partitions with what is wrong, and elect their leaders.")
    partition.command("list")(list_command)
    partition.command("ls", hidden=True)(list_command)
    partition.command("elect")(elect_command)
    app.add_typer(partition, name="partition")


class ListedPartition(TypedDict):
    name: Annotated[str, "TOPIC:PARTITION"]
    topic: str
    partition: int
    leader: Annotated[int | None, "broker id; null while there is none"]
    leader_epoch: int
    replicas: Annotated[list[int], "broker ids, the preferred leader first"]
    isr: Annotated[list[int], "broker ids of the in-sync replicas"]
    offline: Annotated[list[int], "broker ids of the replicas that cannot be reached"]
    adding: Annotated[list[int] | None, "broker ids a move is adding; null where the cluster does not tell"]
    removing: Annotated[list[int] | None, "broker ids a move will remove; null where the cluster does not tell"]
    min_isr: Annotated[int | None, "min.insync.replicas of the topic; null where it is not told"]
    faults: Annotated[
        list[str], "of offline, under-replicated, under-min-isr, at-min-isr and no-preferred-leader, what holds"
    ]


LISTED = Listing(
    "partitions",
    ListedPartition,
    (
        Column("PARTITION", lambda entry: entry["name"]),
        Column("LEADER", lambda entry: "none" if entry["leader"] is None else entry["leader"], number=True),
        Column("REPLICAS", lambda entry: joined(entry["replicas"])),
        Column("ISR", lambda entry: joined(entry["isr"])),
        Column("FAULTS", lambda entry: ",".join(entry["faults"]) or "-"),
        Column("MIN-ISR", lambda entry: "-" if entry["min_isr"] is None else entry["min_isr"], number=True, wide=True),
        Column("OFFLINE", lambda entry: joined(entry["offline"]), wide=True),
        Column("ADDING", lambda entry: joined(entry["adding"]), wide=True),
        Column("REMOVING", lambda entry: joined(entry["removing"]), wide=True),
        Column("EPOCH", lambda entry: entry["leader_epoch"], number=True, wide=True),
    ),
    also=OfCluster,
)


@reading(LISTED, watch=True)
def list_command(
    session: Session,
    places: Places = None,
    topic: Annotated[
        list[str] | None, typer.Option("--topic", metavar="TOPIC", help="Of this topic only. May be repeated.")
    ] = None,
    under_replicated: Annotated[
        bool, typer.Option("--under-replicated", help="Those with too few replicas in sync.")
    ] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Those without a leader that is there.")] = False,
    under_min_isr: Annotated[
        bool, typer.Option("--under-min-isr", help="Those below min.insync.replicas: writes fail.")
    ] = False,
    at_min_isr: Annotated[
        bool, typer.Option("--at-min-isr", help="Those that are one replica away from that.")
    ] = False,
    no_preferred_leader: Annotated[
        bool, typer.Option("--no-preferred-leader", help="Those not led by the first of their replicas.")
    ] = False,
    leader: Annotated[
        int | None, typer.Option("--leader", metavar="BROKER", help="Those that this broker leads.")
    ] = None,
    exclude_internal: Annotated[
        bool, typer.Option("--exclude-internal", help="Leave out the cluster's own topics.")
    ] = False,
) -> View:
    """List partitions with their leaders and what is wrong with them; several filters show what any of them finds.

    Topics may be shell patterns ('order*'). Replaces kafka-topics --describe with its filters.

    \b
    Example:
      logctl partition list --under-replicated --offline
    """
    from logctl.admin.partitions import parse_places
    from logctl.admin.topics import Selection, list_partitions

    meant = parse_places([*(places or ()), *(topic or ())])
    selection = Selection(tuple(meant), internal=not exclude_internal)
    flags = {
        "under-replicated": under_replicated,
        "offline": offline,
        "under-min-isr": under_min_isr,
        "at-min-isr": at_min_isr,
        "no-preferred-leader": no_preferred_leader,
    }
    wanted = {name for name, given in flags.items() if given}
    found = list_partitions(session.cluster, selection, session.deadline)
    items = [
        item
        for item in _items(found)
        if _meant(item, meant)
        and (not wanted or not wanted.isdisjoint(item["faults"]))
        and (leader is None or item["leader"] == leader)
    ]
    return LISTED.view(items, found.failures, cluster_id=found.cluster_id)


@changing
def elect_command(
    session: Session,
    places: Places = None,
    preferred: Annotated[
        bool, typer.Option("--preferred", help="The first of the replicas, if it is in sync.")
    ] = False,
    unclean: Annotated[
        bool, typer.Option("--unclean", help="Whoever is alive, where there is no leader: RECORDS ARE LOST.")
    ] = False,
    everywhere: Annotated[
        bool, typer.Option("--all-topic-partitions", "--all", help="Of the whole cluster.")
    ] = False,
    path: Annotated[
        str | None,
        typer.Option("--path-to-json-file", metavar="FILE", help="Those in a file, as kafka-leader-election takes it."),
    ] = None,
    election_type: Annotated[str | None, typer.Option("--election-type", hidden=True)] = None,
    topic: Annotated[str | None, typer.Option("--topic", hidden=True)] = None,
    partition: Annotated[int | None, typer.Option("--partition", hidden=True)] = None,
) -> Operation:
    """Elect the leaders of partitions: the preferred ones, or, where all that were in sync are lost, any replica.

    An unclean election gives up records that were acknowledged: asks first at a terminal; elsewhere -y is needed.
    Replaces kafka-leader-election.

    \b
    Example:
      logctl partition elect --preferred --all
    """
    from logctl.admin.elections import Elect, read_places
    from logctl.admin.partitions import parse_places
    from logctl.cli.topic_changes import read_text

    kind = _kind(preferred, unclean, election_type)
    named = [*(places or ()), *_apaches_way(topic, partition)]
    if (bool(named), everywhere, path is not None).count(True) != 1:
        raise UsageError("say which partitions: TOPIC, TOPIC:PARTITION, --all-topic-partitions or --path-to-json-file")
    if path is not None:
        return Elect(kind, read_places(read_text(path, "--path-to-json-file"), path))
    return Elect(kind, None if everywhere else parse_places(named))


# -- arguments -------------------------------------------------------------------------------------------------------


def _kind(preferred: bool, unclean: bool, election_type: str | None) -> Any:
    from logctl.admin.elections import Kind

    said = (election_type or "").upper()
    if said not in ("", *Kind.__members__):
        raise UsageError(f"--election-type {election_type}: there are preferred and unclean")
    kinds = {*([Kind.PREFERRED] if preferred else []), *([Kind.UNCLEAN] if unclean else [])}
    kinds |= {Kind[said]} if said else set()
    if len(kinds) != 1:
        raise UsageError("say which election: --preferred or --unclean")
    return kinds.pop()


def _apaches_way(topic: str | None, partition: int | None) -> Iterator[str]:
    if topic is None and partition is not None:
        raise UsageError("--partition needs --topic")
    if topic is not None:
        yield topic if partition is None else f"{topic}:{partition}"


# -- output ----------------------------------------------------------------------------------------------------------


def _items(found: Found) -> Iterator[ListedPartition]:
    from logctl.admin.partitions import STILL, Seen

    moving = found.moving or {}
    for topic in found.topics:
        least = found.min_isr.get(topic.name)
        for one in topic.partitions:
            move = moving.get((topic.name, one.number), STILL)
            yield _item(topic.name, Seen(one, move, least, found.live), told=found.moving is not None)


def _item(topic: str, seen: Seen, told: bool) -> ListedPartition:
    from logctl.admin.partitions import faults, place_text

    one = seen.partition
    return {
        "name": place_text((topic, one.number)),
        "topic": topic,
        "partition": one.number,
        "leader": one.leader,
        "leader_epoch": one.leader_epoch,
        "replicas": list(one.replicas),
        "isr": list(one.isr),
        "offline": list(one.offline),
        "adding": list(seen.move.adding) if told else None,
        "removing": list(seen.move.removing) if told else None,
        "min_isr": seen.min_isr,
        "faults": list(faults(seen)),
    }


def _meant(item: ListedPartition, meant: Mapping[str, tuple[int, ...] | None]) -> bool:
    numbers = meant.get(item["topic"])
    return numbers is None or item["partition"] in numbers
