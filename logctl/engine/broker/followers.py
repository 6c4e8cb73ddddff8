"""What a leader knows of those who copy a partition from it, during one leader epoch.

Theory of operation
-------------------
A follower's question is a promise: what lies below the offset it asks from is on its disk (flushed under the default
policy, written with `flush=os`). So the offsets asked from, and where the leader's own disk stands, make the high
watermark: the lowest among the *counted* members. Only questions of this leader epoch count (KIP-320): nothing is known
of anybody when an epoch begins, and the watermark rests until every member has asked.

Counted are the members of the in-sync set, and while the controller has not said what became of a proposal, those of
the proposed one too: whichever of the two holds, what was acknowledged is on all of its members (KIP-497).

A follower is *caught up* at the moment of a question that reaches the leader's end, or the end at its question before:
one that runs steadily behind a busy leader is not late. Out of sync is who has not been caught up for
`replica.lag.time.max.ms`. In again comes who has reached both the watermark and the beginning of the epoch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

UNKNOWN: Final = -1


class Progress:
    """How far one follower is. `offset` is UNKNOWN until it has asked in this epoch; `broker_epoch` is that of its last
    question."""

    __slots__ = ("_asked_ms", "_end_then", "broker_epoch", "caught_up_ms", "offset", "start_offset")

    def __init__(self, now_ms: int) -> None:
        self.offset = UNKNOWN
        self.start_offset = UNKNOWN
        self.broker_epoch = UNKNOWN
        self.caught_up_ms = now_ms
        self._asked_ms = now_ms
        self._end_then = UNKNOWN

    def asked(self, offset: int, start_offset: int, broker_epoch: int, end: int, now_ms: int) -> None:
        """It asked from `offset` on, when the leader's log ended at `end`."""
        if offset >= end:
            self.caught_up_ms = now_ms
        elif offset >= self._end_then >= 0:
            self.caught_up_ms = max(self.caught_up_ms, self._asked_ms)
        self.offset, self.start_offset, self.broker_epoch = offset, start_offset, broker_epoch
        self._asked_ms, self._end_then = now_ms, end

    def rested(self, until_ms: int) -> None:
        """Up to then it asked again and again from the same offset, which was the end."""
        if self.offset != UNKNOWN:
            self.caught_up_ms = max(self.caught_up_ms, until_ms)
            self._asked_ms = until_ms

    def is_late(self, end: int, now_ms: int, lag_ms: int) -> bool:
        return self.offset != end and now_ms - self.caught_up_ms > lag_ms


class Followers:
    """The others of one partition. `isr` is the committed set, `proposed` what the controller was asked for."""

    __slots__ = ("_counted", "isr", "leader_id", "members", "partition_epoch", "proposed")

    def __init__(self, leader_id: int) -> None:
        self.leader_id = leader_id
        self.members: dict[int, Progress] = {}
        self.isr: tuple[int, ...] = ()
        self.proposed: tuple[int, ...] | None = None
        self.partition_epoch = -1
        self._counted: list[Progress] = []

    def arrange(self, replicas: Iterable[int], isr: tuple[int, ...], partition_epoch: int, now_ms: int) -> None:
        """What the controller has decided. A proposal that was under way is decided by that, one way or the other."""
        if partition_epoch < self.partition_epoch:
            return
        if partition_epoch > self.partition_epoch:
            self.proposed = None
        self.isr, self.partition_epoch = isr, partition_epoch
        known = self.members
        self.members = {one: known.get(one) or Progress(now_ms) for one in replicas if one != self.leader_id}
        self._count()

    def propose(self, isr: tuple[int, ...]) -> None:
        self.proposed = isr
        self._count()

    def withdraw(self) -> None:
        """The proposal was refused for good."""
        self.proposed = None
        self._count()

    def _count(self) -> None:
        members = {*self.isr, *(self.proposed or ())}
        self._counted = [progress for one, progress in self.members.items() if one in members]

    def watermark(self, own: int) -> int:
        """The highest offset below which every counted member has everything; `own`: the leader's. UNKNOWN while
        somebody has not asked yet."""
        for progress in self._counted:
            own = min(own, progress.offset)
        return own

    def late(self, end: int, now_ms: int, lag_ms: int) -> list[int]:
        """The members of the in-sync set that have fallen behind."""
        return [
            one for one in self.isr if one in self.members and self.members[one].is_late(end, now_ms, lag_ms)
        ]

    def may_join(self, broker_id: int, at_least: int) -> bool:
        """Whether a follower that is not in the in-sync set has what its members have."""
        progress = self.members.get(broker_id)
        return (
            progress is not None and self.proposed is None and broker_id not in self.isr and progress.offset >= at_least
        )
