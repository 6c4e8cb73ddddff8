"""ListPartitionReassignments (46), version 0: partitions whose replicas are changing (KIP-455).

Topics and partitions that do not exist are not mentioned, nor are those that are not being reassigned. The controller
answers, after what was decided before.

Not implemented: the timeout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.deciding import answer_decided
from logctl.engine.broker.request import Answer, Request
from logctl.engine.controller.reassignments import list_reassignments
from logctl.wire.errors import WireError
from logctl.wire.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
)

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 46
VERSIONS = (0, 0)


def handle(broker: Broker, request: Request[ListPartitionReassignmentsRequest], now_ms: int) -> Answer:
    return answer_decided(
        broker, request, lambda controller: list_reassignments(controller, request.body), refused=refused
    )


def refused(
    request: Request[ListPartitionReassignmentsRequest], error: WireError
) -> ListPartitionReassignmentsResponse:
    return ListPartitionReassignmentsResponse(error_code=error.code, error_message=error.message)
