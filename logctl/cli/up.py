"""`logctl up` and `logctl down`: the nodes of a data folder on this machine, in one word."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from logctl import local
from logctl.cli.durations import parse_duration_s
from logctl.cli.foreground import (
    DEFAULT_PORT,
    check_form,
    given_settings,
    run_ephemeral,
    run_up,
    runs_already,
    sweep,
)
from logctl.cli.output import neutral, note, write
from logctl.errors import Declined, OperationFailed, UsageError

if TYPE_CHECKING:
    from logctl.cli.apache_nodes import ApacheFlags
    from logctl.engine.config_file import Entry
    from logctl.engine.ephemeral import Scratch

PATIENCE_S: Final = 1.0
"""A start that takes longer than this is told about while it happens."""

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Data folder. Without it: logctl/ in the user's data folder."),
]
LogFormat = Annotated[str, typer.Option("--log-format", metavar="text|json", help="How the diary is written.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("-c", metavar="NAME=VALUE", help="A setting, by Apache's name. May be repeated."),
]
Port = Annotated[
    int | None,
    typer.Option(
        help="Port on loopback, 9092 at first; further nodes take the ports after it; 0 takes free ones.",
        min=0, max=65535, show_default=False,
    ),
]  # fmt: skip
EngineName = Annotated[
    str | None,
    typer.Option(
        "--engine", metavar="logctl|apache", help="Bundled, or Apache Kafka. Without it: what the folder remembers."
    ),
]
Count = Annotated[
    int | None,
    typer.Option("--nodes", metavar="N", help="How many, 1 at first; the folder remembers. At most 9 of the bundled."),
]
Controllers = Annotated[
    str | None,
    typer.Option(
        "--controllers", metavar="combined|separate", help="With --engine apache: in the brokers, or beside them."
    ),
]
KafkaVersion = Annotated[
    str | None, typer.Option("--kafka-version", metavar="X.Y.Z", help="With --engine apache: which one.")
]
KafkaHome = Annotated[
    Path | None,
    typer.Option("--kafka-home", metavar="DIR", help="With --engine apache: an unpacked distribution to run."),
]
Heap = Annotated[
    str | None, typer.Option("--heap", metavar="SIZE", help="With --engine apache: memory of each JVM, 1g at first.")
]


def register(app: typer.Typer) -> None:
    app.command()(up)
    app.command()(down)


def up(
    data: Data = None,
    port: Port = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return when the node is ready.")] = False,
    settings: Settings = None,
    log_format: LogFormat = "text",
    timeout: Annotated[str, typer.Option(metavar="DURATION", help="With --detach: how long to wait.")] = "60s",
    ephemeral: Annotated[
        bool, typer.Option("--ephemeral", help="Data in a temporary folder that goes with the node, for tests.")
    ] = False,
    until_eof: Annotated[
        bool, typer.Option("--until-eof", help="With --ephemeral: stop when standard input ends.")
    ] = False,
    engine: EngineName = None,
    nodes: Count = None,
    controllers: Controllers = None,
    kafka_version: KafkaVersion = None,
    kafka_home: KafkaHome = None,
    heap: Heap = None,
) -> None:
    """Run a node on this machine: on loopback, formatted on first use, in the foreground.

    With --nodes several, at ports one after the other; nodes of the folder that run already are left running. With
    --ephemeral the node's address is the one line on stdout. With --engine apache these are real brokers of Apache
    Kafka.

    \b
    Examples, a broker for a test suite, three nodes, and a cluster of Apache Kafka:
      logctl up --ephemeral --port 0
      logctl up --nodes 3 --detach
      logctl up --engine apache --nodes 3 --detach
    """
    from logctl.cli.apache_nodes import ApacheFlags

    wait_s = parse_duration_s(timeout)
    if until_eof and (detach or not ephemeral):
        raise UsageError("--until-eof goes with --ephemeral, and not with --detach")
    flags = ApacheFlags(nodes, controllers, kafka_version, kafka_home, heap)
    if ephemeral:
        if engine not in (None, "logctl") or flags.given():
            raise UsageError("--ephemeral is for the bundled engine", "leave out --engine and what belongs to it")
        at = DEFAULT_PORT if port is None else port
        _up_ephemeral(data, at, detach, settings or (), log_format, wait_s, until_eof)
        return
    check_form(log_format)
    _up_in((data or local.data_home()).absolute(), port, detach, settings or (), log_format, wait_s, engine, flags)


def _up_in(
    folder: Path,
    port: int | None,
    detach: bool,
    settings: Sequence[str],
    log_format: str,
    wait_s: float,
    engine: str | None,
    flags: ApacheFlags,
) -> None:
    """Start what the folder's engine has to run there."""
    from logctl.cli import apache_nodes

    if apache_nodes.engine_for(folder, engine, flags) == "apache":
        given = given_settings(settings)
        if detach:
            apache_nodes.start_detached(folder, port, given, log_format, wait_s, flags)
        else:
            apache_nodes.run_nodes(folder, port, given, log_format, flags)
    elif several(folder, flags.nodes):
        from logctl.cli.several_nodes import start

        at = DEFAULT_PORT if port is None else port
        start(folder, flags.nodes, at, given_settings(settings), log_format, wait_s, detach=detach)
    elif not detach:
        run_up(folder, port, settings, log_format)
    elif not runs_already(folder):
        _start_detached(folder, DEFAULT_PORT if port is None else port, settings, log_format, wait_s)


