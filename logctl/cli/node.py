"""`logctl node`: single nodes of this machine, started, stopped, prepared and looked at."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from logctl import local
from logctl.cli.command import telling
from logctl.cli.durations import parse_duration_s
from logctl.cli.foreground import DEFAULT_PORT, check_form, given_settings, run_config
from logctl.cli.node_joining import register_joining
from logctl.cli.node_leaving import register_leaving
from logctl.cli.node_listing import register_listing
from logctl.cli.output import Column, Listing, View, note
from logctl.cli.units import size_text
from logctl.cli.up import (
    Controllers,
    Count,
    Data,
    EngineName,
    Heap,
    KafkaHome,
    KafkaVersion,
    LogFormat,
    Port,
    Settings,
    stop_all,
)
from logctl.errors import Declined, UsageError

if TYPE_CHECKING:
    from logctl.cli.apache_nodes import ApacheFlags

node_app = typer.Typer(name="node", help="Run, prepare and look at nodes on this machine.", no_args_is_help=True)
register_listing(node_app)
register_joining(node_app)
register_leaving(node_app)

Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="YAML, or Java .properties, with Apache's setting names."),
]


def register(app: typer.Typer) -> None:
    app.add_typer(node_app)


@node_app.command()
def start(
    node: Annotated[int | None, typer.Argument(metavar="[NODE]", help="Id of a node of --data that is down.")] = None,
    config: Config = None,
    settings: Settings = None,
    log_format: LogFormat = "text",
    data: Data = None,
    detach: Annotated[bool, typer.Option("--detach", help="With NODE: return when it is ready.")] = False,
    timeout: Annotated[str, typer.Option(metavar="DURATION", help="With --detach: how long to wait.")] = "60s",
    engine: EngineName = None,
    kafka_version: KafkaVersion = None,
    kafka_home: KafkaHome = None,
    heap: Heap = None,
) -> None:
    """Run one node in the foreground, for service managers. Its directory must have been formatted.

    With NODE: one of the nodes of a data folder that Apache Kafka runs, as `logctl up` started it.
    Replaces kafka-server-start.

    \b
    Examples:
      logctl node start --config server.properties
      logctl node start 2 --detach
    """
    from logctl.cli.apache_nodes import ApacheFlags, start_by_config

    if (config is None) == (node is None):
        raise UsageError("say what to start: --config FILE, or the id of a node of the data folder, one of the two")
    flags = ApacheFlags(None, None, kafka_version, kafka_home, heap)
    if node is not None:
        _start_one((data or local.data_home()).absolute(), node, log_format, detach, parse_duration_s(timeout))
    elif detach:
        raise UsageError("--detach goes with the id of a node", "a service manager wants the node in the foreground")
    elif _is_apache(engine, flags):
        check_form(log_format)
        start_by_config(str(config), given_settings(settings or ()), log_format, flags)
    else:
        run_config(str(config), settings or (), log_format)


def _is_apache(engine: str | None, flags: ApacheFlags) -> bool:
    if engine not in (None, "logctl", "apache"):
        raise UsageError(f"--engine is logctl or apache, not {engine!r}")
    if engine != "apache" and flags.given():
        raise UsageError(f"{flags.given()[0]} is for Apache Kafka's nodes", "add --engine apache, or leave it out")
    return engine == "apache"


def _start_one(folder: Path, node_id: int, log_format: str, detach: bool, wait_s: float) -> None:
    """Start a node of the folder that is down, as it was started before."""
    check_form(log_format)
    if local.engine_of(folder) != "apache":
        raise UsageError(
            f"Apache Kafka runs no nodes in {folder}", "a node of the bundled engine is started with `logctl up`"
        )
    from logctl.cli.apache_nodes import start_member

    start_member(folder, node_id, log_format, detach, wait_s)


@node_app.command()
def stop(
    nodes: Annotated[list[int], typer.Argument(metavar="NODE...", help="Ids of nodes of the data folder.")],
    data: Data = None,
    timeout: Annotated[str, typer.Option(metavar="DURATION", help="How long to wait for the end.")] = "60s",
) -> None:
    """Stop some nodes of a data folder in order; `logctl down` stops all.

    Replaces kafka-server-stop.

    \b
    Example:
      logctl node stop 2
    """
    wait_s = parse_duration_s(timeout)
    folder = (data or local.data_home()).absolute()
    known = {node.node_id: node for node in local.nodes_in(folder)}
    strangers = [node_id for node_id in nodes if node_id not in known]
    if strangers:
        there = ", ".join(map(str, known)) or "none"
        raise UsageError(f"there is no node {strangers[0]} in {folder}", f"there are: {there}")
    for node_id in nodes:
        if not known[node_id].is_running:
            note(f"node {node_id} does not run")
    running = [known[node_id] for node_id in dict.fromkeys(nodes) if known[node_id].is_running]
    for one in running:
        if one.pid is None or one.pid <= 0:
            raise Declined(f"node {one.node_id} is held by a process that cannot be seen from here")
    stop_all(running, wait_s)


@node_app.command("format")
def format_(
    config: Config = None,
    data: Data = None,
    cluster_id: Annotated[
        str | None, typer.Option("--cluster-id", "-t", metavar="ID", help="Without it: a new one.")
    ] = None,
    settings: Settings = None,
    engine: EngineName = None,
    nodes: Count = None,
    controllers: Controllers = None,
    port: Port = None,
    kafka_version: KafkaVersion = None,
    kafka_home: KafkaHome = None,
    standalone: Annotated[
        bool, typer.Option("--standalone", help="The metadata log begins with this node as its one voter.")
    ] = False,
    first: Annotated[
        str | None,
        typer.Option(
            "--initial-controllers", metavar="ID@HOST:PORT:DIRECTORY,...",
            help="It begins with these voters; DIRECTORY is a directory.id of your making.",
        ),
    ] = None,
    joining: Annotated[bool, typer.Option("--no-initial-controllers", hidden=True)] = False,
) -> None:
    """Prepare the log directories of a node. Directories of the same cluster and node are left as they are.

    Without --standalone and --initial-controllers voters are fixed by controller.quorum.voters, or the node joins
    others. With --engine apache and --data: those of all its nodes, which `logctl up` then starts. Replaces
    kafka-storage format.

    \b
    Example:
      logctl node format --config server.properties
    """
    from logctl.cli.apache_nodes import ApacheFlags, format_by_config, format_folder

    if (config is None) == (data is None):
        raise UsageError("say what to format: --config FILE or --data DIR, one of the two")
    flags = ApacheFlags(nodes, controllers, kafka_version, kafka_home)
    if sum((standalone, first is not None, joining)) > 1:
        raise UsageError("--standalone, --initial-controllers and --no-initial-controllers exclude each other")
    if _is_apache(engine, flags):
        if standalone or first is not None:
            raise UsageError("--standalone and --initial-controllers are for the bundled engine")
        given = given_settings(settings or ())
        if data is not None:
            format_folder(data.absolute(), cluster_id, port, given, flags)
        else:
            format_by_config(str(config), cluster_id, given, flags)
        return
    voters = "standalone" if standalone else first or ""
    _format_bundled(config, data, cluster_id, settings, port, voters)


def _format_bundled(
    config: Path | None,
    data: Path | None,
    cluster_id: str | None,
    settings: list[str] | None,
    port: int | None,
    voters: str,
) -> None:
    from logctl.engine.config_file import read_config
    from logctl.engine.lifecycle import local_entries
    from logctl.engine.node import format_node

    if data is not None:
        entries = local_entries(local.log_dir_of(data.absolute(), 1), port or DEFAULT_PORT)
    else:
        entries = read_config(str(config))
    for sentence in format_node(entries + given_settings(settings or ()), cluster_id, voters):
        note(sentence)


class LocalNodeItem(TypedDict):
    name: str
    node_id: int
    cluster_id: str
    log_dir: str
    state: Annotated[str, "starting, running, stopping, stopped or died"]
    pid: int | None
    addresses: Annotated[list[str], "where it is reached, as host:port; of a controller alone the quorum's"]
    roles: list[str]
    log_dirs: list[str]
    started_ms: Annotated[int, "milliseconds since 1970; 0 when nobody knows"]
    diary: Annotated[str | None, "the file it tells its life in"]
    engine: Annotated[str, "logctl or apache"]
    metadata_end: Annotated[int | None, "the offset after the last record of its metadata log"]
    memory_bytes: Annotated[int | None, "what its process occupies"]
    reason: Annotated[str | None, "why it died, where its log tells"]


STATUS = Listing(
    "nodes",
    LocalNodeItem,
    (
        Column("NODE", lambda node: node["node_id"], number=True),
        Column("ENGINE", lambda node: node["engine"]),
        Column("STATE", lambda node: node["state"]),
        Column("PID", lambda node: node["pid"] or "-"),
        Column("ADDRESS", lambda node: ",".join(node["addresses"]) or "-"),
        Column("ROLES", lambda node: ",".join(node["roles"]) or "-"),
        Column("MEMORY", lambda node: size_text(node["memory_bytes"]), number=True, key=lambda n: n["memory_bytes"]),
        Column("METADATA-END", lambda node: "-" if node["metadata_end"] is None else node["metadata_end"], number=True),
        Column("DATA", lambda node: node["log_dir"]),
        Column("CLUSTER", lambda node: node["cluster_id"], wide=True),
        Column("DIARY", lambda node: node["diary"] or "-", wide=True),
        Column("REASON", lambda node: node["reason"] or "-", wide=True),
    ),
)


@node_app.command()
@telling(STATUS)
def status(session: None, data: Data = None) -> View:
    """Tell of each node of a data folder: id, engine, process, address, state, roles, memory and metadata end.

    \b
    Example:
      logctl node status -o json
    """
    folder = (data or local.data_home()).absolute()
    nodes = local.nodes_in(folder)
    if not nodes:
        note(f"there is no node in {folder}")
    items = [_item(node) for node in nodes]
    for item in items:
        if item["reason"]:
            note(f"node {item['node_id']} died: {item['reason']}")
    return STATUS.view(items)


def _item(node: local.LocalNode) -> LocalNodeItem:
    node = _as_it_is(node)
    item: LocalNodeItem = {
        "name": f"node-{node.node_id}",
        **asdict(node),  # type: ignore[typeddict-item]  # the same fields, as a test of the schema sees
        "metadata_end": local.metadata_end(node),
        "memory_bytes": None if node.pid is None else local.memory_bytes(node.pid),
        "reason": _reason(node),
    }
    return item


def _as_it_is(node: local.LocalNode) -> local.LocalNode:
    """A node of Apache Kafka whose starter has gone says that it starts until somebody sees that it answers."""
    if node.engine != "apache" or node.state != "starting" or not node.addresses:
        return node
    from logctl.engine.lifecycle import answers

    return replace(node, state="running") if answers(node.addresses[0], 1.0) else node


def _reason(node: local.LocalNode) -> str | None:
    if node.engine != "apache" or node.state != "died":
        return None
    from logctl.engine.apache.cluster import why_died

    return why_died(node)
