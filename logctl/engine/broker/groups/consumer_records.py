"""Records of consumer groups: how each changes the group, and the verbs that write them.

A verb puts its record into the turn and replays it at once, so that what follows in the same step sees it, and so that
live state cannot be anything but what a reload would make of the same records.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from logctl.engine.broker.groups.consumer import ConsumerGroup, Member, ResolvedRegex, Target, target_value
from logctl.engine.broker.groups.turn import Entry, Turn
from logctl.wire.schema import Message
from logctl.wire.stored.consumer_group_current_member_assignment import ConsumerGroupCurrentMemberAssignmentKey
from logctl.wire.stored.consumer_group_member_metadata import ConsumerGroupMemberMetadataKey
from logctl.wire.stored.consumer_group_metadata import ConsumerGroupMetadataKey, ConsumerGroupMetadataValue
from logctl.wire.stored.consumer_group_partition_metadata import ConsumerGroupPartitionMetadataKey
from logctl.wire.stored.consumer_group_regular_expression import ConsumerGroupRegularExpressionKey
from logctl.wire.stored.consumer_group_target_assignment_member import ConsumerGroupTargetAssignmentMemberKey
from logctl.wire.stored.consumer_group_target_assignment_metadata import (
    ConsumerGroupTargetAssignmentMetadataKey,
    ConsumerGroupTargetAssignmentMetadataValue,
)


def replay(group: ConsumerGroup, entry: Entry) -> None:
    """Take one record into the group. Its own tombstone (of ConsumerGroupMetadata) is the caller's affair."""
    _RULES[type(entry.key)](group, entry.key, entry.value)


def _replay_metadata(group: ConsumerGroup, _key: Any, value: Any) -> None:
    group.epoch, group.metadata_hash = value.epoch, value.metadata_hash


def _replay_partition_metadata(group: ConsumerGroup, _key: Any, value: Any) -> None:
    """Written up to Apache Kafka 4.0 in place of the hash; remembered only so that it can be removed."""
    group.has_partition_metadata = value is not None


def _replay_member(group: ConsumerGroup, key: Any, value: Any) -> None:
    if value is None:
        group.drop_member(key.member_id)
    else:
        group.put_member(_known(group, key.member_id).with_description(value))


def _replay_whereabouts(group: ConsumerGroup, key: Any, value: Any) -> None:
    if value is not None:
        group.put_member(_known(group, key.member_id).with_whereabouts(value))
    elif key.member_id in group.members:
        group.put_member(group.members[key.member_id].without_whereabouts())


def _replay_target_epoch(group: ConsumerGroup, _key: Any, value: Any) -> None:
    group.assignment_epoch = -1 if value is None else value.assignment_epoch
    group.assignment_timestamp = 0 if value is None else value.assignment_timestamp


def _replay_target(group: ConsumerGroup, key: Any, value: Any) -> None:
    if value is None:
        group.targets.pop(key.member_id, None)
    else:
        group.targets[key.member_id] = {one.topic_id: frozenset(one.partitions) for one in value.topic_partitions}


def _replay_regex(group: ConsumerGroup, key: Any, value: Any) -> None:
    if value is None:
        group.regexes.pop(key.regular_expression, None)
    else:
        resolved = ResolvedRegex(frozenset(value.topics), value.version, value.timestamp)
        group.regexes[key.regular_expression] = resolved


def _known(group: ConsumerGroup, member_id: str) -> Member:
    return group.members.get(member_id) or Member(member_id)


_RULES: Final[dict[type[Message], Callable[[ConsumerGroup, Any, Any], None]]] = {
    ConsumerGroupMetadataKey: _replay_metadata,
    ConsumerGroupPartitionMetadataKey: _replay_partition_metadata,
    ConsumerGroupMemberMetadataKey: _replay_member,
    ConsumerGroupTargetAssignmentMetadataKey: _replay_target_epoch,
    ConsumerGroupTargetAssignmentMemberKey: _replay_target,
    ConsumerGroupCurrentMemberAssignmentKey: _replay_whereabouts,
    ConsumerGroupRegularExpressionKey: _replay_regex,
}

# Writing.


def _write(turn: Turn, group: ConsumerGroup, key: Message, value: Message | None) -> None:
    turn.append(key, value)
    replay(group, turn.entries[-1])


