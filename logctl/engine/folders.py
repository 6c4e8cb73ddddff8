"""The log directories of one node: made, locked, prepared and checked before anything in them is touched."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from socket import gethostname
from typing import Final

from logctl import local
from logctl.engine.directory import (
    Identity,
    format_directories,
    fresh_id,
    open_directories,
    parse_controllers,
    read_identity,
)
from logctl.engine.log.disk import Disk
from logctl.engine.quorum.voters import Address, Voter, VoterSet
from logctl.engine.settings import Settings
from logctl.errors import Declined, OperationFailed, UsageError
from logctl.wire.primitives import uuid_text

STANDALONE: Final = "standalone"


class Folders:
    """`paths`: every directory once, that of the metadata log first. `say(kind, sentence)` writes the diary."""

    def __init__(self, settings: Settings, disk: Disk, say: Callable[[str, str], None]) -> None:
        """Raises UsageError when the settings don't say whose directories they are, or which."""
        if not {"node.id", "broker.id"} & set(settings.given):
            raise UsageError("node.id is not set", "every node of a cluster has a number of its own: node.id=1")
        if not settings.log_dirs:
            raise UsageError("log.dirs is not set", "name the directory for data: log.dirs=/var/lib/logctl")
        wanted = [settings.metadata_dir, *settings.log_dirs]
        self.paths = list(dict.fromkeys(os.path.abspath(path) for path in wanted))
        self._node_id = settings.node_id
        self._settings = settings
        self._disk = disk
        self._say = say
        self._locks: list[int] = []

    def lock(self) -> None:
        """Make the directories and hold them for this process. Raises OperationFailed or Declined."""
        for path in self.paths:
            self._lock(path)

    def _lock(self, path: str) -> None:
        try:
            os.makedirs(path, exist_ok=True)
            lock = local.take_lock(Path(path))
        except OSError as error:
            raise OperationFailed(
                f"cannot use the log directory {path}: {error.strerror}",
                "name a directory that this user may write to, with --data DIR or log.dirs",
            ) from error
        if lock is None:
            holder = local.lock_holder(Path(path))
            raise Declined(
                f"another node uses {path}" + (f": process {holder}" if holder else ""),
                "stop it first, or give this node a directory of its own",
            )
        self._locks.append(lock)

    def unlock(self) -> None:
        while self._locks:
            os.close(self._locks.pop())

    @property
    def are_new(self) -> bool:
        """None of them belongs to a node yet."""
        return not any(read_identity(self._disk, path) for path in self.paths)

    def prepare(
        self, cluster_id: str | None, new_uuid: Callable[[], bytes], now_ms: int, controllers: str = ""
    ) -> list[str]:
        """Make them this node's, in the cluster given or in a new one; sentences about each directory.

        `controllers`: which voters the metadata log names from its beginning: STANDALONE for this node, a text like
        ID@HOST:PORT:DIRECTORY,... for those, empty for none. Raises UsageError.
        """
        voters = self._first_voters(controllers, new_uuid)
        before = [read_identity(self._disk, path) for path in self.paths]
        known = next((identity.cluster_id for identity in before if identity), None)
        cluster_id = cluster_id or known or uuid_text(new_uuid())
        format_directories(
            self._disk,
            self.paths,
            cluster_id=cluster_id,
            node_id=self._node_id,
            new_uuid=new_uuid,
            now_ms=now_ms,
            voters=voters,
        )
        whose = f"node {self._node_id} of cluster {cluster_id}"
        return [
            f"{path} is prepared for {whose}" if identity is None else f"{path} was prepared for {whose} before"
            for path, identity in zip(self.paths, before, strict=True)
        ]

    def _first_voters(self, controllers: str, new_uuid: Callable[[], bytes]) -> VoterSet | None:
        if not controllers:
            return None
        if self._settings.voters:
            raise UsageError(
                "the voters are fixed by controller.quorum.voters", "leave that setting out, or name no controllers"
            )
        at = [Address(one.name, one.host or gethostname(), one.port) for one in self._settings.advertised_controllers]
        if not at:
            raise UsageError(
                "a voter needs a listener on which the others reach it",
                "controller.listener.names=CONTROLLER, and an address CONTROLLER://HOST:PORT in listeners",
            )
        if controllers == STANDALONE:
            return VoterSet((Voter(self._node_id, fresh_id(new_uuid), tuple(at)),))
        voters = parse_controllers(controllers, at[0].name)
        if self._node_id not in voters:
            raise UsageError(
                f"node {self._node_id} is not among the first controllers", "format it without naming controllers"
            )
        return voters

    def identities(self) -> list[Identity]:
        """Whose directories they are; all agree. Raises UsageError."""
        return open_directories(self._disk, self.paths, node_id=self._node_id)
