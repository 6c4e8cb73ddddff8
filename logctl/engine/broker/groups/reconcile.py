"""One member's step from what it has towards what it is meant to have.

A pure function over `Member` (see the theory in `consumer.py`). In one step a member

1. keeps what it has that is in its target and that it still reads;
2. if it holds more than that, and has not said that it no longer does, stays in its epoch, asked to give it up
   (UNREVOKED);
3. else rises to the assignment epoch and gets what of its target is free. If some is not, it waits for it (UNRELEASED);
   if all is there it is STABLE.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from logctl.engine.broker.groups.consumer import STABLE, UNRELEASED, UNREVOKED, Assigned, Member, Target
from logctl.wire import errors
from logctl.wire.errors import WireError

Owned = list[tuple[bytes, list[int]]] | None
"""What a member says it has; None when it does not say."""


def next_step(
    member: Member,
    epoch: int,
    target: Target,
    *,
    subscription_changed: bool,
    reads: Callable[[bytes], bool],
    is_owned: Callable[[bytes, int], bool],
    owned: Owned,
) -> Member:
    """The member after one step towards `target` of assignment epoch `epoch`, or the member itself if it must wait.

    `reads`: whether it reads a topic id; `is_owned`: whether somebody holds a partition.
    """
    if member.state == STABLE and member.epoch == epoch:
        return _drop_unread(member, reads, owned) if subscription_changed else member
    if member.state == UNREVOKED and _still_owns(member.revoking, owned):
        return _drop_unread(member, reads, owned) if subscription_changed else member
    if member.state not in (STABLE, UNREVOKED, UNRELEASED) and owned != []:
        raise WireError(
            errors.FENCED_MEMBER_EPOCH,
            "The member is in a state this coordinator does not know; it must give up its partitions and join again.",
        )
    return _towards(member, epoch, target, reads, is_owned, owned)


def _towards(
    member: Member,
    epoch: int,
    target: Target,
    reads: Callable[[bytes], bool],
    is_owned: Callable[[bytes, int], bool],
    owned: Owned,
) -> Member:
    wanted = {topic: parts for topic, parts in target.items() if reads(topic)}
    kept = _part(member.assigned, lambda topic, partition: partition in wanted.get(topic, ()))
    surplus = _part(member.assigned, lambda topic, partition: partition not in wanted.get(topic, ()))
    if surplus and _still_owns(surplus, owned):
        return replace(_at(member, member.epoch), state=UNREVOKED, assigned=kept, revoking=surplus)
    waits = False
    for topic, parts in wanted.items():
        for partition in sorted(parts):
            if partition in kept.get(topic, ()):
                continue
            if is_owned(topic, partition) and not _holds(member, topic, partition):
                waits = True
            else:
                kept.setdefault(topic, {})[partition] = epoch
    return replace(_at(member, epoch), state=UNRELEASED if waits else STABLE, assigned=kept, revoking={})


def _drop_unread(member: Member, reads: Callable[[bytes], bool], owned: Owned) -> Member:
    """Within its epoch the member loses what it no longer reads."""
    kept = _part(member.assigned, lambda topic, _partition: reads(topic))
    unread = _part(member.assigned, lambda topic, _partition: not reads(topic))
    if not unread:
        return member
    revoking = {topic: dict(parts) for topic, parts in member.revoking.items()}
    for topic, parts in unread.items():
        revoking.setdefault(topic, {}).update(parts)
    if _still_owns(revoking, owned):
        return replace(_at(member, member.epoch), state=UNREVOKED, assigned=kept, revoking=revoking)
    return replace(_at(member, member.epoch), assigned=kept)


def _at(member: Member, epoch: int) -> Member:
    """Apache sets the previous epoch with every step, also one that stays in its epoch."""
    return replace(member, epoch=epoch, previous_epoch=member.epoch)


def _holds(member: Member, topic: bytes, partition: int) -> bool:
    """What it was still asked to give up is its own, so it may have it back."""
    return partition in member.revoking.get(topic, ()) or partition in member.assigned.get(topic, ())


def _still_owns(partitions: Assigned, owned: Owned) -> bool:
    """Whether the member has not said yet that these are given up."""
    if owned is None:
        return True
    return any(_meet(partitions.get(topic, {}), parts) for topic, parts in owned)


def _meet(one: Iterable[int], other: Iterable[int]) -> bool:
    return not set(one).isdisjoint(other)


def _part(assigned: Assigned, keep: Callable[[bytes, int], bool]) -> Assigned:
    chosen: Assigned = {}
    for topic, parts in assigned.items():
        some = {partition: epoch for partition, epoch in parts.items() if keep(topic, partition)}
        if some:
            chosen[topic] = some
    return chosen
