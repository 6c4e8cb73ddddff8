"""logctl logdir: the log directories of brokers, and what lies in them.

What a command works with is imported when it runs: its help and its usage errors cost nothing but Typer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from logctl.cli.command import reading
from logctl.cli.output import Column, Listing, OfCluster, View
from logctl.cli.units import count_text, size_text
from logctl.errors import LogctlError, UsageError

if TYPE_CHECKING:
    from logctl.admin.logdirs import Directories, LogDir, Replica
    from logctl.cli.session import Session

Brokers = Annotated[
    list[int] | None, typer.Option("--broker", metavar="ID", help="Of this broker only. May be repeated.")
]
Topics = Annotated[
    list[str] | None,
    typer.Option("--topic", metavar="TOPIC", help="Of this topic only, or of this shell pattern. May be repeated."),
]
BrokerList = Annotated[str | None, typer.Option("--broker-list", hidden=True)]
TopicList = Annotated[str | None, typer.Option("--topic-list", hidden=True)]


def register(app: typer.Typer) -> None:
    """Add `logctl logdir`."""
    logdir = typer.Typer(no_args_is_help=True, help="Show the log directories of brokers, and what lies in them.")
    logdir.command("list")(list_command)
    logdir.command("ls", hidden=True)(list_command)
    logdir.command("describe")(describe_command)
    app.add_typer(logdir, name="logdir")


class ListedLogDir(TypedDict):
    name: Annotated[str, "BROKER:PATH"]
    broker: int
    path: Annotated[str, "absolute, on the broker's machine"]
    total_bytes: Annotated[int | None, "size of the volume; null where not told"]
    usable_bytes: Annotated[int | None, "free space of the volume; null where not told"]
    used_bytes: Annotated[int | None, "bytes of the replicas' segments; null when the directory has failed"]
    replicas: Annotated[int | None, "replicas that lie there, copies in the making included; null when it has failed"]
    cordoned: Annotated[bool, "takes no new replicas"]
    error: Annotated[str, "Kafka's name of the error that keeps it offline; empty when it is well"]


class HeldReplica(TypedDict):
    name: Annotated[str, "TOPIC:PARTITION"]
    broker: int
    path: Annotated[str, "of the log directory"]
    topic: str
    partition: int
    size_bytes: Annotated[int, "bytes of its segments"]
    offset_lag: Annotated[int, "records behind the high watermark; for a copy in the making, behind the current one"]
    is_future: Annotated[bool, "a copy in the making that will replace the current one"]


LISTED = Listing(
    "logdirs",
    ListedLogDir,
    (
        Column("BROKER", lambda one: one["broker"], number=True),
        Column("PATH", lambda one: one["path"]),
        Column("REPLICAS", lambda one: count_text(one["replicas"]), number=True, key=lambda one: one["replicas"]),
        Column("USED", lambda one: size_text(one["used_bytes"]), number=True, key=lambda one: one["used_bytes"]),
        Column("FREE", lambda one: size_text(one["usable_bytes"]), number=True, key=lambda one: one["usable_bytes"]),
        Column("TOTAL", lambda one: size_text(one["total_bytes"]), number=True, key=lambda one: one["total_bytes"]),
        Column("STATE", lambda one: one["error"] or ("cordoned" if one["cordoned"] else "ok")),
    ),
    also=OfCluster,
)

DESCRIBED = Listing(
    "replicas",
    HeldReplica,
    (
        Column("BROKER", lambda one: one["broker"], number=True),
        Column("PARTITION", lambda one: one["name"]),
        Column("SIZE", lambda one: size_text(one["size_bytes"]), number=True, key=lambda one: one["size_bytes"]),
        Column("LAG", lambda one: count_text(one["offset_lag"]), number=True, key=lambda one: one["offset_lag"]),
        Column("FUTURE", lambda one: "yes" if one["is_future"] else "no"),
        Column("PATH", lambda one: one["path"]),
    ),
    also=OfCluster,
)


@reading(LISTED, watch=True)
def list_command(session: Session, broker: Brokers = None, broker_list: BrokerList = None) -> View:
    """List the log directories of each broker: how full their volumes are, and what the replicas take of it.

    A broker that does not answer, or a directory that has failed, leaves the others standing.

    \b
    Example:
      logctl logdir list
    """
    from logctl.admin.logdirs import describe_log_dirs

    found = describe_log_dirs(session.cluster, session.deadline, _brokers(broker, broker_list))
    return LISTED.view([_listed(one) for one in found.found], found.failures, cluster_id=found.cluster_id)


@reading(DESCRIBED, watch=True)
def describe_command(
    session: Session,
    broker: Brokers = None,
    topic: Topics = None,
    broker_list: BrokerList = None,
    topic_list: TopicList = None,
    described: Annotated[bool, typer.Option("--describe", hidden=True)] = False,
) -> View:
    """List the replicas in the log directories: how large each is, how far behind, and copies in the making.

    Replaces kafka-log-dirs --describe.

    \b
    Example:
      logctl logdir describe --topic orders --sort -size
    """
    topics = [*(topic or ()), *(name for name in (topic_list or "").split(",") if name)]
    found, failures = _replicas(session, _brokers(broker, broker_list), topics)
    items = [_held(one, replica) for one, replica in sorted(found.replicas(), key=_place)]
    return DESCRIBED.view(items, {**failures, **found.failures}, cluster_id=found.cluster_id)


def _brokers(brokers: list[int] | None, listed: str | None) -> list[int]:
    try:
        return [*(brokers or ()), *(int(one) for one in (listed or "").split(",") if one.strip())]
    except ValueError:
        raise UsageError(f"--broker-list {listed}: broker ids joined by ',' were expected") from None


def _replicas(session: Session, brokers: list[int], topics: list[str]) -> tuple[Directories, dict[str, LogctlError]]:
    from logctl.admin.logdirs import describe_log_dirs
    from logctl.admin.topics import Selection, list_topics

    if not topics:
        return describe_log_dirs(session.cluster, session.deadline, brokers), {}
    chosen = list_topics(session.cluster, Selection(tuple(topics)), session.deadline)
    wanted = {one.name: [partition.number for partition in one.partitions] for one in chosen.topics}
    return describe_log_dirs(session.cluster, session.deadline, brokers, wanted), chosen.failures


def _place(held: tuple[LogDir, Replica]) -> tuple[int, str, int, bool]:
    one, replica = held
    return one.broker, replica.topic, replica.partition, replica.is_future


def _listed(one: LogDir) -> ListedLogDir:
    well = one.failure is None
    return {
        "name": f"{one.broker}:{one.path}",
        "broker": one.broker,
        "path": one.path,
        "total_bytes": one.total_bytes,
        "usable_bytes": one.usable_bytes,
        "used_bytes": one.size_bytes if well else None,
        "replicas": len(one.replicas) if well else None,
        "cordoned": one.cordoned,
        "error": "" if one.failure is None else one.failure.kafka_name,
    }


def _held(one: LogDir, replica: Replica) -> HeldReplica:
    return {
        "name": f"{replica.topic}:{replica.partition}",
        "broker": one.broker,
        "path": one.path,
        "topic": replica.topic,
        "partition": replica.partition,
        "size_bytes": replica.size_bytes,
        "offset_lag": replica.offset_lag,
        "is_future": replica.is_future,
    }
