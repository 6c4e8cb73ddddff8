"""logctl node list and describe: the nodes of any cluster, as the cluster tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import typer

from logctl.cli import output
from logctl.cli.cells import address_text, yes_no
from logctl.cli.command import reading
from logctl.cli.output import Column, Listing, Nested, OfCluster, View
from logctl.cli.units import count_text, duration_text, size_text
from logctl.errors import OperationFailed, UsageError

if TYPE_CHECKING:
    from logctl.admin.nodes import Node
    from logctl.cli.session import Session


def register_listing(node: typer.Typer) -> None:
    """Add `list` and `describe` to `logctl node`."""
    node.command("list")(list_command)
    node.command("ls", hidden=True)(list_command)
    node.command("describe")(describe_command)


class ListedNode(TypedDict):
    name: Annotated[str, "'node-1'"]
    id: int
    host: Annotated[str | None, "null where the cluster does not tell"]
    port: int | None
    rack: str | None
    roles: Annotated[list[str], "'broker', 'controller'"]
    controller: Annotated[bool | None, "is it the active controller? null where the cluster does not tell"]
    fenced: Annotated[bool | None, "registered and not serving; null where the cluster does not tell"]
    leaders: Annotated[int, "partitions that it leads"]
    replicas: int
    size_bytes: Annotated[int | None, "what its replicas take on disk; null where that was not told"]
    release: Annotated[str | None, "the newest metadata.version it can run"]


class NodeDirectory(TypedDict):
    path: str
    error: Annotated[str | None, "Kafka's name of what is wrong with it"]
    size_bytes: Annotated[int, "what its replicas take"]
    total_bytes: Annotated[int | None, "of its volume; null where not told"]
    usable_bytes: Annotated[int | None, "free on its volume; null where not told"]
    replicas: int
    cordoned: Annotated[bool, "takes no new replicas"]


class Level(TypedDict):
    lowest: int
    highest: int


class DescribedNode(ListedNode):
    quorum_lag_records: Annotated[int | None, "what its metadata log lacks; null where not told"]
    quorum_lag_ms: int | None
    features: Annotated[dict[str, Level] | None, "levels it can run; null where not told"]
    log_dirs: list[NodeDirectory]


LISTED = Listing(
    "nodes",
    ListedNode,
    (
        Column("NODE", lambda node: node["id"], number=True),
        Column("ROLES", lambda node: ",".join(node["roles"])),
        Column("ADDRESS", lambda node: address_text(node)),
        Column("RACK", lambda node: node["rack"] or "-"),
        Column("CONTROLLER", lambda node: yes_no(node["controller"])),
        Column("FENCED", lambda node: yes_no(node["fenced"])),
        Column("LEADERS", lambda node: count_text(node["leaders"]), number=True, key=lambda node: node["leaders"]),
        Column("REPLICAS", lambda node: count_text(node["replicas"]), number=True, key=lambda node: node["replicas"]),
        Column("SIZE", lambda node: size_text(node["size_bytes"]), number=True, key=lambda node: node["size_bytes"]),
        Column("RELEASE", lambda node: node["release"] or "-"),
    ),
    also=OfCluster,
)

DESCRIBED = Listing(
    "nodes",
    DescribedNode,
    (
        Column("LOG-DIR", lambda one: one["path"]),
        Column("STATE", lambda one: one["error"] or ("cordoned" if one["cordoned"] else "online")),
        Column("REPLICAS", lambda one: one["replicas"], number=True),
        Column("SIZE", lambda one: size_text(one["size_bytes"]), number=True, key=lambda one: one["size_bytes"]),
        Column("FREE", lambda one: size_text(one["usable_bytes"]), number=True, key=lambda one: one["usable_bytes"]),
        Column("VOLUME", lambda one: size_text(one["total_bytes"]), number=True, key=lambda one: one["total_bytes"]),
    ),
    Nested("log_dirs", "NODE", lambda item: _headline(item)),
    OfCluster,
)


@reading(LISTED, watch=True)
def list_command(session: Session) -> View:
    """List the nodes of the cluster, with what each leads and holds.

    \b
    Example:
      logctl node list --sort -size
    """
    from logctl.admin.nodes import list_nodes

    found = list_nodes(session.cluster, session.deadline)
    return LISTED.view([_listed(node) for node in found.found], found.failures, cluster_id=found.cluster_id)


@reading(DESCRIBED)
def describe_command(
    session: Session,
    nodes: Annotated[list[int] | None, typer.Argument(metavar="ID...", help="Ids of nodes.")] = None,
) -> View:
    """Show nodes with their log directories and the features they could run.

    \b
    Example:
      logctl node describe 1
    """
    from logctl.admin.nodes import list_nodes

    if not nodes:
        raise UsageError("no node was named", "`logctl node list` shows those there are")
    found = list_nodes(session.cluster, session.deadline)
    known = {node.node_id: node for node in found.found}
    missing = {
        f"node {one}": OperationFailed(f"node {one} is not in the cluster", f"there are {_ids(known)}")
        for one in nodes
        if one not in known
    }
    if len(missing) == len(set(nodes)):
        raise next(iter(missing.values()))
    items = [_described(known[one]) for one in dict.fromkeys(nodes) if one in known]
    concerned = {f"broker {one}" for one in nodes}
    failures = {
        name: error
        for name, error in found.failures.items()
        if not name.startswith("broker ") or name in concerned
    }
    return DESCRIBED.view(items, {**failures, **missing}, cluster_id=found.cluster_id)


def _listed(node: Node) -> ListedNode:
    return {
        "name": f"node-{node.node_id}",
        "id": node.node_id,
        "host": node.host,
        "port": node.port,
        "rack": node.rack,
        "roles": list(node.roles),
        "controller": node.controller,
        "fenced": node.fenced,
        "leaders": node.leaders,
        "replicas": node.replicas,
        "size_bytes": node.size_bytes,
        "release": node.release,
    }


def _described(node: Node) -> DescribedNode:
    features = node.features
    return {
        **_listed(node),
        "quorum_lag_records": node.quorum.behind_records if node.quorum else None,
        "quorum_lag_ms": node.quorum.behind_ms if node.quorum else None,
        "features": None
        if features is None
        else {name: {"lowest": low, "highest": high} for name, (low, high) in sorted(features.items())},
        "log_dirs": [
            {
                "path": one.path,
                "error": one.error,
                "size_bytes": one.size_bytes,
                "total_bytes": one.total_bytes,
                "usable_bytes": one.usable_bytes,
                "replicas": one.replica_count,
                "cordoned": one.cordoned,
            }
            for one in node.log_dirs or ()
        ],
    }


def _headline(item: Mapping[str, Any]) -> str:
    said = [
        f"node {item['id']}",
        " and ".join(item["roles"]) + (" (active)" if item["controller"] else ""),
        address_text(item),
        *([f"rack {item['rack']}"] if item["rack"] else []),
        *(["fenced"] if item["fenced"] else []),
        f"leads {count_text(item['leaders'])} of {count_text(item['replicas'])} replicas",
    ]
    if item["quorum_lag_records"] is not None:
        late = duration_text(item["quorum_lag_ms"])
        said.append(f"metadata {count_text(item['quorum_lag_records'])} records and {late} behind")
    features = "".join(
        f"  {name} {one['lowest']} to {one['highest']}\n" for name, one in (item["features"] or {}).items()
    )
    return output.neutral(", ".join(said)) + "\n" + output.neutral_text(features)


def _ids(nodes: Any) -> str:
    return ", ".join(str(one) for one in sorted(nodes))
