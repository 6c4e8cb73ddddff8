"""Settings of a node: what was given, checked against the catalogue, and what the node reads from them.

Three sources, later ones winning: defaults of the command that starts the node, the config file, `-c name=value`.
Every text is parsed before anything is opened or changed, so a mistake is reported with its place and nothing has
happened yet. A name that the catalogue does not know is refused with the nearest one it does know; names with a
plug-in's prefix are kept for the plug-in. A name that is known but that this node does not act on is accepted and
becomes a remark for the diary: an Apache config file works as it is, and nobody is left believing in a setting that
does nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Final, NamedTuple

from logctl.engine import catalogue
from logctl.engine.broker.described import Described
from logctl.engine.catalogue import BadValue, Setting, Value
from logctl.engine.config_file import Entry
from logctl.errors import UsageError

PLUGIN_PREFIXES: Final = ("listener.name.", "rlmm.config.", "rsm.config.", "config.providers.", "metrics.")
SHORTHANDS: Final = {"flush": "log.flush.policy"}
SWIFT: Final = {
    "broker.session.timeout.ms": "1500",
    "broker.heartbeat.interval.ms": "200",
    "controller.quorum.election.timeout.ms": "500",
    "controller.quorum.fetch.timeout.ms": "1000",
    "controller.quorum.election.backoff.max.ms": "300",
}
"""What several nodes begin with, where nothing else was given: a node that is gone is missed sooner than by Apache's
defaults."""
_SEEDS: Final = "controller.quorum.bootstrap.servers"
_INTER_BROKER: Final = "inter.broker.listener.name"
_VOTERS: Final = "controller.quorum.voters"
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


class Listener(NamedTuple):
    """One address to listen on, or to be reached at."""

    name: str
    protocol: str
    host: str
    port: int

    @property
    def address(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Voter(NamedTuple):
    """One of controller.quorum.voters."""

    node_id: int
    host: str
    port: int


class Settings:
    """Typed view of a node's settings. `remarks` are sentences for the diary."""

    def __init__(self, given: dict[str, Entry]) -> None:
        self.given = given
        self.remarks: list[str] = []
        self._values: dict[str, Value] = {}
        self._dynamic: dict[str, Value] = {}

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Settings:
        """Checks every entry; a later entry of one name wins. Raises UsageError with the entry's place."""
        settings = cls({})
        known = catalogue.broker_settings()
        for entry in entries:
            name = SHORTHANDS.get(entry.name, entry.name)
            setting = known.get(name)
            if setting is not None:
                settings._take(setting, entry)
            elif not name.startswith(PLUGIN_PREFIXES):
                raise _unknown(entry, known)
        settings._check_together()
        return settings

    def _take(self, setting: Setting, entry: Entry) -> None:
        try:
            self._values[setting.name] = catalogue.parse(setting, entry.text)
        except BadValue as error:
            raise UsageError(f"{entry.place}: {error}", setting.meaning) from None
        self.given[setting.name] = entry
        if not setting.acted_on:
            self.remarks.append(f"{entry.place}: {setting.name} is known but this node does not act on it")

    def overlay(self, texts: Mapping[str, str]) -> None:
        """Values that were set while the cluster runs: they come first. One that does not fit is passed over."""
        self._dynamic = {}
        known = catalogue.broker_settings()
        for name, text in texts.items():
            if name in known:
                with suppress(BadValue):
                    self._dynamic[name] = catalogue.parse(known[name], text)

    def value(self, name: str) -> Value:
        """The value of a broker setting: what was set dynamically, else what was given, else its default."""
        if name in self._dynamic:
            return self._dynamic[name]
        if name not in self._values:
            setting = catalogue.broker_settings()[name]
            self._values[name] = catalogue.parse(setting, setting.default)
        return self._values[name]

    def integer(self, name: str) -> int:
        value = self.value(name)
        assert isinstance(value, int), name
        return value

    def flag(self, name: str) -> bool:
        return self.value(name) is True

    def text(self, name: str) -> str:
        value = self.value(name)
        return "" if value is None else str(value)

    def items(self, name: str) -> list[str]:
        """A list setting as its items."""
        return [item.strip() for item in self.text(name).split(",") if item.strip()]

    @property
    def node_id(self) -> int:
        name = "node.id" if "node.id" in self.given else "broker.id"
        return self.integer(name)

    @property
    def log_dirs(self) -> list[str]:
        return self.items("log.dirs") or self.items("log.dir")

    @property
    def metadata_dir(self) -> str:
        return self.text("metadata.log.dir") or self.log_dirs[0]

    @property
    def flush_on_acks(self) -> bool:
        """True: a write with acks=all is answered once it is on disk (DESIGN.md, decision 4)."""
        return self.text("log.flush.policy") == "acks"

    @property
    def listeners(self) -> list[Listener]:
        """The addresses clients connect to; listeners that only controllers use are left out."""
        controllers = self.items("controller.listener.names")
        return [one for one in self._addresses("listeners") if one.name not in controllers]

    @property
    def controller_listeners(self) -> list[Listener]:
        """The addresses at which this node is reached as one who votes, or may."""
        controllers = self.items("controller.listener.names") if self.is_controller else []
        return [one for one in self._addresses("listeners") if one.name in controllers]

    @property
    def inter_broker_listener(self) -> Listener | None:
        """The listener that other nodes alone use, if one is set apart for them."""
        name = self.text(_INTER_BROKER)
        found = next((one for one in self.listeners if one.name == name), None)
        return found if len(self.listeners) > 1 else None

    @property
    def is_controller(self) -> bool:
        """Whether it votes, or may."""
        roles = self.items("process.roles")
        return not roles or "controller" in roles

    @property
    def joins(self) -> bool:
        """Whether the quorum is another's, as far as the settings tell: this node looks for it."""
        if not self.is_controller:
            return True
        own = {one.port for one in self.controller_listeners if one.host in (*LOOPBACK, "", "0.0.0.0", "::")}
        strangers = [one for one in self.seeds if one.port not in own or one.host not in LOOPBACK]
        return not self.voters and bool(strangers)

    @property
    def seeds(self) -> list[Listener]:
        """Where the quorum can be asked for. Raises UsageError."""
        return [_seed(text, self._place(_SEEDS)) for text in self.items(_SEEDS)]

    @property
    def voters(self) -> list[Voter]:
        """The fixed voters of the metadata quorum. Raises UsageError."""
        return [_voter(text, self._place("controller.quorum.voters")) for text in self.items(_VOTERS)]

    @property
    def advertised(self) -> list[Listener]:
        """The addresses clients are told, one for each listener."""
        if not self.items("advertised.listeners"):
            return self.listeners
        named = {one.name: one for one in self._addresses("advertised.listeners")}
        return [named.get(one.name, one) for one in self.listeners]

    def given_texts(self) -> dict[str, str]:
        """What the operator wrote, by name: the layer between dynamic configs and defaults."""
        return {name: entry.text for name, entry in self.given.items()}

    def described(self) -> Iterator[Described]:
        """Every setting worth showing, as DescribeConfigs shows it."""
        for name, one in catalogue.broker_settings().items():
            given = self.given.get(name)
            if given or not one.internal:
                text = given.text if given else one.default
                yield Described(
                    name=name,
                    value=text,
                    given=given is not None,
                    default=one.default,
                    read_only=one.read_only,
                    sensitive=one.sensitive,
                    type_code=one.type_code,
                    meaning=one.documentation,
                    acted_on=one.acted_on,
                )

    def _addresses(self, name: str) -> list[Listener]:
        protocols = dict(_pair(text, self._place("listener.security.protocol.map")) for text in self._protocol_map())
        if self.text(_INTER_BROKER):
            protocols.setdefault(self.text(_INTER_BROKER), "PLAINTEXT")
        return [_listener(text, protocols, self._place(name)) for text in self.items(name)]

    @property
    def advertised_controllers(self) -> list[Listener]:
        """Where others are told to reach this node as a controller, one for each of those listeners."""
        named = {one.name: one for one in self._addresses("advertised.listeners")}
        return [named.get(one.name, one) for one in self.controller_listeners]

    def _protocol_map(self) -> list[str]:
        return self.items("listener.security.protocol.map")

    def _place(self, name: str) -> str:
        entry = self.given.get(name)
        return entry.place if entry else name

    def _check_together(self) -> None:
        if "node.id" in self.given and "broker.id" in self.given and self.value("node.id") != self.value("broker.id"):
            raise UsageError(f"{self._place('broker.id')}: broker.id and node.id differ", "keep node.id")
        self._check_roles()
        self._check_voters()
        self._check_listeners()

    def _check_roles(self) -> None:
        roles, place = self.items("process.roles"), self._place("process.roles")
        if roles and "broker" not in roles:
            hint = "process.roles=broker,controller makes this node both"
            raise UsageError(f"{place}: a controller of this engine is a broker too", hint)
        if self.is_controller:
            return
        if not self.voters and not self.seeds:
            raise UsageError(
                f"{place}: this node has no vote, and nothing says where the quorum is",
                f"name addresses of its voters: {_SEEDS}=HOST:PORT,HOST:PORT",
            )
        if self.inter_broker_listener is None:
            raise UsageError(
                f"{place}: this node has no vote, and so needs a listener for the other nodes alone",
                f"give it a port of its own: listeners=PLAINTEXT://HOST:9092,INTERNAL://HOST:9094 and "
                f"{_INTER_BROKER}=INTERNAL",
            )

    def _check_voters(self) -> None:
        voters, place = self.voters, self._place(_VOTERS)
        ids = [voter.node_id for voter in voters]
        if voters and self.is_controller and self.node_id not in ids:
            raise UsageError(f"{place}: this node ({self.node_id}) is not among the voters", "name it too")
        if not self.is_controller and self.node_id in ids:
            raise UsageError(f"{place}: this node ({self.node_id}) is a voter", "process.roles=broker,controller it is")
        if len(set(ids)) < len(ids):
            raise UsageError(f"{place}: a node is named twice", "each voter once, as ID@HOST:PORT")
        if self.is_controller and not self.controller_listeners and (len(voters) > 1 or self.joins):
            others = f"there are {len(voters)} voters" if voters else "the quorum has other members"
            raise UsageError(
                f"{place if voters else self._place(_SEEDS)}: {others}, but no listener is open to them",
                "name one in controller.listener.names and give its address in listeners",
            )
        if len(voters) > 1 or self.joins or self.controller_listeners:
            self._be_swift()

    def _be_swift(self) -> None:
        known = catalogue.broker_settings()
        for name, text in SWIFT.items():
            if name not in self.given:
                self._take(known[name], Entry(name, text, "several nodes"))

    def _check_listeners(self) -> None:
        if not self.listeners:
            raise UsageError(f"{self._place('listeners')}: no listener is left for clients")
        for one in self.listeners:
            if one.protocol != "PLAINTEXT":
                raise UsageError(
                    f"{self._place('listeners')}: listener {one.name} asks for {one.protocol}, "
                    "but this node speaks PLAINTEXT only so far",
                )
            if one.host not in LOOPBACK:
                self.remarks.append(f"listener {one.name} at {one.address} is open to the outside, without a login")


