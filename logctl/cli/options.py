"""The flags that mean the same in every command, spelt once."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from logctl.cli.output import Format

Bootstrap = Annotated[
    str | None,
    typer.Option(
        "-b",
        "--bootstrap-server",
        metavar="HOST:PORT,...",
        envvar="LOGCTL_BOOTSTRAP_SERVER",
        help="Brokers to begin with. Without it: the local node that `logctl up` runs.",
    ),
]
ContextName = Annotated[
    str | None,
    typer.Option(
        "-C", "--context", metavar="NAME", envvar="LOGCTL_CONTEXT", help="The cluster of that name: `logctl context`."
    ),
]
CommandConfig = Annotated[
    str | None,
    typer.Option("--command-config", metavar="FILE", help="Client properties in a file, as Apache's tools take it."),
]
Properties = Annotated[
    list[str] | None,
    typer.Option(
        "-X", "--command-property", metavar="NAME=VALUE", help="A client property, by Apache's name. May be repeated."
    ),
]
Timeout = Annotated[
    str, typer.Option("--timeout", metavar="DURATION", help="Time for everything the command does: 30, 500ms, 2m.")
]
Output = Annotated[Format, typer.Option("-o", "--output", help="How to print.")]
NoHeaders = Annotated[bool, typer.Option("--no-headers", help="Leave out the titles of columns.")]
Yes = Annotated[bool, typer.Option("-y", "--yes", help="Go ahead without asking.")]
Confirm = Annotated[
    str | None,
    typer.Option("--confirm", metavar="NAME", help="Go ahead: NAME is what is changed, as a guarded context asks it."),
]
Columns = Annotated[
    str | None, typer.Option("--columns", metavar="TITLE,...", help="These columns only, in this order.")
]
Sort = Annotated[
    str | None, typer.Option("--sort", metavar="TITLE", help="Sort by a column; -TITLE for the largest first.")
]
ShowSchema = Annotated[bool, typer.Option("--schema", help="Print the JSON schema of the output, and do nothing.")]
Watch = Annotated[
    str | None,
    typer.Option("--watch", metavar="DURATION", help="Look again and again, so far apart; Ctrl-C ends it."),
]
PlanFile = Annotated[
    str | None,
    typer.Option("--plan", metavar="FILE", help="Carry out a plan that --dry-run -o json wrote; '-' reads stdin."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]
ExitCode = Annotated[bool, typer.Option("--exit-code", help="With --dry-run: exit with 3 when there are changes.")]

DEFAULT_TIMEOUT: Final = "30s"
