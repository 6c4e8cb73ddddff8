"""FetchSnapshot (59), versions 0 to 1: a piece of a snapshot of the metadata log (KIP-630).

Served on the listener between controllers alone, by the leader: NOT_LEADER_OR_FOLLOWER otherwise, SNAPSHOT_NOT_FOUND
for one that has gone.

Not implemented: voters named by directory (kraft.version 1); their ids are read past.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.request import Answer, Request
from logctl.wire.messages.fetch_snapshot import FetchSnapshotRequest

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 59
VERSIONS = (0, 1)


def handle(broker: Broker, request: Request[FetchSnapshotRequest], now_ms: int) -> Answer:
    return broker.voter.fetch_snapshot(request.body)
