"""A node in the foreground, and the short way to it: `logctl up` and `logctl node start` without Typer.

Typer takes as long to load as a node to start, and stays in its memory. So the flags of these two commands, as they are
nearly always given, are read here; anything else (`--help`, `--detach`, a mistake) is left to Typer by answering None.
What the commands do is the same either way, because both call `run_up` and `run_config`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from logctl import local
from logctl.errors import LogctlError, UsageError

if TYPE_CHECKING:
    from logctl.engine.config_file import Entry

DEFAULT_PORT: Final = 9092
FORMS: Final = ("text", "json")


def run_up(folder: Path, port: int | None, settings: Sequence[str], form: str) -> None:
    """Run a node on loopback with its data in `folder` until it is told to stop; nothing if one runs there already.

    Where the folder is Apache Kafka's, its nodes."""
    check_form(form)
    if local.engine_of(folder) == "apache":
        from logctl.cli.apache_nodes import ApacheFlags, engine_for, run_nodes

        engine_for(folder, None, ApacheFlags())
        run_nodes(folder, port, given_settings(settings), form, ApacheFlags())
        return
    if runs_already(folder):
        return
    from logctl.engine.lifecycle import local_entries
    from logctl.engine.node import run

    at = DEFAULT_PORT if port is None else port
    entries = local_entries(local.log_dir_of(folder, 1), at) + given_settings(settings)
    run(entries, log_format=form, format_if_new=True)


def run_ephemeral(port: int, settings: Sequence[str], form: str, until_eof: bool) -> None:
    """Run a node on loopback whose data goes with it; its address is the one line on stdout."""
    check_form(form)
    from logctl.engine import ephemeral
    from logctl.engine.node import run

    given = given_settings(settings)
    sweep()
    scratch = ephemeral.Scratch.make()
    try:
        entries = ephemeral.entries(scratch, port, "logctl up --ephemeral") + given
        leash = sys.stdin.fileno() if until_eof else None
        run(entries, log_format=form, format_if_new=True, ready=_print_addresses, leash=leash)
    finally:
        scratch.remove()


def _print_addresses(addresses: list[str]) -> None:
    from logctl.cli.output import ReaderGone, flush, write

    try:
        write(f"{','.join(addresses)}\n")
        flush()
    except ReaderGone:
        pass  # the node is not there for one reader


def sweep() -> None:
    """Remove what ephemeral nodes that were killed have left behind, and say so."""
    from logctl.engine import ephemeral

    for path in ephemeral.sweep():
        print(f"removed {path}: an ephemeral node that was killed had left it", file=sys.stderr)


def run_config(config: str, settings: Sequence[str], form: str) -> None:
    """Run the node of a config file until it is told to stop."""
    check_form(form)
    from logctl.engine.config_file import read_config
    from logctl.engine.node import run

    run(read_config(config) + given_settings(settings), log_format=form)


def check_form(form: str) -> None:
    if form not in FORMS:
        raise UsageError(f"--log-format is text or json, not {form!r}")


def given_settings(settings: Sequence[str]) -> list[Entry]:
    """`-c name=value` as entries."""
    from logctl.engine.config_file import Entry

    entries = []
    for text in settings:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"-c {text}: a setting is written as name=value")
        entries.append(Entry(name.strip(), value.strip(), f"-c {name.strip()}"))
    return entries


def runs_already(folder: Path) -> bool:
    """Whether a node runs on that data; said, when it does."""
    running = [node for node in local.nodes_in(folder) if node.is_running]
    for node in running:
        where = f" at {', '.join(node.addresses)}" if node.addresses else ""
        said = f"node {node.node_id} is {node.state} already{where} (process {node.pid}, data in {node.log_dir})"
        print(said, file=sys.stderr)
    return bool(running)


# -- the short way ---------------------------------------------------------------------------------------------------


class Flags(NamedTuple):
    """What was given. `settings` are texts `name=value`."""

    data: str | None = None
    port: str = ""
    config: str | None = None
    settings: tuple[str, ...] = ()
    form: str = "text"
    ephemeral: bool = False
    until_eof: bool = False


_UP: Final = {"--data": "data", "--port": "port", "-c": "settings", "--log-format": "form"}
_START: Final = {"--config": "config", "-c": "settings", "--log-format": "form"}
_SWITCHES: Final = {"--ephemeral": "ephemeral", "--until-eof": "until_eof"}


def quick_start(arguments: Sequence[str]) -> int | None:
    """Run the node that the arguments ask for until it stops; the exit code, or None when this is for Typer to read."""
    words = list(arguments)
    if words[:1] == ["up"]:
        flags = _read(words[1:], _UP, _SWITCHES)
        return _quick_up(flags) if flags and _is_port(flags.port) else None
    flags = _read(words[2:], _START) if words[:2] == ["node", "start"] else None
    return _quick_config(flags, flags.config) if flags and flags.config is not None else None


def _is_port(text: str) -> bool:
    return not text or (text.isdecimal() and int(text) <= 65535)


def _quick_up(flags: Flags) -> int | None:
    port = int(flags.port) if flags.port else None
    if flags.ephemeral:
        if flags.data is not None:
            return None
        at = DEFAULT_PORT if port is None else port
        return _guarded(lambda: run_ephemeral(at, flags.settings, flags.form, flags.until_eof))
    if flags.until_eof:
        return None
    folder = (Path(flags.data) if flags.data else local.data_home()).absolute()
    if (folder / "nodes.json").exists():
        return None
    return _guarded(lambda: run_up(folder, port, flags.settings, flags.form))


def _quick_config(flags: Flags, config: str) -> int:
    return _guarded(lambda: run_config(config, flags.settings, flags.form))


def _read(words: list[str], known: dict[str, str], switches: dict[str, str] | None = None) -> Flags | None:
    """The flags, or None when there is anything but known flags, each with its value (switches have none)."""
    flags = Flags()
    while words:
        if switches and words[0] in switches:
            flags = flags._replace(**{switches[words.pop(0)]: True})  # type: ignore[arg-type]  # a switch is a bool
            continue
        name, equals, value = words.pop(0).partition("=")
        if name not in known or not (equals or words) or (equals and not name.startswith("--")):
            return None
        value = value if equals else words.pop(0)
        if known[name] == "settings":
            flags = flags._replace(settings=(*flags.settings, value))
        else:
            flags = flags._replace(**{known[name]: value})  # type: ignore[arg-type]  # all the others are texts
    return flags


def _guarded(command: Callable[[], None]) -> int:
    """As `cli.main` does it: a failure is said, and becomes an exit code."""
    from logctl.cli.exits import Exit, exit_code_for

    try:
        command()
    except LogctlError as error:
        from logctl.cli.output import fail

        fail(error)
        return int(exit_code_for(error))
    except KeyboardInterrupt:
        return int(Exit.INTERRUPTED)
    return int(Exit.DONE)
