"""Rounds of a classic group: joins are gathered, a generation begins, the leader's division is handed out.

`classic.py` tells the story and holds the state; here are the events that move it: a join, a sync, a heartbeat, members
leaving, and three kinds of deadlines (a session, the end of a join phase, the end of a sync phase). Every event leaves
its records and answers in the turn. The turn's answers leave only when its records are durable, so the group may go to
Stable at once when the leader's division arrives; nobody learns of it too early.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from logctl.engine.broker.groups.classic import ClassicGroup, ClassicMember, State, protocols_of
from logctl.engine.broker.groups.context import Context
from logctl.engine.broker.groups.names import classic_member_id
from logctl.engine.broker.groups.settings import NEW_MEMBER_JOIN_TIMEOUT_MS
from logctl.engine.broker.groups.timers import Timer
from logctl.engine.broker.groups.turn import Caller, Reply, Turn
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.join_group import JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember
from logctl.wire.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberIdentity, MemberResponse
from logctl.wire.messages.sync_group import SyncGroupRequest, SyncGroupResponse
from logctl.wire.stored.group_metadata import GroupMetadataKey

FIRST_VERSION_WITH_MEMBER_ID_FIRST: Final = 4
"""From this JoinGroup version on a new dynamic member is told its id and has to join again with it (KIP-394)."""
FIRST_VERSION_WITH_SKIP_ASSIGNMENT: Final = 9


def join_failure(code: int, member_id: str = "") -> JoinGroupResponse:
    return JoinGroupResponse(error_code=code, member_id=member_id, protocol_name=None)


class Rounds:
    """The events of classic groups."""

    def __init__(self, context: Context) -> None:
        self._context = context

    # Joining.

    def join(self, turn: Turn, group: ClassicGroup, caller: Caller, request: JoinGroupRequest, reply: Reply) -> None:
        """A member, new or known, wants to be in the next generation."""
        if not group.has_room(request.member_id, self._context.settings.classic_max_size):
            group.remove(request.member_id)
            turn.answer(reply, join_failure(errors.GROUP_MAX_SIZE_REACHED))
        elif not group.supports(request.protocol_type, [protocol.name for protocol in request.protocols]):
            turn.answer(reply, join_failure(errors.INCONSISTENT_GROUP_PROTOCOL, request.member_id))
        elif request.member_id:
            self._join_with_id(turn, group, caller, request, reply)
        elif request.group_instance_id is not None:
            self._join_static(turn, group, caller, request, reply)
        else:
            self._join_dynamic(turn, group, caller, request, reply)

    def _join_dynamic(
        self, turn: Turn, group: ClassicGroup, caller: Caller, request: JoinGroupRequest, reply: Reply
    ) -> None:
        member_id = classic_member_id(caller.client_id, self._context.fresh_id())
        if caller.version < FIRST_VERSION_WITH_MEMBER_ID_FIRST:
            self._add(turn, group, caller, request, member_id, reply)
            return
        timer = group.pending[member_id] = Timer(self._pending_over, group, member_id)
        self._context.timers.start(timer, turn.now_ms, request.session_timeout_ms)
        turn.answer(reply, join_failure(errors.MEMBER_ID_REQUIRED, member_id))

    def _join_static(
        self, turn: Turn, group: ClassicGroup, caller: Caller, request: JoinGroupRequest, reply: Reply
    ) -> None:
        instance_id = request.group_instance_id
        assert instance_id is not None
        member_id = classic_member_id(instance_id, self._context.fresh_id())
        if instance_id in group.static:
            self._exchange_static(turn, group, caller, request, member_id, reply)
        else:
            self._add(turn, group, caller, request, member_id, reply)

    def _join_with_id(
        self, turn: Turn, group: ClassicGroup, caller: Caller, request: JoinGroupRequest, reply: Reply
    ) -> None:
        if request.member_id in group.pending and request.group_instance_id is None:
            self._context.timers.stop(group.pending[request.member_id])
            self._add(turn, group, caller, request, request.member_id, reply)
            return
        try:
            member = group.member(request.member_id, request.group_instance_id)
        except WireError as error:
            turn.answer(reply, join_failure(error.code, request.member_id))
            return
        changed = member.protocols != protocols_of(request)
        leader_again = group.state is State.STABLE and group.leader == member.member_id
        if group.is_empty:
            turn.answer(reply, join_failure(errors.UNKNOWN_MEMBER_ID, request.member_id))
        elif group.state is State.PREPARING or changed or leader_again:
            self._update(turn, member, request, reply)
            self._rebalance_or_complete(turn, group)
        else:
            # Nothing is new: its answer was lost, or its topics changed without a change of metadata.
            lists_members = group.state is State.COMPLETING
            turn.answer(reply, self._joined(group, member, lists_members))

    def _add(
        self,
        turn: Turn,
        group: ClassicGroup,
        caller: Caller,
        request: JoinGroupRequest,
        member_id: str,
        reply: Reply,
    ) -> None:
        member = ClassicMember(
            member_id,
            request.group_instance_id,
            caller.client_id,
            caller.host,
            _rebalance_timeout_ms(request),
            request.session_timeout_ms,
            protocols_of(request),
        )
        member.is_new = True
        member.joining = reply
        member.session = Timer(self._session_over, group, member)
        if group.state is State.PREPARING and group.previous_state is State.EMPTY:
            group.member_added = True
        group.add(member, request.protocol_type)
        # It has no id to send heartbeats with, so only its join can time out; a client that has gone would stay.
        self._context.timers.start(member.session, turn.now_ms, NEW_MEMBER_JOIN_TIMEOUT_MS)
        self._rebalance_or_complete(turn, group)

    def _update(self, turn: Turn, member: ClassicMember, request: JoinGroupRequest, reply: Reply) -> None:
        member.protocols = protocols_of(request)
        member.rebalance_timeout_ms = _rebalance_timeout_ms(request)
        member.session_timeout_ms = request.session_timeout_ms
        member.joining = reply

    def _exchange_static(
        self,
        turn: Turn,
        group: ClassicGroup,
        caller: Caller,
        request: JoinGroupRequest,
        new_id: str,
        reply: Reply,
    ) -> None:
        """A static member is back under a new id. In a stable group whose protocol stays the same it gets its old place
        without a round; whoever waits under the old id is fenced."""
        instance_id = request.group_instance_id
        assert instance_id is not None
        old_leader = group.leader
        member = group.rename_static(instance_id, new_id)
        self._fence_waiting(turn, member)
        self._update(turn, member, request, reply)
        self.expect(turn, group, member)
        keeps_protocol = group.choose_protocol() == group.protocol_name
        if group.state is State.STABLE and keeps_protocol and group.fits_a_record():
            self._back_in_place(turn, group, member, caller, old_leader)
        elif group.state is State.COMPLETING:
            # The leader may have divided for the old id already, and the new one would be left with nothing.
            self.prepare(turn, group)
        else:
            self._rebalance_or_complete(turn, group)

    def _back_in_place(
        self, turn: Turn, group: ClassicGroup, member: ClassicMember, caller: Caller, old_leader: str | None
    ) -> None:
        reply = member.joining
        assert reply is not None
        member.joining = None
        skips = caller.version >= FIRST_VERSION_WITH_SKIP_ASSIGNMENT
        leads = skips and group.leader == member.member_id
        self.store(turn, group)
        response = self._joined(group, member, lists_members=leads)
        response.skip_assignment = leads
        if not skips:
            # Such a client would divide anew if it knew that it leads; the old name keeps it from that.
            response.leader = old_leader or ""
        turn.answer(reply, response)

    def _fence_waiting(self, turn: Turn, member: ClassicMember) -> None:
        if member.joining is not None:
            turn.answer(member.joining, join_failure(errors.FENCED_INSTANCE_ID, member.member_id))
        if member.syncing is not None:
            turn.answer(member.syncing, SyncGroupResponse(error_code=errors.FENCED_INSTANCE_ID))
        member.joining = member.syncing = None

    def _joined(self, group: ClassicGroup, member: ClassicMember, lists_members: bool) -> JoinGroupResponse:
        leads = lists_members and group.leader == member.member_id
        return JoinGroupResponse(
            generation_id=group.generation,
            protocol_type=group.protocol_type,
            protocol_name=group.protocol_name,
            leader=group.leader or "",
            member_id=member.member_id,
            members=[
                JoinGroupResponseMember(one.member_id, one.instance_id, one.metadata(group.protocol_name))
                for one in (group.members.values() if leads else ())
            ],
        )

    # The join phase.

    def _rebalance_or_complete(self, turn: Turn, group: ClassicGroup) -> None:
        if group.state is not State.PREPARING:
            self.prepare(turn, group)
        elif group.all_joined() and group.previous_state is not State.EMPTY:
            self._complete_join(turn, group)

    def prepare(self, turn: Turn, group: ClassicGroup) -> None:
        """Begin a round: everybody is to join again."""
        if group.state is State.COMPLETING:
            self._abandon_syncs(turn, group, errors.REBALANCE_IN_PROGRESS)
        self._stop(group.sync_timer)
        group.not_synced.clear()
        first = group.is_empty
        group.enter(State.PREPARING, turn.now_ms)
        if first:
            delay_ms = self._context.settings.initial_rebalance_delay_ms
            remaining_ms = max(group.rebalance_timeout_ms - delay_ms, 0)
            self._start_join_timer(turn, group, delay_ms, self._first_delay_over, delay_ms, remaining_ms)
        elif group.all_joined():
            self._complete_join(turn, group)
        else:
            self._start_join_timer(turn, group, group.rebalance_timeout_ms, self._join_phase_over)

    def _first_delay_over(self, turn: Turn, group: ClassicGroup, delay_ms: int, remaining_ms: int) -> None:
        """A new group waits a little for more members, and again as long as new ones come, up to their timeout."""
        if not group.member_added or remaining_ms == 0:
            self._complete_join(turn, group)
            return
        group.member_added = False
        next_ms = min(self._context.settings.initial_rebalance_delay_ms, remaining_ms)
        rest_ms = max(remaining_ms - delay_ms, 0)
        self._start_join_timer(turn, group, next_ms, self._first_delay_over, next_ms, rest_ms)

    def _join_phase_over(self, turn: Turn, group: ClassicGroup) -> None:
        self._complete_join(turn, group)

    def _complete_join(self, turn: Turn, group: ClassicGroup) -> None:
        """Go on with whoever has joined. Static members may be away without losing their place."""
        self._stop(group.join_timer)
        for absent in group.not_rejoined():
            if absent.instance_id is None:
                self._stop(absent.session)
                group.remove(absent.member_id)
        if group.members and not group.leader_joined():
            # Only absent static members are left: their sessions decide.
            self._start_join_timer(turn, group, group.rebalance_timeout_ms, self._join_phase_over)
            return
        group.next_generation(turn.now_ms)
        if group.is_empty:
            self.store(turn, group)
        else:
            self._answer_joins(turn, group)

    def _answer_joins(self, turn: Turn, group: ClassicGroup) -> None:
        for member in group.members.values():
            if member.joining is not None:
                turn.answer(member.joining, self._joined(group, member, lists_members=True))
                member.joining = None
            member.is_new = False
            self.expect(turn, group, member)
            group.not_synced[member.member_id] = None
        group.sync_timer = Timer(self._sync_phase_over, group, group.generation)
        self._context.timers.start(group.sync_timer, turn.now_ms, group.rebalance_timeout_ms)

    # The sync phase.

    def sync(self, turn: Turn, group: ClassicGroup, request: SyncGroupRequest, reply: Reply) -> None:
        """A member of the new generation asks for its share; the leader brings everybody's."""
        member = group.member(request.member_id, request.group_instance_id)
        if request.generation_id != group.generation:
            raise WireError(errors.ILLEGAL_GENERATION)
        if _differs(request.protocol_type, group.protocol_type) or _differs(request.protocol_name, group.protocol_name):
            raise WireError(errors.INCONSISTENT_GROUP_PROTOCOL)
        if group.state is State.PREPARING:
            raise WireError(errors.REBALANCE_IN_PROGRESS)
        self._has_synced(group, member.member_id)
        if group.state is State.STABLE:
            turn.answer(reply, self._share(group, member))
            return
        member.syncing = reply
        if group.leader == member.member_id:
            self._hand_out(turn, group, request)

    def _hand_out(self, turn: Turn, group: ClassicGroup, request: SyncGroupRequest) -> None:
        """The leader's division: what it says about strangers is ignored, whom it forgot gets nothing."""
        shares = {share.member_id: bytes(share.assignment) for share in request.assignments}
        for member in group.members.values():
            member.assignment = shares.get(member.member_id, b"")
        if not group.fits_a_record():
            self._abandon_syncs(turn, group, errors.UNKNOWN_SERVER_ERROR)
            self.prepare(turn, group)
            return
        group.enter(State.STABLE, turn.now_ms)
        self.store(turn, group)
        for member in group.members.values():
            if member.syncing is not None:
                turn.answer(member.syncing, self._share(group, member))
                member.syncing = None
                self.expect(turn, group, member)

    def _share(self, group: ClassicGroup, member: ClassicMember) -> SyncGroupResponse:
        return SyncGroupResponse(
            protocol_type=group.protocol_type, protocol_name=group.protocol_name, assignment=member.assignment
        )

    def _has_synced(self, group: ClassicGroup, member_id: str) -> None:
        group.not_synced.pop(member_id, None)
        if not group.not_synced:
            self._stop(group.sync_timer)

    def _sync_phase_over(self, turn: Turn, group: ClassicGroup, generation: int) -> None:
        """Members that joined and then never asked for their share are out."""
        if generation != group.generation or group.state not in (State.COMPLETING, State.STABLE):
            return
        silent = list(group.not_synced)
        for member_id in silent:
            self._stop(group.members[member_id].session)
            group.remove(member_id)
        if silent:
            self.prepare(turn, group)

    def _abandon_syncs(self, turn: Turn, group: ClassicGroup, code: int) -> None:
        for member in group.members.values():
            member.assignment = b""
            if member.syncing is not None:
                turn.answer(member.syncing, SyncGroupResponse(error_code=code))
                member.syncing = None
                self.expect(turn, group, member)

    # Sessions.

    def heartbeat(self, turn: Turn, group: ClassicGroup, member_id: str, instance_id: str | None, epoch: int) -> int:
        """Answers the error code for the member. Raises WireError when it is none."""
        member = group.member(member_id, instance_id)
        if epoch != group.generation:
            raise WireError(errors.ILLEGAL_GENERATION)
        if group.is_empty:
            return errors.UNKNOWN_MEMBER_ID
        if member.session is not None:
            self._context.timers.start(member.session, turn.now_ms, member.session_timeout_ms)
        return errors.REBALANCE_IN_PROGRESS if group.state is State.PREPARING else errors.NONE

    def expect(self, turn: Turn, group: ClassicGroup, member: ClassicMember) -> None:
        """The member's session begins anew."""
        if member.session is None:
            member.session = Timer(self._session_over, group, member)
        self._context.timers.start(member.session, turn.now_ms, member.session_timeout_ms)

    def expect_all(self, turn: Turn, group: ClassicGroup) -> None:
        """All sessions begin: the group was loaded from the log, or has just become a classic one."""
        for member in group.members.values():
            self.expect(turn, group, member)

    def _session_over(self, turn: Turn, group: ClassicGroup, member: ClassicMember) -> None:
        if group.members.get(member.member_id) is member and not member.is_alive():
            self._remove(turn, group, member)
            self._after_departure(turn, group)

    def _pending_over(self, turn: Turn, group: ClassicGroup, member_id: str) -> None:
        group.remove(member_id)
        if group.state is State.PREPARING:
            self._after_departure(turn, group)

    def _remove(self, turn: Turn, group: ClassicGroup, member: ClassicMember) -> None:
        self._stop(member.session)
        if member.joining is not None:
            turn.answer(member.joining, join_failure(errors.UNKNOWN_MEMBER_ID))
        if member.syncing is not None:
            turn.answer(member.syncing, SyncGroupResponse(error_code=errors.UNKNOWN_MEMBER_ID))
        group.remove(member.member_id)

    def _after_departure(self, turn: Turn, group: ClassicGroup) -> None:
        if group.state in (State.STABLE, State.COMPLETING):
            self.prepare(turn, group)
        elif group.state is State.PREPARING and group.all_joined():
            self._complete_join(turn, group)

    # Leaving.

    def leave(self, turn: Turn, group: ClassicGroup, request: LeaveGroupRequest) -> LeaveGroupResponse:
        """Members leave by themselves, or an administrator removes static ones by their instance id alone."""
        results = [self._leave_one(turn, group, identity) for identity in request.members]
        first_round = group.state is State.PREPARING and group.previous_state is State.EMPTY
        if not first_round and any(result.error_code == errors.NONE for result in results):
            self._after_departure(turn, group)
        return LeaveGroupResponse(members=results)

    def _leave_one(self, turn: Turn, group: ClassicGroup, identity: MemberIdentity) -> MemberResponse:
        result = MemberResponse(identity.member_id, identity.group_instance_id, errors.NONE)
        member_id = identity.member_id
        if not member_id and identity.group_instance_id is not None:
            member_id = group.static.get(identity.group_instance_id, "")
        if member_id in group.pending:
            self._stop(group.pending[member_id])
            group.remove(member_id)
            return result
        try:
            member = group.member(member_id, identity.group_instance_id)
        except WireError as error:
            result.error_code = error.code
            return result
        self._remove(turn, group, member)
        return result

    # Shared.

    def store(self, turn: Turn, group: ClassicGroup) -> None:
        group.written = group.stored()
        turn.append(GroupMetadataKey(group.group_id), group.written)

    def dissolve(self, turn: Turn, group: ClassicGroup, code: int) -> None:
        """The group is to be something else, or is unloaded: nobody waits any longer, no deadline remains."""
        for member in group.members.values():
            if member.joining is not None:
                turn.answer(member.joining, join_failure(code, member.member_id))
            if member.syncing is not None:
                turn.answer(member.syncing, SyncGroupResponse(error_code=code))
            member.joining = member.syncing = None
        self._stop_all(group.timers())

    def _start_join_timer(self, turn: Turn, group: ClassicGroup, delay_ms: int, act: object, *more: int) -> None:
        self._stop(group.join_timer)
        assert callable(act)
        group.join_timer = Timer(act, group, *more)
        self._context.timers.start(group.join_timer, turn.now_ms, delay_ms)

    def _stop(self, timer: Timer | None) -> None:
        if timer is not None:
            self._context.timers.stop(timer)

    def _stop_all(self, timers: Iterable[Timer]) -> None:
        for timer in timers:
            self._context.timers.stop(timer)


def _differs(said: str | None, known: str | None) -> bool:
    return said is not None and known is not None and said != known


def _rebalance_timeout_ms(request: JoinGroupRequest) -> int:
    """Version 0 has no timeout of its own for rebalances."""
    return request.session_timeout_ms if request.rebalance_timeout_ms < 0 else request.rebalance_timeout_ms
