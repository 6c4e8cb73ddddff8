"""Heartbeat (12), versions 0 to 4: a member of a classic group is still there, and asks whether a round has begun.

Version 3 adds static members. Nothing is written, so the answer leaves at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.groups.turn import Turn
from logctl.engine.broker.request import Request
from logctl.security.acl import Operation, Resource
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 12
VERSIONS = (0, 4)


def handle(broker: Broker, request: Request[HeartbeatRequest], now_ms: int) -> HeartbeatResponse:
    body = request.body
    if not body.group_id:
        raise WireError(errors.INVALID_GROUP_ID)
    if not broker.may(request, Operation.READ, Resource.GROUP, body.group_id):
        raise WireError(errors.GROUP_AUTHORIZATION_FAILED)
    code = broker.groups.home(body.group_id).shard.heartbeat(Turn(now_ms), body)
    return HeartbeatResponse(error_code=code)
