"""JoinGroup (11), versions 0 to 9: become a member of the next generation of a classic group.

Version 1 gives rebalances a timeout of their own, version 4 tells a new dynamic member its id first (KIP-394),
version 5 adds static members (KIP-345), 7 answers with the protocol's type, 8 carries a reason (told to nobody here), 9
lets a static leader that came back skip the division (KIP-814). The answer waits for the round to complete; in a
consumer group (KIP-848) it comes at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.groups.reply import Later, caller_of
from logctl.engine.broker.groups.rounds import join_failure
from logctl.engine.broker.request import PARKED, Answer, Request
from logctl.security.acl import Operation, Resource
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.join_group import JoinGroupRequest, JoinGroupResponse

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 11
VERSIONS = (0, 9)

FIRST_VERSION_WITH_NULL_PROTOCOL = 7


def handle(broker: Broker, request: Request[JoinGroupRequest], now_ms: int) -> Answer:
    body = request.body
    if not body.group_id:
        raise WireError(errors.INVALID_GROUP_ID)
    if not broker.may(request, Operation.READ, Resource.GROUP, body.group_id):
        raise WireError(errors.GROUP_AUTHORIZATION_FAILED)
    reply = Later(broker, request, lambda response: _formed(request, response))
    caller = caller_of(request)
    broker.groups.run(body.group_id, now_ms, reply, lambda shard, turn: shard.join(turn, caller, body, reply))
    return PARKED


def _formed(request: Request[JoinGroupRequest], response: JoinGroupResponse) -> JoinGroupResponse:
    """Older versions have no null."""
    if response.protocol_name is None and request.version < FIRST_VERSION_WITH_NULL_PROTOCOL:
        response.protocol_name = ""
    return response


def refused(request: Request[JoinGroupRequest], error: WireError) -> JoinGroupResponse:
    return _formed(request, join_failure(error.code, request.body.member_id))
