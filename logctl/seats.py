"""The nodes that a data folder was made for, as its file remembers them: who they are, and where they are heard.

    DATA/
      nodes.json     the cluster's id, and of each node its id, its port for clients, its port for the other nodes,
                     whether it may vote in the quorum, and whether it joined later
      node-1/ ...    one directory each, as for a single node
      node-1.log     their diaries

Written before the first node starts; a node that joins is added before it starts, one that leaves is taken out after it
has stopped. A folder without the file holds one node, or none, or nodes of Apache Kafka (`apache/cluster.json`).

Needs nothing but the standard library, so that the engine, the admin room and the shell commands can share it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from logctl.errors import OperationFailed
from logctl.local import APACHE_FOLDER, APACHE_MEMORY, read_properties

FILE: Final = "nodes.json"


class Seat(NamedTuple):
    """One node. `inner_port` is where nodes talk among themselves; `votes`: it is made to vote. `joined`: it finds the
    quorum by asking; without it voters are fixed by settings, as they were in older folders. `directory_id`: the one
    that its directory is to get, while the cluster has not begun: the metadata log will name it from its beginning. It
    is given once: an empty directory in its place later is another voter's."""

    node_id: int
    port: int
    inner_port: int
    votes: bool = True
    joined: bool = False
    directory_id: str = ""


_LATER: Final = Seat._fields[3:]
"""What older files do not tell."""


class Table(NamedTuple):
    """The nodes of a folder."""

    cluster_id: str
    seats: tuple[Seat, ...]

    @property
    def voters(self) -> str:
        """Those that the cluster began with, where they are fixed: as controller.quorum.voters has them."""
        fixed = [seat for seat in self.seats if not seat.joined]
        return ",".join(f"{seat.node_id}@127.0.0.1:{seat.inner_port}" for seat in fixed)

    @property
    def first_voters(self) -> str:
        """Those that the cluster is to begin with, as the metadata log will name them: ID@HOST:PORT:DIRECTORY,..."""
        named = [seat for seat in self.seats if seat.directory_id]
        return ",".join(f"{seat.node_id}@127.0.0.1:{seat.inner_port}:{seat.directory_id}" for seat in named)

    @property
    def seeds(self) -> str:
        """Where the quorum can be asked for."""
        return ",".join(f"127.0.0.1:{seat.inner_port}" for seat in self.seats if seat.votes)

    def begun(self) -> Table:
        """The same when all directories have been prepared."""
        return self._replace(seats=tuple(seat._replace(directory_id="") for seat in self.seats))

    def with_seat(self, seat: Seat) -> Table:
        """One more, or another one in the place of that node."""
        kept = [one for one in self.seats if one.node_id != seat.node_id]
        return self._replace(seats=tuple(sorted([*kept, seat])))


def remembered(folder: Path) -> Table | None:
    """The nodes that the folder was made for; None for a folder of one node. Raises OperationFailed."""
    path = folder / FILE
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return Table(said["cluster_id"], tuple(_seat(one) for one in said["nodes"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise OperationFailed(
            f"{path} cannot be read: {problem!r}", "it says who the nodes of this folder are; restore it from a backup"
        ) from None


def _seat(said: dict[str, Any]) -> Seat:
    return Seat(*(said[name] for name in Seat._fields[:3]), **{name: said[name] for name in _LATER if name in said})


def write(folder: Path, table: Table) -> None:
    said: dict[str, Any] = {"cluster_id": table.cluster_id, "nodes": [seat._asdict() for seat in table.seats]}
    _write(folder / FILE, said)


def forget(folder: Path, node_id: int) -> None:
    """Take a node out of what the folder remembers, whichever engine runs it."""
    for path, nodes in ((folder / FILE, "nodes"), (folder / APACHE_FOLDER / APACHE_MEMORY, "members")):
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as problem:
            raise OperationFailed(f"{path} cannot be read: {problem!r}", "restore it from a backup") from None
        said[nodes] = [one for one in said[nodes] if one["node_id"] != node_id]
        _write(path, said)


def set_aside(log_dir: Path) -> Path:
    """Keep the directory of a node that is not one any more, under a name that no node's has; answers where."""
    wanted = (log_dir.with_name(name) for name in _names(f"removed-{log_dir.name}"))
    kept = next(path for path in wanted if not path.exists())
    log_dir.rename(kept)
    return kept


def _names(first: str) -> Iterator[str]:
    yield first
    number = 2
    while True:
        yield f"{first}-{number}"
        number += 1


def identity_of(log_dir: Path) -> dict[str, Any] | None:
    """Whose directory it is, as {"cluster_id", "node_id"}; None where there is no formatted one."""
    said = read_properties(log_dir / "meta.properties")
    if "cluster.id" not in said or not said.get("node.id", "").isdecimal():
        return None
    return {"cluster_id": said["cluster.id"], "node_id": int(said["node.id"])}


def _write(path: Path, said: dict[str, Any]) -> None:
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
    if path.exists():
        temporary.chmod(path.stat().st_mode)
    temporary.replace(path)