def several(folder: Path, count: int | None) -> bool:
    """Whether the folder holds, or is to hold, several nodes of the bundled engine."""
    return count not in (None, 1) or (folder / "nodes.json").exists()


def _start_detached(folder: Path, port: int, settings: Sequence[str], log_format: str, wait_s: float) -> None:
    from logctl.engine import lifecycle
    from logctl.engine.settings import Settings

    log_dir = local.log_dir_of(folder, 1)
    entries = lifecycle.local_entries(log_dir, port) + given_settings(settings)
    Settings.of(entries)
    _make(folder)
    begun = time.monotonic()
    started = lifecycle.start_detached(entries, folder / f"{log_dir.name}.log", log_format)
    for entry in started.events(wait_s):
        if time.monotonic() - begun > PATIENCE_S:
            note(neutral(entry["message"]))
    node = local.describe(log_dir)
    if not node.addresses or not lifecycle.answers(node.addresses[0], wait_s):
        raise OperationFailed(f"the node says it is ready, but does not answer at {node.addresses}")
    note(f"node {node.node_id} is ready at {node.addresses[0]} (process {node.pid}, diary in {node.diary})")
    note("next: `logctl topic create NAME`; stop it with `logctl down`")


def _up_ephemeral(
    data: Path | None,
    port: int,
    detach: bool,
    settings: Sequence[str],
    log_format: str,
    wait_s: float,
    until_eof: bool,
) -> None:
    if data is not None:
        raise UsageError("--ephemeral makes a folder of its own", "leave out --data, or set TMPDIR to say where")
    if not detach:
        run_ephemeral(port, settings, log_format, until_eof)
        return
    check_form(log_format)
    from logctl.engine.ephemeral import Scratch, entries
    from logctl.engine.settings import Settings

    given = given_settings(settings)
    sweep()
    scratch = Scratch.make()
    try:
        wanted = entries(scratch, port, "logctl up --ephemeral") + given
        Settings.of(wanted)
        _wait_for_ephemeral(scratch, wanted, log_format, wait_s)
    except BaseException:
        scratch.remove()
        raise
    scratch.hand_over()


def _wait_for_ephemeral(scratch: Scratch, wanted: Sequence[Entry], log_format: str, wait_s: float) -> None:
    """Start it, and print its address when it is ready. A node that does not start in time is ended."""
    from logctl.engine.lifecycle import start_detached

    started = start_detached(wanted, scratch.diary, log_format, scratch=scratch)
    try:
        for _ in started.events(wait_s):
            pass
    except BaseException:
        started.end(signal.SIGKILL)
        raise
    node = local.describe(scratch.log_dir)
    write(f"{','.join(node.addresses)}\n")
    note(f"stop it with `logctl down --data {scratch.path}` (process {node.pid}); its data goes with it")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperationFailed(
            f"cannot create the data folder {folder}: {error.strerror}", "name another one with --data DIR"
        ) from error


def down(
    data: Data = None,
    timeout: Annotated[str, typer.Option(metavar="DURATION", help="How long to wait for the end.")] = "60s",
) -> None:
    """Stop the nodes of a data folder in order.

    \b
    Example:
      logctl down
    """
    wait_s = parse_duration_s(timeout)
    folder = (data or local.data_home()).absolute()
    running = [node for node in local.nodes_in(folder) if node.is_running]
    if not running:
        note(f"nothing is running in {folder}")
        return
    for node in running:
        if node.pid is None or node.pid <= 0:
            raise Declined(f"node {node.node_id} is held by a process that cannot be seen from here")
    stop_all(running, wait_s)


def stop_all(running: Sequence[local.LocalNode], wait_s: float) -> None:
    """Stop these nodes in order, each as its engine wants it, and say so."""
    apache = [node for node in running if node.engine == "apache"]
    if apache:
        from logctl.cli.apache_nodes import stop_nodes

        stop_nodes(apache, wait_s)
    from logctl.cli.several_nodes import stop_together

    stop_together([node for node in running if node.engine != "apache"], wait_s)
