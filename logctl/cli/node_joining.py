"""logctl node join: one more node of the bundled engine for a cluster that runs.

Theory of operation
-------------------
The cluster is asked first, and everything that can be wrong is found before anything is written. Then, in this order,
so that the same command goes on wherever it was cut short:

    settings     of a data folder in its nodes.json; of a directory of one's own in DIRECTORY.properties beside it, in
                 the form that `logctl node start --config` takes
    directory    formatted with the cluster's id
    process      started in the background, on a leash unless --detach
    waiting      until the controller has let it in and it has caught up
    vote         with --voter: AddRaftVoter, a change like any other

A directory that is formatted says which node it is; a seat of nodes.json that the cluster does not know yet is taken
for the one that was cut short.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

from logctl import local, seats
from logctl.cli.command import talking
from logctl.cli.foreground import check_form, given_settings
from logctl.cli.output import note
from logctl.cli.several_nodes import Start, bring_up, leash, prepare, start_of, stay
from logctl.cli.up import Data, LogFormat, Settings
from logctl.errors import Declined, OperationFailed, UsageError

if TYPE_CHECKING:
    from logctl.admin.joining import Welcome
    from logctl.cli.session import Session
    from logctl.engine.config_file import Entry

_PLACE: Final = "logctl node join"
_SEEDS: Final = "controller.quorum.bootstrap.servers"
_PORT: Final = 9092
_INNER_ABOVE: Final = 10_000


def register_joining(node: typer.Typer) -> None:
    """Add `join` to `logctl node`."""
    node.command("join")(join_command)


@talking
def join_command(
    session: Session,
    directory: Annotated[
        Path | None,
        typer.Option("--directory", metavar="DIR", help="Its log directory. Without it: a new one of the data folder."),
    ] = None,
    node_id: Annotated[
        int | None, typer.Option("--node-id", metavar="ID", min=0, help="Without it: the next free one.")
    ] = None,
    listeners: Annotated[
        list[str] | None,
        typer.Option(
            "--listener", metavar="NAME://HOST:PORT",
            help="For clients, then for other nodes. Without it: ports 9092 and 19092, or free ones on loopback.",
        ),
    ] = None,
    voter: Annotated[bool, typer.Option("--voter", help="It also votes in the quorum, once it has caught up.")] = False,
    settings: Settings = None,
    data: Data = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return when it is in.")] = False,
    log_format: LogFormat = "text",
) -> None:
    """Start one more node, in a cluster of the bundled engine that runs; the same command goes on after a failure.

    Without --directory it sits in the data folder that `logctl up --nodes` made, at the ports after the last one.

    \b
    Examples:
      logctl node join --directory /var/lib/logctl/four
      logctl node join --voter --detach
    """
    check_form(log_format)
    asked = _Asked(node_id, tuple(listeners or ()), voter, tuple(given_settings(settings or ())))
    from logctl.admin.joining import ask_to_join
    from logctl.engine.broker.voters import KRAFT_VERSION, NEWEST_KRAFT_VERSION
    from logctl.engine.controller.versions import SUPPORTED_FEATURES

    welcome = ask_to_join(session.cluster, session.deadline)
    welcome.refuse_unable({**SUPPORTED_FEATURES, KRAFT_VERSION: (0, NEWEST_KRAFT_VERSION)})
    if voter:
        welcome.refuse_fixed_voters()
    if directory is None:
        folder = (data or local.data_home()).absolute()
        one = _in_folder(folder, asked, welcome)
    elif data is not None:
        raise UsageError("--directory and --data are two places", "name one of them")
    else:
        one = _in_directory(directory.absolute(), asked, welcome, session)
    with leash(detach) as reading:
        if one.node.is_running:
            note(f"node {one.node_id} runs already (process {one.node.pid})")
        else:
            prepare([one], welcome.cluster_id)
            bring_up([one], log_format, session.timeout_s, reading)
        _arrive(session, one, voter)
        if not detach:
            stay([one])


class _Asked(NamedTuple):
    """What the flags say of the node."""

    node_id: int | None
    listeners: tuple[str, ...]
    voter: bool
    given: tuple[Entry, ...]


# -- in a data folder --------------------------------------------------------------------------------------------------


def _in_folder(folder: Path, asked: _Asked, welcome: Welcome) -> Start:
    """A seat in the folder's table: the one that was cut short, or a new one. Raises UsageError."""
    from logctl.engine.several import new_seat

    table = seats.remembered(folder)
    if table is None:
        raise UsageError(
            f"{folder} is not a folder of several nodes", "say where the new node's data shall lie: --directory DIR"
        )
    if asked.listeners:
        raise UsageError("in a data folder the ports follow those there are", "--listener goes with --directory")
    _refuse_other_cluster(str(folder), table.cluster_id, welcome)
    seat = _unfinished(folder, table, asked, welcome)
    if seat is None:
        wanted = welcome.free_id() if asked.node_id is None else asked.node_id
        welcome.refuse_taken(wanted)
        seat = new_seat(table, node_id=wanted, votes=asked.voter)
    if asked.voter and not seat.votes:
        raise UsageError(
            f"node {seat.node_id} was made to follow the quorum without a vote",
            f"take it out with `logctl node decommission {seat.node_id}`, and join again",
        )
    table = table.with_seat(seat)
    found = start_of(folder, table, seat, asked.given)
    _refuse_other_identity(found.log_dir, seat.node_id, welcome)
    seats.write(folder, table)
    return found


