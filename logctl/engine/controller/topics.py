"""Creating and deleting topics (CreateTopics, DeleteTopics)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from logctl.engine.controller.decision import Controller, Decision
from logctl.engine.controller.image import ResourceType, Topic
from logctl.engine.controller.names import check_topic_name, collision
from logctl.engine.controller.placement import place
from logctl.engine.controller.replicas import check_assignment, new_partition
from logctl.engine.controller.topic_configs import Layers, check_topic_configs, effective
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfigs,
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from logctl.wire.messages.delete_topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)
from logctl.wire.primitives import ZERO_UUID
from logctl.wire.stored.config_record import ConfigRecord
from logctl.wire.stored.remove_topic_record import RemoveTopicRecord
from logctl.wire.stored.topic_record import TopicRecord

MAX_PARTITIONS_PER_REQUEST: Final = 10_000
"""More would make one batch of the metadata log, and one pause of the controller, too large."""


def create_topics(controller: Controller, request: CreateTopicsRequest) -> Decision[CreateTopicsResponse]:
    """Each topic succeeds or fails on its own; with `validate_only` nothing is recorded but the answer is the same."""
    times = Counter(topic.name for topic in request.topics)
    too_many = _partitions_wanted(controller, request) > MAX_PARTITIONS_PER_REQUEST
    records: list[Any] = []
    results: list[CreatableTopicResult] = []
    accepted: dict[str, None] = {}
    for topic in {topic.name: topic for topic in request.topics}.values():
        try:
            if too_many:
                raise WireError(
                    errors.POLICY_VIOLATION, f"More than {MAX_PARTITIONS_PER_REQUEST} partitions in one request"
                )
            if times[topic.name] > 1:
                raise WireError(errors.INVALID_REQUEST, f"Topic '{topic.name}' is named more than once in the request")
            made, result = _create_topic(controller, topic, accepted)
        except WireError as refusal:
            results.append(_refused(topic.name, refusal))
        else:
            accepted[topic.name] = None
            records += made
            results.append(result)
    return Decision([] if request.validate_only else records, CreateTopicsResponse(topics=results))


def _partitions_wanted(controller: Controller, request: CreateTopicsRequest) -> int:
    default = controller.rules.default_partitions
    return sum(
        len(topic.assignments) or (default if topic.num_partitions == -1 else max(topic.num_partitions, 0))
        for topic in request.topics
    )


def _refused(name: str, refusal: WireError) -> CreatableTopicResult:
    return CreatableTopicResult(name=name, error_code=refusal.code, error_message=refusal.message)


def _create_topic(
    controller: Controller, topic: CreatableTopic, accepted: dict[str, None]
) -> tuple[list[Any], CreatableTopicResult]:
    """The records of one new topic and its line in the answer. Raises WireError."""
    _check_name(controller, topic.name, accepted)
    configs = _wanted_configs(topic)
    layers = topic_layers(controller)
    check_topic_configs(configs, layers)
    topic_id = controller.new_uuid()
    replicas = _replicas(controller, topic)
    records: list[Any] = [TopicRecord(name=topic.name, topic_id=topic_id)]
    records += [
        ConfigRecord(resource_type=ResourceType.TOPIC, resource_name=topic.name, name=name, value=value)
        for name, value in configs.items()
    ]
    records += [new_partition(controller.image, number, brokers, topic_id) for number, brokers in enumerate(replicas)]
    result = CreatableTopicResult(
        name=topic.name,
        topic_id=topic_id,
        error_message=None,
        num_partitions=len(replicas),
        replication_factor=len(replicas[0]),
        configs=list(_described(configs, layers)),
    )
    return records, result


def _check_name(controller: Controller, name: str, accepted: dict[str, None]) -> None:
    check_topic_name(name)
    topics = controller.image.topics
    if name in topics:
        raise WireError(errors.TOPIC_ALREADY_EXISTS, f"Topic '{name}' already exists")
    twin = collision(name, topics) or collision(name, accepted)
    if twin:
        raise WireError(
            errors.INVALID_TOPIC_EXCEPTION,
            f"Topic '{name}' differs from topic '{twin}' only in '.' and '_', which metrics cannot tell apart",
        )


def _wanted_configs(topic: CreatableTopic) -> dict[str, str]:
    nothing = [config.name for config in topic.configs if config.value is None]
    if nothing:
        raise WireError(errors.INVALID_CONFIG, f"Topic configs need a value: {', '.join(nothing)}")
    return {config.name: config.value or "" for config in topic.configs}


def topic_layers(controller: Controller) -> Layers:
    """The layers under a topic's own configs, as the controller sees them."""
    return Layers({}, controller.image.broker_configs(None), controller.rules.server_values)


