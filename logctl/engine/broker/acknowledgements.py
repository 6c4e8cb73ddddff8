"""Answers to acks=all that wait for other nodes: until the high watermark has passed what was appended.

A promise is broken when this node does not lead any more (what was appended may be cut), when it leads again after a
pause (another may have led meanwhile), when the batch did not reach the file, or when time runs out. It is broken too
when fewer members are in sync than min.insync.replicas asks for: the batch is there, and not committed before there
are more (NOT_ENOUGH_REPLICAS_AFTER_APPEND).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from logctl.engine.broker.waiting import Parked
from logctl.wire import errors
from logctl.wire.errors import WireError

if TYPE_CHECKING:
    from logctl.engine.broker.replica import Replica
    from logctl.engine.broker.request import Request

Key = tuple[int, int]
"""(place of the topic in the request, place of the partition in the topic)."""
_LATE: Final = "Not all in-sync replicas have the batch yet; it may be kept all the same"


class Promise:
    """One batch that was appended, and what was so at that time."""

    __slots__ = ("_last_offset", "_leader_epoch", "_losses", "replica")

    def __init__(self, replica: Replica, last_offset: int) -> None:
        self.replica = replica
        self._last_offset = last_offset
        self._leader_epoch = replica.leader_epoch
        self._losses = replica.losses

    def verdict(self) -> WireError | bool:
        """True when it is kept, an error when it cannot be, False while nobody knows."""
        replica = self.replica
        if replica.refusal:
            return WireError(replica.refusal)
        if replica.leader_epoch != self._leader_epoch:
            return WireError(errors.NOT_LEADER_OR_FOLLOWER)
        if replica.losses != self._losses:
            return WireError(errors.KAFKA_STORAGE_ERROR, "The disk did not take the batch")
        if replica.short_of_isr:
            return WireError(errors.NOT_ENOUGH_REPLICAS_AFTER_APPEND)
        return replica.high_watermark > self._last_offset


class ParkedProduce(Parked):
    """A produce request whose batches are being copied. `reply` is told which promises are broken, and why."""

    __slots__ = ("_broken", "_open", "_reply")

    def __init__(
        self,
        request: Request[Any],
        promises: Mapping[Key, Promise],
        deadline_ms: int,
        reply: Callable[[Mapping[Key, WireError]], None],
    ) -> None:
        super().__init__(request, {promise.replica: None for promise in promises.values()}, deadline_ms)
        self._open = dict(promises)
        self._broken: dict[Key, WireError] = {}
        self._reply = reply

    def attempt(self, now_ms: int) -> bool:
        for key, promise in list(self._open.items()):
            verdict = promise.verdict()
            if verdict:
                del self._open[key]
                if verdict is not True:
                    self._broken[key] = verdict
        if self._open:
            return False
        self._reply(self._broken)
        return True

    def give_up(self, now_ms: int) -> None:
        if not self.attempt(now_ms):
            late = dict.fromkeys(self._open, WireError(errors.REQUEST_TIMED_OUT, _LATE))
            self._reply({**self._broken, **late})