def _unfinished(folder: Path, table: seats.Table, asked: _Asked, welcome: Welcome) -> seats.Seat | None:
    """A seat that joined, and whose node is not in, or has not got the vote that is asked for."""
    for seat in table.seats:
        named = asked.node_id in (None, seat.node_id)
        voteless = asked.voter and seat.votes and seat.node_id not in welcome.voters
        if seat.joined and named and (seat.node_id not in welcome.taken or voteless or asked.node_id == seat.node_id):
            return seat
    return None


# -- in a directory of its own -----------------------------------------------------------------------------------------


def _in_directory(log_dir: Path, asked: _Asked, welcome: Welcome, session: Session) -> Start:
    """A node in that directory, with its settings in a file beside it. Raises UsageError and Declined."""
    from logctl.engine.config_file import Entry, read_config
    from logctl.engine.settings import Settings

    identity = seats.identity_of(log_dir)
    node_id = asked.node_id if identity is None else identity["node_id"]
    node_id = welcome.free_id() if node_id is None else node_id
    _refuse_other_identity(log_dir, asked.node_id if asked.node_id is not None else node_id, welcome)
    if identity is None:
        welcome.refuse_taken(node_id)
    config = log_dir.with_name(f"{log_dir.name}.properties")
    known = {entry.name: entry.text for entry in read_config(str(config))} if config.exists() else {}
    flags = _listeners(asked.listeners, asked.voter, welcome.listener) if asked.listeners else {}
    here = {} if known or flags else _listeners(_defaults(session, asked.voter, welcome), asked.voter, welcome.listener)
    fixed = {"node.id": str(node_id), "log.dirs": str(log_dir), _SEEDS: ",".join(welcome.seeds)}
    given = {entry.name: entry.text for entry in asked.given}
    wanted = {**_roles(asked.voter, welcome.listener), **here, **known, **flags, **fixed, **given}
    if asked.voter and "controller" not in wanted["process.roles"]:
        raise UsageError(
            f"{config} is that of a node without a vote", "leave out --voter, or move the file away to begin anew"
        )
    entries = [Entry(name, text, _PLACE) for name, text in wanted.items()]
    Settings.of(entries)
    _write(config, wanted)
    return Start(node_id, entries, log_dir, log_dir.with_name(f"{log_dir.name}.log"))


def _roles(voter: bool, listener: str) -> dict[str, str]:
    return {"process.roles": "broker,controller" if voter else "broker", "controller.listener.names": listener}