def _described(configs: dict[str, str], layers: Layers) -> Iterator[CreatableTopicConfigs]:
    """Clients fail on a missing list and on a source that is not positive, so every config is there with its layer."""
    for config, settings in effective(configs, layers):
        yield CreatableTopicConfigs(
            name=config.name, value=settings[0].value, read_only=False, config_source=int(settings[0].source)
        )


def _replicas(controller: Controller, topic: CreatableTopic) -> list[tuple[int, ...]]:
    """Replicas per partition, by number."""
    if topic.assignments:
        return _manual_replicas(controller, topic)
    rules, brokers = controller.rules, list(controller.image.brokers.values())
    if topic.replication_factor < -1 or topic.replication_factor == 0:
        raise WireError(
            errors.INVALID_REPLICATION_FACTOR, "Replication factor must be at least 1, or -1 for the default"
        )
    if topic.num_partitions < -1 or topic.num_partitions == 0:
        raise WireError(errors.INVALID_PARTITIONS, "The number of partitions must be at least 1, or -1 for the default")
    factor = rules.default_replication_factor if topic.replication_factor == -1 else topic.replication_factor
    count = rules.default_partitions if topic.num_partitions == -1 else topic.num_partitions
    return place(brokers, count, factor, start=_next_start(controller, topic.name))


def _next_start(controller: Controller, name: str) -> int:
    """Where to begin in the row of brokers, so that one-partition topics do not all land on the first: by their name.
    """
    return sum(name.encode()) + len(controller.image.topics)


def _manual_replicas(controller: Controller, topic: CreatableTopic) -> list[tuple[int, ...]]:
    if topic.replication_factor != -1 or topic.num_partitions != -1:
        raise WireError(
            errors.INVALID_REQUEST,
            "With a replica assignment by hand, the number of partitions and the replication factor must be -1",
        )
    chosen: dict[int, tuple[int, ...]] = {}
    factor: int | None = None
    for assignment in topic.assignments:
        number = assignment.partition_index
        if number in chosen:
            raise WireError(errors.INVALID_REPLICA_ASSIGNMENT, f"Partition {number} is assigned more than once")
        check_assignment(controller.image, assignment.broker_ids, factor)
        factor = len(assignment.broker_ids)
        chosen[number] = tuple(assignment.broker_ids)
    if sorted(chosen) != list(range(len(chosen))):
        raise WireError(errors.INVALID_REPLICA_ASSIGNMENT, "Assigned partitions must be numbered 0, 1, 2 without a gap")
    return [chosen[number] for number in range(len(chosen))]


def delete_topics(controller: Controller, request: DeleteTopicsRequest) -> Decision[DeleteTopicsResponse]:
    """Topics by name or, from version 6 on, by identifier. Up to version 5 `topic_names` is read.

    Raises WireError TOPIC_DELETION_DISABLED for the whole request.
    """
    if not controller.rules.delete_topics:
        raise WireError(errors.TOPIC_DELETION_DISABLED, "Topics cannot be deleted here: delete.topic.enable is false")
    wanted = request.topics or [DeleteTopicState(name=name) for name in request.topic_names]
    claims = [_find(controller, state) for state in wanted]
    times = Counter(topic.topic_id for topic in claims if isinstance(topic, Topic))
    records: list[Any] = []
    results: list[DeletableTopicResult] = []
    for state, found in zip(wanted, claims, strict=True):
        if isinstance(found, WireError):
            results.append(_not_deleted(state, found))
        elif times[found.topic_id] > 1:
            refusal = WireError(errors.INVALID_REQUEST, f"Topic '{found.name}' is named more than once in the request")
            results.append(_not_deleted(state, refusal))
        else:
            records.append(RemoveTopicRecord(topic_id=found.topic_id))
            results.append(DeletableTopicResult(name=found.name, topic_id=found.topic_id))
    return Decision(records, DeleteTopicsResponse(responses=results))


def _not_deleted(state: DeleteTopicState, refusal: WireError) -> DeletableTopicResult:
    return DeletableTopicResult(
        name=state.name, topic_id=state.topic_id, error_code=refusal.code, error_message=refusal.message
    )


def _find(controller: Controller, state: DeleteTopicState) -> Topic | WireError:
    image = controller.image
    if state.name is not None and state.topic_id != ZERO_UUID:
        return WireError(errors.INVALID_REQUEST, "Name a topic by its name or by its id, not by both")
    if state.name is not None:
        named = image.topics.get(state.name)
        return named or WireError(errors.UNKNOWN_TOPIC_OR_PARTITION, f"There is no topic '{state.name}'")
    if state.topic_id == ZERO_UUID:
        return WireError(errors.INVALID_REQUEST, "Neither the name nor the id of a topic is given")
    known = image.topic_by_id(state.topic_id)
    return known or WireError(errors.UNKNOWN_TOPIC_ID, "There is no topic with this id")
