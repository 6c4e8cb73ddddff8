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
    """The broker that clients should take for the controller.

    Controllers are not reached by clients: any live broker will do, because it forwards what only a controller can do.
    This one is as good as any, and certainly alive.
    """
    registered = broker.metadata.image.brokers.get(broker.node_id)
    return broker.node_id if registered is not None and not registered.fenced else -1
