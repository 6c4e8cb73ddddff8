"""A live group changes its kind (KIP-848): classic to consumer when the first member speaks the new protocol, and back
when the last of those has gone.

Upward: the classic members are taken over as they are, each with the partitions the last round gave it, at an epoch
equal to the generation; they learn of the change by REBALANCE_IN_PROGRESS and join again, now served by
`consumer_classic.py`. Only consumers can be taken over, because what is divided must be understood: an embedded
protocol that cannot be read, or user data of a custom assignor in the assignment (which would be lost), forbids it.

Downward: what every member has becomes its assignment in the classic form, the group epoch its generation, and a round
begins.

Both write tombstones for all that was, and then the group anew; offsets are not touched.
"""

from __future__ import annotations

from collections.abc import Iterable

from logctl.engine.broker.groups import consumer_records as records
from logctl.engine.broker.groups import subscription
from logctl.engine.broker.groups.classic import CONSUMER, ClassicGroup, ClassicMember, State
from logctl.engine.broker.groups.consumer import Assigned, ClassicSide, ConsumerGroup, Member
from logctl.engine.broker.groups.consumer_heartbeat import Heartbeats
from logctl.engine.broker.groups.context import Context
from logctl.engine.broker.groups.division import Division
from logctl.engine.broker.groups.rounds import Rounds
from logctl.engine.broker.groups.turn import Turn
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.primitives import MalformedMessage
from logctl.wire.stored.consumer_protocol_assignment import ConsumerProtocolAssignment, TopicPartition
from logctl.wire.stored.group_metadata import GroupMetadataKey


class Migration:
    """Both ways between the kinds."""

    def __init__(self, context: Context, rounds: Rounds, heartbeats: Heartbeats, division: Division) -> None:
        self._context = context
        self._rounds = rounds
        self._heartbeats = heartbeats
        self._division = division

    # Upward.

    def upgrade(self, turn: Turn, classic: ClassicGroup) -> ConsumerGroup:
        """The same group as a consumer group. Raises WireError GROUP_ID_NOT_FOUND when it cannot become one."""
        self._check_upgrade(classic)
        group = self._taken_over(classic)
        self._rounds.dissolve(turn, classic, errors.REBALANCE_IN_PROGRESS)
        turn.append(GroupMetadataKey(classic.group_id))
        group.metadata_hash = self._division.metadata_hash(group)
        records.everything(turn, group)
        self._context.groups[group.group_id] = group
        for member in group.members.values():
            self._heartbeats.expect(turn, group, member)
        return group

    def _check_upgrade(self, classic: ClassicGroup) -> None:
        settings = self._context.settings
        if not settings.may_upgrade:
            raise _cannot_upgrade(classic, "online upgrade is disabled")
        if not classic.uses_consumer_protocol():
            raise _cannot_upgrade(classic, "the group does not use the consumer embedded protocol")
        if len(classic.members) > settings.consumer_max_size:
            raise _cannot_upgrade(classic, "the group size exceeds the consumer group maximum size")

    def _taken_over(self, classic: ClassicGroup) -> ConsumerGroup:
        group = ConsumerGroup(classic.group_id)
        group.epoch = group.assignment_epoch = classic.generation
        try:
            for former in classic.members.values():
                member = self._member_of(classic, former)
                group.put_member(member)
                group.targets[member.member_id] = {topic: frozenset(parts) for topic, parts in member.assigned.items()}
        except MalformedMessage:
            raise _cannot_upgrade(classic, "the embedded consumer protocol is malformed") from None
        return group

    def _member_of(self, classic: ClassicGroup, former: ClassicMember) -> Member:
        metadata = former.metadata(classic.protocol_name) or former.protocols[0][1]
        told = subscription.read_subscription(metadata)
        return Member(
            former.member_id,
            epoch=classic.generation,
            previous_epoch=classic.generation,
            instance_id=former.instance_id,
            rack_id=told.rack_id,
            client_id=former.client_id,
            client_host=former.client_host,
            topics=tuple(sorted(set(told.topics))),
            rebalance_timeout_ms=former.rebalance_timeout_ms,
            assigned=self._assigned(classic, former),
            classic=ClassicSide(former.session_timeout_ms, former.protocols),
        )

    def _assigned(self, classic: ClassicGroup, former: ClassicMember) -> Assigned:
        if not former.assignment:
            return {}
        given = subscription.read_assignment(former.assignment)
        if given.user_data:
            raise _cannot_upgrade(classic, "an unsupported custom assignor is in use")
        topics = self._context.image.topics
        return {
            topics[entry.topic].topic_id: dict.fromkeys(entry.partitions, classic.generation)
            for entry in given.assigned_partitions
            if entry.topic in topics and entry.partitions
        }

    # Downward.

    def may_downgrade(self, group: ConsumerGroup, without: Iterable[Member]) -> bool:
        """Whether all who stay speak the classic protocol, and the operator allows it."""
        gone = {member.member_id for member in without}
        staying = [member for member_id, member in group.members.items() if member_id not in gone]
        settings = self._context.settings
        return (
            bool(staying)
            and all(member.classic is not None for member in staying)
            and settings.may_downgrade
            and len(staying) <= settings.classic_max_size
        )

    def may_become_classic(self, group: ConsumerGroup, replaced: Member) -> bool:
        """Whether it may, once this static member is replaced by one that speaks the classic protocol."""
        others = [member for member in group.members.values() if member is not replaced]
        settings = self._context.settings
        return (
            all(member.classic is not None for member in others)
            and settings.may_downgrade
            and len(group.members) <= settings.classic_max_size
        )

    def downgrade(
        self, turn: Turn, group: ConsumerGroup, gone: Iterable[Member], rebalance: bool = True
    ) -> ClassicGroup:
        """The same group, without those who have gone, as a classic group."""
        left = {member.member_id for member in gone}
        records.tombstones(turn, group)
        for member_id in list(group.members):
            for timer in group.forget_timers(member_id):
                self._context.timers.stop(timer)
        classic = ClassicGroup(group.group_id, turn.now_ms)
        classic.generation = group.epoch
        for member in group.members.values():
            if member.member_id not in left:
                classic.add(_classic_member(member), CONSUMER)
        classic.protocol_name = classic.choose_protocol()
        classic.state = classic.previous_state = State.STABLE
        classic.note_subscriptions()
        for member_id, former in classic.members.items():
            former.assignment = self.assignment_of(group.members[member_id])
        self._context.groups[group.group_id] = classic
        self._rounds.store(turn, classic)
        self._rounds.expect_all(turn, classic)
        if rebalance:
            self._rounds.prepare(turn, classic)
        return classic

    def assignment_of(self, member: Member) -> bytes:
        """What the member has, in the form and version it speaks."""
        assert member.classic is not None
        names = self._context.image.topic_names
        assignment = ConsumerProtocolAssignment(
            [
                TopicPartition(names[topic_id], sorted(parts))
                for topic_id, parts in sorted(member.assigned.items())
                if topic_id in names
            ]
        )
        return subscription.write_assignment(assignment, subscription.version_of(member.classic.protocols[0][1]))


def _classic_member(member: Member) -> ClassicMember:
    assert member.classic is not None
    return ClassicMember(
        member.member_id,
        member.instance_id,
        member.client_id,
        member.client_host,
        member.rebalance_timeout_ms,
        member.classic.session_timeout_ms,
        member.classic.protocols,
    )


def _cannot_upgrade(group: ClassicGroup, reason: str) -> WireError:
    message = f"Cannot upgrade classic group {group.group_id} to consumer group because {reason}."
    return WireError(errors.GROUP_ID_NOT_FOUND, message)
