"""Who writes to a partition, as its leader remembers, and which open transactions hang (KIP-664).

A transaction hangs in a partition when the partition's leader holds it open and nobody will ever end it. It is found
so: the leader names a producer with an open transaction (DescribeProducers) that last wrote longer ago than any
transaction may last; no coordinator knows a transactional id of that producer (ListTransactions), or it knows one whose
transaction does not hold the partition (DescribeTransactions), or is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from logctl.admin.capabilities import need
from logctl.admin.deadline import Backoff, Deadline
from logctl.admin.positions import Place
from logctl.admin.routing import Cluster, refusal
from logctl.admin.transaction_states import Described, Wanted, describe_transactions, list_transactions
from logctl.errors import LogctlError, OperationFailed
from logctl.wire import errors

_PATIENCE_S: Final = 5.0


class ProducerState(NamedTuple):
    """One producer in one partition; -1 stands for unknown or none. `start_offset`: of its open transaction."""

    place: Place
    producer_id: int
    producer_epoch: int
    last_sequence: int
    last_timestamp_ms: int
    coordinator_epoch: int
    start_offset: int

    @property
    def is_open(self) -> bool:
        return self.start_offset >= 0


class Producers(NamedTuple):
    states: list[ProducerState]
    failures: dict[Place, LogctlError]


def producers_of(
    cluster: Cluster, places: Iterable[Place], deadline: Deadline, broker: int | None = None
) -> Producers:
    """The producers that the leaders of the partitions remember, or that `broker` does, a replica of all of them.

    Raises NotOffered.
    """
    need(cluster, "DescribeProducers", deadline)
    found = Producers([], {})
    left = sorted(places)
    backoff, patience = Backoff(), deadline.at_most(_PATIENCE_S)
    while left:
        grouped = cluster.by_leader(left) if broker is None else {broker: left}
        trouble = {place: _leaderless(place) for place in grouped.pop(-1, [])}
        gathered = cluster.scatter({node: _request(some) for node, some in grouped.items()}, deadline)
        for node, error in gathered.missing.items():
            found.failures.update(dict.fromkeys(grouped[node], error))
        for answer in gathered.answers.values():
            _take(answer, found, trouble)
        left = list(trouble)
        if left and patience.expired:
            found.failures.update(trouble)
            break
        if left:
            backoff.pause(patience)
            cluster.refresh(deadline, {topic for topic, _ in left})
    found.states.sort()
    return found


def _request(places: Iterable[Place]) -> Any:
    from logctl.wire.messages.describe_producers import DescribeProducersRequest, TopicRequest

    topics: dict[str, list[int]] = {}
    for topic, number in places:
        topics.setdefault(topic, []).append(number)
    return DescribeProducersRequest(
        topics=[TopicRequest(name=name, partition_indexes=numbers) for name, numbers in topics.items()]
    )


def _take(answer: Any, found: Producers, trouble: dict[Place, LogctlError]) -> None:
    for topic in answer.topics:
        for entry in topic.partitions:
            place = topic.name, entry.partition_index
            if entry.error_code:
                error = refusal(f"partition {place[1]} of {place[0]}", entry.error_code, entry.error_message)
                (trouble if errors.describe(entry.error_code).retriable else found.failures)[place] = error
                continue
            found.states.extend(
                ProducerState(
                    place,
                    one.producer_id,
                    one.producer_epoch,
                    one.last_sequence,
                    one.last_timestamp,
                    one.coordinator_epoch,
                    one.current_txn_start_offset,
                )
                for one in entry.active_producers
            )


def _leaderless(place: Place) -> LogctlError:
    return OperationFailed(f"partition {place[1]} of {place[0]} has no leader", "see `logctl topic describe`")


# -- hanging ---------------------------------------------------------------------------------------------------------


class Hanging(NamedTuple):
    """An open transaction that nobody will end; `transactional_id` is None where no coordinator knows the producer."""

    state: ProducerState
    transactional_id: str | None


class FoundHanging(NamedTuple):
    hanging: list[Hanging]
    failures: dict[str, LogctlError]


def find_hanging(
    cluster: Cluster, places: Iterable[Place], now_ms: int, older_than_ms: int, deadline: Deadline, broker: int | None
) -> FoundHanging:
    """The hanging transactions of the partitions. Where a coordinator cannot be asked, what it may know of is left out
    and the reason is given: nothing is called hanging without having asked. Raises NotOffered."""
    need(cluster, "ListTransactions", deadline)
    need(cluster, "DescribeTransactions", deadline)
    producers = producers_of(cluster, places, deadline, broker)
    failures = {f"{topic}-{number}": error for (topic, number), error in producers.failures.items()}
    old = [one for one in producers.states if one.is_open and now_ms - one.last_timestamp_ms > older_than_ms]
    if not old:
        return FoundHanging([], failures)
    known, missing = transactions_of(cluster, {one.producer_id for one in old}, deadline)
    failures.update(missing)
    if missing:
        return FoundHanging([], failures)
    return FoundHanging(_still_open(cluster, hanging_among(old, known), deadline, broker), failures)


def _still_open(
    cluster: Cluster, hanging: list[Hanging], deadline: Deadline, broker: int | None
) -> list[Hanging]:
    """Those that are open even now: one that ended while the coordinators were asked does not hang."""
    again = producers_of(cluster, {one.state.place for one in hanging}, deadline, broker) if hanging else None
    now = {(one.place, one.producer_id, one.start_offset) for one in again.states} if again is not None else set()
    return [one for one in hanging if (one.state.place, one.state.producer_id, one.state.start_offset) in now]


def transactions_of(
    cluster: Cluster, producer_ids: Iterable[int], deadline: Deadline
) -> tuple[dict[int, Described], dict[str, LogctlError]]:
    """What the coordinators know of these producers, by producer id, and who could not tell."""
    listed = list_transactions(cluster, Wanted(producer_ids=tuple(sorted(producer_ids))), deadline)
    ids = [one.transactional_id for one in listed.transactions]
    described = describe_transactions(cluster, ids, deadline)
    gone = errors.describe(errors.TRANSACTIONAL_ID_NOT_FOUND).name
    failures = {
        **listed.failures, **{name: one for name, one in described.failures.items() if one.kafka_name != gone}
    }  # fmt: skip
    return {one.producer_id: one for one in described.transactions}, failures


def hanging_among(states: Iterable[ProducerState], known: Mapping[int, Described]) -> list[Hanging]:
    """Which of these open transactions no coordinator will end. Pure."""
    found = []
    for state in states:
        transaction = known.get(state.producer_id)
        if transaction is None:
            found.append(Hanging(state, None))
        elif not holds(transaction, state.place):
            found.append(Hanging(state, transaction.transactional_id))
    return found


def holds(transaction: Described, place: Place) -> bool:
    """Will the coordinator write a marker into that partition when the transaction ends?"""
    return transaction.is_open and place in transaction.places
