"""Several real nodes of one cluster: processes of their own on loopback, each with a voice in the quorum.

    with running_nodes(tmp_path, 3) as nodes:
        nodes[1].kill()
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from typing import Final

from support.controller import CLUSTER_ID
from support.node import Node
from support.ports import free_port

from logctl import local
from logctl.engine.directory import format_directories
from logctl.engine.log.disk import RealDisk
from logctl.engine.node import new_uuid, wall_ms
from logctl.engine.quorum.voters import Address, Voter, VoterSet

LOOPBACK: Final = "127.0.0.1"

Way = Callable[[int, int, int], int]
"""(who, whom, port of the second) -> the port where the first finds the second."""


@contextmanager
def running_nodes(
    folder: Path,
    size: int,
    settings: Mapping[str, str] | None = None,
    settings_of: Mapping[int, Mapping[str, str]] | None = None,
    *,
    named: bool = False,
    way: Way = lambda who, whom, port: port,
    make: Callable[[Path, int, Mapping[str, str], int], Node] = Node,
    host: Callable[[int], str] = lambda node_id: LOOPBACK,
) -> Iterator[dict[int, Node]]:
    """Nodes by id, all of them let in by the controller; killed at the end. `settings_of`: what each has for itself.
    With `named` the metadata log names the voters (kraft.version 1), so that they may change.

    `way` may lead them past somebody who listens, `host` gives each an address of its own, `make` makes them.
    """
    ports = {node_id: (free_port(), free_port()) for node_id in range(1, size + 1)}
    seeds = ",".join(f"{host(node_id)}:{inner}" for node_id, (_, inner) in ports.items())
    first = VoterSet(
        Voter(node_id, new_uuid(), (Address("CONTROLLER", host(node_id), inner),))
        for node_id, (_, inner) in ports.items()
    )
    nodes = {}
    for node_id, (outer, inner) in ports.items():
        ways = [f"{one}@{host(one)}:{there if one == node_id else way(node_id, one, there)}"
                for one, (_, there) in ports.items()]  # fmt: skip
        who = {"controller.quorum.bootstrap.servers": seeds} if named else {"controller.quorum.voters": ",".join(ways)}
        own = {
            "listeners": f"PLAINTEXT://{host(node_id)}:{outer},CONTROLLER://{host(node_id)}:{inner}",
            "controller.listener.names": "CONTROLLER",
            **who,
            **(settings or {}),
            **(settings_of or {}).get(node_id, {}),
        }
        nodes[node_id] = make(folder, outer, own, node_id)
        log_dir = local.log_dir_of(folder, node_id)
        format_directories(
            RealDisk(),
            [str(log_dir)],
            cluster_id=CLUSTER_ID,
            node_id=node_id,
            new_uuid=new_uuid,
            now_ms=wall_ms(),
            voters=first if named else None,
        )
    with ExitStack() as at_the_end:
        for node in nodes.values():
            at_the_end.callback(node.__exit__)
        start_together(list(nodes.values()))
        yield nodes


def start_together(nodes: list[Node]) -> None:
    """Start them at once: none is let in before a majority is there."""
    failures: list[BaseException] = []

    def start(node: Node) -> None:
        try:
            node.start()
        except BaseException as failure:
            failures.append(failure)

    threads = [Thread(target=start, args=(node,)) for node in nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
