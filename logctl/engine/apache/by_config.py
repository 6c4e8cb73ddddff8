"""A node of Apache Kafka from a config file of its user's own, instead of one that `logctl up` has laid out.

The file is taken as it is, `-c` settings over it. It decides everything: roles, listeners, quorum, directories; so
nothing is added, and what Apache Kafka does not like about it is for Apache Kafka to say.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from logctl import local
from logctl.engine.apache.layout import HEAP, Member, place_of
from logctl.engine.apache.node import BOTH, ApacheNode, flags_of_environment
from logctl.engine.apache.parts import VERSION
from logctl.engine.config_file import Entry
from logctl.errors import UsageError

_LISTENER: Final = re.compile(r"(\w[\w.-]*)://(\[[^]]*\]|[^:]*):(\d+)")


@dataclass
class ConfiguredNode(ApacheNode):
    """A node whose properties are those of the file alone."""

    def properties(self) -> dict[str, str]:
        return dict(self.settings)

    def refuse_taken_ports(self) -> None:
        """Its listeners may be anywhere; Kafka itself says when one is taken."""


@dataclass(frozen=True)
class ByConfig:
    """What a config file says, in the place of a layout."""

    settings: dict[str, str]
    version: str = VERSION
    kafka_home: str | None = None
    heap: str = HEAP

    @classmethod
    def of(cls, entries: Sequence[Entry], version: str | None, kafka_home: str | None, heap: str | None) -> ByConfig:
        """Raises UsageError when the file does not say what a node cannot be without."""
        settings = {entry.name: entry.text for entry in entries}
        for name in ("node.id", "log.dirs"):
            if not settings.get(name):
                raise UsageError(f"{name} is not set")
        if not settings["node.id"].isdecimal():
            raise UsageError(f"node.id is a whole number, not {settings['node.id']!r}")
        return cls(settings, version or VERSION, kafka_home, heap or HEAP)

    @property
    def log_dirs(self) -> list[Path]:
        return [Path(text.strip()).absolute() for text in self.settings["log.dirs"].split(",") if text.strip()]

    @property
    def cluster_id(self) -> str:
        return local.read_properties(self.log_dirs[0] / "meta.properties").get("cluster.id", "")

    @property
    def members(self) -> tuple[Member, ...]:
        named = tuple(role.strip() for role in self.settings.get("process.roles", ",".join(BOTH)).split(","))
        _, port = self._client_address(named)
        return (Member(int(self.settings["node.id"]), port, port, named),)

    def _client_address(self, roles: Sequence[str]) -> tuple[str, int]:
        """Where it answers: the first listener that is the broker's, or of a controller alone the first."""
        controllers = {name.strip() for name in self.settings.get("controller.listener.names", "").split(",")}
        found = _LISTENER.findall(self.settings.get("listeners", "PLAINTEXT://:9092"))
        fitting = [one for one in found if "broker" not in roles or one[0] not in controllers]
        if not fitting:
            raise UsageError("listeners names no address as NAME://host:port")
        return fitting[0][1].strip("[]") or "127.0.0.1", int(fitting[0][2])

    def node(self, data: Path, member: Member) -> ApacheNode:
        """The process."""
        host, _ = self._client_address(member.roles)
        return ConfiguredNode(
            data,
            member.port,
            member.controller_port,
            settings=self.settings,
            node_id=member.node_id,
            cluster_id=self.cluster_id,
            host="127.0.0.1" if host in ("0.0.0.0", "::") else host,
            heap=self.heap,
            jvm_flags=flags_of_environment(),
            kafka_home=Path(self.kafka_home) if self.kafka_home else None,
            version=self.version,
            roles=member.roles,
            elsewhere=place_of(self.log_dirs[0]),
        )

    def remember(self, data: Path) -> None:
        """The file is its user's; there is nothing to remember."""
