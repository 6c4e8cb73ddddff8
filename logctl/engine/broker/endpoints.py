"""Where brokers are reached, as told to a client that came in by some listener."""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.controller.image import Broker as Registered
from logctl.engine.controller.image import Endpoint

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker


def endpoint_for(registered: Registered, listener: str) -> Endpoint | None:
    """The broker's address on the listener the client used; None when it has no such listener."""
    return registered.endpoint(listener)


def controller_shown(broker: Broker) -> int:
    """The broker that clients should ask for what only a controller can do: the one that leads the quorum.

    While it is not known, or not let in, this one is shown: it answers NOT_CONTROLLER, and the client asks again.
    """
    brokers, leader = broker.metadata.image.brokers, broker.metadata.leader_id
    for node_id in (leader, broker.node_id):
        if node_id in brokers and not brokers[node_id].fenced:
            return node_id
    return -1
