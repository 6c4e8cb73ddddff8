"""BrokerHeartbeat (63), versions 0 to 2: a broker says that it lives, how far it has read, and what it wants (KIP-631).

Served on the listener between controllers alone. Answered when what came of it is committed; a broker that registered
anew meanwhile is told STALE_BROKER_EPOCH.

Not implemented: offline and cordoned log directories, which are read past.
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
    broker.sessions_of_brokers.touch(request.body.broker_id, now_ms)
    return answer_decided(broker, request, lambda controller: heartbeat(controller, request.body), refused=refused)
