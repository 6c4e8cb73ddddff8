"""DescribeTopicPartitions (75), version 0: partitions of topics, page by page.

Topics come in the order of their names; an answer holds at most `max.request.partition.size.limit` partitions
(2,000), or fewer when the request says so, and a cursor to go on from. The lists of eligible leader replicas are
empty rather than null, also while nothing is known about them: the Java client reads them unseen. Not implemented:
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.request import Request
from logctl.engine.controller.image import Partition, Topic
from logctl.engine.controller.names import INTERNAL_TOPICS
from logctl.security.acl import Operation, Resource
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.describe_topic_partitions import (
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponseCursor,
    DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
)

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 75
VERSIONS = (0, 0)

Asked = Request[DescribeTopicPartitionsRequest]


def handle(broker: Broker, request: Asked, now_ms: int) -> DescribeTopicPartitionsResponse:
    cursor = request.body.cursor
    if cursor is not None and cursor.partition_index < 0:
        raise WireError(errors.INVALID_REQUEST, f"A cursor cannot stand at partition {cursor.partition_index}")
    start = (cursor.topic_name, cursor.partition_index) if cursor is not None else ("", 0)
    limit = broker.settings.integer("max.request.partition.size.limit")
    return _page(broker, request, start, min(limit, request.body.response_partition_limit))


def _page(broker: Broker, request: Asked, start: tuple[str, int], limit: int) -> DescribeTopicPartitionsResponse:
    response = DescribeTopicPartitionsResponse()
    left = limit
    for name in _names(broker, request, start[0]):
        if left <= 0:
            response.next_cursor = DescribeTopicPartitionsResponseCursor(name, 0)
            break
        topic = broker.metadata.image.topics.get(name)
        if topic is None or not broker.may(request, Operation.DESCRIBE, Resource.TOPIC, name):
            response.topics.append(_unknown(broker, request, name))
            continue
        first = start[1] if name == start[0] else 0
        response.topics.append(_described(broker, request, topic, first, left))
        left -= len(response.topics[-1].partitions)
        if first + len(response.topics[-1].partitions) < len(topic.partitions):
            reached = first + len(response.topics[-1].partitions)
            response.next_cursor = DescribeTopicPartitionsResponseCursor(name, reached)
            break
    return response


def _names(broker: Broker, request: Asked, first: str) -> list[str]:
    """The topics asked for, or all that may be seen, in order, from the cursor's on."""
    asked = {topic.name for topic in request.body.topics}
    if not asked:
        every = broker.metadata.image.topics
        asked = {name for name in every if broker.may(request, Operation.DESCRIBE, Resource.TOPIC, name)}
    return sorted(name for name in asked if name >= first)


def _unknown(broker: Broker, request: Asked, name: str) -> DescribeTopicPartitionsResponseTopic:
    if broker.may(request, Operation.DESCRIBE, Resource.TOPIC, name):
        code = errors.UNKNOWN_TOPIC_OR_PARTITION
    else:
        code = errors.TOPIC_AUTHORIZATION_FAILED
    return DescribeTopicPartitionsResponseTopic(error_code=code, name=name, is_internal=name in INTERNAL_TOPICS)


def _described(
    broker: Broker, request: Asked, topic: Topic, first: int, limit: int
) -> DescribeTopicPartitionsResponseTopic:
    alive = {one.broker_id for one in broker.metadata.image.brokers.values() if not one.fenced}
    numbers = sorted(topic.partitions)[first : first + limit]
    return DescribeTopicPartitionsResponseTopic(
        errors.NONE,
        topic.name,
        topic.topic_id,
        topic.name in INTERNAL_TOPICS,
        [_partition(number, topic.partitions[number], alive) for number in numbers],
        broker.operations(request, Resource.TOPIC, topic.name),
    )


def _partition(number: int, partition: Partition, alive: set[int]) -> DescribeTopicPartitionsResponsePartition:
    leader = partition.leader if partition.leader in alive else -1
    return DescribeTopicPartitionsResponsePartition(
        errors.NONE if leader >= 0 else errors.LEADER_NOT_AVAILABLE,
        number,
        leader,
        partition.leader_epoch,
        list(partition.replicas),
        list(partition.isr),
        list(partition.elr),
        list(partition.last_known_elr),
        [replica for replica in partition.replicas if replica not in alive],
    )
