"""Members that still speak the classic protocol, in a consumer group (KIP-848's migration).

To such a member a group epoch looks like a generation. It learns from a heartbeat that it is time to join again
(REBALANCE_IN_PROGRESS): when the group epoch is ahead of it, when it has to give something up, or when something it
waits for has become free. Its join says what it owns and takes the part of a consumer heartbeat; it is answered at
once, without waiting for the others, with an empty list of members, since it has nothing to divide; its sync fetches
what it has. It must join within its rebalance timeout once told to, and sync within it once joined.

What a consumer of this kind owns is in its subscription metadata from version 1 on; one that does not say (version 0)
revokes everything before it joins, and so owns nothing.
"""

from __future__ import annotations

from dataclasses import replace

from logctl.engine.broker.groups import subscription
from logctl.engine.broker.groups.classic import CONSUMER, protocols_of
from logctl.engine.broker.groups.consumer import UNRELEASED, UNREVOKED, ClassicSide, ConsumerGroup, Member
from logctl.engine.broker.groups.consumer_heartbeat import Heartbeats
from logctl.engine.broker.groups.context import Context
from logctl.engine.broker.groups.division import Division
from logctl.engine.broker.groups.migration import Migration
from logctl.engine.broker.groups.names import consumer_member_id
from logctl.engine.broker.groups.reconcile import Owned
from logctl.engine.broker.groups.rounds import FIRST_VERSION_WITH_MEMBER_ID_FIRST, join_failure
from logctl.engine.broker.groups.timers import Timer
from logctl.engine.broker.groups.turn import Caller, Reply, Turn
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.join_group import JoinGroupRequest, JoinGroupResponse
from logctl.wire.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberIdentity, MemberResponse
from logctl.wire.messages.sync_group import SyncGroupRequest, SyncGroupResponse
from logctl.wire.primitives import MalformedMessage
from logctl.wire.stored.consumer_protocol_subscription import ConsumerProtocolSubscription


