"""Handing out producer ids in blocks (AllocateProducerIds)."""

from __future__ import annotations

from typing import Final

from logctl.engine.controller.decision import Controller, Decision
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.allocate_producer_ids import AllocateProducerIdsRequest, AllocateProducerIdsResponse
from logctl.wire.stored.producer_ids_record import ProducerIdsRecord

BLOCK_SIZE: Final = 1000
"""A broker that restarts wastes the rest of its block, as Apache's does."""


def allocate_producer_ids(
    controller: Controller, request: AllocateProducerIdsRequest
) -> Decision[AllocateProducerIdsResponse]:
    """The next block for a registered broker. Raises WireError when its epoch is not the current one or ids ran out."""
    broker = controller.image.brokers.get(request.broker_id)
    if broker is None or broker.epoch != request.broker_epoch:
        raise WireError(errors.STALE_BROKER_EPOCH, f"Broker {request.broker_id} is not registered with this epoch")
    first = controller.image.next_producer_id
    if first > 2**63 - 1 - BLOCK_SIZE:
        raise WireError(errors.UNKNOWN_SERVER_ERROR, "All producer ids have been given out")
    record = ProducerIdsRecord(
        broker_id=request.broker_id, broker_epoch=request.broker_epoch, next_producer_id=first + BLOCK_SIZE
    )
    return Decision([record], AllocateProducerIdsResponse(producer_id_start=first, producer_id_len=BLOCK_SIZE))
