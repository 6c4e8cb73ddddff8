"""One node's metadata log on a real directory, driven by hand: its clock stands still, flushes happen when told."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

from support.controller import CLUSTER_ID, new_topic, numbered_id, registration

from logctl.engine.broker.metadata import Metadata
from logctl.engine.broker.metadata_snapshot_keeping import Options
from logctl.engine.controller.brokers import start_broker
from logctl.engine.controller.decision import Controller, Decision, Rules
from logctl.engine.controller.image import Image
from logctl.engine.controller.topics import create_topics
from logctl.engine.directory import format_directories, read_identity
from logctl.engine.log.disk import Disk, RealDisk
from logctl.engine.log.log import Log
from logctl.wire.messages.create_topics import CreateTopicsRequest

NOW_MS = 1_700_000_000_000


class OneNode:
    """`open` starts it, `stop` ends it in order, `crash` forgets the process and keeps the files."""

    def __init__(self, directory: Path, disk: Disk | None = None, options: Options | None = None) -> None:
        self.directory = directory
        self.disk = disk or RealDisk()
        self.options = options or Options()
        self.now_ms = NOW_MS
        self.dirty: list[Log] = []
        self.answers: list[Any] = []
        self.refusals: list[Any] = []
        self.heard: list[tuple[Image, Image, list[Any]]] = []
        self._ids = count(1000)

    @property
    def log_directory(self) -> Path:
        return self.directory / "__cluster_metadata-0"

    def new_id(self) -> bytes:
        return numbered_id(next(self._ids))

    def format(self) -> None:
        format_directories(
            self.disk,
            [str(self.directory)],
            cluster_id=CLUSTER_ID,
            node_id=1,
            new_uuid=self.new_id,
            now_ms=self.now_ms,
        )

    def open(self, *, clean: bool = False, start: bool = True) -> Metadata:
        self.metadata = Metadata.open(
            self.disk,
            str(self.directory),
            node_id=1,
            rules=Rules(cluster_id=CLUSTER_ID),
            clock=lambda: self.now_ms,
            new_uuid=self.new_id,
            mark_dirty=self.dirty.append,
            clean=clean,
            options=self.options,
        )
        self.metadata.listeners.append(lambda *change: self.heard.append(change))
        if start:
            self.metadata.start()
        return self.metadata

    def register(self) -> None:
        identity = read_identity(self.disk, str(self.directory))
        assert identity is not None
        broker = registration(1, log_dirs=[identity.directory_id])
        self.decide(lambda controller: start_broker(controller, broker))

    def decide(self, decision: Any, flush: bool = True) -> None:
        self.metadata.decide(decision, self._answered, self.refusals.append)
        if flush:
            self.metadata.flush()

    def _answered(self, decision: Decision[Any]) -> None:
        self.answers.append(decision.response)

    def create(self, *names: str, partitions: int = 1, flush: bool = True) -> None:
        request = CreateTopicsRequest(topics=[new_topic(name, partitions) for name in names])

        def decision(controller: Controller) -> Decision[Any]:
            return create_topics(controller, request)

        self.decide(decision, flush)

    def stop(self) -> None:
        self.metadata.close(clean=True)

    def crash(self) -> None:
        self.metadata.close(clean=False)

    def files(self) -> dict[str, bytes]:
        """Every file of the directory and of the metadata log, to see that nothing was touched."""
        found = [*self.directory.iterdir(), *self.log_directory.iterdir()]
        return {file.name: file.read_bytes() for file in found if file.is_file()}


def running(directory: Path, options: Options | None = None) -> OneNode:
    """A formatted node that leads and whose broker is registered."""
    node = OneNode(directory, options=options)
    node.format()
    node.open()
    node.register()
    return node
