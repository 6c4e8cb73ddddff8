"""BrokerHeartbeat (63), versions 0 to 2: a broker says that it lives, how far it has read, and what it wants (KIP-631).

Served on the listener between controllers alone. Answered when what came of it is committed; a broker that registered
anew meanwhile is told STALE_BROKER_EPOCH.

Version 1 adds directories that failed: what lies there is led by others. Version 2 adds directories that take no new
replicas; the cluster remembers them from metadata.version 4.3-IV0 on.

Not implemented: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.deciding import answer_decided
from logctl.engine.broker.dispatch import refused
from logctl.engine.broker.request import Answer, Request
from logctl.engine.controller.heartbeats import heartbeat
from logctl.wire.messages.broker_heartbeat import BrokerHeartbeatRequest

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 63
VERSIONS = (0, 2)


def handle(broker: Broker, request: Request[BrokerHeartbeatRequest], now_ms: int) -> Answer:
    registered = broker.metadata.image.brokers.get(request.body.broker_id)
    if registered is not None and registered.epoch == request.body.broker_epoch:
        broker.governing.sessions.touch(request.body.broker_id, now_ms)
    return answer_decided(broker, request, lambda controller: heartbeat(controller, request.body), refused=refused)
