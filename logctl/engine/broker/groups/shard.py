"""The coordinator of the groups in one partition of `__consumer_offsets`: a pure state machine.

Everything comes in as an argument: requests with the time, records when the partition is loaded, the cluster's image
when it changes, and turns to fill when a timer is due. What goes out is in the turn (`turn.py`). Groups are found by
name and handed to the rules of their kind:

    classic groups     rounds.py            state in classic.py
    consumer groups    consumer_heartbeat.py, consumer_classic.py, division.py, reconcile.py   state in consumer.py
    from kind to kind  migration.py
    offsets            commits.py           state in offsets.py

The invariant of this room: a fresh shard that replays the partition's log is equal to the live one in everything that
records can say. `difference` is its test.

Records of types we do not serve are kept by key, last one wins, so that rewriting the log does not lose them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from logctl.engine.broker.groups import consumer_records, records
from logctl.engine.broker.groups.classic import ClassicGroup, State
from logctl.engine.broker.groups.commits import Commits, expiry_of
from logctl.engine.broker.groups.consumer import FIRST_EPOCH, ConsumerGroup
from logctl.engine.broker.groups.consumer_classic import ClassicMembers
from logctl.engine.broker.groups.consumer_heartbeat import Heartbeats, check_request
from logctl.engine.broker.groups.context import Context, Group
from logctl.engine.broker.groups.division import Division
from logctl.engine.broker.groups.migration import Migration
from logctl.engine.broker.groups.offsets import Offsets
from logctl.engine.broker.groups.rounds import Rounds, join_failure
from logctl.engine.broker.groups.settings import MOST_RECORD_BYTES, GroupSettings
from logctl.engine.broker.groups.timers import Timers
from logctl.engine.broker.groups.turn import Caller, Entry, Reply, Turn
from logctl.engine.controller.image import Image
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse
from logctl.wire.messages.heartbeat import HeartbeatRequest
from logctl.wire.messages.join_group import JoinGroupRequest
from logctl.wire.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberResponse
from logctl.wire.messages.offset_commit import OffsetCommitRequest, OffsetCommitResponse
from logctl.wire.messages.offset_delete import OffsetDeleteRequest, OffsetDeleteResponse
from logctl.wire.messages.offset_fetch import OffsetFetchRequestGroup, OffsetFetchResponseGroup
from logctl.wire.messages.sync_group import SyncGroupRequest
from logctl.wire.stored.consumer_group_metadata import ConsumerGroupMetadataKey
from logctl.wire.stored.group_metadata import GroupMetadataKey
from logctl.wire.stored.offset_commit import OffsetCommitKey


class Shard:
    """See above. `groups` and `offsets` may be read by anybody, and written by nobody else."""

    def __init__(self, settings: GroupSettings, timers: Timers, fresh_id: Callable[[], bytes]) -> None:
        self._context = context = Context(settings, timers, fresh_id)
        self.groups = context.groups
        self.offsets = Offsets()
        self.kept: dict[bytes, bytes] = {}
        self._division = Division(context)
        self._rounds = Rounds(context)
        self._heartbeats = Heartbeats(context, self._division)
        self._migration = Migration(context, self._rounds, self._heartbeats, self._division)
        self._heartbeats.migration = self._migration
        self._classic_members = ClassicMembers(context, self._heartbeats, self._migration, self._division)
        self._commits = Commits(context, self.offsets, self._rounds)

    # What comes from outside.

    def configure(self, settings: GroupSettings) -> None:
        self._context.settings = settings

    def see(self, image: Image, version: int, topics_came: bool) -> None:
        """The cluster has changed: consumer groups look at their topics at their next heartbeat."""
        self._context.image, self._context.image_version = image, version
        if topics_came:
            self._context.topics_version = version
        for group in self.groups.values():
            if isinstance(group, ConsumerGroup):
                group.refresh_at_ms = 0

    def forget_foreign_topics(self, turn: Turn) -> None:
        """Offsets of topics that are gone, or that are others of the same name now, though no record says so yet."""
        self.offsets.drop_foreign(turn, {name: topic.topic_id for name, topic in self._context.image.topics.items()})

    def forget_topics(self, turn: Turn, topics: frozenset[str]) -> None:
        """Topics were deleted, and with them what was read of them."""
        self.offsets.drop_topics(turn, topics)

    # Loading.

    def replay_record(self, key: Any, value: Any, now_ms: int, producer_id: int = -1) -> None:
        """Take in one record of the log. Raises MalformedMessage."""
        entry = records.decode(key, value)
        if entry is not None:
            self.replay(entry, now_ms, producer_id)
        elif value is None:
            self.kept.pop(bytes(key), None)
        else:
            self.kept[bytes(key)] = bytes(value)

    def replay(self, entry: Entry, now_ms: int, producer_id: int = -1) -> None:
        key, value = entry
        if isinstance(key, OffsetCommitKey):
            self.offsets.replay(key, value, producer_id)  # type: ignore[arg-type]
            if value is not None and key.group not in self.groups:
                self.groups[key.group] = ClassicGroup(key.group, now_ms)
        elif isinstance(key, GroupMetadataKey):
            self._replay_classic(key.group, value, now_ms)
        else:
            self._replay_consumer(entry)

    def _replay_classic(self, group_id: str, value: Any, now_ms: int) -> None:
        if value is not None:
            self.groups[group_id] = ClassicGroup.restore(group_id, value, now_ms)
        elif isinstance(self.groups.get(group_id), ClassicGroup):
            del self.groups[group_id]

    def _replay_consumer(self, entry: Entry) -> None:
        key: Any = entry.key
        group = self.groups.get(key.group_id)
        if isinstance(entry.key, ConsumerGroupMetadataKey) and entry.value is None:
            if isinstance(group, ConsumerGroup):
                del self.groups[key.group_id]
            return
        if not isinstance(group, ConsumerGroup):
            if entry.value is None:
                return
            # Offsets may have made a simple group of that name before.
            group = self.groups[key.group_id] = ConsumerGroup(key.group_id)
        consumer_records.replay(group, entry)

    def replay_marker(self, producer_id: int, commit: bool) -> None:
        """The end of a transaction that has written offsets here."""
        self.offsets.replay_marker(producer_id, commit)

    def loaded(self, turn: Turn) -> None:
        """The log is replayed: sessions begin, and groups that have grown too large are divided anew."""
        for group in list(self.groups.values()):
            if isinstance(group, ConsumerGroup):
                self._heartbeats.expect_all(turn, group)
                continue
            self._rounds.expect_all(turn, group)
            if len(group.members) > self._context.settings.classic_max_size:
                self._rounds.prepare(turn, group)

    def unload(self, turn: Turn) -> None:
        """This node is no longer the coordinator: whoever waits is sent to look for the new one."""
        for group in self.groups.values():
            if isinstance(group, ClassicGroup):
                self._rounds.dissolve(turn, group, errors.NOT_COORDINATOR)
            else:
                for member_id in group.members:
                    for timer in group.forget_timers(member_id):
                        self._context.timers.stop(timer)

    # The classic protocol.

    def join(self, turn: Turn, caller: Caller, request: JoinGroupRequest, reply: Reply) -> None:
        """JoinGroup. The answer may come in a later turn."""
        try:
            self._join(turn, caller, request, reply)
        except WireError as error:
            turn.answer(reply, join_failure(error.code, request.member_id))

    def _join(self, turn: Turn, caller: Caller, request: JoinGroupRequest, reply: Reply) -> None:
        _check_group_id(request.group_id)
        settings = self._context.settings
        if not settings.min_session_timeout_ms <= request.session_timeout_ms <= settings.max_session_timeout_ms:
            raise WireError(errors.INVALID_SESSION_TIMEOUT)
        if sum(len(protocol.metadata) for protocol in request.protocols) > MOST_RECORD_BYTES:
            raise WireError(errors.UNKNOWN_SERVER_ERROR)
        group = self.groups.get(request.group_id)
        if isinstance(group, ConsumerGroup) and not group.is_empty:
            self._classic_members.join(turn, group, caller, request, reply)
            return
        if group is None and request.member_id:
            raise WireError(errors.UNKNOWN_MEMBER_ID)
        if isinstance(group, ConsumerGroup):
            self._bury(turn, group)
            group = None
        if group is not None:
            self._rounds.join(turn, group, caller, request, reply)
            return
        group = self.groups[request.group_id] = ClassicGroup(request.group_id, turn.now_ms)
        self._rounds.join(turn, group, caller, request, reply)
        if group.members or group.pending:
            self._rounds.store(turn, group)
        else:
            del self.groups[request.group_id]

    def sync(self, turn: Turn, request: SyncGroupRequest, reply: Reply) -> None:
        """SyncGroup. The answer may come in a later turn. Raises WireError."""
        group = self._group_of_member(request.group_id)
        if isinstance(group, ClassicGroup):
            self._rounds.sync(turn, group, request, reply)
        else:
            turn.answer(reply, self._classic_members.sync(turn, group, request))

    def heartbeat(self, turn: Turn, request: HeartbeatRequest) -> int:
        """Heartbeat: the error code to answer. Raises WireError when there is nothing to answer but that."""
        group = self._group_of_member(request.group_id)
        rules = self._rounds if isinstance(group, ClassicGroup) else self._classic_members
        asked = (request.member_id, request.group_instance_id, request.generation_id)
        return rules.heartbeat(turn, group, *asked)  # type: ignore[arg-type]

    def leave(self, turn: Turn, request: LeaveGroupRequest) -> LeaveGroupResponse:
        """LeaveGroup, one or many members, each with its own result."""
        group = self.groups.get(request.group_id)
        if group is None:
            code = errors.UNKNOWN_MEMBER_ID
            unknown = [MemberResponse(one.member_id, one.group_instance_id, code) for one in request.members]
            return LeaveGroupResponse(members=unknown)
        if isinstance(group, ClassicGroup):
            return self._rounds.leave(turn, group, request)
        return self._classic_members.leave(turn, group, request)

    def _group_of_member(self, group_id: str) -> Group:
        _check_group_id(group_id)
        group = self.groups.get(group_id)
        if group is None:
            raise WireError(errors.UNKNOWN_MEMBER_ID)
        return group

    # The consumer protocol.

    def consumer_heartbeat(
        self, turn: Turn, caller: Caller, request: ConsumerGroupHeartbeatRequest
    ) -> ConsumerGroupHeartbeatResponse:
        """ConsumerGroupHeartbeat. Raises WireError."""
        check_request(request, caller.version, self._context.settings.consumer_assignors)
        group = self.groups.get(request.group_id)
        if request.member_epoch < 0:
            return self._heartbeats.leave(turn, _consumer(group, request.group_id), request)
        if request.member_epoch == 0:
            group = self._consumer_group_to_join(turn, group, request.group_id)
        group = _consumer(group, request.group_id)
        try:
            return self._heartbeats.beat(turn, group, caller, request)
        except WireError:
            if group.is_empty and group.epoch == FIRST_EPOCH:
                del self.groups[group.group_id]
            raise

    def _consumer_group_to_join(self, turn: Turn, group: Group | None, group_id: str) -> ConsumerGroup:
        if isinstance(group, ConsumerGroup):
            return group
        if group is not None and not group.is_empty:
            return self._migration.upgrade(turn, group)
        if group is not None:
            self._bury(turn, group)
        group = self.groups[group_id] = ConsumerGroup(group_id)
        return group

    # Offsets.

    def commit(self, turn: Turn, caller: Caller, request: OffsetCommitRequest) -> OffsetCommitResponse:
        """OffsetCommit for topics that exist. Raises WireError."""
        return self._commits.commit(turn, caller, request)

    def commit_one(self, turn: Turn, caller: Caller, request: OffsetCommitRequest) -> int:
        """The same for a request with one partition, which exists: its error code. Raises WireError."""
        return self._commits.commit_one(turn, caller, request)

    def fetch_offsets(self, asked: OffsetFetchRequestGroup, require_stable: bool) -> OffsetFetchResponseGroup:
        """One group of an OffsetFetch. Raises WireError."""
        return self._commits.fetch(asked, require_stable)

    def delete_offsets(self, turn: Turn, request: OffsetDeleteRequest) -> OffsetDeleteResponse:
        """OffsetDelete for topics that exist. Raises WireError."""
        return self._commits.delete(turn, request)

    def expire_offsets(self, turn: Turn) -> None:
        """Drop what `offsets.retention.minutes` has made of offsets, and groups that have nothing left."""
        retention_ms = self._context.settings.offsets_retention_ms
        for group_id, group in list(self.groups.items()):
            expiry = expiry_of(group)
            if expiry is None:
                continue
            nothing_left = self.offsets.expire(turn, group_id, expiry, turn.now_ms, retention_ms)
            if nothing_left and group.is_empty:
                self._bury(turn, group)

    # Groups as wholes.

    def delete_group(self, turn: Turn, group_id: str) -> None:
        """Remove a group without members, and its offsets. Raises WireError."""
        group = self.groups.get(group_id)
        if group is None:
            raise WireError(errors.GROUP_ID_NOT_FOUND, f"Group {group_id} not found.")
        if not group.is_empty:
            raise WireError(errors.NON_EMPTY_GROUP)
        self.offsets.drop_group(turn, group_id)
        self._bury(turn, group)

    def _bury(self, turn: Turn, group: Group) -> None:
        """Tombstones for the group itself; its offsets stay."""
        del self.groups[group.group_id]
        if isinstance(group, ConsumerGroup):
            consumer_records.tombstones(turn, group)
        else:
            self._rounds.dissolve(turn, group, errors.UNKNOWN_MEMBER_ID)
            turn.append(GroupMetadataKey(group.group_id))

    # The log.

    def names(self) -> list[str]:
        """Everything that has records here, by group."""
        return list(dict.fromkeys((*self.groups, *self.offsets.by_group)))

    def records_of(self, group_id: str) -> Iterator[Entry]:
        """Records that make the group and its offsets what they are, apart from undecided transactions."""
        turn = Turn(0)
        group = self.groups.get(group_id)
        if isinstance(group, ConsumerGroup):
            consumer_records.everything(turn, group)
        elif group is not None and group.written is not None:
            turn.append(GroupMetadataKey(group_id), group.written)
        yield from turn.entries
        yield from self.offsets.records_of(group_id)


def difference(live: Shard, loaded: Shard) -> list[str]:
    """What the log would not bring back, in sentences; empty when replay equals live state."""
    compared: list[tuple[str, object, object]] = [("records of other kinds", live.kept, loaded.kept)]
    for group_id in sorted(live.groups.keys() | loaded.groups.keys()):
        ours, theirs = _durable(live.groups.get(group_id)), _durable(loaded.groups.get(group_id))
        compared.append((f"group {group_id}", ours, theirs))
    compared.extend(
        (f"offsets of {group_id}", live.offsets.of(group_id), loaded.offsets.of(group_id))
        for group_id in sorted(live.offsets.by_group.keys() | loaded.offsets.by_group.keys())
    )
    return [f"{what}: {ours}, and would be {theirs}" for what, ours, theirs in compared if ours != theirs]


def _durable(group: Group | None) -> object:
    """What records say of a group."""
    if group is None:
        return None
    if isinstance(group, ClassicGroup):
        if group.state in (State.STABLE, State.EMPTY) and group.written is not None:
            assert group.written == group.stored(), f"{group.group_id} was changed without a record"
        return ("classic", group.written)
    named = (group.static, group.targets, group.regexes, group.owners)
    epochs = (group.epoch, group.metadata_hash, group.assignment_epoch, group.assignment_timestamp)
    return ("consumer", group.members, named, epochs)


def _check_group_id(group_id: str) -> None:
    if not group_id:
        raise WireError(errors.INVALID_GROUP_ID)


def _consumer(group: Group | None, group_id: str) -> ConsumerGroup:
    if group is None:
        raise WireError(errors.GROUP_ID_NOT_FOUND, f"Group {group_id} not found.")
    if isinstance(group, ClassicGroup):
        raise WireError(errors.GROUP_ID_NOT_FOUND, f"Group {group_id} is not a consumer group.")
    return group
