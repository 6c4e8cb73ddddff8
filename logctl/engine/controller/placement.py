"""Which brokers get the replicas of new partitions.

Theory of operation
-------------------
Brokers are put in one row in which racks alternate (a1 b1 c1 a2 b2 ...). Partition p is led by the broker p steps
along that row, so leaders spread evenly. Its followers are taken from the row behind the leader, preferring racks
that the partition does not have yet; each time the leaders have gone once round, the followers are shifted by one, so
that the partitions of one leader do not all share the same followers. Fenced brokers get replicas only when the
others do not suffice, and never lead.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from logctl.engine.controller.image import Broker
from logctl.wire import errors
from logctl.wire.errors import WireError


def place(brokers: Sequence[Broker], partitions: int, replication_factor: int, start: int) -> list[tuple[int, ...]]:
    """Replicas for `partitions` new partitions, preferred leader first. `start` says where in the row to begin.

    Raises WireError INVALID_REPLICATION_FACTOR when there are too few brokers, or none that may lead.
    """
    row = _alternate(brokers)
    if replication_factor > len(row):
        raise WireError(
            errors.INVALID_REPLICATION_FACTOR,
            f"Replication factor {replication_factor} is more than the {len(row)} broker(s) registered",
        )
    leaders = [broker for broker in row if broker.active]
    if not leaders:
        raise WireError(errors.INVALID_REPLICATION_FACTOR, "All brokers are fenced or shutting down")
    spares = [broker for broker in row if not broker.active]
    return [_replicas(leaders, spares, replication_factor, start + number) for number in range(partitions)]


def _replicas(leaders: list[Broker], spares: list[Broker], count: int, turn: int) -> tuple[int, ...]:
    place_in_row, rounds = turn % len(leaders), turn // len(leaders)
    others = leaders[place_in_row + 1 :] + leaders[:place_in_row]
    shift = rounds % len(others) if others else 0
    chosen = [leaders[place_in_row]]
    waiting = others[shift:] + others[:shift] + spares
    while len(chosen) < count:
        racks = {broker.rack for broker in chosen}
        following = next((broker for broker in waiting if broker.active and broker.rack not in racks), waiting[0])
        waiting.remove(following)
        chosen.append(following)
    return tuple(broker.broker_id for broker in chosen)


def _alternate(brokers: Sequence[Broker]) -> list[Broker]:
    racks: dict[str, list[Broker]] = {}
    for broker in sorted(brokers, key=lambda broker: broker.broker_id):
        racks.setdefault(broker.rack or "", []).append(broker)
    rounds = zip_longest(*(racks[rack] for rack in sorted(racks)))
    return [broker for one_each in rounds for broker in one_each if broker is not None]
