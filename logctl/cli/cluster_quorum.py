"""logctl cluster quorum-add and quorum-remove: who votes in the quorum of the metadata log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from logctl.cli.command import changing, required
from logctl.errors import UsageError

if TYPE_CHECKING:
    from logctl.admin.operation import Operation
    from logctl.cli.session import Session


def register_quorum(cluster: typer.Typer) -> None:
    """Add the commands about voters."""
    cluster.command("quorum-add")(add_command)
    cluster.command("quorum-remove")(remove_command)


DirectoryId = Annotated[
    str | None,
    typer.Option(
        "--directory-id", "--controller-directory-id", metavar="ID", help="Of its log directory, where there are two."
    ),
]


@changing
def add_command(
    session: Session,
    node: Annotated[int | None, typer.Argument(metavar="[NODE]", help="Id of a node that follows the quorum.")] = None,
    listeners: Annotated[
        list[str] | None,
        typer.Option("--listener", metavar="NAME://HOST:PORT", help="Where other voters reach it. May be repeated."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Its server.properties, which says who and where it is."),
    ] = None,
    directory_id: DirectoryId = None,
) -> Operation:
    """Give a node a vote in the quorum of the metadata log, which it follows already.

    Replaces kafka-metadata-quorum add-controller.

    \b
    Examples:
      logctl cluster quorum-add 4 --listener CONTROLLER://10.0.0.4:9093
      logctl cluster quorum-add --config server.properties --dry-run
    """
    from logctl.admin.voters import AddVoter

    told = _Told(None, (), None) if config is None else _read(config)
    if node is not None and told.node_id not in (None, node):
        raise UsageError(f"{config} is that of node {told.node_id}, not of node {node}")
    node = required(told.node_id if node is None else node, "no node was named")
    return AddVoter(node, tuple(listeners or told.listeners), directory_id or told.directory_id)


@changing
def remove_command(
    session: Session,
    node: Annotated[int | None, typer.Argument(metavar="[NODE]", help="Id of a voter.")] = None,
    named: Annotated[int | None, typer.Option("--controller-id", metavar="ID", hidden=True)] = None,
    directory_id: DirectoryId = None,
) -> Operation:
    """Take a node's vote in the quorum of the metadata log away.

    Refused where the voters that are left would have no majority alive. Replaces kafka-metadata-quorum
    remove-controller.

    \b
    Example:
      logctl cluster quorum-remove 4 --dry-run
    """
    from logctl.admin.voters import RemoveVoter

    return RemoveVoter(required(named if node is None else node, "no node was named"), directory_id)


class _Told(NamedTuple):
    """What a node's own settings say of it."""

    node_id: int | None
    listeners: tuple[str, ...]
    directory_id: str | None


def _read(config: Path) -> _Told:
    """Raises UsageError for a file that is not that of a controller."""
    from logctl.admin.java_properties import read

    pairs = {pair.name: pair.value for pair in read(str(config))}
    node_id = pairs.get("node.id", "")
    if not node_id.isdecimal():
        raise UsageError(f"{config} has no node.id", "name the server.properties of the node")
    names = _items(pairs.get("controller.listener.names", ""))
    for setting in ("advertised.listeners", "listeners"):
        found = tuple(one for one in _items(pairs.get(setting, "")) if one.partition("://")[0] in names)
        if found:
            directories = [one for name in _DIRECTORIES for one in _items(pairs.get(name, ""))]
            return _Told(int(node_id), found, _directory_id(Path(directories[0])) if directories else None)
    raise UsageError(f"{config} names no listener of controller.listener.names", "only a controller can vote")


_DIRECTORIES: Final = ("metadata.log.dir", "log.dirs", "log.dir")
"""Where the metadata log lies: in the first directory of the first of these."""


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _directory_id(log_dir: Path) -> str | None:
    """Of a directory on this machine; None where it cannot be read."""
    from logctl.local import read_properties

    return read_properties(log_dir / "meta.properties").get("directory.id")
