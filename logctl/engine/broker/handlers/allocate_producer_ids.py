"""AllocateProducerIds (67), version 0: a broker gets a block of producer ids from the controller (KIP-730).

Served on the listener between controllers alone. Not implemented: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.deciding import answer_decided
from logctl.engine.broker.dispatch import refused
from logctl.engine.broker.request import Answer, Request
from logctl.engine.controller.producer_ids import allocate_producer_ids
from logctl.wire.messages.allocate_producer_ids import AllocateProducerIdsRequest

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 67
VERSIONS = (0, 0)


def handle(broker: Broker, request: Request[AllocateProducerIdsRequest], now_ms: int) -> Answer:
    return answer_decided(
        broker, request, lambda controller: allocate_producer_ids(controller, request.body), refused=refused
    )
