"""A coordinator's shard as a stage: clients speak, the clock moves, and what was written can be played back.

Every turn's records go through their bytes into `log`. `check()` replays that log into a fresh shard and demands that
nothing differs: the invariant of the room, asserted at the end of every story.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from logctl.engine.broker.groups import records
from logctl.engine.broker.groups.settings import GroupSettings
from logctl.engine.broker.groups.shard import Shard, difference
from logctl.engine.broker.groups.subscription import write_assignment
from logctl.engine.broker.groups.timers import Timers
from logctl.engine.broker.groups.turn import Caller, Turn
from logctl.engine.controller.image import Image, Partition, Topic
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatRequestTopicPartitions,
)
from logctl.wire.messages.heartbeat import HeartbeatRequest
from logctl.wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from logctl.wire.messages.leave_group import LeaveGroupRequest, MemberIdentity
from logctl.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from logctl.wire.messages.offset_fetch import OffsetFetchRequestGroup, OffsetFetchRequestTopics
from logctl.wire.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from logctl.wire.stored.consumer_protocol_assignment import ConsumerProtocolAssignment, TopicPartition
from logctl.wire.stored.consumer_protocol_subscription import ConsumerProtocolSubscription
from logctl.wire.stored.consumer_protocol_subscription import TopicPartition as OwnedPartition


class Waiting:
    """A request on its way: `answer` once there is one."""

    def __init__(self) -> None:
        self.answer: Any = None

    def __call__(self, response: Any) -> None:
        assert self.answer is None, "a request is answered once"
        self.answer = response

    def fail(self, code: int) -> None:
        self.answer = code

    @property
    def code(self) -> str:
        return "waiting" if self.answer is None else errors.describe(self.answer.error_code).name


def topic_id(name: str) -> bytes:
    return name.encode().ljust(16, b"\0")


def image_of(topics: dict[str, int]) -> Image:
    place = Partition((1,), (1,), 1, 0, 0)
    made = {name: Topic(name, topic_id(name), dict.fromkeys(range(size), place)) for name, size in topics.items()}
    return Image(topics=made, topic_names={topic.topic_id: name for name, topic in made.items()})


class Stage:
    """One shard, its clock and its log."""

    def __init__(self, topics: dict[str, int] | None = None, **settings: Any) -> None:
        self.now_ms = 1_000_000
        self.settings = GroupSettings(**settings)
        self.timers = Timers()
        self.log: list[tuple[bytes, bytes | None]] = []
        self._numbers = count(1)
        self._versions = count(1)
        self.shard = self._new_shard()
        self.image = Image()
        self.topics(topics or {"t": 4})

    def _new_shard(self) -> Shard:
        return Shard(self.settings, self.timers, lambda: next(self._numbers).to_bytes(16))

    def topics(self, sizes: dict[str, int]) -> None:
        """The cluster has these topics now."""
        self.image = image_of(sizes)
        self.shard.see(self.image, next(self._versions), topics_came=True)

    # Turns.

    def _end(self, turn: Turn) -> None:
        for entry in turn.entries:
            record = records.encode(entry, self.now_ms)
            self.log.append((record.key, record.value))
        for reply, response in turn.answers:
            reply(response)

    def do(self, act: Any, *arguments: Any) -> Any:
        """Run one step of the shard; its records count and its answers leave also when it refuses."""
        turn = Turn(self.now_ms)
        try:
            return act(turn, *arguments)
        finally:
            self._end(turn)

    def wait(self, ms: int) -> None:
        """Let time pass, and what is due happen at its time. Timers may be a grain late."""
        end = self.now_ms + ms
        while (due := self.timers.next_deadline_ms()) is not None and due <= end:
            self.now_ms = max(self.now_ms, due)
            for timer in self.timers.due(self.now_ms):
                self.do(timer.act, *timer.arguments)
        self.now_ms = end
        for timer in self.timers.due(end):
            self.do(timer.act, *timer.arguments)

    def reloaded(self) -> Shard:
        shard = self._new_shard()
        shard.see(self.image, 1, topics_came=False)
        for key, value in self.log:
            shard.replay_record(key, value, self.now_ms)
        return shard

    def check(self) -> None:
        """Replay equals live state; and so does what a rewritten log would say."""
        assert difference(self.shard, self.reloaded()) == []
        rewritten = self._new_shard()
        for key, value in self.shard.kept.items():
            rewritten.replay_record(key, value, self.now_ms)
        for name in self.shard.names():
            for entry in self.shard.records_of(name):
                record = records.encode(entry, self.now_ms)
                rewritten.replay_record(record.key, record.value, self.now_ms)
        assert difference(self.shard, rewritten) == []

    def restart(self) -> None:
        """The node starts again with the same log."""
        self.check()
        self.timers = Timers()
        self.shard = self.reloaded()
        self.do(self.shard.loaded)

    # Clients of the classic protocol.

    def join(
        self,
        group: str = "g",
        member: str = "",
        *,
        topics: tuple[str, ...] = ("t",),
        protocols: tuple[str, ...] = ("range",),
        instance: str | None = None,
        version: int = 9,
        session_ms: int = 10_000,
        rebalance_ms: int = 20_000,
        owned: dict[str, list[int]] | None = None,
        protocol_type: str = "consumer",
    ) -> Waiting:
        reply = Waiting()
        metadata = subscription(topics, owned or {})
        request = JoinGroupRequest(
            group_id=group,
            session_timeout_ms=session_ms,
            rebalance_timeout_ms=rebalance_ms,
            member_id=member,
            group_instance_id=instance,
            protocol_type=protocol_type,
            protocols=[JoinGroupRequestProtocol(name, metadata) for name in protocols],
        )
        self.do(self.shard.join, Caller("client", "/10.0.0.1", version), request, reply)
        return reply

    def enter(self, group: str = "g", **how: Any) -> Waiting:
        """A new dynamic member: told its id, it joins with it."""
        told = self.join(group, **how)
        assert told.code == "MEMBER_ID_REQUIRED"
        return self.join(group, told.answer.member_id, **how)

    def sync(self, joined: Waiting, shares: dict[str, bytes] | None = None, group: str = "g", **more: Any) -> Waiting:
        """The member that was answered `joined` asks for its share; a leader brings `shares`."""
        reply = Waiting()
        request = SyncGroupRequest(
            group_id=group,
            generation_id=joined.answer.generation_id,
            member_id=joined.answer.member_id,
            assignments=[SyncGroupRequestAssignment(name, share) for name, share in (shares or {}).items()],
            **more,
        )
        try:
            self.do(self.shard.sync, request, reply)
        except WireError as error:
            from logctl.wire.messages.sync_group import SyncGroupResponse

            reply.answer = SyncGroupResponse(error_code=error.code)
        return reply

    def beat(self, member: str, generation: int, group: str = "g", instance: str | None = None) -> str:
        request = HeartbeatRequest(group, generation, member, instance)
        try:
            code = self.do(self.shard.heartbeat, request)
        except WireError as error:
            code = error.code
        return errors.describe(code).name

    def leave(self, *members: str, group: str = "g", instance: str | None = None) -> list[str]:
        request = LeaveGroupRequest(group_id=group, members=[MemberIdentity(name, instance) for name in members])
        response = self.do(self.shard.leave, request)
        return [errors.describe(member.error_code).name for member in response.members]

    def settle(self, *joins: Waiting, group: str = "g") -> tuple[Waiting, ...]:
        """All joins are answered: everybody syncs, the leader with a share for each."""
        leader = next(join for join in joins if join.answer.leader == join.answer.member_id)
        shares = {one.member_id: assignment({"t": [n]}) for n, one in enumerate(leader.answer.members)}
        return tuple(self.sync(join, shares if join is leader else None, group) for join in joins)

    def stable(self, count_: int = 2, group: str = "g", **how: Any) -> tuple[Waiting, ...]:
        """A new group of that many members, through its first round; answers their joins."""
        joins = [self.enter(group, **how) for _ in range(count_)]
        self.wait(self.settings.initial_rebalance_delay_ms * 2 + 500)
        assert {sync.code for sync in self.settle(*joins, group=group)} == {"NONE"}
        return tuple(joins)

    # Clients of the consumer protocol.

    def consume(
        self,
        member: str,
        epoch: int = 0,
        group: str = "g",
        *,
        topics: tuple[str, ...] | None = None,
        owned: dict[str, list[int]] | None = None,
        version: int = 1,
        **more: Any,
    ) -> Any:
        """A ConsumerGroupHeartbeat; one with epoch 0 is full unless told otherwise. Answers the response or the name of
        the error."""
        if epoch == 0:
            more.setdefault("rebalance_timeout_ms", 60_000)
            if topics is None and "subscribed_topic_regex" not in more:
                topics = ("t",)
        held = {} if owned is None and epoch == 0 else owned
        request = ConsumerGroupHeartbeatRequest(
            group_id=group,
            member_id=member,
            member_epoch=epoch,
            subscribed_topic_names=None if topics is None else list(topics),
            topic_partitions=held
            if held is None
            else [ConsumerGroupHeartbeatRequestTopicPartitions(topic_id(name), parts) for name, parts in held.items()],
            **more,
        )
        try:
            return self.do(self.shard.consumer_heartbeat, Caller("client", "/10.0.0.1", version), request)
        except WireError as error:
            return errors.describe(error.code).name

    # Offsets.

    def commit(
        self,
        offsets: dict[int, int],
        group: str = "g",
        member: str = "",
        epoch: int = -1,
        *,
        topic: str = "t",
        version: int = 9,
        metadata: str | None = "",
        instance: str | None = None,
        retention_ms: int = -1,
    ) -> Any:
        """Answers the error names by partition, or that of the whole request."""
        parts = [OffsetCommitRequestPartition(number, offset, -1, metadata) for number, offset in offsets.items()]
        request = OffsetCommitRequest(
            group_id=group,
            generation_id_or_member_epoch=epoch,
            member_id=member,
            group_instance_id=instance,
            retention_time_ms=retention_ms,
            topics=[OffsetCommitRequestTopic(topic, topic_id(topic), parts)],
        )
        try:
            response = self.do(self.shard.commit, Caller("client", "/10.0.0.1", version), request)
        except WireError as error:
            return errors.describe(error.code).name
        results = response.topics[0].partitions
        return {result.partition_index: errors.describe(result.error_code).name for result in results}

    def committed(self, group: str = "g", *, stable: bool = False, **who: Any) -> Any:
        """All offsets of the group by topic and partition, or the name of the error."""
        try:
            answer = self.shard.fetch_offsets(OffsetFetchRequestGroup(group, topics=None, **who), stable)
        except WireError as error:
            return errors.describe(error.code).name
        return {
            topic.name: {one.partition_index: one.committed_offset for one in topic.partitions}
            for topic in answer.topics
        }

    def fetched(self, partition: int, group: str = "g", *, stable: bool = False, topic: str = "t") -> Any:
        """One partition's answer to OffsetFetch."""
        asked = OffsetFetchRequestGroup(
            group, topics=[OffsetFetchRequestTopics(topic, topic_id(topic), [partition])]
        )
        return self.shard.fetch_offsets(asked, stable).topics[0].partitions[0]


def subscription(topics: tuple[str, ...], owned: dict[str, list[int]], version: int = 3) -> bytes:
    body = ConsumerProtocolSubscription(
        list(topics), None, [OwnedPartition(name, parts) for name, parts in owned.items()]
    )
    return version.to_bytes(2) + body.encode(version)


def assignment(partitions: dict[str, list[int]]) -> bytes:
    body = ConsumerProtocolAssignment([TopicPartition(name, parts) for name, parts in partitions.items()])
    return write_assignment(body, 3)


def given(response: Any) -> dict[str, list[int]] | None:
    """What a consumer heartbeat's answer assigns, by topic name; None when it says nothing."""
    if response.assignment is None:
        return None
    return {
        entry.topic_id.rstrip(b"\0").decode(): list(entry.partitions) for entry in response.assignment.topic_partitions
    }
