"""The nodes of a data folder that Apache Kafka runs, as they were decided once and are remembered.

    DATA/
      apache/cluster.json        this: engine, cluster id, nodes with their ports and roles, version, last settings
      apache/node-1.properties   what node 1 was started with;  .log4j2, .log (Kafka's own log), .out (the JVM's words)
      node-1/                    its log directory, in the place and the format of a bundled node's
      node-1.log                 its diary, when it was started in the background

`decide` is pure: what is remembered, what lies in the folder and what is wished for give the layout to start, or a
sentence why not. One to three nodes are broker and controller in one, and all of them vote; of more the first three.
With separate controllers these get processes and ids of their own (101, ...): three of them, or one for fewer than
three brokers. Client ports are P, P+1, ...; the quorum's are 10,000 above, or others that are free.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from logctl.engine import catalogue
from logctl.engine.apache.node import BOTH, ApacheNode, Place, flags_of_environment, write_private
from logctl.engine.apache.parts import VERSION, check_version
from logctl.engine.config_file import Entry
from logctl.engine.settings import PLUGIN_PREFIXES, SHORTHANDS
from logctl.errors import UsageError
from logctl.local import APACHE_FOLDER, APACHE_MEMORY, apache_file, log_dir_of

DEFAULT_PORT: Final = 9092
VOTERS_MAX: Final = 3
FIRST_CONTROLLER: Final = 101
QUORUM_PORTS_ABOVE: Final = 10_000
HEAP: Final = "1g"
_SIZE: Final = re.compile(r"[1-9]\d*[kKmMgG]?")
_FORM: Final = 1
_DECIDED: Final = frozenset(
    {
        "advertised.listeners", "broker.id", "controller.listener.names", "controller.quorum.bootstrap.servers",
        "controller.quorum.voters", "listener.security.protocol.map", "listeners", "log.dir", "log.dirs",
        "metadata.log.dir", "node.id", "process.roles",
    }
)  # fmt: skip


class Member(NamedTuple):
    """One node. `port` is 0 for a controller alone, `controller_port` for a broker alone."""

    node_id: int
    port: int
    controller_port: int
    roles: tuple[str, ...] = BOTH

    @property
    def is_broker(self) -> bool:
        return "broker" in self.roles

    @property
    def votes(self) -> bool:
        return "controller" in self.roles


@dataclass(frozen=True)
class Layout:
    """What is remembered. `engine` is "logctl" when the folder went back to the bundled engine."""

    cluster_id: str
    members: tuple[Member, ...]
    version: str = VERSION
    kafka_home: str | None = None
    heap: str = HEAP
    settings: Mapping[str, str] = field(default_factory=dict)
    engine: str = "apache"

    @property
    def brokers(self) -> list[Member]:
        return [member for member in self.members if member.is_broker]

    @property
    def voters(self) -> str:
        return ",".join(f"{one.node_id}@127.0.0.1:{one.controller_port}" for one in self.members if one.votes)

    def node(self, data: Path, member: Member) -> ApacheNode:
        """The process that this member is."""
        return ApacheNode(
            data / APACHE_FOLDER,
            member.port,
            member.controller_port,
            settings=self.settings,
            node_id=member.node_id,
            cluster_id=self.cluster_id,
            voters=self.voters,
            heap=self.heap,
            jvm_flags=flags_of_environment(),
            kafka_home=Path(self.kafka_home) if self.kafka_home else None,
            version=self.version,
            roles=member.roles,
            brokers=len(self.brokers),
            elsewhere=place_of(log_dir_of(data, member.node_id)),
        )

    def remember(self, data: Path) -> None:
        """Write it down in the folder."""
        save(data, self)


def place_of(log_dir: Path) -> Place:
    """Where a node's files lie: beside its log directory, never in it."""
    properties, logging, said, log = (
        apache_file(log_dir, ending) for ending in ("properties", "log4j2.properties", "out", "log")
    )
    return Place(properties, logging, said, log, log_dir)


# -- remembering -------------------------------------------------------------------------------------------------------


