"""Partitions: which of them are moving, and what is wrong with them.

A partition that is being moved has the coming replicas among its replicas already. They are not counted as missing:
otherwise every move would look like an outage (KIP-455).

`FAULTS` are what an operator should look at, as `cluster health` sees it: of a topic with fewer replicas than
min.insync.replicas no more can be in sync than there are, which is what brokers go by too, and a partition of which
nothing is missing is not one loss away from anything it was not made for. `FILTERS` are those of kafka-topics, to the
letter: there the setting is taken as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, NamedTuple

from logctl.admin.deadline import Deadline
from logctl.admin.link import NotOffered
from logctl.admin.observe import Partition, Topic
from logctl.admin.positions import Place
from logctl.admin.routing import Cluster, refusal
from logctl.errors import AccessDenied, UsageError
from logctl.wire import errors


class Move(NamedTuple):
    """Brokers that are coming to a partition, and those that will go."""

    adding: tuple[int, ...] = ()
    removing: tuple[int, ...] = ()


STILL: Final = Move()

Moves = Mapping[Place, Move]
"""The partitions that are moving."""


def moves(cluster: Cluster, deadline: Deadline) -> dict[Place, Move] | None:
    """Every partition that is moving (ListPartitionReassignments); None where the cluster does not tell, or not us."""
    from logctl.wire.messages.list_partition_reassignments import ListPartitionReassignmentsRequest

    if not cluster.offers("ListPartitionReassignments"):
        return None
    request = ListPartitionReassignmentsRequest(topics=None, timeout_ms=int(deadline.left_s * 1000))
    try:
        response = cluster.ask(request, deadline)
    except (NotOffered, AccessDenied):
        return None
    if response.error_code != errors.NONE:
        error = refusal("moving partitions", response.error_code, response.error_message)
        if isinstance(error, AccessDenied):
            return None
        raise error
    return {(one.name, entry.partition_index): _move(entry) for one in response.topics for entry in one.partitions}


def _move(entry: Any) -> Move:
    return Move(tuple(entry.adding_replicas), tuple(entry.removing_replicas))


def settled_replicas(partition: Partition, move: Move = STILL) -> tuple[int, ...]:
    """Its replicas without those that are only coming."""
    if not move.adding:
        return partition.replicas
    return tuple(broker for broker in partition.replicas if broker not in move.adding)


def replication_factor(topic: Topic, moving: Moves | None) -> int:
    """The replicas of the first partition, without those that are only coming."""
    if not topic.partitions:
        return 0
    first = topic.partitions[0]
    return len(settled_replicas(first, (moving or {}).get((topic.name, first.number), STILL)))


# -- faults ----------------------------------------------------------------------------------------------------------


class Seen(NamedTuple):
    """A partition with what it takes to judge it. `min_isr` None: not asked for. `live`: the brokers there are."""

    partition: Partition
    move: Move
    min_isr: int | None
    live: Collection[int]


def _offline(seen: Seen) -> bool:
    return seen.partition.leader is None or seen.partition.leader not in seen.live


def _under_replicated(seen: Seen) -> bool:
    return not set(settled_replicas(seen.partition, seen.move)).issubset(seen.partition.isr)


def _attainable(seen: Seen) -> int | None:
    return None if seen.min_isr is None else min(seen.min_isr, len(settled_replicas(seen.partition, seen.move)))


def _under_min_isr(seen: Seen) -> bool:
    least = _attainable(seen)
    return least is not None and len(seen.partition.isr) < least


def _at_min_isr(seen: Seen) -> bool:
    return len(seen.partition.isr) == _attainable(seen) and _under_replicated(seen)


def _no_preferred_leader(seen: Seen) -> bool:
    one = seen.partition
    return bool(one.replicas) and one.leader is not None and one.leader != one.replicas[0]


def _too_few(seen: Seen) -> bool:
    return len(seen.partition.isr) < len(settled_replicas(seen.partition, seen.move))


def _under_setting(seen: Seen) -> bool:
    return seen.min_isr is not None and (seen.partition.leader is None or len(seen.partition.isr) < seen.min_isr)


def _at_setting(seen: Seen) -> bool:
    return len(seen.partition.isr) == seen.min_isr


OFFLINE: Final = "offline"
UNDER_REPLICATED: Final = "under-replicated"
UNDER_MIN_ISR: Final = "under-min-isr"
AT_MIN_ISR: Final = "at-min-isr"
NO_PREFERRED_LEADER: Final = "no-preferred-leader"

FAULTS: Final[Mapping[str, Callable[[Seen], bool]]] = {
    OFFLINE: _offline,
    UNDER_REPLICATED: _under_replicated,
    UNDER_MIN_ISR: _under_min_isr,
    AT_MIN_ISR: _at_min_isr,
    NO_PREFERRED_LEADER: _no_preferred_leader,
}
"""What can be wrong with a partition, the worst first."""

FILTERS: Final[Mapping[str, Callable[[Seen], bool]]] = {
    OFFLINE: _offline,
    UNDER_REPLICATED: _too_few,
    UNDER_MIN_ISR: _under_setting,
    AT_MIN_ISR: _at_setting,
}
"""The same in the eyes of kafka-topics."""


def faults(seen: Seen) -> tuple[str, ...]:
    """Everything that is wrong with a partition."""
    return tuple(name for name, holds in FAULTS.items() if holds(seen))


# -- naming ----------------------------------------------------------------------------------------------------------


def place_text(place: Place) -> str:
    """'orders:3': no topic's name holds a colon."""
    return f"{place[0]}:{place[1]}"


def parse_place(text: str) -> Place:
    """The partition that `place_text` wrote. Raises UsageError."""
    [(topic, numbers)] = parse_places([text]).items()
    if numbers is None or len(numbers) != 1:
        raise UsageError(f"{text!r} does not name one partition", "write it as TOPIC:PARTITION")
    return topic, numbers[0]


def parse_places(texts: Collection[str]) -> dict[str, tuple[int, ...] | None]:
    """['orders', 'payments:0,2'] as the partitions of each topic, None for all of them. Raises UsageError."""
    found: dict[str, tuple[int, ...] | None] = {}
    for text in texts:
        topic, colon, numbers = text.partition(":")
        before = found.get(topic, ())
        if not colon or before is None:
            found[topic] = None
        else:
            found[topic] = tuple(dict.fromkeys([*before, *_numbers(numbers, text)]))
    return found


def _numbers(text: str, whole: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise UsageError(f"{whole!r} does not name partitions", "write TOPIC:0 or TOPIC:0,2")
    return [int(part) for part in parts]
