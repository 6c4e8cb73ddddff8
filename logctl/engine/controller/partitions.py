"""Adding partitions to topics (CreatePartitions)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from logctl.engine.controller.decision import Controller, Decision
from logctl.engine.controller.image import Topic
from logctl.engine.controller.placement import place
from logctl.engine.controller.replicas import check_assignment, new_partition
from logctl.engine.controller.topics import MAX_PARTITIONS_PER_REQUEST
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
    CreatePartitionsTopicResult,
)


def create_partitions(controller: Controller, request: CreatePartitionsRequest) -> Decision[CreatePartitionsResponse]:
    """`count` is the number of partitions afterwards. Each topic succeeds or fails on its own."""
    times = Counter(topic.name for topic in request.topics)
    records: list[Any] = []
    results: list[CreatePartitionsTopicResult] = []
    for topic in {topic.name: topic for topic in request.topics}.values():
        try:
            if times[topic.name] > 1:
                raise WireError(errors.INVALID_REQUEST, f"Topic '{topic.name}' is named more than once in the request")
            records += _grow(controller, topic)
            results.append(CreatePartitionsTopicResult(name=topic.name))
        except WireError as refusal:
            results.append(
                CreatePartitionsTopicResult(name=topic.name, error_code=refusal.code, error_message=refusal.message)
            )
    return Decision([] if request.validate_only else records, CreatePartitionsResponse(results=results))


def _grow(controller: Controller, wanted: CreatePartitionsTopic) -> list[Any]:
    topic = controller.image.topics.get(wanted.name)
    if topic is None:
        raise WireError(errors.UNKNOWN_TOPIC_OR_PARTITION, f"There is no topic '{wanted.name}'")
    have = len(topic.partitions)
    if wanted.count <= have:
        raise WireError(
            errors.INVALID_PARTITIONS, f"Topic '{wanted.name}' has {have} partition(s), which can only become more"
        )
    more = wanted.count - have
    if more > MAX_PARTITIONS_PER_REQUEST:
        raise WireError(errors.POLICY_VIOLATION, f"More than {MAX_PARTITIONS_PER_REQUEST} partitions in one request")
    return [
        new_partition(controller.image, have + number, replicas, topic.topic_id)
        for number, replicas in enumerate(_replicas(controller, topic, wanted, more))
    ]


def _replicas(controller: Controller, topic: Topic, wanted: CreatePartitionsTopic, more: int) -> list[tuple[int, ...]]:
    factor = len(topic.partitions[0].replicas)
    if wanted.assignments is None:
        return place(list(controller.image.brokers.values()), more, factor, start=len(topic.partitions))
    if len(wanted.assignments) != more:
        raise WireError(
            errors.INVALID_REPLICA_ASSIGNMENT,
            f"{more} partition(s) are to be added, but replicas are given for {len(wanted.assignments)}",
        )
    for assignment in wanted.assignments:
        check_assignment(controller.image, assignment.broker_ids, factor)
    return [tuple(assignment.broker_ids) for assignment in wanted.assignments]
