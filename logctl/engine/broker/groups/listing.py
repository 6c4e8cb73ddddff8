"""Groups as administrators see them: ListGroups, DescribeGroups, ConsumerGroupDescribe. Nothing is changed here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from logctl.engine.broker.groups.classic import ClassicGroup, ClassicMember, State
from logctl.engine.broker.groups.consumer import ConsumerGroup, Member, Target
from logctl.engine.broker.groups.context import Group
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.consumer_group_describe import Assignment, TopicPartitions
from logctl.wire.messages.consumer_group_describe import DescribedGroup as DescribedConsumerGroup
from logctl.wire.messages.consumer_group_describe import Member as DescribedMember
from logctl.wire.messages.describe_groups import DescribedGroup, DescribedGroupMember
from logctl.wire.messages.list_groups import ListedGroup

CLASSIC_MEMBER: Final = 0
CONSUMER_MEMBER: Final = 1


def listed(group: Group) -> ListedGroup:
    """One line of ListGroups."""
    if isinstance(group, ConsumerGroup):
        return ListedGroup(group.group_id, "consumer", group.state, "consumer")
    return ListedGroup(group.group_id, group.protocol_type or "", group.state.value, "classic")


def described(group: Group | None, group_id: str) -> DescribedGroup:
    """A group of the classic protocol. Raises WireError GROUP_ID_NOT_FOUND for any other."""
    if group is None:
        raise WireError(errors.GROUP_ID_NOT_FOUND, f"Group {group_id} not found.")
    if isinstance(group, ConsumerGroup):
        raise WireError(errors.GROUP_ID_NOT_FOUND, f"Group {group_id} is not a classic group.")
    is_stable = group.state is State.STABLE
    return DescribedGroup(
        group_id=group_id,
        group_state=group.state.value,
        protocol_type=group.protocol_type or "",
        protocol_data=(group.protocol_name or "") if is_stable else "",
        members=[_classic_member(group, member, is_stable) for member in group.members.values()],
    )


def _classic_member(group: ClassicGroup, member: ClassicMember, is_stable: bool) -> DescribedGroupMember:
    """What members read is shown while it is settled; what they have, as long as it was not taken from them."""
    return DescribedGroupMember(
        member.member_id,
        member.instance_id,
        member.client_id,
        member.client_host,
        member.metadata(group.protocol_name) if is_stable else b"",
        member.assignment,
    )


def described_consumer_group(
    group: Group | None, group_id: str, names: Mapping[bytes, str], default_assignor: str
) -> DescribedConsumerGroup:
    """A group of the consumer protocol; `names` are those of topics by id. Raises WireError GROUP_ID_NOT_FOUND."""
    if group is None:
        raise WireError(errors.GROUP_ID_NOT_FOUND, f"Group {group_id} not found.")
    if isinstance(group, ClassicGroup):
        raise WireError(errors.GROUP_ID_NOT_FOUND, f"Group {group_id} is not a consumer group.")
    return DescribedConsumerGroup(
        group_id=group_id,
        group_state=group.state,
        group_epoch=group.epoch,
        assignment_epoch=group.assignment_epoch,
        assignor_name=group.assignor(default_assignor),
        members=[_consumer_member(group, member, names) for member in group.members.values()],
    )


def _consumer_member(group: ConsumerGroup, member: Member, names: Mapping[bytes, str]) -> DescribedMember:
    return DescribedMember(
        member_id=member.member_id,
        instance_id=member.instance_id,
        rack_id=member.rack_id,
        member_epoch=member.epoch,
        client_id=member.client_id,
        client_host=member.client_host,
        subscribed_topic_names=list(member.topics),
        subscribed_topic_regex=member.regex,
        assignment=_partitions(member.held, names),
        target_assignment=_partitions(group.target_of(member.member_id), names),
        member_type=CONSUMER_MEMBER if member.classic is None else CLASSIC_MEMBER,
    )


def _partitions(held: Target, names: Mapping[bytes, str]) -> Assignment:
    return Assignment(
        [
            TopicPartitions(topic_id, names[topic_id], sorted(parts))
            for topic_id, parts in sorted(held.items())
            if topic_id in names
        ]
    )
