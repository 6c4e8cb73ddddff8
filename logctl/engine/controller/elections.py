"""Electing leaders on demand (ElectLeaders; KIP-183, KIP-460).

A preferred election hands a partition to the first of its replicas, if that one is in sync and alive. An unclean
election gives a partition that has no leader to a replica that is alive though not in sync, unless there is one that
is: records may be lost, and the in-sync set starts over with that replica alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Any

from logctl.engine.controller.changes import change
from logctl.engine.controller.decision import Controller, Decision
from logctl.engine.controller.image import NO_LEADER, Image, Partition, Topic
from logctl.engine.controller.leading import Wish
from logctl.engine.controller.terms import Terms
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.elect_leaders import (
    ElectLeadersRequest,
    ElectLeadersResponse,
    PartitionResult,
    ReplicaElectionResult,
)


class Election(IntEnum):
    """Kinds of election in ElectLeaders."""

    PREFERRED = 0
    UNCLEAN = 1


def elect_leaders(controller: Controller, request: ElectLeadersRequest) -> Decision[ElectLeadersResponse]:
    """Each partition for itself; asked about all, those that need no election are left out of the answer."""
    if request.election_type not in tuple(Election):
        return Decision([], refused(request, WireError(errors.INVALID_REQUEST, _unknown(request.election_type))))
    records: list[Any] = []
    terms = Terms(controller)
    results = [
        ReplicaElectionResult(name, _elect_in(terms, request.election_type, name, numbers, records))
        for name, numbers in _asked(controller.image, request)
    ]
    if request.topic_partitions is None:
        for result in results:
            result.partition_result = [
                one for one in result.partition_result if one.error_code != errors.ELECTION_NOT_NEEDED
            ]
    return Decision(records, ElectLeadersResponse(replica_election_results=results))


def refused(request: ElectLeadersRequest, error: WireError) -> ElectLeadersResponse:
    """Every partition named gets the error, and so does the whole."""
    return ElectLeadersResponse(
        error_code=error.code,
        replica_election_results=[
            ReplicaElectionResult(
                one.topic, [PartitionResult(number, error.code, error.message) for number in one.partitions]
            )
            for one in request.topic_partitions or ()
        ],
    )


def _unknown(election_type: int) -> str:
    return f"There is no election type {election_type}"


def _asked(image: Image, request: ElectLeadersRequest) -> list[tuple[str, Iterable[int]]]:
    if request.topic_partitions is None:
        return [(topic.name, topic.partitions) for topic in image.topics.values()]
    return [(one.topic, one.partitions) for one in request.topic_partitions]


def _elect_in(
    terms: Terms, election: int, name: str, numbers: Iterable[int], records: list[Any]
) -> list[PartitionResult]:
    results = []
    topic = terms.image.topics.get(name)
    for number in numbers:
        try:
            records.append(_elect(terms, election, name, topic, number))
            results.append(PartitionResult(number, errors.NONE, None))
        except WireError as refusal:
            results.append(PartitionResult(number, refusal.code, refusal.message))
    return results


def _elect(terms: Terms, election: int, name: str, topic: Topic | None, number: int) -> Any:
    """The record that makes the new leader. Raises WireError."""
    if topic is None:
        raise WireError(errors.UNKNOWN_TOPIC_OR_PARTITION, f"There is no topic '{name}'")
    partition = topic.partitions.get(number)
    if partition is None:
        raise WireError(errors.UNKNOWN_TOPIC_OR_PARTITION, f"Topic '{name}' has no partition {number}")
    if election == Election.PREFERRED:
        _check_preferred(terms, partition)
        return change(terms, topic, number, partition, wish=Wish.PREFERRED)
    if partition.leader != NO_LEADER:
        raise WireError(errors.ELECTION_NOT_NEEDED, "The partition has a leader")
    record = change(terms, topic, number, partition, wish=Wish.UNCLEAN)
    if record is None:
        raise WireError(errors.ELIGIBLE_LEADERS_NOT_AVAILABLE, "None of the replicas is alive")
    return record


def _check_preferred(terms: Terms, partition: Partition) -> None:
    wanted = partition.replicas[0]
    if partition.leader == wanted:
        raise WireError(errors.ELECTION_NOT_NEEDED, "The preferred replica leads already")
    if wanted not in partition.isr or not terms.may_lead(partition, wanted):
        raise WireError(
            errors.PREFERRED_LEADER_NOT_AVAILABLE, f"Broker {wanted}, the preferred one, is not alive and in sync"
        )
