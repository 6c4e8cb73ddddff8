"""Changing a partition: what is wanted goes in, the record that says what differs comes out.

Every decision that touches a partition's replicas, in-sync set or leader comes through `change`, so none can forget
that a reassignment is completed by it, that a leader must be found, or who is eligible from now on.

Of thousands of partitions most stand alike but for their epochs, and so what becomes of them is alike: within one
decision it is worked out once for each way to stand (`_Case`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from logctl.engine.controller.image import NO_LEADER, Image, Partition, Topic
from logctl.engine.controller.leading import Wish, settle
from logctl.engine.controller.terms import DIRECTORIES_SINCE, Terms
from logctl.wire.stored.partition_change_record import PartitionChangeRecord

Place = tuple[Topic, int, Partition]
"""A partition and where it is: (topic, number, partition)."""


class _Case(NamedTuple):
    """All that a change depends on; partitions without their epochs."""

    topic_id: bytes
    before: tuple[Any, ...]
    target: tuple[Any, ...]
    wish: Wish
    lost: frozenset[int]
    renew: bool


def _without_epochs(partition: Partition) -> tuple[Any, ...]:
    replicas, isr, leader, _, _, *others = partition
    return replicas, isr, leader, *others


def change(
    terms: Terms,
    topic: Topic,
    number: int,
    target: Partition,
    *,
    wish: Wish = Wish.KEEP,
    lost: frozenset[int] = frozenset(),
    renew: bool = False,
) -> PartitionChangeRecord | None:
    """The record that brings a partition as near to `target` as may be; None when nothing differs.

    `renew` starts a new leader epoch although the leader is the same. For `wish` and `lost` see `leading.settle`.
    """
    before = topic.partitions[number]
    case = _Case(topic.topic_id, _without_epochs(before), _without_epochs(target), wish, lost, renew)
    if case not in terms.cases:
        after = settle(terms, topic, before, completed(target), wish, lost)
        terms.cases[case] = _record(terms, topic.topic_id, number, before, after, renew)
    known: PartitionChangeRecord | None = terms.cases[case]
    return None if known is None else _for_partition(known, number)


def _for_partition(known: PartitionChangeRecord, number: int) -> PartitionChangeRecord:
    """The same change of another partition."""
    return PartitionChangeRecord(
        number,
        known.topic_id,
        known.isr,
        known.leader,
        known.replicas,
        known.removing_replicas,
        known.adding_replicas,
        known.leader_recovery_state,
        known.directories,
        known.eligible_leader_replicas,
        known.last_known_elr,
    )


def completed(partition: Partition) -> Partition:
    """A reassignment is done when all replicas that shall stay are in sync: those that shall go are gone (KIP-455)."""
    if not partition.adding and not partition.removing:
        return partition
    staying = tuple(one for one in partition.replicas if one not in partition.removing)
    if not staying or not set(staying) <= set(partition.isr):
        return partition
    moved = with_replicas(partition, staying)
    return moved._replace(isr=tuple(one for one in moved.isr if one in staying), adding=(), removing=())


def with_replicas(
    partition: Partition, replicas: Sequence[int], directory: Callable[[int], bytes] | None = None
) -> Partition:
    """The partition on other replicas; `directory` says where those lie that it does not have yet."""
    here = set(partition.replicas)
    directories: tuple[bytes, ...] = ()
    if partition.directories:
        directories = tuple(
            partition.directory_of(one) if one in here or directory is None else directory(one) for one in replicas
        )
    return partition._replace(replicas=tuple(replicas), directories=directories)


def _record(
    terms: Terms, topic_id: bytes, number: int, before: Partition, after: Partition, renew: bool
) -> PartitionChangeRecord | None:
    """Whoever is no replica any more must notice, so its leaving starts a leader epoch as a new leader does."""
    left = not set(before.replicas) <= set(after.replicas)
    renewed = (left or renew) and after.leader != NO_LEADER
    if before == after and not renewed:
        return None
    record = PartitionChangeRecord(partition_id=number, topic_id=topic_id)
    if after.leader != before.leader or renewed:
        record.leader = after.leader
    if after.leader_recovery_state != before.leader_recovery_state:
        record.leader_recovery_state = after.leader_recovery_state
    for name, said in _LISTS:
        if getattr(before, name) != getattr(after, name):
            setattr(record, said, list(getattr(after, name)))
    if after.directories != before.directories and terms.image.metadata_version >= DIRECTORIES_SINCE:
        record.directories = list(after.directories)
    return record


_LISTS = (
    ("isr", "isr"),
    ("replicas", "replicas"),
    ("adding", "adding_replicas"),
    ("removing", "removing_replicas"),
    ("elr", "eligible_leader_replicas"),
    ("last_known_elr", "last_known_elr"),
)


def places_of(image: Image, broker_id: int) -> Iterator[Place]:
    """Every partition that has a replica on the broker."""
    for topic in image.topics.values():
        for number, partition in topic.partitions.items():
            if broker_id in partition.replicas:
                yield topic, number, partition


def without(terms: Terms, broker_id: int, *, lost: bool = False) -> list[Any]:
    """Changes that take a broker, which `terms` know as gone, out of the in-sync sets and out of leadership.

    `lost`: it came back without having stopped in order, so it may lack what it had. Where eligible replicas are kept
    it then leaves also the sets it is the last member of, and is not eligible either.
    """
    gone = frozenset((broker_id,)) if lost and terms.keeps_eligible else frozenset[int]()
    records = []
    for topic, number, partition in places_of(terms.image, broker_id):
        concerned = broker_id in partition.isr or broker_id == partition.leader or broker_id in partition.elr
        if concerned:
            target = partition._replace(isr=tuple(one for one in partition.isr if one != broker_id))
            records.append(change(terms, topic, number, target, lost=gone))
    return [record for record in records if record is not None]


def leaders_for_leaderless(terms: Terms, broker_id: int) -> list[Any]:
    """Leaders for the partitions with a replica on this broker that have none and now may have one."""
    records = [
        change(terms, topic, number, partition)
        for topic, number, partition in places_of(terms.image, broker_id)
        if partition.leader == NO_LEADER
    ]
    return [record for record in records if record is not None]
