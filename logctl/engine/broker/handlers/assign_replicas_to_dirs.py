"""AssignReplicasToDirs (73), version 0: a broker tells in which log directories its replicas lie (KIP-858).

Served on the listener between controllers alone. A replica in a directory that failed leaves the in-sync set.

Not implemented: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.deciding import answer_decided
from logctl.engine.broker.dispatch import refused
from logctl.engine.broker.request import Answer, Request
from logctl.engine.controller.directories import assign_replicas
from logctl.wire.messages.assign_replicas_to_dirs import AssignReplicasToDirsRequest

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 73
VERSIONS = (0, 0)


def handle(broker: Broker, request: Request[AssignReplicasToDirsRequest], now_ms: int) -> Answer:
    return answer_decided(
        broker, request, lambda controller: assign_replicas(controller, request.body), refused=refused
    )
