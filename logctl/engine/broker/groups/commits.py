"""Requests about offsets: who may commit, read and delete them, and what comes back.

Topics that do not exist were answered by the handler already; here every topic of a request is known. A commit into a
group that does not exist makes it: a *simple* group, without members or protocol, that only has offsets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from logctl.engine.broker.groups.classic import ClassicGroup, State
from logctl.engine.broker.groups.consumer import ConsumerGroup, Member
from logctl.engine.broker.groups.offsets import Committed, Expiry, Offsets
from logctl.engine.broker.groups.turn import Caller, Turn
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from logctl.wire.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)
from logctl.wire.messages.offset_fetch import (
    OffsetFetchRequestGroup,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopics,
)

if TYPE_CHECKING:
    from logctl.engine.broker.groups.context import Context, Group
    from logctl.engine.broker.groups.rounds import Rounds

UNSET: Final = -1
FIRST_VERSION_OF_CONSUMER_PROTOCOL: Final = 9

PartitionCheck = Callable[[OffsetCommitRequestTopic, int], None]
"""Raises WireError when this member may not commit that partition."""


def _expiry(turn: Turn, request: OffsetCommitRequest) -> int:
    return UNSET if request.retention_time_ms == UNSET else turn.now_ms + request.retention_time_ms


def _anything(_topic: OffsetCommitRequestTopic, _partition: int) -> None:
    pass


class Commits:
    """Over the offsets of one partition."""

    def __init__(self, context: Context, offsets: Offsets, rounds: Rounds) -> None:
        self._context = context
        self._offsets = offsets
        self._rounds = rounds

    # Committing.

    def commit(self, turn: Turn, caller: Caller, request: OffsetCommitRequest) -> OffsetCommitResponse:
        """Raises WireError when the whole request is refused."""
        check = self._may_commit(turn, caller, request)
        if check is not _anything:
            for topic in request.topics:
                for partition in topic.partitions:
                    check(topic, partition.partition_index)
        expiry = _expiry(turn, request)
        topics = []
        for topic in request.topics:
            results = [
                OffsetCommitResponsePartition(
                    partition.partition_index, self._commit_one(turn, request.group_id, topic, partition, expiry)
                )
                for partition in topic.partitions
            ]
            topics.append(OffsetCommitResponseTopic(topic.name, topic.topic_id, results))
        self._make_group(turn, request.group_id)
        return OffsetCommitResponse(topics=topics)

    def commit_one(self, turn: Turn, caller: Caller, request: OffsetCommitRequest) -> int:
        """`commit` for a request with one partition, without a response: the partition's error code."""
        check = self._may_commit(turn, caller, request)
        topic = request.topics[0]
        partition = topic.partitions[0]
        check(topic, partition.partition_index)
        code = self._commit_one(turn, request.group_id, topic, partition, _expiry(turn, request))
        self._make_group(turn, request.group_id)
        return code

    def _make_group(self, turn: Turn, group_id: str) -> None:
        if turn.entries and group_id not in self._context.groups:
            self._context.groups[group_id] = ClassicGroup(group_id, turn.now_ms)

    def _commit_one(
        self,
        turn: Turn,
        group_id: str,
        topic: OffsetCommitRequestTopic,
        partition: OffsetCommitRequestPartition,
        expire_timestamp_ms: int,
    ) -> int:
        metadata = partition.committed_metadata or ""
        if len(metadata) > self._context.settings.offset_metadata_max_bytes:
            return errors.OFFSET_METADATA_TOO_LARGE
        offset = Committed(
            partition.committed_offset, partition.committed_leader_epoch, metadata, turn.now_ms, topic_id=topic.topic_id
        )
        if expire_timestamp_ms != UNSET:
            # The one version of the record that has an expiry has neither epoch nor topic id.
            offset = Committed(partition.committed_offset, UNSET, metadata, turn.now_ms, expire_timestamp_ms)
        self._offsets.put(turn, group_id, topic.name, partition.partition_index, offset)
        return errors.NONE

    def _may_commit(self, turn: Turn, caller: Caller, request: OffsetCommitRequest) -> PartitionCheck:
        group = self._context.groups.get(request.group_id)
        if group is None:
            # Only whoever is no member of anything may commit into a group that does not exist.
            if request.generation_id_or_member_epoch >= 0:
                is_new = caller.version >= FIRST_VERSION_OF_CONSUMER_PROTOCOL
                raise WireError(errors.GROUP_ID_NOT_FOUND if is_new else errors.ILLEGAL_GENERATION)
            return _anything
        if isinstance(group, ClassicGroup):
            return self._classic_may_commit(turn, group, request)
        return _consumer_may_commit(group, caller, request)

    def _classic_may_commit(self, turn: Turn, group: ClassicGroup, request: OffsetCommitRequest) -> PartitionCheck:
        generation, member_id = request.generation_id_or_member_epoch, request.member_id
        if generation < 0 and group.is_empty:
            return _anything
        if generation < 0 and not member_id and request.group_instance_id is None:
            raise WireError(errors.UNKNOWN_MEMBER_ID)
        member = group.member(member_id, request.group_instance_id)
        if generation != group.generation:
            raise WireError(errors.ILLEGAL_GENERATION)
        if group.state is State.COMPLETING:
            raise WireError(errors.REBALANCE_IN_PROGRESS)
        self._rounds.expect(turn, group, member)
        return _anything

    # Reading.

    def fetch(self, asked: OffsetFetchRequestGroup, require_stable: bool) -> OffsetFetchResponseGroup:
        """The offsets asked for, or all of the group; -1 where there is none. Raises WireError."""
        group = self._context.groups.get(asked.group_id)
        if isinstance(group, ConsumerGroup):
            _check_reader(group, asked)
        if asked.topics is None:
            every = self._offsets.of(asked.group_id).items()
            topics = [(name, self._topic_id(name), list(partitions)) for name, partitions in every]
        else:
            topics = [(topic.name, topic.topic_id, topic.partition_indexes) for topic in asked.topics]
        return OffsetFetchResponseGroup(
            group_id=asked.group_id,
            topics=[
                OffsetFetchResponseTopics(
                    name,
                    topic_id,
                    [self._fetch_one(asked.group_id, name, partition, require_stable) for partition in partitions],
                )
                for name, topic_id, partitions in topics
            ],
        )

    def _topic_id(self, name: str) -> bytes:
        topic = self._context.image.topics.get(name)
        return bytes(16) if topic is None else topic.topic_id

    def _fetch_one(self, group_id: str, topic: str, partition: int, stable: bool) -> OffsetFetchResponsePartitions:
        if stable and self._offsets.pending and self._offsets.is_pending(group_id, topic, partition):
            code = errors.UNSTABLE_OFFSET_COMMIT
            return OffsetFetchResponsePartitions(partition, UNSET, UNSET, "", code)
        offset = self._offsets.get(group_id, topic, partition)
        if offset is None:
            return OffsetFetchResponsePartitions(partition, UNSET, UNSET, "", errors.NONE)
        return OffsetFetchResponsePartitions(
            partition, offset.offset, offset.leader_epoch, offset.metadata, errors.NONE
        )

    # Deleting.

    def delete(self, turn: Turn, request: OffsetDeleteRequest) -> OffsetDeleteResponse:
        """Offsets of topics that no member reads. Raises WireError."""
        group = self._context.groups.get(request.group_id)
        if group is None:
            raise WireError(errors.GROUP_ID_NOT_FOUND)
        if isinstance(group, ClassicGroup) and not group.is_empty and not group.uses_consumer_protocol():
            raise WireError(errors.NON_EMPTY_GROUP)
        topics = []
        for topic in request.topics:
            code = errors.GROUP_SUBSCRIBED_TO_TOPIC if group.reads(topic.name) else errors.NONE
            results = []
            for partition in topic.partitions:
                if not code and self._offsets.get(request.group_id, topic.name, partition.partition_index) is not None:
                    self._offsets.drop(turn, request.group_id, topic.name, partition.partition_index)
                results.append(OffsetDeleteResponsePartition(partition.partition_index, code))
            topics.append(OffsetDeleteResponseTopic(topic.name, results))
        return OffsetDeleteResponse(topics=topics)


