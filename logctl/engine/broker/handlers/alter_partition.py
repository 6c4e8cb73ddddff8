"""AlterPartition (56), versions 2 and 3: a leader asks for another in-sync set (KIP-497).

Served on the listener between controllers alone. Version 3 names the members with the epochs of their brokers
(KIP-903). Each partition is answered as it is afterwards; FENCED_LEADER_EPOCH, INVALID_UPDATE_VERSION and
NOT_CONTROLLER tell a leader, or this controller, that it looks at an old state; INELIGIBLE_REPLICA that a member is
fenced, stopping or in another life; NEW_LEADER_ELECTED that the change completed a reassignment that removes the
leader.

Not implemented: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.deciding import answer_decided
from logctl.engine.broker.dispatch import refused
from logctl.engine.broker.request import Answer, Request
from logctl.engine.controller.isr import alter_partition
from logctl.wire.messages.alter_partition import AlterPartitionRequest

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 56
VERSIONS = (2, 3)


def handle(broker: Broker, request: Request[AlterPartitionRequest], now_ms: int) -> Answer:
    return answer_decided(
        broker, request, lambda controller: alter_partition(controller, request.body, request.version), refused=refused
    )
