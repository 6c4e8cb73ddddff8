"""The heartbeat of the consumer protocol: joining, being told what to have, saying what one has, leaving.

One heartbeat does at most this: take in what the member says of itself; raise the group epoch if that changes the
division; compute a target if it is time; move this one member a step towards its target; answer with what it now has.
Nobody is told anything except in the answer to their own heartbeat.

Member epochs in requests: 0 joins, -1 leaves, -2 is a static member that will be back. A member whose epoch is not the
one we know is fenced and starts anew from 0, except that the epoch before is accepted while what the member says it
owns is part of what it was given: our last answer was lost.

A steady heartbeat changes nothing and costs a few comparisons and one assignment (`_is_steady`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from logctl.engine.broker.groups import consumer_records as records
from logctl.engine.broker.groups.consumer import (
    LEAVING_EPOCH,
    STATIC_LEAVING_EPOCH,
    UNREVOKED,
    Assigned,
    ConsumerGroup,
    Member,
)
from logctl.engine.broker.groups.context import Context
from logctl.engine.broker.groups.division import Division
from logctl.engine.broker.groups.names import consumer_member_id
from logctl.engine.broker.groups.reconcile import Owned, next_step
from logctl.engine.broker.groups.settings import MOST_RECORD_BYTES
from logctl.engine.broker.groups.timers import Timer
from logctl.engine.broker.groups.turn import Caller, Turn
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.consumer_group_heartbeat import (
    Assignment,
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    ConsumerGroupHeartbeatResponseTopicPartitions,
)

if TYPE_CHECKING:
    from logctl.engine.broker.groups.migration import Migration


def check_request(request: ConsumerGroupHeartbeatRequest, version: int, assignors: tuple[str, ...]) -> None:
    """What can be said against a request without looking at the group. Raises WireError."""
    joins = request.member_epoch == 0
    if not request.member_id and (version >= 1 or request.member_epoch > 0 or request.member_epoch == LEAVING_EPOCH):
        _refuse("MemberId can't be empty.")
    for name, text in (
        ("GroupId", request.group_id),
        ("InstanceId", request.instance_id),
        ("RackId", request.rack_id),
    ):
        if text is not None and not text.strip():
            _refuse(f"{name} can't be empty.")
    if joins and request.rebalance_timeout_ms == -1:
        _refuse("RebalanceTimeoutMs must be provided in first request.")
    if joins and request.topic_partitions != []:
        _refuse("TopicPartitions must be empty when (re-)joining.")
    if joins and request.subscribed_topic_names is None and request.subscribed_topic_regex is None:
        _refuse("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.")
    if request.member_epoch == STATIC_LEAVING_EPOCH and request.instance_id is None:
        _refuse("InstanceId can't be null.")
    if request.member_epoch < STATIC_LEAVING_EPOCH:
        _refuse("MemberEpoch is invalid.")
    if sum(map(len, request.subscribed_topic_names or ())) > MOST_RECORD_BYTES:
        raise WireError(errors.UNKNOWN_SERVER_ERROR, "The subscription is too large for a record.")
    if request.server_assignor is not None and request.server_assignor not in assignors:
        known = ", ".join(assignors)
        message = f"ServerAssignor {request.server_assignor} is not supported. Supported assignors: {known}."
        raise WireError(errors.UNSUPPORTED_ASSIGNOR, message)


def _refuse(message: str) -> None:
    raise WireError(errors.INVALID_REQUEST, message)


class Heartbeats:
    """The members of consumer groups, coming, staying and going."""

    def __init__(self, context: Context, division: Division) -> None:
        self._context = context
        self._division = division
        self.migration: Migration | None = None

    def beat(
        self, turn: Turn, group: ConsumerGroup, caller: Caller, request: ConsumerGroupHeartbeatRequest
    ) -> ConsumerGroupHeartbeatResponse:
        """A member joins, or says that it is still there. Raises WireError."""
        known = group.members.get(request.member_id)
        if known is not None and self._is_steady(turn, group, known, caller, request):
            self.expect(turn, group, known)
            return self._answer(group, known)
        self.check_room(group, request.member_id)
        found = self._division.check_regex(group, request.subscribed_topic_regex or "")
        before = self._identify(turn, group, request)
        after = self._told(before, caller, request)
        owned = _owned(request)
        changed = self.describe(turn, group, before, after, found)
        self._division.divide(turn, group)
        after = self.reconcile(turn, group, after.member_id, changed, owned)
        self.expect(turn, group, after)
        response = self._answer(group, after)
        if request.member_epoch == 0 or _is_full(request) or after.assigned != before.assigned:
            response.assignment = _assignment(after.assigned)
        return response

    def _is_steady(
        self, turn: Turn, group: ConsumerGroup, member: Member, caller: Caller, request: ConsumerGroupHeartbeatRequest
    ) -> bool:
        """Whether this heartbeat says nothing new to a member that is where it is meant to be."""
        return (
            request.member_epoch == member.epoch == group.assignment_epoch == group.epoch
            and member.state == 0
            and request.subscribed_topic_names is None
            and request.subscribed_topic_regex is None
            and request.topic_partitions is None
            and request.server_assignor is None
            and request.rack_id is None
            and request.rebalance_timeout_ms in (-1, member.rebalance_timeout_ms)
            and request.instance_id == member.instance_id
            and member.classic is None
            and turn.now_ms < group.refresh_at_ms
            and not group.regexes
            and caller.client_id == member.client_id
            and caller.host == member.client_host
        )

    def check_room(self, group: ConsumerGroup, member_id: str) -> None:
        most = self._context.settings.consumer_max_size
        if len(group.members) >= most and member_id not in group.members:
            message = f"The consumer group has reached its maximum capacity of {most} members."
            raise WireError(errors.GROUP_MAX_SIZE_REACHED, message)

    # Who speaks.

    def _identify(self, turn: Turn, group: ConsumerGroup, request: ConsumerGroupHeartbeatRequest) -> Member:
        """The member as it was known. A new one is at epoch 0 and not in the group yet."""
        joins = request.member_epoch == 0
        member_id = request.member_id or consumer_member_id(self._context.fresh_id())
        if request.instance_id is not None:
            return self._identify_static(turn, group, member_id, joins, request)
        member = (group.members.get(member_id) or Member(member_id)) if joins else group.member(member_id)
        _check_epoch(member, request)
        return member

    def _identify_static(
        self,
        turn: Turn,
        group: ConsumerGroup,
        member_id: str,
        joins: bool,
        request: ConsumerGroupHeartbeatRequest,
    ) -> Member:
        assert request.instance_id is not None
        existing = group.static_member(request.instance_id)
        if not joins:
            existing = self.static_member(group, request.instance_id, member_id)
            _check_epoch(existing, request)
            return existing
        if existing is None:
            return group.members.get(member_id) or Member(member_id)
        if existing.classic is None and existing.epoch != STATIC_LEAVING_EPOCH:
            message = (
                f"Static member {member_id} with instance id {request.instance_id} cannot join the group because the "
                f"instance id is in use by member {existing.member_id}."
            )
            raise WireError(errors.UNRELEASED_INSTANCE_ID, message)
        return self.succeed(turn, group, existing, member_id)

    def static_member(self, group: ConsumerGroup, instance_id: str, member_id: str) -> Member:
        """The static member, if it is the one that speaks. Raises WireError."""
        existing = group.static_member(instance_id)
        if existing is None:
            raise WireError(errors.UNKNOWN_MEMBER_ID, f"Instance id {instance_id} is unknown.")
        if existing.member_id != member_id:
            message = f"Instance id {instance_id} is in use by another member than {member_id}."
            raise WireError(errors.FENCED_INSTANCE_ID, message)
        return existing

    def succeed(self, turn: Turn, group: ConsumerGroup, former: Member, member_id: str) -> Member:
        """A static member comes back under a new member id and takes its old place with all that belongs to it."""
        target = group.target_of(former.member_id)
        for timer in group.forget_timers(former.member_id):
            self._context.timers.stop(timer)
        records.drop_member(turn, group, former.member_id)
        member = replace(former, member_id=member_id, epoch=0, previous_epoch=0)
        records.put_description(turn, group, member)
        records.put_target(turn, group, member_id, target)
        records.put_whereabouts(turn, group, member)
        return group.members[member_id]

    # What it says.

    def _told(self, member: Member, caller: Caller, request: ConsumerGroupHeartbeatRequest) -> Member:
        names = request.subscribed_topic_names
        regex = request.subscribed_topic_regex
        timeout_ms = request.rebalance_timeout_ms
        return replace(
            member,
            instance_id=member.instance_id if request.instance_id is None else request.instance_id,
            rack_id=member.rack_id if request.rack_id is None else request.rack_id,
            client_id=caller.client_id,
            client_host=caller.host,
            topics=member.topics if names is None else tuple(sorted(set(names))),
            regex=member.regex if regex is None else regex,
            rebalance_timeout_ms=member.rebalance_timeout_ms if timeout_ms == -1 else timeout_ms,
            server_assignor=request.server_assignor or member.server_assignor,
            classic=None,
        )

    def describe(
        self, turn: Turn, group: ConsumerGroup, before: Member, after: Member, found: dict[str, frozenset[str]]
    ) -> bool:
        """Take in what a member says of itself, with what follows for patterns and the group epoch. `found`: what a
        pattern that is new to the group matches. Answers whether the member reads other topics now."""
        is_new = after.member_id not in group.members
        if is_new or after != before:
            records.put_description(turn, group, after)
        changed = is_new or after.topics != before.topics or after.regex != before.regex
        bump = changed
        if after.regex != before.regex:
            self._division.drop_unread_regexes(turn, group)
        self._division.put_resolved(turn, group, found)
        bump |= self._division.refresh_regexes(turn, group)
        self._division.refresh(turn, group, bump)
        return changed

    def reconcile(self, turn: Turn, group: ConsumerGroup, member_id: str, changed: bool, owned: Owned) -> Member:
        """One step of the member towards its target."""
        member = group.members[member_id]
        if not changed and member.has_reached(group.assignment_epoch):
            return member
        topics = self._division.topic_ids(group, member)
        step = next_step(
            member,
            group.assignment_epoch,
            group.target_of(member_id),
            subscription_changed=changed,
            reads=topics.__contains__,
            is_owned=group.is_owned,
            owned=owned,
        )
        if step == member:
            return member
        records.put_whereabouts(turn, group, step)
        if step.classic is None:
            self._time_revocation(turn, group, step)
        return group.members[member_id]

    # Deadlines.

    def expect(self, turn: Turn, group: ConsumerGroup, member: Member) -> None:
        """The member's session begins anew. One that speaks the classic protocol brought its own timeout."""
        session = group.sessions.get(member.member_id)
        if session is None:
            session = group.sessions[member.member_id] = Timer(self._session_over, group, member.member_id)
        if member.classic is not None:
            timeout_ms = member.classic.session_timeout_ms
        else:
            timeout_ms = self._context.settings.session_timeout_ms(group.group_id)
        self._context.timers.start(session, turn.now_ms, timeout_ms)

    def expect_all(self, turn: Turn, group: ConsumerGroup) -> None:
        """After a load: every session and every revocation begins anew."""
        for member in group.members.values():
            self.expect(turn, group, member)
            if member.classic is None:
                self._time_revocation(turn, group, member)

    def _session_over(self, turn: Turn, group: ConsumerGroup, member_id: str) -> None:
        member = group.members.get(member_id)
        if member is not None:
            self.fence(turn, group, [member])

    def _time_revocation(self, turn: Turn, group: ConsumerGroup, member: Member) -> None:
        running = group.rebalances.pop(member.member_id, None)
        if running is not None:
            self._context.timers.stop(running)
        if member.state == UNREVOKED:
            timer = group.rebalances[member.member_id] = Timer(
                self._revocation_over, group, member.member_id, member.epoch
            )
            self._context.timers.start(timer, turn.now_ms, max(member.rebalance_timeout_ms, 0))

    def _revocation_over(self, turn: Turn, group: ConsumerGroup, member_id: str, epoch: int) -> None:
        member = group.members.get(member_id)
        if member is not None and member.epoch == epoch and member.state == UNREVOKED:
            self.fence(turn, group, [member])

    # Leaving.

    def leave(
        self, turn: Turn, group: ConsumerGroup, request: ConsumerGroupHeartbeatRequest
    ) -> ConsumerGroupHeartbeatResponse:
        """Epoch -1: gone. Epoch -2: a static member keeps its place for as long as its session lasts."""
        if request.instance_id is None:
            member = group.member(request.member_id)
        else:
            member = self.static_member(group, request.instance_id, request.member_id)
        if request.instance_id is not None and request.member_epoch == STATIC_LEAVING_EPOCH:
            records.put_whereabouts(turn, group, replace(member, epoch=STATIC_LEAVING_EPOCH, revoking={}))
        else:
            self.fence(turn, group, [member])
        return ConsumerGroupHeartbeatResponse(member_id=member.member_id, member_epoch=request.member_epoch)

    def fence(self, turn: Turn, group: ConsumerGroup, members: Iterable[Member]) -> None:
        """Members are out: by their own wish, or because they were silent or did not give up what they had to. If only
        classic members are left the group becomes a classic one (see `migration.py`)."""
        gone = list(members)
        if not gone:
            return
        for member in gone:
            for timer in group.forget_timers(member.member_id):
                self._context.timers.stop(timer)
        assert self.migration is not None
        if self.migration.may_downgrade(group, gone):
            self.migration.downgrade(turn, group, gone)
            return
        for member in gone:
            records.drop_member(turn, group, member.member_id)
        self._division.drop_unread_regexes(turn, group)
        records.put_epoch(turn, group, group.epoch + 1, self._division.metadata_hash(group))

    def _answer(self, group: ConsumerGroup, member: Member) -> ConsumerGroupHeartbeatResponse:
        return ConsumerGroupHeartbeatResponse(
            member_id=member.member_id,
            member_epoch=member.epoch,
            heartbeat_interval_ms=self._context.settings.heartbeat_interval_ms(group.group_id),
        )


def _check_epoch(member: Member, request: ConsumerGroupHeartbeatRequest) -> None:
    said, known = request.member_epoch, member.epoch
    if said in (0, known):
        return
    if said < known and said == member.previous_epoch and member.owns_only(_owned(request)):
        return
    message = (
        f"The member has epoch {said}, the coordinator knows it at {known}. "
        "The member must give up all its partitions and join again."
    )
    raise WireError(errors.FENCED_MEMBER_EPOCH, message)


def _owned(request: ConsumerGroupHeartbeatRequest) -> Owned:
    if request.topic_partitions is None:
        return None
    return [(entry.topic_id, entry.partitions) for entry in request.topic_partitions]


def _is_full(request: ConsumerGroupHeartbeatRequest) -> bool:
    """A request with everything in it wants everything in the answer."""
    subscribes = request.subscribed_topic_names is not None or request.subscribed_topic_regex is not None
    return request.rebalance_timeout_ms != -1 and subscribes and request.topic_partitions is not None


def _assignment(assigned: Assigned) -> Assignment:
    return Assignment(
        [
            ConsumerGroupHeartbeatResponseTopicPartitions(topic_id, sorted(parts))
            for topic_id, parts in sorted(assigned.items())
        ]
    )
