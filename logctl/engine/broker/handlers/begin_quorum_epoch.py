"""BeginQuorumEpoch (53), versions 0 to 1: a voter says that it leads an epoch (KIP-595).

Served on the listener between controllers alone. A request of another cluster is answered INCONSISTENT_CLUSTER_ID.

Not implemented: voters named by directory (kraft.version 1); their ids are read past.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.request import Answer, Request
from logctl.wire.messages.begin_quorum_epoch import BeginQuorumEpochRequest

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 53
VERSIONS = (0, 1)


def handle(broker: Broker, request: Request[BeginQuorumEpochRequest], now_ms: int) -> Answer:
    return broker.voter.begin(request.body)
