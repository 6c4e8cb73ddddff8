"""Members of a consumer group (KIP-848) that come and go, each committing ever higher offsets of what it owns.

A member goes on from what was committed when it got a partition. Nobody else may commit there until it has given the
partition up or the coordinator has given up the member, so the committed offset of a partition never moves back.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from logctl.engine.simulation.clients import BASE_TOPIC, Client, World
from logctl.engine.simulation.promises import Topic
from logctl.wire import errors
from logctl.wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatRequestTopicPartitions,
)
from logctl.wire.messages.find_coordinator import FindCoordinatorRequest
from logctl.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from logctl.wire.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics

GROUP: Final = "together"
_BEAT_S: Final = 0.4
_SILENCE_S: Final = (3.0, 6.0)
_JOIN: Final = 0
_LEAVE: Final = -1
_NOT_A_MEMBER: Final = frozenset(
    {errors.UNKNOWN_MEMBER_ID, errors.FENCED_MEMBER_EPOCH, errors.GROUP_ID_NOT_FOUND, errors.STALE_MEMBER_EPOCH}
)


class Member(Client):
    """`positions`: what it owns, and how far each is committed; None where that is not known yet."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self._ready = False
        self._begin_anew()

    def _begin_anew(self) -> None:
        """As another member."""
        self._member_id = f"{self.name}-{self.random.randrange(1 << 30)}"
        self._out()

    def _out(self) -> None:
        self._epoch = _JOIN
        self._positions: dict[int, int | None] = {}
        self._beat_s = 0.0

    def act(self) -> None:
        topic = self.world.promises.topics.get(BASE_TOPIC)
        now_s = self.world.time()
        if topic is None or self.session.owed:
            return
        if not self._ready or not self.session.has_coordinator:
            self.session.ask(FindCoordinatorRequest(coordinator_keys=[GROUP]), 6, self._coordinator)
        elif now_s >= self._beat_s:
            self._beat(topic)
        elif any(position is None for position in self._positions.values()):
            self._look(topic)
        elif self._positions:
            self._commit(topic)

    def _coordinator(self, response: Any) -> None:
        found = response.coordinators[0]
        self._ready = not found.error_code and self.session.reaches(found.node_id)

    def _failed(self, code: int) -> None:
        """Who is thrown out joins again; who asked the wrong node looks for the right one."""
        self.note("group error", errors.describe(code).name)
        if code in _NOT_A_MEMBER:
            self._out()
        elif self.session.astray(code):
            self._ready = False

    # Being a member.

    def _beat(self, topic: Topic) -> None:
        chance = self.random.random()
        if self._epoch > 0 and chance < 0.02:
            self._leave()
            return
        if chance < 0.03:
            self.note("falls silent")
            self._beat_s = self.world.time() + self.random.uniform(*_SILENCE_S)
            return
        self._beat_s = self.world.time() + _BEAT_S
        joins = self._epoch == _JOIN
        owned = [ConsumerGroupHeartbeatRequestTopicPartitions(topic.topic_id, sorted(self._positions))]
        request = ConsumerGroupHeartbeatRequest(
            group_id=GROUP,
            member_id=self._member_id,
            member_epoch=self._epoch,
            rebalance_timeout_ms=2000 if joins else -1,
            subscribed_topic_names=[BASE_TOPIC] if joins else None,
            topic_partitions=[] if joins else owned if self._positions else [],
        )
        self.session.ask(request, 1, self._heard)

    def _leave(self) -> None:
        request = ConsumerGroupHeartbeatRequest(group_id=GROUP, member_id=self._member_id, member_epoch=_LEAVE)
        self._begin_anew()
        self._beat_s = self.world.time() + self.random.uniform(0, 2)
        self.session.ask(request, 1, lambda response: self.note("left"))

    def _heard(self, response: Any) -> None:
        if response.error_code:
            self._failed(response.error_code)
            return
        self._epoch = response.member_epoch
        self.progress += 1
        if response.assignment is None:
            return
        wanted = {number for one in response.assignment.topic_partitions for number in one.partitions}
        if wanted != self._positions.keys():
            self._beat_s = 0.0
            self._positions = {number: self._positions.get(number) for number in sorted(wanted)}
            self.note("owns", f"{sorted(wanted)} in epoch {self._epoch}")

    # What it owns.

    def _look(self, topic: Topic) -> None:
        numbers = [number for number, position in self._positions.items() if position is None]
        wanted = OffsetFetchRequestTopics(topic_id=topic.topic_id, partition_indexes=numbers)
        group = OffsetFetchRequestGroup(
            group_id=GROUP, member_id=self._member_id, member_epoch=self._epoch, topics=[wanted]
        )
        committed = self.world.promises.committed
        least = {number: committed.get((GROUP, number), -1) for number in numbers}
        self.session.ask(OffsetFetchRequest(groups=[group]), 10, partial(self._found, least))

    def _found(self, least: dict[int, int], response: Any) -> None:
        group = response.groups[0]
        if group.error_code:
            self._failed(group.error_code)
            return
        for one in (one for topic in group.topics for one in topic.partitions):
            if one.error_code or one.partition_index not in self._positions:
                continue
            offset = one.committed_offset
            self.world.promises.commit_found(GROUP, one.partition_index, offset, least[one.partition_index])
            self._positions[one.partition_index] = offset
            self.note("goes on", f"{BASE_TOPIC}-{one.partition_index} from {offset}")

    def _commit(self, topic: Topic) -> None:
        number = self.random.choice(sorted(self._positions))
        position = self._positions[number]
        assert position is not None
        offset = position + 1
        attempted = self.world.promises.attempted
        attempted[GROUP, number] = max(offset, attempted.get((GROUP, number), -1))
        self._positions[number] = None
        one = OffsetCommitRequestPartition(number, committed_offset=offset, committed_metadata="")
        request = OffsetCommitRequest(
            group_id=GROUP,
            generation_id_or_member_epoch=self._epoch,
            member_id=self._member_id,
            topics=[OffsetCommitRequestTopic(topic_id=topic.topic_id, partitions=[one])],
        )
        self.session.ask(request, 10, partial(self._committed, number, offset))

    def _committed(self, number: int, offset: int, response: Any) -> None:
        code = response.topics[0].partitions[0].error_code
        if code:
            self._failed(code)
            return
        self.world.promises.commit_answered(GROUP, number, offset)
        self.progress += 1
        if number in self._positions:
            self._positions[number] = offset
