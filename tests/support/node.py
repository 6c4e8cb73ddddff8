"""A real node for a test: a process of its own, on a free port, with its data in a folder of the test's.

    with running_node(tmp_path) as node:
        client.connect(node.address)

The node runs the engine itself, without the command line around it. `kill` ends it as `kill -9` does, `stop` in order;
`start` brings it up again on the same data and the same port; `pause` and `resume`
suspend it. What it wrote to its diary is in `node.diary`.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from support.ports import free_port

from logctl import local
from logctl.engine.config_file import Entry
from logctl.engine.lifecycle import Detached, answers, local_entries, start_detached
from logctl.local import stop

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 30.0


class Node:
    """One node of a test. `settings` are given by Apache's names."""

    def __init__(self, folder: Path, port: int, settings: Mapping[str, str], node_id: int = 1) -> None:
        self.folder = folder
        self.port = port
        self.settings = settings
        self.log_dir = local.log_dir_of(folder, node_id)
        self.diary_path = folder / f"{self.log_dir.name}.log"
        self._process: Detached | None = None
        self._node_id = node_id

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def diary(self) -> str:
        return self.diary_path.read_text(encoding="utf-8")

    @property
    def pid(self) -> int:
        assert self._process is not None, "the node is not running"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        """Start it and wait until it is ready. Raises what it failed with."""
        self.folder.mkdir(parents=True, exist_ok=True)
        entries = local_entries(self.log_dir, self.port, self._node_id)
        entries += [Entry(name, value, f"-c {name}") for name, value in self.settings.items()]
        self._process = start_detached(entries, self.diary_path)
        try:
            for _ in self._process.events(START_TIMEOUT_S):
                pass
        except BaseException:
            self._end()
            raise
        assert answers(self.address, START_TIMEOUT_S), self.diary

    def stop(self) -> None:
        """Stop it in order and wait for its end."""
        node = local.describe(self.log_dir)
        assert node.pid == self.pid, "the node has died"
        stop(node, STOP_TIMEOUT_S)
        self._end()

    def kill(self) -> None:
        """End it at once, wherever it is."""
        self._end()

    def pause(self) -> None:
        """Let it stand still, as a machine does that is suspended: its connections stay open."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end(signal.SIGKILL)

    def __enter__(self) -> Node:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()


@contextmanager
def running_node(folder: Path, settings: Mapping[str, str] | None = None, port: int | None = None) -> Iterator[Node]:
    """A node that runs as long as the block."""
    with Node(folder, port or free_port(), settings or {}) as node:
        yield node
