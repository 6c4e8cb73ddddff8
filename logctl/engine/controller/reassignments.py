"""Giving partitions other replicas (AlterPartitionReassignments, ListPartitionReassignments; KIP-455, KIP-860).

Theory of operation
-------------------
A reassignment is part of the partition's state. From its first record on, `replicas` are the new ones in their order
with the ones that shall go behind them; `adding` names those that come, `removing` those that go. Nothing else happens
here: the newcomers copy, their leader proposes them for the in-sync set, and the change that brings in the last of them
completes the reassignment (`changes.completed`). Replacing one that is under way starts from the replicas there were
before it: newcomers that nobody wants any more go at once. Cancelling goes back to those.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from logctl.engine.controller.changes import change, with_replicas
from logctl.engine.controller.decision import Controller, Decision
from logctl.engine.controller.image import Image, Partition, Topic
from logctl.engine.controller.replicas import check_assignment, default_directory
from logctl.engine.controller.terms import Terms
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartitionResponse,
    ReassignableTopic,
    ReassignableTopicResponse,
)
from logctl.wire.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
    OngoingPartitionReassignment,
    OngoingTopicReassignment,
)


def alter_reassignments(
    controller: Controller, request: AlterPartitionReassignmentsRequest
) -> Decision[AlterPartitionReassignmentsResponse]:
    """Each partition for itself."""
    terms = Terms(controller)
    records: list[Any] = []
    responses = [
        ReassignableTopicResponse(asked.name, _alter_topic(terms, asked, request, records)) for asked in request.topics
    ]
    response = AlterPartitionReassignmentsResponse(
        allow_replication_factor_change=request.allow_replication_factor_change, error_message=None, responses=responses
    )
    return Decision(records, response)


def _alter_topic(
    terms: Terms, asked: ReassignableTopic, request: AlterPartitionReassignmentsRequest, records: list[Any]
) -> list[ReassignablePartitionResponse]:
    topic = terms.image.topics.get(asked.name)
    results, seen = [], set[int]()
    for one in asked.partitions:
        number = one.partition_index
        try:
            if number in seen:
                raise WireError(errors.INVALID_REQUEST, f"Partition {number} is named more than once in the request")
            seen.add(number)
            record = _alter(terms, asked.name, topic, number, one.replicas, request.allow_replication_factor_change)
            records += [] if record is None else [record]
            results.append(ReassignablePartitionResponse(number, errors.NONE, None))
        except WireError as refusal:
            results.append(ReassignablePartitionResponse(number, refusal.code, refusal.message))
    return results


def _alter(
    terms: Terms, name: str, topic: Topic | None, number: int, wanted: list[int] | None, may_resize: bool
) -> Any:
    """The record, None when it is so already. Raises WireError."""
    partition = topic.partitions.get(number) if topic is not None else None
    if topic is None or partition is None:
        raise WireError(errors.UNKNOWN_TOPIC_OR_PARTITION, f"There is no partition {name}-{number}")
    if wanted is None:
        if not partition.adding and not partition.removing:
            raise WireError(errors.NO_REASSIGNMENT_IN_PROGRESS, f"{name}-{number} is not being reassigned")
        target = _before_it(terms, topic, partition, "take its reassignment back")
    else:
        _check(terms, partition, wanted, may_resize)
        target = _towards(terms, topic, partition, tuple(wanted))
    return change(terms, topic, number, target)


def _check(terms: Terms, partition: Partition, wanted: list[int], may_resize: bool) -> None:
    check_assignment(terms.image, wanted, None)
    size = len([one for one in partition.replicas if one not in partition.removing])
    if not may_resize and len(wanted) != size:
        raise WireError(
            errors.INVALID_REPLICATION_FACTOR,
            f"The partition has {size} replica(s) and is to have {len(wanted)}, which this request forbids",
        )


def _before_it(terms: Terms, topic: Topic, partition: Partition, purpose: str) -> Partition:
    """The partition without the newcomers of the reassignment under way. Raises WireError when only they are in sync.
    """
    if not partition.adding:
        return partition._replace(removing=())
    old = [one for one in partition.replicas if one not in partition.adding]
    isr = tuple(one for one in partition.isr if one in old)
    if not isr and partition.isr and not terms.may_lose(topic):
        raise WireError(
            errors.INVALID_REPLICA_ASSIGNMENT,
            f"To {purpose} would lose records: only the new replicas are in sync. Wait for an old one to catch up",
        )
    return with_replicas(partition, old)._replace(isr=isr, adding=(), removing=())


def _towards(terms: Terms, topic: Topic, partition: Partition, wanted: tuple[int, ...]) -> Partition:
    unwanted = [one for one in partition.adding if one not in wanted]
    old = tuple(one for one in partition.replicas if one not in partition.adding)
    base = partition
    if unwanted:
        kept = [one for one in partition.replicas if one not in unwanted]
        isr = tuple(one for one in partition.isr if one in kept)
        if not isr and partition.isr:
            raise WireError(
                errors.INVALID_REPLICA_ASSIGNMENT,
                "That would lose records: only replicas that are not to stay are in sync. Wait for another to catch up",
            )
        base = with_replicas(partition, kept)._replace(isr=isr)
    leaving = tuple(one for one in old if one not in wanted)
    moved = with_replicas(base, (*wanted, *leaving), lambda one: default_directory(terms.image, one))
    return moved._replace(adding=tuple(one for one in wanted if one not in old), removing=leaving)


def list_reassignments(
    controller: Controller, request: ListPartitionReassignmentsRequest
) -> Decision[ListPartitionReassignmentsResponse]:
    """What is under way, of all partitions or of those asked for; unknown ones are not mentioned."""
    image = controller.image
    found = [
        OngoingTopicReassignment(topic.name, list(_under_way(topic, numbers)))
        for topic, numbers in _asked(image, request)
    ]
    ongoing = [one for one in found if one.partitions]
    return Decision([], ListPartitionReassignmentsResponse(error_message=None, topics=ongoing))


def _asked(image: Image, request: ListPartitionReassignmentsRequest) -> Iterable[tuple[Topic, Iterable[int]]]:
    if request.topics is None:
        return [(topic, topic.partitions) for _, topic in sorted(image.topics.items())]
    return [(image.topics[one.name], one.partition_indexes) for one in request.topics if one.name in image.topics]


def _under_way(topic: Topic, numbers: Iterable[int]) -> Iterable[OngoingPartitionReassignment]:
    for number in numbers:
        partition = topic.partitions.get(number)
        if partition is not None and (partition.adding or partition.removing):
            yield OngoingPartitionReassignment(
                number, list(partition.replicas), list(partition.adding), list(partition.removing)
            )