def _listeners(given: Sequence[str], voter: bool, controllers: str) -> dict[str, str]:
    """The settings of the listeners: one for clients, one for other nodes. Raises UsageError."""
    from logctl.admin.voters import parse_listener

    names = [parse_listener(text)[0] for text in given]
    if len(given) != 2 or len(set(names)) != 2:
        raise UsageError(
            "a node that joins has two listeners: one for clients, and one for other nodes",
            f"--listener PLAINTEXT://HOST:9092 --listener {controllers if voter else 'INTERNAL'}://HOST:19092",
        )
    if voter:
        if names[1] != controllers:
            raise UsageError(f"the voters of this cluster listen as {controllers}, not as {names[1]}")
        return {"listeners": ",".join(given)}
    return {"listeners": ",".join(given), "inter.broker.listener.name": names[1]}


def _defaults(session: Session, voter: bool, welcome: Welcome) -> list[str]:
    """Listeners at the address by which this machine reaches the cluster."""
    from logctl.engine.settings import LOOPBACK

    address = session.cluster.entrance(session.deadline)
    host = _own_address(address.host, address.port)
    outer, inner = _PORT, _PORT + _INNER_ABOVE
    if host in LOOPBACK:
        from logctl.engine.several import free_port

        outer = free_port(outer)
        inner = free_port(min(outer + _INNER_ABOVE, 65535))
    at = f"[{host}]" if ":" in host else host
    return [f"PLAINTEXT://{at}:{outer}", f"{welcome.listener if voter else 'INTERNAL'}://{at}:{inner}"]


def _own_address(host: str, port: int) -> str:
    """This machine's address on the way to another; nothing is sent. Raises OperationFailed."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(place)
            return str(probe.getsockname()[0])
    except OSError as error:
        raise OperationFailed(
            f"this machine's address on the way to {host} cannot be found: {error.strerror}", "give --listener twice"
        ) from error


def _write(config: Path, settings: Mapping[str, str]) -> None:
    text = "".join(f"{name}={value}\n" for name, value in settings.items())
    temporary = config.with_name(f"{config.name}.tmp")
    try:
        config.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(config)
    except OSError as error:
        raise OperationFailed(f"{config} cannot be written: {error.strerror}", "name another --directory") from error
    note(f"its settings are in {config}; later: `logctl node start --config {config}`")


# -- both --------------------------------------------------------------------------------------------------------------


def _refuse_other_identity(log_dir: Path, node_id: int, welcome: Welcome) -> None:
    """Raises Declined for a directory that belongs to another cluster or another node."""
    identity: dict[str, Any] | None = seats.identity_of(log_dir)
    if identity is None:
        return
    _refuse_other_cluster(str(log_dir), identity["cluster_id"], welcome)
    if identity["node_id"] != node_id:
        raise Declined(
            f"{log_dir} belongs to node {identity['node_id']}, not to node {node_id}",
            "nothing was changed; leave out --node-id, or give an empty directory",
        )


def _refuse_other_cluster(place: str, cluster_id: str, welcome: Welcome) -> None:
    if cluster_id != welcome.cluster_id:
        raise Declined(
            f"{place} belongs to cluster {cluster_id}, and this is {welcome.cluster_id}",
            "nothing was changed; give an empty directory, or name that cluster with -b",
        )


def _arrive(session: Session, one: Start, voter: bool) -> None:
    """Until it is in, and has its vote."""
    from logctl.admin.deadline import Deadline
    from logctl.admin.joining import wait_until_in
    from logctl.admin.voters import AddVoter
    from logctl.cli.run import ChangeFlags, change

    wait_until_in(session.cluster, one.node_id, Deadline(session.timeout_s))
    note(f"node {one.node_id} is in the cluster and has caught up")
    if voter:
        heard = tuple(_controller_listeners(one))
        own = local.read_properties(one.log_dir / "meta.properties").get("directory.id")
        change(session.renewed(), AddVoter(one.node_id, heard, own), ChangeFlags(yes=True, command="logctl node join"))


def _controller_listeners(one: Start) -> list[str]:
    texts = {entry.name: entry.text for entry in one.settings}
    names = texts["controller.listener.names"].split(",")
    at = texts.get("advertised.listeners", "") or texts["listeners"]
    return [text for text in at.split(",") if text.partition("://")[0] in names]
