"""What the leader of the quorum does unasked, while it is in office: sessions end, leadership goes back.

Theory of operation
-------------------
Memory begins with each office: brokers that are let in get the time of one session, and the periods start anew. A
broker whose session ends is fenced. Silence counts only while this node listened: what it was too busy to hear is not
held against anybody.

A line is kept to each of them for nothing but this: when its process dies, the line breaks, and whoever knocks again is
told by the machine that nobody listens there. Then the session is over at once, while a process that is only slow, or a
machine that is cut off, has the whole of it. Those that have missed a heartbeat are knocked at again and again.

Every leader.imbalance.check.interval.seconds preferred replicas take their leadership back
(auto.leader.rebalance.enable). Every unclean.leader.election.interval.ms partitions without a leader are looked at;
when there was more to do than fits in one go, the rest follows soon.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from logctl.engine.controller.balancing import MOST_AT_ONCE, fill_leaderless, give_back
from logctl.engine.controller.brokers import fence_broker
from logctl.engine.controller.decision import Controller, Decision
from logctl.engine.controller.heartbeats import Sessions
from logctl.wire.errors import WireError

if TYPE_CHECKING:
    from logctl.engine.broker.broker import NodeSettings
    from logctl.engine.broker.metadata import Metadata

_SOON_MS: Final = 1000
_KNOCK_EVERY_MS: Final = 100


class Governing:
    """One node's part as controller; nothing happens while it does not lead the quorum."""

    def __init__(self, metadata: Metadata, settings: NodeSettings, say: Callable[[str, str], None]) -> None:
        self.knock: Callable[[int], None] = lambda broker_id: None
        """Keeps a line to a broker; `nobody_at` is told when nobody listens where it is reached."""
        self.sessions = Sessions(settings.integer("broker.session.timeout.ms"))
        self._metadata = metadata
        self._settings = settings
        self._say = say
        self._office = -1
        self._looked_ms = 0
        self._known: object = None
        self._knock_ms = 0
        self._balance_ms = 0
        self._fill_ms = 0

    def advance(self, now_ms: int) -> None:
        """Do what is due."""
        metadata = self._metadata
        if not metadata.is_leader:
            self._office = -1
            return
        if self._office != metadata.epoch:
            self._begin(now_ms)
        else:
            self._excuse(now_ms)
        self._looked_ms = now_ms
        self._end_sessions(now_ms)
        self._knock(now_ms)
        if now_ms >= self._balance_ms:
            self._balance_ms = now_ms + self._balance_period_ms()
            if self._settings.flag("auto.leader.rebalance.enable"):
                self._decide(give_back, self._gave_back)
        if now_ms >= self._fill_ms:
            self._fill_ms = now_ms + self._settings.integer("unclean.leader.election.interval.ms")
            self._decide(fill_leaderless, self._filled)

    def _excuse(self, now_ms: int) -> None:
        """This node was busy, or stopped, where it would have looked several times: nobody was heard meanwhile."""
        missed_ms = now_ms - self._looked_ms
        if missed_ms > max(self.sessions.timeout_ms // 3, 2 * self._settings.integer("broker.heartbeat.interval.ms")):
            self.sessions.excuse(missed_ms, now_ms)

    def nobody_at(self, broker_id: int) -> None:
        """A connection to this broker was refused: its process is gone."""
        in_office = self._metadata.is_leader and self._office == self._metadata.epoch
        if in_office and self.sessions.lasts(broker_id, self._metadata.clock()) and self._is_let_in(broker_id):
            self._end_session(broker_id, f"Nobody listens at the address of broker {broker_id}")

    def next_deadline_ms(self) -> int | None:
        if self._office < 0:
            return None
        image = self._metadata.image
        silent_ms = self.sessions.next_silence_ms(image, self._heartbeat_missed_ms())
        knock_ms = None if silent_ms is None else max(silent_ms, self._knock_ms)
        ends_ms = self.sessions.next_end_ms(image)
        return min(due for due in (self._balance_ms, self._fill_ms, knock_ms, ends_ms) if due is not None)

    def _knock(self, now_ms: int) -> None:
        image = self._metadata.image
        if self._known is not image.brokers:
            self._known = image.brokers
            for broker_id in filter(self._is_let_in, image.brokers):
                self.knock(broker_id)
        if now_ms >= self._knock_ms:
            self._knock_ms = now_ms + _KNOCK_EVERY_MS
            for broker_id in self.sessions.silent(image, now_ms, self._heartbeat_missed_ms()):
                self.knock(broker_id)

    def _is_let_in(self, broker_id: int) -> bool:
        broker = self._metadata.image.brokers.get(broker_id)
        return broker is not None and not broker.fenced

    def _heartbeat_missed_ms(self) -> int:
        return self._settings.integer("broker.heartbeat.interval.ms") * 3 // 2

    def _begin(self, now_ms: int) -> None:
        self._office = self._metadata.epoch
        self._known = None
        let_in = [one.broker_id for one in self._metadata.image.brokers.values() if not one.fenced]
        self.sessions.begin(let_in, now_ms)
        self._balance_ms = now_ms + self._balance_period_ms()
        self._fill_ms = now_ms + self._settings.integer("unclean.leader.election.interval.ms")

    def _balance_period_ms(self) -> int:
        return self._settings.integer("leader.imbalance.check.interval.seconds") * 1000

    def _end_sessions(self, now_ms: int) -> None:
        for ended in self.sessions.ended(self._metadata.image, now_ms):
            broker_id = ended.broker_id
            self._end_session(broker_id, f"Broker {broker_id} was not heard of for {self.sessions.timeout_ms} ms")

    def _end_session(self, broker_id: int, reason: str) -> None:
        self.sessions.forget(broker_id)
        self._say("controller", f"{reason}: it is fenced")
        self._decide(partial(_fence, broker_id))

    def _gave_back(self, decision: Decision[Any]) -> None:
        if decision.response:
            self._say("controller", f"{decision.response} partitions are led by their preferred replica again")
        if decision.response == MOST_AT_ONCE:
            self._balance_ms = self._metadata.clock() + _SOON_MS

    def _filled(self, decision: Decision[Any]) -> None:
        if decision.response:
            self._say("controller", f"{decision.response} partitions that nobody led have a leader again")
        if decision.response == MOST_AT_ONCE:
            self._fill_ms = self._metadata.clock() + _SOON_MS

    def _decide(
        self,
        decide: Callable[[Controller], Decision[Any]],
        done: Callable[[Decision[Any]], None] = lambda decision: None,
    ) -> None:
        try:
            self._metadata.decide(decide, done)
        except WireError as error:
            self._say("controller", f"The controller could not do what was due: {error.message}")


def _fence(broker_id: int, controller: Controller) -> Decision[Any]:
    """Meanwhile it may have been fenced, or forgotten, by a decision that is not committed yet."""
    broker = controller.image.brokers.get(broker_id)
    return Decision([], None) if broker is None or broker.fenced else fence_broker(controller, broker_id)
