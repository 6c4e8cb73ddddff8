"""Several nodes of this engine in one data folder: where they find each other, and with which settings they start.

Who they are stands in the folder's `nodes.json` (`seats`).
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from logctl import local
from logctl.engine.config_file import Entry
from logctl.errors import OperationFailed, UsageError
from logctl.seats import Seat, Table, write

MOST: Final = 9
_INNER_ABOVE: Final = 10_000
_PLACE: Final = "logctl up --nodes"
_SEEDS: Final = "controller.quorum.bootstrap.servers"


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
    from logctl.engine.directory import fresh_id
    from logctl.engine.node import new_uuid
    from logctl.wire.primitives import uuid_text

    seats = []
    for index in range(count):
        outer = port + index if port else free_port(0)
        inner = free_port(outer + _INNER_ABOVE if outer + _INNER_ABOVE < 65536 else 0)
        seats.append(Seat(index + 1, outer, inner, joined=True, directory_id=uuid_text(fresh_id(new_uuid))))
    table = Table(cluster_id, tuple(seats))
    write(folder, table)
    return table


def new_seat(table: Table, *, node_id: int | None = None, port: int | None = None, votes: bool = False) -> Seat:
    """Where one more node would sit: the next id, and the ports after the last, or free ones. Raises UsageError."""
    check_count(len(table.seats) + 1)
    chosen = max(seat.node_id for seat in table.seats) + 1 if node_id is None else node_id
    after = max(seat.port for seat in table.seats) + 1
    outer = free_port(port or (after if after < 65536 else 0))
    inner = free_port(outer + _INNER_ABOVE if outer + _INNER_ABOVE < 65536 else 0)
    return Seat(chosen, outer, inner, votes, joined=True)


def free_port(wanted: int) -> int:
    """The port wanted on loopback, or another one when somebody has it."""
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
    inner = "CONTROLLER" if seat.votes else "INTERNAL"
    settings = {
        "node.id": str(seat.node_id),
        "process.roles": "broker,controller" if seat.votes else "broker",
        "listeners": f"PLAINTEXT://127.0.0.1:{seat.port},{inner}://127.0.0.1:{seat.inner_port}",
        "controller.listener.names": "CONTROLLER",
        **({} if seat.votes else {"inter.broker.listener.name": inner}),
        **({_SEEDS: table.seeds} if seat.joined else {"controller.quorum.voters": table.voters}),
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