def load(data: Path) -> Layout | None:
    """What is remembered of the folder. Raises UsageError when it cannot be understood."""
    path = data / APACHE_FOLDER / APACHE_MEMORY
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        if said["form"] != _FORM:
            raise UsageError(f"{path} was written by a newer logctl", "use that one")
        return _layout(said)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(
            f"{path} does not say how the nodes of {data} are laid out ({type(error).__name__}: {error})",
            "restore it from a backup; for a single node it may be moved away: `--engine apache` then begins anew with "
            "the same data",
        ) from error


def _layout(said: dict[str, Any]) -> Layout:
    members = tuple(
        Member(int(one["node_id"]), int(one["port"]), int(one["controller_port"]), tuple(one["roles"]))
        for one in said["members"]
    )
    known = {name: said[name] for name in ("cluster_id", "version", "kafka_home", "heap", "engine")}
    return Layout(members=members, settings={str(k): str(v) for k, v in said["settings"].items()}, **known)


def save(data: Path, layout: Layout) -> None:
    """Remember it."""
    path = data / APACHE_FOLDER / APACHE_MEMORY
    path.parent.mkdir(parents=True, exist_ok=True)
    document = asdict(layout) | {"form": _FORM, "members": [member._asdict() for member in layout.members]}
    write_private(path, json.dumps(document, indent=2) + "\n")


# -- deciding ----------------------------------------------------------------------------------------------------------


class Wish(NamedTuple):
    """What was asked for; None where nothing was said."""

    nodes: int | None = None
    controllers: str | None = None
    port: int | None = None
    version: str | None = None
    kafka_home: str | None = None
    heap: str | None = None
    settings: Sequence[Entry] = ()


class Found(NamedTuple):
    """What the folder holds. `cluster_id`: of the directory `node-1`, made by either engine; `running`: ids of the
    nodes that run."""

    remembered: Layout | None = None
    cluster_id: str | None = None
    running: tuple[int, ...] = ()


FreePort = Callable[[int], int]
"""The port if it is free (0: any), else another that is."""


def decide(wish: Wish, found: Found, new_id: Callable[[], str], free_port: FreePort) -> Layout:
    """The layout to start from. Raises UsageError."""
    settings = given(wish.settings)
    if wish.controllers not in (None, "combined", "separate"):
        raise UsageError(f"--controllers is combined or separate, not {wish.controllers!r}")
    if wish.version is not None:
        check_version(wish.version)
    if wish.heap is not None and not _SIZE.fullmatch(wish.heap):
        raise UsageError(f"--heap {wish.heap!r} is not a size", "write it as 512m or 2g")
    before = found.remembered
    if before is None:
        before = Layout(found.cluster_id or new_id(), _laid_out(wish, found.cluster_id is not None, free_port))
    elif found.running:
        return _as_it_runs(before, wish, settings)
    else:
        before = _moved(_grown(_same_shape(before, wish), wish, free_port), wish, free_port)
    return replace(
        before,
        engine="apache",
        settings=settings,
        heap=wish.heap or HEAP,
        version=wish.version or before.version,
        kafka_home=wish.kafka_home or (None if wish.version else before.kafka_home),
    )


def _laid_out(wish: Wish, one_is_there: bool, free_port: FreePort) -> tuple[Member, ...]:
    count = wish.nodes or 1
    ports = _client_ports(wish.port, count, free_port)
    if one_is_there:  # it votes alone; the others join it as brokers
        return (Member(1, ports[0], _quorum_port(ports[0], free_port)), *_more_brokers(2, ports[1:]))
    if wish.controllers == "separate":
        voters = VOTERS_MAX if count >= VOTERS_MAX else 1
        alone = (
            Member(FIRST_CONTROLLER + index, 0, _quorum_port(ports[0] + index, free_port), ("controller",))
            for index in range(voters)
        )
        return (*_more_brokers(1, ports), *alone)
    both = (
        Member(index + 1, port, _quorum_port(port, free_port)) for index, port in enumerate(ports[:VOTERS_MAX])
    )
    return (*both, *_more_brokers(VOTERS_MAX + 1, ports[VOTERS_MAX:]))


