"""InitProducerId (22), versions 0 to 5: an id for an idempotent producer.

Version 2 is flexible, 3 lets a producer name the id it has (KIP-360), 4 and 5 add error codes. A producer without a
transactional id gets a new id at epoch 0, whatever id it names. Not implemented: transactional producers, which are
told COORDINATOR_NOT_AVAILABLE; version 6 (two-phase commit), which Apache does not offer by default either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.request import PARKED, Answer, Request
from logctl.security.acl import CLUSTER_NAME, Operation, Resource
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 22
VERSIONS = (0, 5)


def handle(broker: Broker, request: Request[InitProducerIdRequest], now_ms: int) -> Answer:
    code = _objection(broker, request)
    if code:
        return InitProducerIdResponse(error_code=code, producer_epoch=-1)

    def use(new_id: int) -> None:
        broker.reply(request, InitProducerIdResponse(producer_id=new_id))

    def failed(error: WireError) -> None:
        broker.reply(request, InitProducerIdResponse(error_code=error.code, producer_epoch=-1))

    broker.producer_ids.take(use, failed)
    return PARKED


def _objection(broker: Broker, request: Request[InitProducerIdRequest]) -> int:
    body = request.body
    if body.transactional_id is not None:
        return errors.COORDINATOR_NOT_AVAILABLE if body.transactional_id else errors.INVALID_REQUEST
    if (body.producer_id == -1) != (body.producer_epoch == -1):
        return errors.INVALID_REQUEST
    if not _may_produce(broker, request):
        return errors.CLUSTER_AUTHORIZATION_FAILED
    return errors.NONE


def _may_produce(broker: Broker, request: Request[InitProducerIdRequest]) -> bool:
    if broker.may(request, Operation.IDEMPOTENT_WRITE, Resource.CLUSTER, CLUSTER_NAME):
        return True
    topics = broker.metadata.image.topics
    return any(broker.may(request, Operation.WRITE, Resource.TOPIC, name) for name in topics)