class ClassicMembers:
    """Join, sync, heartbeat and leave of classic members of consumer groups."""

    def __init__(self, context: Context, heartbeats: Heartbeats, migration: Migration, division: Division) -> None:
        self._context = context
        self._heartbeats = heartbeats
        self._migration = migration
        self._division = division

    # Joining.

    def join(self, turn: Turn, group: ConsumerGroup, caller: Caller, request: JoinGroupRequest, reply: Reply) -> None:
        """Raises WireError."""
        member_id = request.member_id or consumer_member_id(self._context.fresh_id())
        self._heartbeats.check_room(group, member_id)
        if not group.supports_classic(request.protocol_type, [protocol.name for protocol in request.protocols]):
            raise WireError(errors.INCONSISTENT_GROUP_PROTOCOL)
        told = _subscription(request)
        is_unnamed = not request.member_id and request.group_instance_id is None
        if is_unnamed and caller.version >= FIRST_VERSION_WITH_MEMBER_ID_FIRST:
            turn.answer(reply, join_failure(errors.MEMBER_ID_REQUIRED, member_id))
            return
        existing = group.static_member(request.group_instance_id)
        downgrades = existing is not None and self._migration.may_become_classic(group, existing)
        before = self._identify(turn, group, request, member_id)
        after = self._told(before, caller, request, told)
        changed = self._heartbeats.describe(turn, group, before, after, {})
        if not downgrades:
            self._division.divide(turn, group)
        if not (downgrades and changed):
            after = self._heartbeats.reconcile(turn, group, after.member_id, changed, self._owned(told))
        if downgrades:
            self._migration.downgrade(turn, group, [], rebalance=changed)
        else:
            self._await_sync(turn, group, after)
        turn.answer(reply, self._joined(after, request))

    def _identify(self, turn: Turn, group: ConsumerGroup, request: JoinGroupRequest, member_id: str) -> Member:
        instance_id = request.group_instance_id
        if instance_id is None:
            return group.members.get(member_id) or Member(member_id)
        if request.member_id:
            return self._heartbeats.static_member(group, instance_id, member_id)
        existing = group.static_member(instance_id)
        return Member(member_id) if existing is None else self._heartbeats.succeed(turn, group, existing, member_id)

    def _told(
        self, member: Member, caller: Caller, request: JoinGroupRequest, told: ConsumerProtocolSubscription
    ) -> Member:
        timeout_ms = request.rebalance_timeout_ms
        return replace(
            member,
            instance_id=request.group_instance_id or member.instance_id,
            rack_id=told.rack_id or member.rack_id,
            client_id=caller.client_id,
            client_host=caller.host,
            topics=tuple(sorted(set(told.topics))),
            regex="",
            rebalance_timeout_ms=request.session_timeout_ms if timeout_ms < 0 else timeout_ms,
            classic=ClassicSide(request.session_timeout_ms, protocols_of(request)),
        )

    def _owned(self, told: ConsumerProtocolSubscription) -> Owned:
        topics = self._context.image.topics
        return [
            (topics[entry.topic].topic_id, entry.partitions)
            for entry in told.owned_partitions
            if entry.topic in topics
        ]

    def _joined(self, member: Member, request: JoinGroupRequest) -> JoinGroupResponse:
        return JoinGroupResponse(
            generation_id=member.epoch,
            protocol_type=request.protocol_type,
            protocol_name=request.protocols[0].name,
            member_id=member.member_id,
        )

    # Syncing.

    def sync(self, turn: Turn, group: ConsumerGroup, request: SyncGroupRequest) -> SyncGroupResponse:
        """Raises WireError."""
        member = self._classic(group, request.member_id, request.group_instance_id)
        _check_generation(member, request.generation_id)
        assert member.classic is not None
        name_fits = request.protocol_name in (None, member.classic.protocol)
        if not name_fits or request.protocol_type not in (None, CONSUMER):
            raise WireError(errors.INCONSISTENT_GROUP_PROTOCOL)
        if group.epoch > member.epoch and member.state != UNREVOKED:
            self._await_join(turn, group, member)
            raise WireError(errors.REBALANCE_IN_PROGRESS)
        self._stop(group.syncs.pop(member.member_id, None))
        self._heartbeats.expect(turn, group, member)
        return SyncGroupResponse(
            protocol_type=request.protocol_type,
            protocol_name=request.protocol_name,
            assignment=self._migration.assignment_of(member),
        )

    # Staying.

    def heartbeat(self, turn: Turn, group: ConsumerGroup, member_id: str, instance_id: str | None, epoch: int) -> int:
        """Answers the error code for the member. Raises WireError when it is none."""
        member = self._classic(group, member_id, instance_id)
        _check_generation(member, epoch)
        self._heartbeats.expect(turn, group, member)
        waits_no_longer = member.state == UNRELEASED and not group.waits_for_others(member)
        if member.epoch < group.epoch or member.state == UNREVOKED or waits_no_longer:
            self._await_join(turn, group, member)
            return errors.REBALANCE_IN_PROGRESS
        return errors.NONE

    def _classic(self, group: ConsumerGroup, member_id: str, instance_id: str | None) -> Member:
        if instance_id is None:
            member = group.member(member_id)
        else:
            member = self._heartbeats.static_member(group, instance_id, member_id)
        if member.classic is None:
            raise WireError(errors.UNKNOWN_MEMBER_ID, f"Member {member_id} does not use the classic protocol.")
        return member

    def _await_join(self, turn: Turn, group: ConsumerGroup, member: Member) -> None:
        if member.member_id not in group.joins:
            timer = group.joins[member.member_id] = Timer(self._too_late, group, member.member_id)
            self._context.timers.start(timer, turn.now_ms, member.rebalance_timeout_ms)

    def _await_sync(self, turn: Turn, group: ConsumerGroup, member: Member) -> None:
        self._stop(group.joins.pop(member.member_id, None))
        self._stop(group.syncs.pop(member.member_id, None))
        self._heartbeats.expect(turn, group, member)
        timer = group.syncs[member.member_id] = Timer(self._too_late, group, member.member_id)
        self._context.timers.start(timer, turn.now_ms, member.rebalance_timeout_ms)

    def _too_late(self, turn: Turn, group: ConsumerGroup, member_id: str) -> None:
        member = group.members.get(member_id)
        if member is not None:
            self._heartbeats.fence(turn, group, [member])

    def _stop(self, timer: Timer | None) -> None:
        if timer is not None:
            self._context.timers.stop(timer)

    # Leaving.

    def leave(self, turn: Turn, group: ConsumerGroup, request: LeaveGroupRequest) -> LeaveGroupResponse:
        leaving: dict[str, Member] = {}
        results = [self._leave_one(group, identity, leaving) for identity in request.members]
        self._heartbeats.fence(turn, group, leaving.values())
        return LeaveGroupResponse(members=results)

    def _leave_one(
        self, group: ConsumerGroup, identity: MemberIdentity, leaving: dict[str, Member]
    ) -> MemberResponse:
        result = MemberResponse(identity.member_id, identity.group_instance_id, errors.NONE)
        try:
            member = self._leaver(group, identity)
        except WireError as error:
            result.error_code = error.code
        else:
            leaving[member.member_id] = member
        return result

    def _leaver(self, group: ConsumerGroup, identity: MemberIdentity) -> Member:
        """An administrator may name a static member by its instance id alone."""
        if identity.group_instance_id is None:
            return group.member(identity.member_id)
        existing = group.static_member(identity.group_instance_id)
        if existing is not None and not identity.member_id:
            return existing
        return self._heartbeats.static_member(group, identity.group_instance_id, identity.member_id)


def _subscription(request: JoinGroupRequest) -> ConsumerProtocolSubscription:
    try:
        return subscription.read_subscription(bytes(request.protocols[0].metadata))
    except MalformedMessage:
        raise WireError(errors.INCONSISTENT_GROUP_PROTOCOL, "Malformed embedded consumer protocol.") from None


def _check_generation(member: Member, generation: int) -> None:
    if member.epoch != generation:
        message = f"The generation is {generation}, the member is at {member.epoch}."
        raise WireError(errors.ILLEGAL_GENERATION, message)
