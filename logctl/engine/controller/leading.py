"""Who leads a partition, and what becomes of those that leave its in-sync set (KIP-966).

Theory of operation
-------------------
One rule for every occasion. The leader stays while it is in sync and may lead. Otherwise, each time in the order of the
replicas,

    1  somebody in sync leads
    2  else an eligible replica, one that left the in-sync set but has every committed record: the set is that one alone
    3  else, when nobody is left in sync or eligible, the last leader that is known
    4  else, where that is allowed or asked for, anybody who is there
    5  else nobody

3 and 4 may lose records: the partition is then said to be recovering, and eligible is nobody any more.

The last member of the in-sync set stays in it although it is gone, because nobody else has all there is; only when it
came back without what it had does it leave. Members that leave while fewer than min.insync.replicas remain become
eligible: what is committed without them is then acknowledged to nobody. Once there are enough, the list is cleared.
`last_known_elr` remembers who would have come before them, the last leader first.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto
from typing import Final, NamedTuple

from logctl.engine.controller.image import NO_LEADER, Partition, Topic
from logctl.engine.controller.terms import Terms

SOUND: Final = 0
RECOVERING: Final = 1
"""Values of leader_recovery_state."""


class Wish(Enum):
    """What is asked of an election beyond the rule."""

    KEEP = auto()
    PREFERRED = auto()  # the first of the replicas takes over from a leader in office, if it is in sync
    UNCLEAN = auto()  # rather somebody who lost records than nobody


class _Choice(NamedTuple):
    leader: int
    isr: tuple[int, ...]
    recovering: bool = False


def settle(
    terms: Terms,
    topic: Topic,
    before: Partition,
    target: Partition,
    wish: Wish = Wish.KEEP,
    lost: frozenset[int] = frozenset(),
) -> Partition:
    """`target` with the leader, in-sync set, recovery state and eligible replicas that follow from it.

    `target` says what is wanted, its leader is the one in office; brokers in `lost` came back without what they had.
    """
    eligible = _others((*before.isr, *before.elr) if terms.keeps_eligible else before.elr, target, lost)
    choice = _choose(terms, topic, before, target, eligible, wish)
    stays = choice.isr or tuple(one for one in before.isr if one in target.replicas and one not in lost)
    settled = target._replace(leader=choice.leader, isr=stays)
    if choice.recovering:
        return settled._replace(leader_recovery_state=RECOVERING, elr=(), last_known_elr=())
    return _with_eligible(terms, topic, before, settled, lost)


def _others(candidates: Iterable[int], partition: Partition, lost: frozenset[int]) -> tuple[int, ...]:
    """The candidates that have a replica, are not in sync and lost nothing; each once."""
    return tuple(
        one
        for one in dict.fromkeys(candidates)
        if one in partition.replicas and one not in partition.isr and one not in lost
    )


def _choose(
    terms: Terms, topic: Topic, before: Partition, target: Partition, eligible: tuple[int, ...], wish: Wish
) -> _Choice:
    there = [one for one in target.replicas if terms.may_lead(target, one)]
    in_sync = [one for one in there if one in target.isr]
    if in_sync:
        return _Choice(_among(in_sync, target, wish), target.isr)
    found = next((one for one in there if one in eligible), None)
    if found is not None:
        return _Choice(found, (found,))
    last = [*before.isr, *before.last_known_elr][:1]
    if not target.isr and not eligible and last and last[0] in there:
        return _Choice(last[0], (last[0],), recovering=True)
    if there and (wish is Wish.UNCLEAN or terms.may_lose(topic)):
        return _Choice(there[0], (there[0],), recovering=True)
    return _Choice(NO_LEADER, target.isr)


def _among(in_sync: list[int], target: Partition, wish: Wish) -> int:
    wanted = target.replicas[0] if wish is Wish.PREFERRED else target.leader
    if wanted in in_sync:
        return wanted
    return target.leader if target.leader in in_sync else in_sync[0]


def _with_eligible(
    terms: Terms, topic: Topic, before: Partition, settled: Partition, lost: frozenset[int]
) -> Partition:
    if not terms.keeps_eligible:
        return _with_leftovers(settled, lost)
    if len(settled.isr) >= min(terms.least_in_sync(topic), len(settled.replicas)):
        return settled._replace(elr=(), last_known_elr=())
    eligible = _others((*before.isr, *before.elr), settled, lost)
    known = (*before.isr, *before.last_known_elr, *before.elr)
    last_known = tuple(one for one in _others(known, settled, frozenset()) if one not in eligible)
    return settled._replace(elr=eligible, last_known_elr=last_known)


def _with_leftovers(settled: Partition, lost: frozenset[int]) -> Partition:
    """The feature is off: what it left behind serves until there is a leader."""
    if settled.leader != NO_LEADER:
        return settled._replace(elr=(), last_known_elr=())
    return settled._replace(
        elr=_others(settled.elr, settled, lost), last_known_elr=_others(settled.last_known_elr, settled, lost)
    )
