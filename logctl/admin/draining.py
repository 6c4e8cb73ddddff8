"""Where the replicas of a broker go when it is to hold none: a decision from what was seen, and nothing else.

Each replica is replaced in its place, so that the order of preferred leaders stays: by a broker that is alive and does
not have the partition; in a rack that none of the others is in, where there is one; among those the one that holds the
fewest replicas, counting what this plan has given it. The same snapshot gives the same answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from logctl.admin.moves import Target
from logctl.admin.observe import Partition, Snapshot
from logctl.admin.partitions import place_text
from logctl.admin.positions import Place
from logctl.admin.wording import counted
from logctl.errors import Declined

_NAMED_AT_MOST = 5
Moving = Mapping[str, Mapping[str, Any]]
"""Moves under way, as `moves.observe_moves` tells of them."""


class Held(NamedTuple):
    """A partition that a broker has a replica of. `settled`: who held it before a move that is under way; `target`: who
    shall hold it."""

    place: Place
    partition: Partition
    settled: tuple[int, ...]
    target: tuple[int, ...]


def held_by(node: int, snapshot: Snapshot, moving: Moving) -> list[Held]:
    """Every partition that the broker holds or is to hold, in order."""
    return [one for one in _all(snapshot, moving) if node in one.partition.replicas]


def _all(snapshot: Snapshot, moving: Moving) -> Iterator[Held]:
    for name, topic in sorted(snapshot.topics.items()):
        for one in topic.partitions:
            move = moving.get(place_text((name, one.number)), {"adding": (), "removing": ()})
            settled = tuple(broker for broker in one.replicas if broker not in move["adding"])
            target = tuple(broker for broker in one.replicas if broker not in move["removing"])
            yield Held((name, one.number), one, settled, target)


def targets(node: int, snapshot: Snapshot, moving: Moving) -> list[Target]:
    """Where each partition of the broker shall be instead. Raises Declined when some cannot be anywhere else."""
    load = Counter(broker for one in _all(snapshot, moving) for broker in one.target)
    racks = {broker.node_id: broker.rack for broker in snapshot.brokers.values()}
    others = snapshot.brokers.keys() - {node}
    found, homeless = [], []
    held = held_by(node, snapshot, moving)
    _refuse_leaderless(held)
    for one in held:
        rest = [broker for broker in one.target if broker != node]
        if len(rest) == len(one.target):  # it is on its way already
            found.append(Target(one.place, one.target))
            continue
        taken = {racks.get(broker) for broker in rest} - {None}
        candidates = [(racks[broker] in taken, load[broker], broker) for broker in others - set(rest)]
        if not candidates:
            homeless.append(one)
            continue
        _, _, chosen = min(candidates)
        load[chosen] += 1
        found.append(Target(one.place, tuple(chosen if broker == node else broker for broker in one.target)))
    _refuse_homeless(homeless, len(others))
    return found


def _refuse_homeless(homeless: list[Held], others: int) -> None:
    if homeless:
        wants = sorted({f"{one.place[0]} ({len(one.target)} replicas)" for one in homeless})
        raise Declined(
            f"{counted(others, 'other broker')} cannot hold what needs more: {listed(wants)}",
            "add a broker first, or lower the replication factor of these topics",
        )


def _refuse_leaderless(held: list[Held]) -> None:
    stuck = [place_text(one.place) for one in held if one.partition.leader is None]
    if stuck:
        raise Declined(
            f"{counted(len(stuck), 'partition')} without a leader cannot be copied to other brokers: {listed(stuck)}",
            "start the brokers that hold them, or delete what is to be given up",
        )


def told(held: list[Held]) -> str:
    """'12 replicas of 2 topics: orders (8), payments (4)'."""
    by_topic = Counter(one.place[0] for one in held)
    names = [f"{name} ({count})" for name, count in sorted(by_topic.items())]
    return f"{counted(len(held), 'replica')} of {counted(len(by_topic), 'topic')}: {listed(names)}"


def listed(names: Iterable[str]) -> str:
    """The first few, and how many more there are."""
    every = list(names)
    more = len(every) - _NAMED_AT_MOST
    return ", ".join(every[:_NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")