def put_description(turn: Turn, group: ConsumerGroup, member: Member) -> None:
    """Who the member is and what it reads. Of `member` only that is written."""
    _write(turn, group, ConsumerGroupMemberMetadataKey(group.group_id, member.member_id), member.described())


def put_whereabouts(turn: Turn, group: ConsumerGroup, member: Member) -> None:
    """What the member has and how far it has come. Of `member` only that is written."""
    key = ConsumerGroupCurrentMemberAssignmentKey(group.group_id, member.member_id)
    _write(turn, group, key, member.whereabouts())


def put_epoch(turn: Turn, group: ConsumerGroup, epoch: int, metadata_hash: int) -> None:
    key = ConsumerGroupMetadataKey(group.group_id)
    _write(turn, group, key, ConsumerGroupMetadataValue(epoch, metadata_hash))


def put_target(turn: Turn, group: ConsumerGroup, member_id: str, target: Target) -> None:
    key = ConsumerGroupTargetAssignmentMemberKey(group.group_id, member_id)
    _write(turn, group, key, target_value(target))


def put_target_epoch(turn: Turn, group: ConsumerGroup, epoch: int, timestamp: int) -> None:
    key = ConsumerGroupTargetAssignmentMetadataKey(group.group_id)
    _write(turn, group, key, ConsumerGroupTargetAssignmentMetadataValue(epoch, timestamp))


def put_regex(turn: Turn, group: ConsumerGroup, regex: str, resolved: ResolvedRegex) -> None:
    _write(turn, group, ConsumerGroupRegularExpressionKey(group.group_id, regex), resolved.value())


def drop_regex(turn: Turn, group: ConsumerGroup, regex: str) -> None:
    _write(turn, group, ConsumerGroupRegularExpressionKey(group.group_id, regex), None)


def drop_partition_metadata(turn: Turn, group: ConsumerGroup) -> None:
    _write(turn, group, ConsumerGroupPartitionMetadataKey(group.group_id), None)


def drop_member(turn: Turn, group: ConsumerGroup, member_id: str) -> None:
    """Everything about the member, what depends on it first."""
    _write(turn, group, ConsumerGroupCurrentMemberAssignmentKey(group.group_id, member_id), None)
    _write(turn, group, ConsumerGroupTargetAssignmentMemberKey(group.group_id, member_id), None)
    _write(turn, group, ConsumerGroupMemberMetadataKey(group.group_id, member_id), None)


def tombstones(turn: Turn, group: ConsumerGroup) -> None:
    """Records that remove the group with everything in it; the state is left alone."""
    group_id = group.group_id
    for member_id in group.members:
        turn.append(ConsumerGroupCurrentMemberAssignmentKey(group_id, member_id))
    for member_id in dict.fromkeys((*group.members, *group.targets)):
        turn.append(ConsumerGroupTargetAssignmentMemberKey(group_id, member_id))
    turn.append(ConsumerGroupTargetAssignmentMetadataKey(group_id))
    for member_id in group.members:
        turn.append(ConsumerGroupMemberMetadataKey(group_id, member_id))
    if group.has_partition_metadata:
        turn.append(ConsumerGroupPartitionMetadataKey(group_id))
    for regex in group.regexes:
        turn.append(ConsumerGroupRegularExpressionKey(group_id, regex))
    turn.append(ConsumerGroupMetadataKey(group_id))


def everything(turn: Turn, group: ConsumerGroup) -> None:
    """Records that make the group what it is; the state is left alone."""
    group_id = group.group_id
    for member in group.members.values():
        turn.append(ConsumerGroupMemberMetadataKey(group_id, member.member_id), member.described())
    turn.append(ConsumerGroupMetadataKey(group_id), ConsumerGroupMetadataValue(group.epoch, group.metadata_hash))
    for member_id, target in group.targets.items():
        turn.append(ConsumerGroupTargetAssignmentMemberKey(group_id, member_id), target_value(target))
    turn.append(
        ConsumerGroupTargetAssignmentMetadataKey(group_id),
        ConsumerGroupTargetAssignmentMetadataValue(group.assignment_epoch, group.assignment_timestamp),
    )
    for regex, resolved in group.regexes.items():
        turn.append(ConsumerGroupRegularExpressionKey(group_id, regex), resolved.value())
    for member in group.members.values():
        turn.append(ConsumerGroupCurrentMemberAssignmentKey(group_id, member.member_id), member.whereabouts())