def _unknown(entry: Entry, known: dict[str, Setting]) -> UsageError:
    from logctl.engine.controller.topic_configs import CATALOGUE

    topic = CATALOGUE.get(entry.name)
    if topic is not None and topic.synonyms:
        hint = f"{entry.name} belongs to topics; the default for all topics is {topic.synonyms[0].name}"
    else:
        near = catalogue.similar(entry.name, known)
        hint = f"did you mean {near}?" if near else "settings carry the names of Apache Kafka 4.3"
    return UsageError(f"{entry.place}: there is no setting {entry.name!r}", hint)


def _pair(text: str, place: str) -> tuple[str, str]:
    name, colon, protocol = text.partition(":")
    if not colon:
        raise UsageError(f"{place}: {text!r} is not NAME:PROTOCOL")
    return name.strip(), protocol.strip()


def _voter(text: str, place: str) -> Voter:
    node_id, at, address = text.partition("@")
    host, colon, port = address.rpartition(":")
    if not at or not colon or not node_id.isdecimal() or not port.isdecimal():
        raise UsageError(f"{place}: {text!r} is not ID@HOST:PORT", "for example 1@127.0.0.1:9093")
    return Voter(int(node_id), host.strip("[]"), int(port))


def _seed(text: str, place: str) -> Listener:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal():
        raise UsageError(f"{place}: {text!r} is not HOST:PORT", "for example 127.0.0.1:9093")
    return Listener("", "PLAINTEXT", host.strip("[]"), int(port))


def _listener(text: str, protocols: dict[str, str], place: str) -> Listener:
    name, scheme, rest = text.partition("://")
    host, colon, port = rest.rpartition(":")
    if not scheme or not colon or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise UsageError(f"{place}: {text!r} is not NAME://host:port", "for example PLAINTEXT://127.0.0.1:9092")
    if name not in protocols and name != "CONTROLLER":
        raise UsageError(f"{place}: listener {name} has no protocol", "add it to listener.security.protocol.map")
    return Listener(name, protocols.get(name, "PLAINTEXT"), host.strip("[]"), int(port))
