"""EndQuorumEpoch (54), versions 0 to 1: a leader says that it leads no longer, and who may follow (KIP-595).

Served on the listener between controllers alone. A request of another cluster is answered INCONSISTENT_CLUSTER_ID.

Not implemented: voters named by directory (kraft.version 1); their ids are read past.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.request import Answer, Request
from logctl.wire.messages.end_quorum_epoch import EndQuorumEpochRequest

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 54
VERSIONS = (0, 1)


def handle(broker: Broker, request: Request[EndQuorumEpochRequest], now_ms: int) -> Answer:
    return broker.voter.end(request.body)
