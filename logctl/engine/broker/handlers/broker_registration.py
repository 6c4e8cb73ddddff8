"""BrokerRegistration (62), versions 0 to 4: a broker introduces itself to the controller and gets its epoch (KIP-631).

Served on the listener between controllers alone. The broker is taken in fenced; heartbeats let it in. One that belongs
to another cluster, shares a log directory with another broker, or cannot run the cluster's features is refused; while a
broker that registered under the same id earlier is still heard of, the newcomer is told DUPLICATE_BROKER_REGISTRATION;
the controller's own earlier life is known to be over.

Not implemented: brokers that migrate off ZooKeeper.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.deciding import answer_decided
from logctl.engine.broker.dispatch import refused
from logctl.engine.broker.request import Answer, Request
from logctl.engine.controller.brokers import register_broker
from logctl.wire.messages.broker_registration import BrokerRegistrationRequest

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 62
VERSIONS = (0, 4)


def handle(broker: Broker, request: Request[BrokerRegistrationRequest], now_ms: int) -> Answer:
    own = request.body.broker_id == broker.node_id
    heard_of = not own and broker.governing.sessions.lasts(request.body.broker_id, now_ms)
    return answer_decided(
        broker,
        request,
        lambda controller: register_broker(controller, request.body, heard_of=heard_of),
        refused=refused,
    )
