"""Electing leaders on demand (ElectLeaders; KIP-183, KIP-460).

A preferred election hands a partition to the first of its replicas, if that one is in sync and alive. An unclean
election gives a partition that has no leader to a replica that is alive though not in sync: records may be lost, and
the in-sync set starts over with that replica alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Any

from logctl.engine.controller.decision import Controller, Decision
from logctl.engine.controller.image import NO_LEADER, Image, Partition, Topic
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.elect_leaders import (
    ElectLeadersRequest,
    ElectLeadersResponse,
    PartitionResult,
    ReplicaElectionResult,
)
from logctl.wire.stored.partition_change_record import PartitionChangeRecord

LEADER_RECOVERING = 1


class Election(IntEnum):
    """Kinds of election in ElectLeaders."""

    PREFERRED = 0
    UNCLEAN = 1


def elect_leaders(controller: Controller, request: ElectLeadersRequest) -> Decision[ElectLeadersResponse]:
    """Each partition for itself; asked about all, those that need no election are left out of the answer."""
    if request.election_type not in tuple(Election):
        return Decision([], refused(request, WireError(errors.INVALID_REQUEST, _unknown(request.election_type))))
    records: list[Any] = []
    results = [
        ReplicaElectionResult(name, _elect_in(controller.image, request.election_type, name, numbers, records))
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
    image: Image, election: int, name: str, numbers: Iterable[int], records: list[Any]
) -> list[PartitionResult]:
    results = []
    topic = image.topics.get(name)
    for number in numbers:
        try:
            records.append(_elect(image, election, name, topic, number))
            results.append(PartitionResult(number, errors.NONE, None))
        except WireError as refusal:
            results.append(PartitionResult(number, refusal.code, refusal.message))
    return results


def _elect(image: Image, election: int, name: str, topic: Topic | None, number: int) -> Any:
    """The record that makes the new leader. Raises WireError."""
    if topic is None:
        raise WireError(errors.UNKNOWN_TOPIC_OR_PARTITION, f"There is no topic '{name}'")
    partition = topic.partitions.get(number)
    if partition is None:
        raise WireError(errors.UNKNOWN_TOPIC_OR_PARTITION, f"Topic '{name}' has no partition {number}")
    change = PartitionChangeRecord(partition_id=number, topic_id=topic.topic_id)
    if election == Election.PREFERRED:
        change.leader = _preferred(image, partition)
        return change
    change.leader = _unclean(image, partition)
    change.isr = [change.leader]
    change.leader_recovery_state = LEADER_RECOVERING
    return change


def _preferred(image: Image, partition: Partition) -> int:
    wanted = partition.replicas[0]
    if partition.leader == wanted:
        raise WireError(errors.ELECTION_NOT_NEEDED, "The preferred replica leads already")
    if wanted not in partition.isr or not _alive(image, wanted):
        raise WireError(
            errors.PREFERRED_LEADER_NOT_AVAILABLE, f"Broker {wanted}, the preferred one, is not alive and in sync"
        )
    return wanted


def _unclean(image: Image, partition: Partition) -> int:
    if partition.leader != NO_LEADER:
        raise WireError(errors.ELECTION_NOT_NEEDED, "The partition has a leader")
    found = next((broker_id for broker_id in partition.replicas if _alive(image, broker_id)), None)
    if found is None:
        raise WireError(errors.ELIGIBLE_LEADERS_NOT_AVAILABLE, "None of the replicas is alive")
    return found


def _alive(image: Image, broker_id: int) -> bool:
    broker = image.brokers.get(broker_id)
    return broker is not None and broker.active
