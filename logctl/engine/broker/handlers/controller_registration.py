"""ControllerRegistration (70), version 0: a node that could vote says where it is reached as a controller (KIP-919).

Served on the listener between controllers alone. Answered when it is committed. The nodes of this engine register when
they have no vote; where those that vote are reached stands with the voters.

Not implemented: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.deciding import answer_decided
from logctl.engine.broker.dispatch import refused
from logctl.engine.broker.request import Answer, Request
from logctl.engine.controller.controllers import register_controller
from logctl.wire.messages.controller_registration import ControllerRegistrationRequest

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 70
VERSIONS = (0, 0)


def handle(broker: Broker, request: Request[ControllerRegistrationRequest], now_ms: int) -> Answer:
    return answer_decided(
        broker, request, lambda controller: register_controller(controller, request.body), refused=refused
    )
