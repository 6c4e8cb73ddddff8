"""DescribeProducers (61), version 0: the producers that a partition's leader remembers (KIP-664).

Each with its epoch, last sequence number and time, and where its open transaction begins. A producer that wrote
nothing for `producer.id.expiration.ms` is forgotten.

Not implemented: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.locate import replica_of
from logctl.engine.broker.request import Request
from logctl.engine.log.producers import Producer
from logctl.security.acl import Operation, Resource
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.describe_producers import (
    DescribeProducersRequest,
    DescribeProducersResponse,
    PartitionResponse,
    ProducerState,
    TopicResponse,
)

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 61
VERSIONS = (0, 0)


def handle(broker: Broker, request: Request[DescribeProducersRequest], now_ms: int) -> DescribeProducersResponse:
    return DescribeProducersResponse(
        topics=[
            TopicResponse(topic.name, [_partition(broker, request, topic.name, one) for one in topic.partition_indexes])
            for topic in request.body.topics
        ]
    )


def refused(request: Request[DescribeProducersRequest], error: WireError) -> DescribeProducersResponse:
    """Every partition of the request is answered with the error."""
    return DescribeProducersResponse(
        topics=[
            TopicResponse(topic.name, [_failed(one, error) for one in topic.partition_indexes])
            for topic in request.body.topics
        ]
    )


def _partition(
    broker: Broker, request: Request[DescribeProducersRequest], topic: str, number: int
) -> PartitionResponse:
    try:
        if not broker.may(request, Operation.READ, Resource.TOPIC, topic):
            raise WireError(errors.TOPIC_AUTHORIZATION_FAILED)
        replica = replica_of(broker, topic, number)
        replica.check_serving()
    except WireError as error:
        return _failed(number, error)
    producers = [_shown(producer_id, known) for producer_id, known in replica.log.producers.items()]
    return PartitionResponse(number, active_producers=producers)


def _failed(number: int, error: WireError) -> PartitionResponse:
    return PartitionResponse(number, error.code, error.message or None)


def _shown(producer_id: int, known: Producer) -> ProducerState:
    return ProducerState(
        producer_id=producer_id,
        producer_epoch=known.epoch,
        last_sequence=known.batches[-1].last_sequence if known.batches else -1,
        last_timestamp=known.last_timestamp,
        coordinator_epoch=known.coordinator_epoch,
        current_txn_start_offset=known.transaction_start,
    )
