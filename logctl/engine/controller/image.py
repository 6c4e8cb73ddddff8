"""The image: everything the cluster has agreed on, as values that never change under a reader.

Theory of operation
-------------------
An `Image` is what the records of the metadata log amount to, up to some offset. Nobody changes one:
`replay.apply(image, records)` answers a new image that shares with the old one whatever the records did not touch, so
keeping several at once (the committed one, and the controller's working ones with records that are not committed yet)
costs next to nothing, and comparing them by identity tells what changed. `replay.Draft` is the only writer, and only
of dictionaries it has copied.

`snapshot.image_records` turns an image back into records: replaying those gives an equal image, which is
what a snapshot is. Records whose meaning no room of the engine needs yet are kept as they are in `kept`, so that a
snapshot hands them back.

Names follow KRaft (KIP-631, KIP-858, KIP-966). Identifiers are sixteen raw bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

NO_LEADER: Final = -1
EMPTY: Final[Mapping[Any, Any]] = MappingProxyType({})

MIGRATING_DIRECTORY: Final = bytes(16)
"""A replica whose log directory is not known yet (KIP-858)."""
UNASSIGNED_DIRECTORY: Final = bytes(15) + b"\x01"
"""A replica that its broker may put into any of its directories."""
LOST_DIRECTORY: Final = bytes(15) + b"\x02"
"""A replica whose log directory has failed."""

METADATA_VERSION: Final = "metadata.version"


class ResourceType:
    """Kinds of things that carry configs (ConfigResource)."""

    TOPIC: Final = 2
    BROKER: Final = 4
    BROKER_LOGGER: Final = 8
    CLIENT_METRICS: Final = 16
    GROUP: Final = 32


Resource = tuple[int, str]
"""(resource type, name); the broker named "" stands for all brokers."""


class Partition(NamedTuple):
    """One partition's place in the cluster. `directories` runs parallel to `replicas`."""

    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    leader: int
    leader_epoch: int
    partition_epoch: int
    directories: tuple[bytes, ...] = ()
    removing: tuple[int, ...] = ()
    adding: tuple[int, ...] = ()
    leader_recovery_state: int = 0
    elr: tuple[int, ...] = ()
    last_known_elr: tuple[int, ...] = ()

    def directory_of(self, broker_id: int) -> bytes:
        """Where that replica lives; MIGRATING_DIRECTORY when it was never said."""
        place = self.replicas.index(broker_id)
        return self.directories[place] if place < len(self.directories) else MIGRATING_DIRECTORY


class Topic(NamedTuple):
    """A topic and its partitions by number."""

    name: str
    topic_id: bytes
    partitions: Mapping[int, Partition]


class Endpoint(NamedTuple):
    """Where a listener is reached. `security_protocol`: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL."""

    name: str
    host: str
    port: int
    security_protocol: int = 0


class Broker(NamedTuple):
    """A registered broker. A fenced one leads nothing and is not shown to clients.

    `epoch` is the offset of its registration record; `features` maps a feature to the levels (lowest, highest) it can
    run.
    """

    broker_id: int
    epoch: int
    incarnation_id: bytes
    endpoints: tuple[Endpoint, ...] = ()
    features: Mapping[str, tuple[int, int]] = EMPTY
    rack: str | None = None
    fenced: bool = True
    in_controlled_shutdown: bool = False
    log_dirs: tuple[bytes, ...] = ()
    cordoned_log_dirs: tuple[bytes, ...] | None = None

    @property
    def active(self) -> bool:
        """Whether it may lead and take new replicas."""
        return not self.fenced and not self.in_controlled_shutdown

    def endpoint(self, listener: str) -> Endpoint | None:
        return next((endpoint for endpoint in self.endpoints if endpoint.name == listener), None)


class Image(NamedTuple):
    """What the cluster has agreed on. `topic_names` maps identifiers to names; `configs` holds only what was set."""

    features: Mapping[str, int] = EMPTY
    brokers: Mapping[int, Broker] = EMPTY
    controllers: Mapping[int, Any] = EMPTY  # RegisterControllerRecord by node id
    topics: Mapping[str, Topic] = EMPTY
    topic_names: Mapping[bytes, str] = EMPTY
    configs: Mapping[Resource, Mapping[str, str]] = EMPTY
    next_producer_id: int = 0
    kept: Mapping[tuple[Any, ...], Any] = EMPTY  # by (record type, identity)
    transaction_start: Image | None = None  # the image before a metadata transaction that has not ended (KIP-868)

    @property
    def metadata_version(self) -> int:
        """The finalized level of metadata.version; 0 before the first record."""
        return self.features.get(METADATA_VERSION, 0)

    def topic_by_id(self, topic_id: bytes) -> Topic | None:
        name = self.topic_names.get(topic_id)
        return self.topics[name] if name is not None else None

    def topic_configs(self, name: str) -> Mapping[str, str]:
        """What was set on the topic itself."""
        return self.configs.get((ResourceType.TOPIC, name), EMPTY)

    def broker_configs(self, broker_id: int | None) -> Mapping[str, str]:
        """What was set dynamically on one broker, or with None on all of them."""
        return self.configs.get((ResourceType.BROKER, "" if broker_id is None else str(broker_id)), EMPTY)

    def active_brokers(self) -> list[Broker]:
        """Brokers that may lead, by ascending id."""
        return [broker for _, broker in sorted(self.brokers.items()) if broker.active]

    def partition_count(self) -> int:
        return sum(len(topic.partitions) for topic in self.topics.values())
