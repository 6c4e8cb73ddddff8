"""The app: which command lives where, and the one place where a failure becomes a message and an exit code.

Only the module of the command that was asked for is imported: start-up is most of what a short command costs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

import typer

from logctl.cli.exits import Exit, exit_code_for
from logctl.cli.output import ReaderGone, fail, flush
from logctl.errors import LogctlError, OperationFailed, UsageError

COMMANDS: Final = {
    "up": "logctl.cli.up",
    "down": "logctl.cli.up",
    "node": "logctl.cli.node",
    "engine": "logctl.cli.engine",
    "cluster": "logctl.cli.cluster",
    "topic": "logctl.cli.topic",
    "partition": "logctl.cli.partition",
    "logdir": "logctl.cli.logdir",
    "record": "logctl.cli.record",
    "txn": "logctl.cli.txn",
    "group": "logctl.cli.group",
    "config": "logctl.cli.config",
    "audit": "logctl.cli.audit",
    "completion": "logctl.cli.completion",
    "context": "logctl.cli.context",
    "user": "logctl.cli.user",
    "acl": "logctl.cli.acl",
    "quota": "logctl.cli.quota",
    "state": "logctl.cli.state",
}
"""First word -> the module whose `register(app)` adds it to the app."""


def build(arguments: Sequence[str]) -> typer.Typer:
    """The app with what `arguments` can mean: the one command that the first word names, or, for the help of the whole
    and for a word that there is not, every word with its help and nothing behind it."""
    app = _bare()
    if arguments and arguments[0] in COMMANDS:
        import_module(COMMANDS[arguments[0]]).register(app)
    else:
        _name_all(app)
    return app


def whole() -> typer.Typer:
    """The app with every command."""
    app = _bare()
    for module in dict.fromkeys(COMMANDS.values()):
        import_module(module).register(app)
    return app


def _bare() -> typer.Typer:
    app = typer.Typer(
        name="logctl",
        help="A durable log that speaks the Kafka protocol, and the suite that administers any cluster that does.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    return app


def _name_all(app: typer.Typer) -> None:
    from logctl.cli.complete import tree

    for word, command in tree()["commands"].items():
        app.add_typer(typer.Typer(help=f"{command['help']}."), name=word)


def _root(
    version: bool = typer.Option(False, "--version", help="Print the version and exit.", is_eager=True),
) -> None:
    if version:
        from logctl import __version__

        print(f"logctl {__version__}")
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; answers the exit code. No failure an operator can meet leaves as a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(given)
        flush()
    except ReaderGone:
        _silence_stdout()
        code = Exit.DONE
    except KeyboardInterrupt:
        code = Exit.INTERRUPTED
    return int(code)


def _run(arguments: list[str]) -> int:
    try:
        command: Any = typer.main.get_command(build(arguments))
        result = command.main(arguments, prog_name="logctl", standalone_mode=False)
        return result if isinstance(result, int) else Exit.DONE
    except LogctlError as error:
        return _failed(error)
    except (ReaderGone, KeyboardInterrupt):
        raise
    except Exception as error:
        # Typer carries Click inside itself in some versions and depends on it in others; both name their complaints so.
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            return _misused(error)
        if os.environ.get("LOGCTL_DEBUG") == "1":
            raise
        kind = type(error).__name__
        return _failed(
            OperationFailed(
                f"logctl failed in a way it did not expect: {kind}: {error}",
                "set LOGCTL_DEBUG=1 and repeat to see where, and please report that",
            )
        )


def _failed(error: LogctlError) -> int:
    flush()
    fail(error)
    return exit_code_for(error)


def _misused(error: Any) -> int:
    """A complaint of the parser, or the help that is shown instead of one."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message(), file=sys.stderr)
        return Exit.USAGE
    path = context.command_path if context is not None else "logctl"
    return _failed(UsageError(error.format_message(), f"see `{path} --help`"))


def _silence_stdout() -> None:
    """The reader has gone: what is still buffered must not complain about it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
