"""DescribeGroups (15), versions 0 to 6: classic groups and their members.

What members read is shown while a group is stable. Version 3 tells what the sender may do, version 4 adds
static members. A group that does not exist, or is none of the classic protocol, is Dead, and from version 6 on also
GROUP_ID_NOT_FOUND.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.groups.home import Home
from logctl.engine.broker.groups.listing import described
from logctl.engine.broker.groups.reply import Later, answer_when_durable
from logctl.engine.broker.request import PARKED, Answer, Request
from logctl.security.acl import Operation, Resource
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.describe_groups import DescribedGroup, DescribeGroupsRequest, DescribeGroupsResponse

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 15
VERSIONS = (0, 6)

FIRST_VERSION_WITH_NOT_FOUND = 6


def handle(broker: Broker, request: Request[DescribeGroupsRequest], now_ms: int) -> Answer:
    homes: list[Home] = []
    groups = [_group(broker, request, group_id, homes) for group_id in request.body.groups]
    answer_when_durable(homes, Later(broker, request), DescribeGroupsResponse(groups=groups), now_ms)
    return PARKED


def _group(broker: Broker, request: Request[DescribeGroupsRequest], group_id: str, homes: list[Home]) -> DescribedGroup:
    try:
        if not broker.may(request, Operation.DESCRIBE, Resource.GROUP, group_id):
            raise WireError(errors.GROUP_AUTHORIZATION_FAILED)
        home = broker.groups.home(group_id)
        homes.append(home)
        group = described(home.shard.groups.get(group_id), group_id)
    except WireError as error:
        group = _refused_group(request, group_id, error)
        if group.error_code:
            return group
    if request.body.include_authorized_operations:
        group.authorized_operations = broker.operations(request, Resource.GROUP, group_id)
    return group


def _refused_group(request: Request[DescribeGroupsRequest], group_id: str, error: WireError) -> DescribedGroup:
    if error.code != errors.GROUP_ID_NOT_FOUND:
        return DescribedGroup(error_code=error.code, group_id=group_id)
    if request.version < FIRST_VERSION_WITH_NOT_FOUND:
        return DescribedGroup(group_id=group_id, group_state="Dead")
    return DescribedGroup(error_code=error.code, error_message=error.message, group_id=group_id, group_state="Dead")


def refused(request: Request[DescribeGroupsRequest], error: WireError) -> DescribeGroupsResponse:
    """The whole request was refused: every group says so."""
    return DescribeGroupsResponse(groups=[_refused_group(request, name, error) for name in request.body.groups])