def _consumer_may_commit(group: ConsumerGroup, caller: Caller, request: OffsetCommitRequest) -> PartitionCheck:
    epoch = request.generation_id_or_member_epoch
    if epoch < 0 and group.is_empty:
        return _anything
    member = group.member(request.member_id)
    if member.classic is None and caller.version < FIRST_VERSION_OF_CONSUMER_PROTOCOL:
        raise WireError(errors.UNSUPPORTED_VERSION)
    if epoch == member.epoch:
        return _anything
    code = errors.STALE_MEMBER_EPOCH if member.classic is None else errors.ILLEGAL_GENERATION
    if epoch > member.epoch:
        raise WireError(code, f"Received epoch {epoch} is newer than the member's {member.epoch}.")
    return _since(member, epoch, code)


def _since(member: Member, epoch: int, code: int) -> PartitionCheck:
    """A member behind its epoch may commit what it already held then (KIP-1251)."""

    def check(topic: OffsetCommitRequestTopic, partition: int) -> None:
        given = member.assigned_in(topic.topic_id, partition)
        if given is None or epoch < given:
            raise WireError(code, f"Partition {topic.name}-{partition} was not the member's in epoch {epoch}.")

    return check


def _check_reader(group: ConsumerGroup, asked: OffsetFetchRequestGroup) -> None:
    """A member that says who it is (OffsetFetch 9 and newer) must be at its epoch."""
    if asked.member_id is None and asked.member_epoch < 0:
        return
    member = group.member(asked.member_id or "")
    if member.epoch != asked.member_epoch:
        code = errors.STALE_MEMBER_EPOCH if member.classic is None else errors.ILLEGAL_GENERATION
        raise WireError(code, f"Received epoch {asked.member_epoch}, the member is at {member.epoch}.")


def expiry_of(group: Group) -> Expiry | None:
    """When the offsets of a group may go, or None while they may not."""
    if isinstance(group, ConsumerGroup):
        return Expiry(None, frozenset(group.subscribed_names()))
    if group.protocol_type is None:
        return Expiry(None) if group.is_empty else None
    if group.is_empty:
        return Expiry(group.state_since_ms)
    if group.state is State.STABLE and group.uses_consumer_protocol() and group.subscribed is not None:
        return Expiry(None, group.subscribed)
    return None
