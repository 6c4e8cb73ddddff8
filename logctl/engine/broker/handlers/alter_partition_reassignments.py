"""AlterPartitionReassignments (45), versions 0 and 1: give partitions other replicas, or stop doing so (KIP-455).

Null replicas take a reassignment back. Version 1 can forbid that the number of replicas changes (KIP-860). Where going
back would leave nobody who has all records, INVALID_REPLICA_ASSIGNMENT says so.

Not implemented: the timeout: the answer comes when the decision is committed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.deciding import answer_decided
from logctl.engine.broker.request import Answer, Request
from logctl.engine.controller.reassignments import alter_reassignments
from logctl.wire.errors import WireError
from logctl.wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
)

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 45
VERSIONS = (0, 1)


def handle(broker: Broker, request: Request[AlterPartitionReassignmentsRequest], now_ms: int) -> Answer:
    return answer_decided(
        broker, request, lambda controller: alter_reassignments(controller, request.body), refused=refused
    )


def refused(
    request: Request[AlterPartitionReassignmentsRequest], error: WireError
) -> AlterPartitionReassignmentsResponse:
    return AlterPartitionReassignmentsResponse(error_code=error.code, error_message=error.message)
