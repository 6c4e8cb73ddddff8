"""LeaveGroup (13), versions 0 to 5: members leave, or an administrator removes them.

Up to version 2 one member by its id; from version 3 on many, also static ones by their instance id alone; version 5
carries a reason (told to nobody here). From version 3 on each member has its own result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.groups.reply import Later
from logctl.engine.broker.request import PARKED, Answer, Request
from logctl.security.acl import Operation, Resource
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberIdentity

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 13
VERSIONS = (0, 5)

FIRST_VERSION_WITH_MANY = 3


def handle(broker: Broker, request: Request[LeaveGroupRequest], now_ms: int) -> Answer:
    body = request.body
    if not body.group_id:
        raise WireError(errors.INVALID_GROUP_ID)
    if not broker.may(request, Operation.READ, Resource.GROUP, body.group_id):
        raise WireError(errors.GROUP_AUTHORIZATION_FAILED)
    if request.version < FIRST_VERSION_WITH_MANY:
        body.members = [MemberIdentity(body.member_id)]
    reply = Later(broker, request, lambda response: _formed(request, response))
    broker.groups.run(body.group_id, now_ms, reply, lambda shard, turn: shard.leave(turn, body))
    return PARKED


def _formed(request: Request[LeaveGroupRequest], response: LeaveGroupResponse) -> LeaveGroupResponse:
    if request.version < FIRST_VERSION_WITH_MANY and response.members:
        response.error_code = response.members[0].error_code
    return response
