"""`logctl node`: one node, run from a config file, prepared, or looked at."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from logctl import local
from logctl.cli.foreground import given_settings, run_config
from logctl.cli.node_listing import register_listing
from logctl.cli.options import NoHeaders, Output
from logctl.cli.output import Column, Format, View, note, show
from logctl.cli.up import Data, LogFormat, Settings
from logctl.errors import UsageError

node_app = typer.Typer(name="node", help="Run, prepare and look at nodes on this machine.", no_args_is_help=True)
register_listing(node_app)

Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="YAML, or Java .properties, with Apache's setting names."),
]


def register(app: typer.Typer) -> None:
    app.add_typer(node_app)


@node_app.command()
def start(
    config: Annotated[Path, typer.Option("--config", metavar="FILE", help="YAML, or Java .properties.")],
    settings: Settings = None,
    log_format: LogFormat = "text",
) -> None:
    """Run one node in the foreground, for service managers. Its directory must have been formatted.

    Example:
      logctl node start --config server.properties
    """
    run_config(str(config), settings or (), log_format)


@node_app.command("format")
def format_(
    config: Config = None,
    data: Data = None,
    cluster_id: Annotated[
        str | None, typer.Option("--cluster-id", "-t", metavar="ID", help="Without it: a new one.")
    ] = None,
    settings: Settings = None,
) -> None:
    """Prepare the log directories of a node. Directories of the same cluster and node are left as they are.

    Example:
      logctl node format --config server.properties
    """
    if (config is None) == (data is None):
        raise UsageError("say what to format: --config FILE or --data DIR, one of the two")
    from logctl.engine.config_file import read_config
    from logctl.engine.lifecycle import local_entries
    from logctl.engine.node import format_node

    if data is not None:
        entries = local_entries(local.log_dir_of(data.absolute(), 1), 9092)
    else:
        entries = read_config(str(config))
    for sentence in format_node(entries + given_settings(settings or ()), cluster_id):
        note(sentence)


_COLUMNS = (
    Column("NODE", lambda node: node["node_id"], number=True),
    Column("STATE", lambda node: node["state"]),
    Column("PID", lambda node: node["pid"] or "-"),
    Column("ADDRESS", lambda node: ",".join(node["addresses"]) or "-"),
    Column("ROLES", lambda node: ",".join(node["roles"]) or "-"),
    Column("METADATA-END", lambda node: "-" if node["metadata_end"] is None else node["metadata_end"], number=True),
    Column("DATA", lambda node: node["log_dir"]),
    Column("CLUSTER", lambda node: node["cluster_id"], wide=True),
    Column("DIARY", lambda node: node["diary"] or "-", wide=True),
)


@node_app.command()
def status(data: Data = None, output: Output = Format.TABLE, no_headers: NoHeaders = False) -> None:
    """Tell of each node of a data folder: id, process, address, state, roles and the end of its metadata log.

    Example:
      logctl node status -o json
    """
    folder = (data or local.data_home()).absolute()
    nodes = local.nodes_in(folder)
    if not nodes:
        note(f"there is no node in {folder}")
    items = [_item(node) for node in nodes]
    show(View("nodes", items, _COLUMNS), output, headers=not no_headers)


def _item(node: local.LocalNode) -> dict[str, Any]:
    return {"name": f"node-{node.node_id}", **asdict(node), "metadata_end": local.metadata_end(node)}