def _more_brokers(first_id: int, ports: Sequence[int]) -> list[Member]:
    return [Member(first_id + index, port, 0, ("broker",)) for index, port in enumerate(ports)]


def _client_ports(port: int | None, count: int, free_port: FreePort) -> list[int]:
    if port == 0:
        return [free_port(0) for _ in range(count)]
    first = DEFAULT_PORT if port is None else port
    if first + count - 1 > 65535:
        raise UsageError(f"{count} nodes from port {first} on go beyond the last port, 65535")
    return [first + index for index in range(count)]


def _quorum_port(client_port: int, free_port: FreePort) -> int:
    wanted = client_port + QUORUM_PORTS_ABOVE
    return free_port(wanted if wanted <= 65535 else client_port - QUORUM_PORTS_ABOVE)


def _as_it_runs(before: Layout, wish: Wish, settings: dict[str, str]) -> Layout:
    """Some nodes run: the others are started as these were, and nothing else can be had."""
    first = before.members[0].port
    differs = [
        ("--nodes", wish.nodes is not None and wish.nodes != len(before.brokers), len(before.brokers)),
        ("--port", wish.port is not None and wish.port != first, first),
        ("--kafka-version", wish.version is not None and wish.version != before.version, before.version),
        ("--kafka-home", wish.kafka_home is not None and wish.kafka_home != before.kafka_home, before.kafka_home),
        ("--heap", wish.heap is not None and wish.heap != before.heap, before.heap),
        ("-c", bool(settings) and settings != before.settings, "its settings"),
    ]
    for flag, wrong, now in differs:
        if wrong:
            raise UsageError(
                f"the cluster runs with {flag} {now}, and some of its nodes are up",
                "leave the flag out to start the others as they were, or stop all with `logctl down` first",
            )
    return before


def _same_shape(before: Layout, wish: Wish) -> Layout:
    separate = any(not member.is_broker for member in before.members)
    if wish.controllers is not None and (wish.controllers == "separate") != separate:
        now = "separate" if separate else "combined"
        raise UsageError(
            f"the controllers of this cluster are {now}, and that is decided when a cluster is made",
            "use another --data folder for another cluster",
        )
    return before


def _grown(before: Layout, wish: Wish, free_port: FreePort) -> Layout:
    """More nodes join as brokers; the quorum stays as it is."""
    have, want = len(before.brokers), wish.nodes or len(before.brokers)
    if want < have:
        raise UsageError(
            f"this cluster has {have} nodes, and --nodes {want} would leave some out with the data they hold",
            "start it without --nodes",
        )
    last = max(member.port for member in before.brokers)
    added = _more_brokers(max(one.node_id for one in before.brokers) + 1, [last + 1 + n for n in range(want - have)])
    return replace(before, members=(*before.brokers, *added, *(one for one in before.members if not one.is_broker)))


def _moved(before: Layout, wish: Wish, free_port: FreePort) -> Layout:
    """The same nodes with client ports from another one on."""
    if wish.port is None or wish.port == before.members[0].port:
        return before
    ports = iter(_client_ports(wish.port, len(before.brokers), free_port))
    return replace(
        before, members=tuple(one._replace(port=next(ports)) if one.is_broker else one for one in before.members)
    )


def given(entries: Sequence[Entry]) -> dict[str, str]:
    """Settings that were given, by name; their values are for Apache Kafka to judge. Raises UsageError."""
    known = catalogue.broker_settings()
    for entry in entries:
        setting = known.get(SHORTHANDS.get(entry.name, entry.name))
        if entry.name in _DECIDED:
            raise UsageError(
                f"{entry.place}: {entry.name} is decided by `logctl up`",
                "a node of your own making is started with `logctl node start --engine apache --config FILE`",
            )
        if setting is not None and "o" in setting.marks:
            raise UsageError(f"{entry.place}: {entry.name} is a setting of the bundled engine alone")
        near = "" if setting or entry.name.startswith(PLUGIN_PREFIXES) else catalogue.similar(entry.name, known)
        if near:
            raise UsageError(f"{entry.place}: there is no setting {entry.name!r}", f"did you mean {near}?")
    return {entry.name: entry.text for entry in entries}
