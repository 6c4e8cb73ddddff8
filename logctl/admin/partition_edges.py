"""Where partitions begin and end, of very many partitions at once.

Theory of operation
-------------------
Three offsets matter: the first that still exists, the last stable one (up to where a transactional reader gets), and
the end of the log. Kafka tells one of them per ListOffsets request, so each leader gets three requests, in one go and
whatever the number of partitions. Offsets are kept in flat arrays, one number each: a hundred thousand partitions are
an everyday sight, and an object for each of their offsets would be what costs most.

A leader that moved is followed once. A partition that does not exist (any more) has no edges, and that is no failure.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from logctl.admin.deadline import Deadline
from logctl.admin.link import Address
from logctl.admin.routing import Cluster, refusal
from logctl.errors import LogctlError, OperationFailed
from logctl.wire import errors
from logctl.wire.schema import Message

_LATEST: Final = -1
_EARLIEST: Final = -2
_UNKNOWN: Final = -1

FIRST: Final = "first"
STABLE: Final = "stable"
END: Final = "end"
_ASKED: Final = {FIRST: (_EARLIEST, False), STABLE: (_LATEST, True), END: (_LATEST, False)}

Wanted = Mapping[str, Iterable[int]]
"""Topic -> partitions."""


class Offsets:
    """One offset for each of many partitions; None where it is not known."""

    __slots__ = ("_by_topic",)

    def __init__(self) -> None:
        self._by_topic: dict[str, array[int]] = {}

    def keep(self, topic: str, offsets: Mapping[int, int]) -> None:
        """Offsets of a topic by partition."""
        held = self._by_topic.setdefault(topic, array("q"))
        missing = max(offsets) + 1 - len(held)
        if missing > 0:
            held.extend([_UNKNOWN] * missing)
        for partition, offset in offsets.items():
            held[partition] = offset

    def of(self, topic: str) -> list[int | None]:
        """Offsets of a topic's partitions from 0 on, as far as any is known."""
        return [None if offset == _UNKNOWN else offset for offset in self._by_topic.get(topic, ())]


class Edges(NamedTuple):
    """`failures`: by `topic-partition` or `broker N`."""

    first: Offsets
    stable: Offsets
    end: Offsets
    failures: dict[str, LogctlError]


def edges(cluster: Cluster, wanted: Wanted, deadline: Deadline) -> Edges:
    """The edges of the partitions wanted; metadata of their topics must have been asked for."""
    told = Edges(Offsets(), Offsets(), Offsets(), {})
    pending: dict[str, list[int]] = {}
    for topic, numbers in wanted.items():
        there = [number for number in numbers if (topic, number) in cluster.leaders]
        if there:
            pending[topic] = sorted(there)
    for last in (False, True):
        again = _round(cluster, pending, told, deadline)
        if not again or last or deadline.expired:
            told.failures.update((f"{topic}-{number}", error) for (topic, number), error in again.items())
            break
        pending = {}
        for topic, number in again:
            pending.setdefault(topic, []).append(number)
        cluster.refresh(deadline, sorted(pending))
    return told


def _round(
    cluster: Cluster, pending: Mapping[str, list[int]], told: Edges, deadline: Deadline
) -> dict[tuple[str, int], LogctlError]:
    """Ask each leader; answers the partitions that may be told by another one in a moment."""
    again: dict[tuple[str, int], LogctlError] = {}
    led: dict[int, dict[str, list[int]]] = {}
    for topic, numbers in pending.items():
        for number in numbers:
            leader = cluster.leaders[topic, number].node_id
            if leader in cluster.brokers:
                led.setdefault(leader, {}).setdefault(topic, []).append(number)
            else:
                again[topic, number] = OperationFailed(f"partition {number} of {topic} has no leader")
    requests = {
        (node, what): (cluster.address(node), _request(topics, what, deadline))
        for node, topics in led.items()
        for what in _ASKED
    }
    keep = {FIRST: told.first, STABLE: told.stable, END: told.end}
    for (node, what), answer in _answers(cluster, requests, deadline.at_most(deadline.left_s / 2)):
        if isinstance(answer, LogctlError):
            told.failures[f"broker {node}"] = type(answer)(f"ends on broker {node}: {answer.message}", answer.hint)
        else:
            _take(answer, keep[what], again, told.failures)
    return again


def _answers(
    cluster: Cluster, requests: Mapping[tuple[int, str], tuple[Address, Message]], deadline: Deadline
) -> Iterator[tuple[tuple[int, str], Any]]:
    """Each response as soon as it is there, so that none is kept longer than it takes to read it."""
    client = cluster.client
    calls = {name: client.submit(address, request) for name, (address, request) in requests.items()}
    while calls:
        client.wait(calls.values(), deadline, any_one=True)
        for name in [name for name, call in calls.items() if call.done or deadline.expired]:
            call = calls.pop(name)
            try:
                answer = client.finish(call, deadline)
            except LogctlError as error:
                answer = error
            del call
            yield name, answer
            del answer


def _request(topics: Mapping[str, list[int]], what: str, deadline: Deadline) -> Any:
    from logctl.wire.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic

    timestamp, committed = _ASKED[what]
    # The same question is put to partition N of every topic, so its entry is made once.
    entry: dict[int, Any] = {}
    for numbers in topics.values():
        for number in numbers:
            if number not in entry:
                entry[number] = ListOffsetsPartition(partition_index=number, timestamp=timestamp)
    return ListOffsetsRequest(
        replica_id=-1,
        isolation_level=int(committed),
        topics=[
            ListOffsetsTopic(name=name, partitions=[entry[number] for number in numbers])
            for name, numbers in topics.items()
        ],
        timeout_ms=int(deadline.left_s * 1000),
    )


def _take(
    response: Any, kept: Offsets, again: dict[tuple[str, int], LogctlError], failures: dict[str, LogctlError]
) -> None:
    for topic in response.topics:
        offsets = {entry.partition_index: entry.offset for entry in topic.partitions if not entry.error_code}
        if offsets:
            kept.keep(topic.name, offsets)
        if len(offsets) == len(topic.partitions):
            continue
        for entry in topic.partitions:
            if entry.error_code not in (errors.NONE, errors.UNKNOWN_TOPIC_OR_PARTITION):
                error = refusal(f"end of partition {entry.partition_index} of {topic.name}", entry.error_code)
                if errors.describe(entry.error_code).retriable:
                    again[topic.name, entry.partition_index] = error
                else:
                    failures[f"{topic.name}-{entry.partition_index}"] = error
