"""logctl node drain and decommission: a node gives its replicas away, or leaves for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from logctl import local
from logctl.cli.command import changing, required
from logctl.cli.up import Data
from logctl.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from logctl.admin.leaving import Here
    from logctl.admin.operation import Operation
    from logctl.cli.session import Session

NodeId = Annotated[int | None, typer.Argument(metavar="[NODE]", help="Id of a node.")]


def register_leaving(node: typer.Typer) -> None:
    """Add `drain` and `decommission` to `logctl node`."""
    node.command("drain")(drain_command)
    node.command("decommission")(decommission_command)


@changing
def drain_command(session: Session, node: NodeId = None) -> Operation:
    """Move every replica of a broker to the others: other racks first, then the one that holds the fewest.

    Waits until all have arrived, however long that takes; --timeout is how long nothing may get on. After Ctrl-C the
    cluster goes on moving. New topics may be placed on the broker afterwards.

    \b
    Example:
      logctl node drain 4 --dry-run
    """
    from logctl.admin.leaving import Decommission

    return Decommission(required(node, "no node was named"), drain=True, only_drain=True)


@changing
def decommission_command(
    session: Session,
    node: NodeId = None,
    drain: Annotated[bool, typer.Option("--drain", help="Move its replicas to the brokers that stay first.")] = False,
    named: Annotated[int | None, typer.Option("--id", metavar="ID", hidden=True)] = None,
    data: Data = None,
) -> Operation:
    """Take a node out of the cluster for good: its replicas, its vote, its process, its registration.

    Refused while it holds replicas, unless they are drained. A node of this machine is stopped, and its directory kept
    under another name; one that runs elsewhere must be stopped there, and the command repeated. --timeout is how long
    nothing may get on. Replaces kafka-cluster unregister.

    \b
    Example:
      logctl node decommission 4 --drain
    """
    from logctl.admin.leaving import Decommission

    node_id = required(named if node is None else node, "no node was named")
    return Decommission(node_id, drain, _here(session, node_id, data))


def _here(session: Session, node_id: int, data: Path | None) -> Here | None:
    """The node of that id in the data folder, if it is one of this cluster's. Raises UsageError where a folder was
    named that is another's."""
    from logctl.admin.leaving import Here

    folder = (data or local.data_home()).absolute()
    cluster_id = session.cluster.refresh(session.deadline).cluster_id
    nodes = local.nodes_in(folder)
    for node in nodes:
        if node.node_id == node_id and node.cluster_id == cluster_id:
            return Here(node.log_dir, str(folder))
    if data is not None and nodes and all(node.cluster_id != cluster_id for node in nodes):
        raise UsageError(
            f"the nodes in {folder} are of cluster {nodes[0].cluster_id}, and this is {cluster_id}",
            "name the cluster with -b, or the folder with --data",
        )
    return None
