"""From what a client calls a partition to the replica on this node, or to the error that tells it where to look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from logctl.engine.broker.endpoints import endpoint_for
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.primitives import ZERO_UUID

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker
    from logctl.engine.broker.replica import Replica
    from logctl.engine.broker.request import Request
    from logctl.engine.controller.image import Image, Topic


def topic_name(image: Image, name: str, topic_id: bytes) -> str:
    """The name behind an id, or the name that was given. Raises WireError UNKNOWN_TOPIC_ID."""
    if topic_id == ZERO_UUID:
        return name
    found = image.topic_names.get(topic_id)
    if found is None:
        raise WireError(errors.UNKNOWN_TOPIC_ID)
    return found


def replica_of(broker: Broker, name: str, partition: int) -> Replica:
    """The replica, whether or not it serves at the moment.

    Raises WireError: UNKNOWN_TOPIC_OR_PARTITION, or NOT_LEADER_OR_FOLLOWER when the partition lives on other nodes.
    """
    replica = broker.replicas.get(name, partition)
    if replica is not None:
        return replica
    topic = broker.metadata.image.topics.get(name)
    if topic is None or partition not in topic.partitions:
        raise WireError(errors.UNKNOWN_TOPIC_OR_PARTITION)
    raise WireError(errors.NOT_LEADER_OR_FOLLOWER)


class Leader(NamedTuple):
    """Who leads a partition, for the hints of KIP-951. `host` is empty where the client's listener leads nowhere."""

    node_id: int
    epoch: int
    host: str
    port: int
    rack: str | None


def leader_of(broker: Broker, request: Request[Any], name: str, partition: int) -> Leader | None:
    """The leader as the image has it, or None when there is none to name."""
    image = broker.metadata.image
    topic: Topic | None = image.topics.get(name)
    placed = topic.partitions.get(partition) if topic else None
    if placed is None or placed.leader < 0:
        return None
    registered = image.brokers.get(placed.leader)
    endpoint = endpoint_for(registered, request.peer.listener) if registered else None
    if registered is None or endpoint is None:
        return Leader(placed.leader, placed.leader_epoch, "", 0, None)
    return Leader(placed.leader, placed.leader_epoch, endpoint.host, endpoint.port, registered.rack)
