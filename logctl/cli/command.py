"""What every command shares, so that a command's file holds only what is its own.

Theory of operation
-------------------
Typer reads the signature of a function. A command is written as if there were no common flags: its first parameter is
the session, the others are its own. A decorator here gives Typer a function whose signature has the common flags added,
and which does around the command what all commands of its kind do:

    talking    -b -C --command-config -X --timeout            the command prints for itself
    reading    those, -o --columns --sort --no-headers        the command answers a View, which is shown;
               --schema, and --watch where it makes sense     with --watch again and again
    telling    -o --columns --sort --no-headers --schema      the command reads what lies on this machine, and answers a
                                                              View
    changing   those of talking, -o -y --confirm --dry-run    the command answers an Operation, which goes the one way
               --exit-code --plan                             of every change (cli/run)
    following  the same without --plan                        the command goes on with a change of the journal

What a command needs beyond the flags is imported when it runs: help and usage errors cost nothing but Typer.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import typer

from logctl.cli import options, output
from logctl.cli.output import Format, Layout, Listing, View
from logctl.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from logctl.admin.operation import Operation
    from logctl.cli.run import ChangeFlags
    from logctl.cli.session import Target

Command = Callable[..., Any]
Flags = dict[str, tuple[Any, Any]]
"""Name of a parameter -> its annotation and its default."""

_CONNECTION: Final[Flags] = {
    "bootstrap": (options.Bootstrap, None),
    "context": (options.ContextName, None),
    "command_config": (options.CommandConfig, None),
    "properties": (options.Properties, None),
    "timeout": (options.Timeout, options.DEFAULT_TIMEOUT),
}
_SHOWING: Final[Flags] = {
    "form": (options.Output, Format.TABLE),
    "columns": (options.Columns, None),
    "sort": (options.Sort, None),
    "no_headers": (options.NoHeaders, False),
    "schema": (options.ShowSchema, False),
}
_READING: Final[Flags] = {**_CONNECTION, **_SHOWING}
_WATCHING: Final[Flags] = {**_READING, "watch": (options.Watch, None)}
_FOLLOWING: Final[Flags] = {
    **_CONNECTION,
    "form": (options.Output, Format.TABLE),
    "yes": (options.Yes, False),
    "confirm": (options.Confirm, None),
    "dry_run": (options.DryRun, False),
    "exit_code": (options.ExitCode, False),
    "place": (typer.Context, inspect.Parameter.empty),
}
_CHANGING: Final[Flags] = {**_FOLLOWING, "plan_file": (options.PlanFile, None)}
FLAG_NAMES: Final = tuple(name for name in {**_WATCHING, **_CHANGING} if name != "place")
"""Parameters that are added to commands: they mean the same everywhere."""


def talking(command: Callable[..., int | None]) -> Command:
    """A command that talks to a cluster and prints for itself: (session, ...) -> exit code."""

    def run(common: dict[str, Any], own: dict[str, Any]) -> int | None:
        from logctl.cli.session import connected

        with connected(_target(common, own.get("data")), common["timeout"]) as session:
            return command(session, **own)

    return _with_flags(command, _CONNECTION, run)


def reading(listing: Listing, *, watch: bool = False) -> Callable[[Callable[..., View]], Command]:
    """A command that lists: (session, ...) -> View of `listing`."""

    def decorate(command: Callable[..., View]) -> Command:
        def run(common: dict[str, Any], own: dict[str, Any]) -> int | None:
            if common["schema"]:
                _print_schema(listing)
                return None
            from logctl.cli.session import connected

            layout = _layout(common)
            with connected(_target(common), common["timeout"]) as session:
                if common.get("watch"):
                    from logctl.cli.watch import watch as again_and_again

                    return again_and_again(lambda: command(session.renewed(), **own), layout, common["watch"])
                view = command(session, **own)
                output.lay_out(view, layout)
            output.finish(view.errors)
            return view.code

        decorated = _with_flags(command, _WATCHING if watch else _READING, run)
        decorated.listing = listing  # type: ignore[attr-defined]
        return decorated

    return decorate


def telling(listing: Listing) -> Callable[[Callable[..., View]], Command]:
    """A command that lists what lies on this machine: (None, ...) -> View of `listing`."""

    def decorate(command: Callable[..., View]) -> Command:
        def run(common: dict[str, Any], own: dict[str, Any]) -> int | None:
            if common["schema"]:
                _print_schema(listing)
                return None
            view = command(None, **own)
            output.lay_out(view, _layout(common))
            output.finish(view.errors)
            return view.code

        decorated = _with_flags(command, _SHOWING, run)
        decorated.listing = listing  # type: ignore[attr-defined]
        return decorated

    return decorate


def changing(command: Callable[..., Operation]) -> Command:
    """A command that changes something: (session, ...) -> Operation. With --plan FILE the command itself is not called,
    so what it cannot do without is its own to demand, not Typer's. A flag `execute` of its own is Apache's word for
    doing it, and stands for -y."""

    def run(common: dict[str, Any], own: dict[str, Any]) -> int | None:
        from logctl.cli.run import carry_out_file, change
        from logctl.cli.session import connected

        flags = _change_flags(common)
        flags = flags._replace(yes=flags.yes or own.get("execute", False))
        with connected(_target(common, own.get("data")), common["timeout"]) as session:
            if common["plan_file"] is not None:
                return carry_out_file(session, common["plan_file"], flags)
            return change(session, command(session, **own), flags)

    decorated = _with_flags(command, _CHANGING, run)
    decorated.changes = True  # type: ignore[attr-defined]
    return decorated


class Call(NamedTuple):
    """The common flags of a command that makes its own session: it is the journal that names the cluster when they do
    not."""

    target: Target
    timeout: str
    flags: ChangeFlags


def following(command: Callable[..., int | None]) -> Command:
    """A command that goes on with a change of the journal: (Call, ...) -> exit code."""

    def run(common: dict[str, Any], own: dict[str, Any]) -> int | None:
        return command(Call(_target(common), common["timeout"], _change_flags(common)), **own)

    decorated = _with_flags(command, _FOLLOWING, run)
    decorated.changes = True  # type: ignore[attr-defined]
    return decorated


def _change_flags(common: dict[str, Any]) -> ChangeFlags:
    from logctl.cli.run import ChangeFlags

    return ChangeFlags(
        common["yes"],
        common["dry_run"],
        common["exit_code"],
        common["form"],
        common["confirm"],
        common["place"].command_path,
    )


def required(value: Any, sentence: str) -> Any:
    """The value, which a change's command cannot do without unless --plan is given. Raises UsageError with `sentence`
    ('no topic was named')."""
    if value is None or value in ("", [], ()):
        raise UsageError(sentence, "see --help of this command")
    return value


# -- how it is done ----------------------------------------------------------------------------------------------------


def _with_flags(
    command: Callable[..., Any], flags: Flags, run: Callable[[dict[str, Any], dict[str, Any]], int | None]
) -> Command:
    """A function that Typer sees with the command's own parameters and then the flags."""
    own = list(inspect.signature(command).parameters.values())[1:]
    # Typer asks for evaluated annotations; those of the session and of the answer exist for type checkers alone.
    annotations = {one.name: eval(one.annotation, command.__globals__) for one in own}
    added = [inspect.Parameter(name, _KEYWORD, default=default) for name, (_, default) in flags.items()]
    annotations.update({name: annotation for name, (annotation, _) in flags.items()})

    def shown(**given: Any) -> int | None:
        return run({name: given.pop(name) for name in flags}, given)

    shown.__name__, shown.__doc__, shown.__module__ = command.__name__, command.__doc__, command.__module__
    parameters = [one.replace(kind=_KEYWORD) for one in own] + added
    shown.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [one.replace(annotation=annotations[one.name]) for one in parameters]
    )
    shown.__annotations__ = annotations
    return shown


_KEYWORD: Final = inspect.Parameter.KEYWORD_ONLY


def _target(common: dict[str, Any], data: Path | None = None) -> Target:
    """What the flags name. A data folder that was named stands for the nodes that run there, where nothing else says
    which cluster is meant."""
    from logctl.cli.session import Target

    bootstrap = common["bootstrap"]
    if data is not None and not (bootstrap or common["context"] or common["command_config"] or common["properties"]):
        from logctl.local import addresses_in

        bootstrap = ",".join(addresses_in(data.absolute()))
        if not bootstrap:
            raise UsageError(f"no broker runs in {data}", "start one with `logctl up`, or name a cluster with -b")
    return Target(bootstrap, common["context"], common["command_config"], tuple(common["properties"] or ()))


def _layout(common: dict[str, Any]) -> Layout:
    columns = tuple(title for title in (common["columns"] or "").split(",") if title.strip())
    return Layout(common["form"], not common["no_headers"], columns, common["sort"] or "")


def _print_schema(listing: Listing) -> None:
    from logctl.cli.schema import schema_of

    output.write(output.as_json(schema_of(listing)))
