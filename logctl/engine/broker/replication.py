"""Who copies from whom on this node, and the in-sync sets of what it leads.

Theory of operation
-------------------
Replicas that follow are handed to the fetcher of their leader (`fetcher.py`) as the image says. Replicas that lead are
watched: a member of the in-sync set that has not been caught up for `replica.lag.time.max.ms` is to leave it, a
follower that has what the members have is to join. Only the controller may decide that: what is wanted is proposed with
AlterPartition, all of a node's proposals in one request and one request at a time. Until the image shows what became of
a proposal, members of the old and of the proposed set count (`followers.py`). An answer that leaves that open, because
it was lost, is asked again; one that says that the partition has changed meanwhile waits for the image.

Source: KIP-497 (AlterPartition), KIP-841 and KIP-903 (who may join: nobody fenced, and with the epoch it asked under).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Protocol

from logctl.engine.broker.fetcher import LANE, Fetcher, Pace
from logctl.engine.log.disk import DiskFault
from logctl.wire import errors
from logctl.wire.messages.alter_partition import (
    AlterPartitionRequest,
    AlterPartitionRequestPartitionData,
    AlterPartitionRequestTopicData,
    BrokerState,
)
from logctl.wire.schema import Message

if TYPE_CHECKING:
    from logctl.engine.broker.quorum_talk import Done, Transport
    from logctl.engine.broker.replica import Replica
    from logctl.engine.broker.replicas import Replicas
    from logctl.engine.broker.throttles import Throttle, Throttles
    from logctl.engine.controller.image import Image
    from logctl.engine.log.log import Log

_AGAIN_MS: Final = 50
_REFUSED: Final = (
    errors.INELIGIBLE_REPLICA,
    errors.INVALID_REQUEST,
    errors.INVALID_REPLICA_ASSIGNMENT,
    errors.UNKNOWN_TOPIC_ID,
    errors.UNKNOWN_TOPIC_OR_PARTITION,
)
"""It was not done, and will not be."""


class Context(Protocol):
    """What is asked of the broker."""

    node_id: int

    @property
    def image(self) -> Image: ...
    @property
    def broker_epoch(self) -> int: ...
    @property
    def throttles(self) -> Throttles: ...
    def clock(self) -> int: ...
    @property
    def say(self) -> Callable[[str, str], None]: ...
    def ask_controller(self, message: Message, done: Done) -> None: ...
    def log_dir_failed(self, log: Log, fault: DiskFault) -> None: ...


class Replication:
    """`lag_ms` answers replica.lag.time.max.ms as it is now."""

    def __init__(
        self,
        replicas: Replicas,
        transport: Transport,
        context: Context,
        pace: Pace,
        lag_ms: Callable[[], int],
    ) -> None:
        self._replicas = replicas
        self._transport = transport
        self._context = context
        self._pace = pace
        self._fetchers: dict[int, Fetcher] = {}
        self._following: dict[Replica, int] = {}
        self._led: dict[Replica, None] = {}
        self._lag_ms = lag_ms
        self._look_at_ms = 0
        self._wanted: dict[Replica, tuple[int, ...]] = {}
        self._asking = False
        self._ask_from_ms = 0
        self._begin_later: dict[Replica, None] = {}
        self.node_id = context.node_id
        replicas.reseated = dict.fromkeys(replicas)

    # ---- for fetchers ----

    def clock(self) -> int:
        return self._context.clock()

    def broker_epoch(self) -> int:
        return self._context.broker_epoch

    def ask(self, node_id: int, request: Message, done: Done) -> None:
        self._transport.ask(node_id, LANE, request, done)

    @property
    def throttle(self) -> Throttle:
        return self._context.throttles.follower

    def after_cuts(self, cut: Iterable[Replica]) -> None:
        cut = list(cut)
        for replica in cut:
            self._replicas.moves.source_was_cut(replica)
        for replica, fault in self._replicas.notes.save_recovery_points(cut):
            self.disk_failed(replica, fault)

    def begins_later(self, replica: Replica) -> None:
        """Its log begins where its leader's does: the next question says so, and must be true after a crash."""
        self._begin_later[replica] = None

    def disk_failed(self, replica: Replica, fault: DiskFault) -> None:
        replica.log.fence(fault)
        self._context.log_dir_failed(replica.log, fault)

    def say(self, sentence: str) -> None:
        self._context.say("replication", sentence)

    # ---- in turn ----

    def advance(self, now_ms: int) -> None:
        """At the end of every tick."""
        if self._replicas.reseated:
            reseated, self._replicas.reseated = self._replicas.reseated, {}
            for replica in reseated:
                self._seat(replica)
        if self._begin_later:
            self._note_beginnings()
        for leader_id, fetcher in list(self._fetchers.items()):
            fetcher.advance(now_ms)
            if fetcher.is_idle:
                del self._fetchers[leader_id]
        if now_ms >= self._look_at_ms:
            self._look(now_ms)
        if self._wanted and not self._asking and now_ms >= self._ask_from_ms:
            self._propose()

    def _note_beginnings(self) -> None:
        moved, self._begin_later = self._begin_later, {}
        held = [one for one in moved if self._replicas.get_by_id(one.topic_id, one.partition) is one and not one.fenced]
        try:
            self._replicas.notes.save_start_offsets(held)
        except DiskFault as fault:
            for replica in held:
                self.disk_failed(replica, fault)

    def next_deadline_ms(self) -> int | None:
        dues = [due for one in self._fetchers.values() if (due := one.next_deadline_ms()) is not None]
        if self._led:
            dues.append(self._look_at_ms)
        if self._wanted and not self._asking:
            dues.append(self._ask_from_ms)
        if self._replicas.reseated:
            dues.append(0)
        return min(dues, default=None)

    def _seat(self, replica: Replica) -> None:
        """A replica leads, follows or is given up: see to it that the right fetcher has it."""
        gone = self._replicas.get_by_id(replica.topic_id, replica.partition) is not replica
        follows = not gone and replica.leader_id not in (self.node_id, -1)
        before = self._following.pop(replica, None)
        if before is not None and (not follows or before != replica.leader_id):
            self._fetchers[before].remove(replica)
        if follows:
            self._following[replica] = replica.leader_id
            fetcher = self._fetchers.get(replica.leader_id)
            if fetcher is None:
                fetcher = self._fetchers[replica.leader_id] = Fetcher(replica.leader_id, self, self._pace)
            fetcher.add(replica)
        self._wanted.pop(replica, None)
        if not gone and replica.followers is not None:
            self._led[replica] = None
            if replica.followers.proposed is not None:
                self._wanted[replica] = replica.followers.proposed
        else:
            self._led.pop(replica, None)

    # ---- in-sync sets ----

    def _look(self, now_ms: int) -> None:
        """Who has fallen behind?"""
        lag_ms = self._lag_ms()
        self._look_at_ms = now_ms + max(lag_ms // 2, 1)
        for replica in self._led:
            followers = replica.followers
            if followers is None or followers.proposed is not None or replica.refusal or not replica.awake:
                continue
            late = followers.late(replica.log.written_end, now_ms, lag_ms)
            if late:
                names = ", ".join(map(str, late))
                self.say(f"{replica.topic}-{replica.partition}: {names} has not caught up for {lag_ms} ms")
                self._want(replica, tuple(one for one in followers.isr if one not in late))

    def noted(self, replica: Replica, broker_id: int) -> None:
        """A follower has asked: it may have what it takes to be in sync."""
        followers = replica.followers
        if followers is None or replica.refusal:
            return
        if followers.may_join(broker_id, replica.joining_offset):
            registered = self._context.image.brokers.get(broker_id)
            if registered is not None and registered.active:
                self._want(replica, (*followers.isr, broker_id))

    def _want(self, replica: Replica, isr: tuple[int, ...]) -> None:
        assert replica.followers is not None
        replica.followers.propose(isr)
        self._wanted[replica] = isr

    def _propose(self) -> None:
        wanted = dict(self._wanted)
        topics: dict[bytes, list[AlterPartitionRequestPartitionData]] = {}
        for replica, isr in wanted.items():
            assert replica.followers is not None
            topics.setdefault(replica.topic_id, []).append(
                AlterPartitionRequestPartitionData(
                    partition_index=replica.partition,
                    leader_epoch=replica.leader_epoch,
                    new_isr_with_epochs=[BrokerState(one, self._epoch_of(replica, one)) for one in isr],
                    partition_epoch=replica.followers.partition_epoch,
                )
            )
        request = AlterPartitionRequest(
            broker_id=self.node_id,
            broker_epoch=self.broker_epoch(),
            topics=[AlterPartitionRequestTopicData(topic_id, several) for topic_id, several in topics.items()],
        )
        self._asking = True
        self._context.ask_controller(request, lambda response: self._answered(wanted, response))

    def _epoch_of(self, replica: Replica, broker_id: int) -> int:
        """The life of a broker that is meant: the one it asked in, so that a later one is not let in for it."""
        progress = replica.followers.members.get(broker_id) if replica.followers is not None else None
        if progress is not None and progress.broker_epoch >= 0:
            return progress.broker_epoch
        registered = self._context.image.brokers.get(broker_id)
        return -1 if registered is None else registered.epoch

    def _answered(self, wanted: dict[Replica, tuple[int, ...]], response: Any) -> None:
        self._asking = False
        self._ask_from_ms = self.clock() + _AGAIN_MS
        if response is None or response.error_code:
            return
        by_key = {(replica.topic_id, replica.partition): replica for replica in wanted}
        for topic in response.topics:
            for told in topic.partitions:
                replica = by_key.get((topic.topic_id, told.partition_index))
                # What is wanted again after the partition has changed is another wish, though of the same members.
                if replica is not None and self._wanted.get(replica) is wanted[replica]:
                    self._decided(replica, told)

    def _decided(self, replica: Replica, told: Any) -> None:
        """Done, or to be seen in the image: nothing is asked again. Refused for good: what was wanted is forgotten."""
        if told.error_code in (errors.NOT_CONTROLLER, errors.REQUEST_TIMED_OUT, errors.UNKNOWN_SERVER_ERROR):
            return
        self._wanted.pop(replica, None)
        if told.error_code in _REFUSED and replica.followers is not None:
            replica.followers.withdraw()
            replica.watermark_may_move()
