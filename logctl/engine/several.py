"""Several nodes of this engine in one data folder: who they are, and where they hear each other.

    DATA/
      nodes.json     the cluster's id, and of each node its id, its port for clients and its port for the others
      node-1/ ...    one directory each, as for a single node
      node-1.log     their diaries

The file is written before the first node starts and never changes afterwards: the addresses are those of the quorum's
voters. A folder without it holds one node, or none.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from logctl import local
from logctl.engine.config_file import Entry
from logctl.errors import OperationFailed, UsageError

FILE: Final = "nodes.json"
MOST: Final = 9
_INNER_ABOVE: Final = 10_000
_PLACE: Final = "logctl up --nodes"


class Seat(NamedTuple):
    """One node. `inner_port` is where nodes talk among themselves."""

    node_id: int
    port: int
    inner_port: int


class Table(NamedTuple):
    """The nodes of a folder."""

    cluster_id: str
    seats: tuple[Seat, ...]

    @property
    def voters(self) -> str:
        return ",".join(f"{seat.node_id}@127.0.0.1:{seat.inner_port}" for seat in self.seats)


def remembered(folder: Path) -> Table | None:
    """The nodes that the folder was made for; None for a folder of one node. Raises OperationFailed."""
    path = folder / FILE
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return Table(said["cluster_id"], tuple(Seat(*(seat[name] for name in Seat._fields)) for seat in said["nodes"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise OperationFailed(
            f"{path} cannot be read: {problem!r}", "it says who the nodes of this folder are; restore it from a backup"
        ) from None


def check_count(count: int) -> None:
    """Raises UsageError for more nodes than belong on one machine."""
    if not 1 <= count <= MOST:
        raise UsageError(f"--nodes {count}: the bundled engine runs 1 to {MOST} nodes", "or add --engine apache")


def lay(folder: Path, count: int, port: int, cluster_id: str) -> Table:
    """Decide the seats of a new folder and write them down. Raises UsageError for a folder that is in use otherwise."""
    if local.nodes_in(folder):
        raise UsageError(
            f"the data in {folder} belongs to a single node, whose quorum has one voter",
            "use another --data folder for several nodes",
        )
    seats = []
    for index in range(count):
        outer = port + index if port else _free_port(0)
        inner = _free_port(outer + _INNER_ABOVE if outer + _INNER_ABOVE < 65536 else 0)
        seats.append(Seat(index + 1, outer, inner))
    table = Table(cluster_id, tuple(seats))
    _write(folder, table)
    return table


def _write(folder: Path, table: Table) -> None:
    said: dict[str, Any] = {"cluster_id": table.cluster_id, "nodes": [seat._asdict() for seat in table.seats]}
    temporary = folder / f"{FILE}.tmp"
    temporary.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
    temporary.replace(folder / FILE)


def _free_port(wanted: int) -> int:
    """The port wanted, or another one when somebody has it."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OperationFailed("there is no free port on 127.0.0.1", "stop something that listens")


def entries(folder: Path, table: Table, seat: Seat) -> list[Entry]:
    """The settings of one node."""
    replicas = min(3, len(table.seats))
    settings = {
        "node.id": str(seat.node_id),
        "process.roles": "broker,controller",
        "listeners": f"PLAINTEXT://127.0.0.1:{seat.port},CONTROLLER://127.0.0.1:{seat.inner_port}",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": table.voters,
        "log.dirs": str(local.log_dir_of(folder, seat.node_id)),
        "default.replication.factor": str(replicas),
        "offsets.topic.replication.factor": str(replicas),
        "min.insync.replicas": str(max(1, replicas - 1)),
    }
    return [Entry(name, text, _PLACE) for name, text in settings.items()]


def check(folder: Path, table: Table, seat: Seat, given: Sequence[Entry]) -> list[Entry]:
    """The settings of one node with what the operator gave, checked. Raises UsageError."""
    from logctl.engine.settings import Settings

    wanted = entries(folder, table, seat) + list(given)
    Settings.of(wanted)
    return wanted
