"""Vote (52), versions 0 to 2: who asks for a vote, or whether it would get one (KIP-595, KIP-996).

Served on the listener between controllers alone. A request of another cluster is answered INCONSISTENT_CLUSTER_ID.

Not implemented: voters named by directory (kraft.version 1); their ids are read past.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.request import Answer, Request
from logctl.wire.messages.vote import VoteRequest

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 52
VERSIONS = (0, 2)


def handle(broker: Broker, request: Request[VoteRequest], now_ms: int) -> Answer:
    return broker.voter.vote(request.body)
