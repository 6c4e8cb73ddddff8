"""ConsumerGroupDescribe (69), versions 0 and 1: groups of the consumer protocol and their members (KIP-848).

Version 1 tells which protocol each member speaks. A group that does not exist, or is none of the consumer protocol, is
GROUP_ID_NOT_FOUND; clients then ask DescribeGroups. Topics that the sender may not describe hide the whole group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.groups.home import Home
from logctl.engine.broker.groups.listing import described_consumer_group
from logctl.engine.broker.groups.reply import Later, answer_when_durable
from logctl.engine.broker.request import PARKED, Answer, Request
from logctl.security.acl import Operation, Resource
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.consumer_group_describe import (
    ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse,
    DescribedGroup,
)

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 69
VERSIONS = (0, 1)


def handle(broker: Broker, request: Request[ConsumerGroupDescribeRequest], now_ms: int) -> Answer:
    homes: list[Home] = []
    groups = [_group(broker, request, group_id, homes) for group_id in request.body.group_ids]
    answer_when_durable(homes, Later(broker, request), ConsumerGroupDescribeResponse(groups=groups), now_ms)
    return PARKED


def _group(
    broker: Broker, request: Request[ConsumerGroupDescribeRequest], group_id: str, homes: list[Home]
) -> DescribedGroup:
    try:
        if not broker.may(request, Operation.DESCRIBE, Resource.GROUP, group_id):
            raise WireError(errors.GROUP_AUTHORIZATION_FAILED)
        if not group_id:
            raise WireError(errors.INVALID_GROUP_ID)
        home = broker.groups.home(group_id)
        homes.append(home)
        names = broker.metadata.image.topic_names
        default = broker.groups.settings.consumer_assignors[0]
        group = described_consumer_group(home.shard.groups.get(group_id), group_id, names, default)
        _check_topics(broker, request, group)
    except WireError as error:
        return _refused_group(group_id, error)
    if request.body.include_authorized_operations:
        group.authorized_operations = broker.operations(request, Resource.GROUP, group_id)
    return group


def _check_topics(broker: Broker, request: Request[ConsumerGroupDescribeRequest], group: DescribedGroup) -> None:
    named = {
        topic.topic_name
        for member in group.members
        for held in (member.assignment, member.target_assignment)
        for topic in held.topic_partitions
    } | {name for member in group.members for name in member.subscribed_topic_names}
    if not all(broker.may(request, Operation.DESCRIBE, Resource.TOPIC, name) for name in sorted(named)):
        raise WireError(errors.TOPIC_AUTHORIZATION_FAILED, "The group reads topics that the client may not describe.")


def _refused_group(group_id: str, error: WireError) -> DescribedGroup:
    return DescribedGroup(error_code=error.code, error_message=error.message, group_id=group_id)


def refused(request: Request[ConsumerGroupDescribeRequest], error: WireError) -> ConsumerGroupDescribeResponse:
    """The whole request was refused: every group says so."""
    return ConsumerGroupDescribeResponse(groups=[_refused_group(name, error) for name in request.body.group_ids])
