"""ElectLeaders (43), versions 0 to 2: hand partitions to their preferred replica or, unclean, to any that is alive.

Version 1 adds unclean elections (KIP-460). Where the preferred replica leads already, or for an unclean election any
does, the answer is ELECTION_NOT_NEEDED; asked about all partitions (null), those are left out. With one node every
partition is led by its preferred replica as long as it lives.

Not implemented: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.deciding import answer_decided
from logctl.engine.broker.request import Answer, Request
from logctl.engine.controller import elections
from logctl.wire.errors import WireError
from logctl.wire.messages.elect_leaders import ElectLeadersRequest, ElectLeadersResponse

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 43
VERSIONS = (0, 2)


def handle(broker: Broker, request: Request[ElectLeadersRequest], now_ms: int) -> Answer:
    return answer_decided(
        broker, request, lambda controller: elections.elect_leaders(controller, request.body), refused=refused
    )


def refused(request: Request[ElectLeadersRequest], error: WireError) -> ElectLeadersResponse:
    return elections.refused(request.body, error)
