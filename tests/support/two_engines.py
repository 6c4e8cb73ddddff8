"""One log directory and two engines that take turns on it, on the same port: clients need not notice.

    shared = Shared(tmp_path)
    with shared.ours() as node: ...       # stopped in order at the end of the block
    with shared.apache() as node: ...     # the same directory, the same node id
    shared.apache_complaints()            # what Apache Kafka's last run had to complain of

`kill()` inside a block ends the process as `kill -9` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from support.apache import new_apache_node
from support.node import Node

from logctl.engine.apache import ApacheNode

SMALL: Final = {
    "offsets.topic.num.partitions": "3",
    "offsets.topic.replication.factor": "1",
    "group.initial.rebalance.delay.ms": "0",
}
APACHE_ONLY: Final = {
    "transaction.state.log.num.partitions": "2",
    "share.coordinator.state.topic.num.partitions": "2",
    "broker.session.timeout.ms": "9000",  # its default: whoever left in order need not be waited for
    "log.cleaner.dedupe.buffer.size": "8388608",
}
_COMPLAINT: Final = re.compile(
    r"^\[[^]]*\] (WARN|ERROR|FATAL) "
    r"|(?i:no clean shutdown file|corrupt|unclean shutdown|rebuilding (the|all|index)|recovering unflushed|truncat"
    r"|stray|mismatch|inconsistent|another broker is registered)"
)
_USUAL: Final = (
    "Performing controller activation",  # how it warns of every start of a controller
    "for __cluster_metadata-0",  # whose log it always opens as if it had crashed
    "Attempting to close NetworkClient that has already been closed",  # at every stop
    "to exist, but it was missing. Creating...",  # when a topic gets more partitions
    "Updating topic",  # lists settings, among them one about unclean elections
    "partition is not online or is no longer the leader",  # it was stopped while it still loaded its groups
)



class Shared:
    """`settings` are given to both engines, `apache_settings` to Apache Kafka alone. `voters_in_log`: when it is Apache
    Kafka that makes the directory, the metadata log names the voter (kraft.version 1)."""

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str] | None = None,
        apache_settings: Mapping[str, str] | None = None,
        *,
        voters_in_log: bool = False,
    ) -> None:
        common = SMALL | dict(settings or {})
        self.peer: ApacheNode = new_apache_node(folder, common | APACHE_ONLY | dict(apache_settings or {}))
        self.peer.voters_in_log = voters_in_log
        self.node = Node(folder, self.peer.port, common)
        self.node.log_dir = self.peer.data
        self._said_before = 0

    @property
    def data(self) -> Path:
        return self.peer.data

    @property
    def address(self) -> str:
        return self.peer.address

    @contextmanager
    def ours(self) -> Iterator[Node]:
        """Our node on the directory."""
        with self.node as node:
            yield node
            if node.running:
                node.stop()

    @contextmanager
    def apache(self) -> Iterator[ApacheNode]:
        """Apache Kafka on the directory."""
        self._said_before = self.peer.log.stat().st_size if self.peer.log.exists() else 0
        self.peer.start()
        try:
            yield self.peer
        finally:
            self.peer.stop()

    def apache_said(self) -> list[str]:
        """The lines of Apache Kafka's last run."""
        return self.peer.log.read_bytes()[self._said_before :].decode(errors="replace").splitlines()

    def apache_complaints(self) -> list[str]:
        """Those that warn, or speak of recovery or damage."""
        return [
            line
            for line in self.apache_said()
            if _COMPLAINT.search(line) and line.startswith("[") and not any(usual in line for usual in _USUAL)
        ]

    def files(self) -> dict[str, bytes]:
        """Every file of the directory by its path, to see that nothing was touched."""
        found = (path for path in self.data.rglob("*") if path.is_file() and path.name != ".lock")
        return {str(path.relative_to(self.data)): path.read_bytes() for path in found}
