"""UnregisterBroker (64), version 0: forget a broker that will not come back.

A broker that is alive is refused (INVALID_REQUEST): Apache lets it go, and the cluster is left with a broker that runs
and is known to nobody. One that is not registered: BROKER_ID_NOT_REGISTERED.

Not implemented: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.deciding import answer_decided
from logctl.engine.broker.request import Answer, Request
from logctl.engine.controller.brokers import unregister_broker
from logctl.wire.errors import WireError
from logctl.wire.messages.unregister_broker import UnregisterBrokerRequest, UnregisterBrokerResponse

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 64
VERSIONS = (0, 0)


def handle(broker: Broker, request: Request[UnregisterBrokerRequest], now_ms: int) -> Answer:
    return answer_decided(
        broker, request, lambda controller: unregister_broker(controller, request.body), refused=refused
    )


def refused(request: Request[UnregisterBrokerRequest], error: WireError) -> UnregisterBrokerResponse:
    return UnregisterBrokerResponse(error_code=error.code, error_message=error.message)
