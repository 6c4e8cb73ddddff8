"""SyncGroup (14), versions 0 to 5: hand out, or fetch, what the leader of a classic group has divided.

Version 3 adds static members, version 5 the protocol's type and name, which must be there, and be the group's. A
follower's answer waits for the leader's request; both wait until the division is on disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.groups.reply import Later
from logctl.engine.broker.request import PARKED, Answer, Request
from logctl.security.acl import Operation, Resource
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.sync_group import SyncGroupRequest

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 14
VERSIONS = (0, 5)

FIRST_VERSION_WITH_PROTOCOL = 5


def handle(broker: Broker, request: Request[SyncGroupRequest], now_ms: int) -> Answer:
    body = request.body
    if request.version >= FIRST_VERSION_WITH_PROTOCOL and None in (body.protocol_type, body.protocol_name):
        raise WireError(errors.INCONSISTENT_GROUP_PROTOCOL)
    if not body.group_id:
        raise WireError(errors.INVALID_GROUP_ID)
    if not broker.may(request, Operation.READ, Resource.GROUP, body.group_id):
        raise WireError(errors.GROUP_AUTHORIZATION_FAILED)
    reply = Later(broker, request)
    broker.groups.run(body.group_id, now_ms, reply, lambda shard, turn: shard.sync(turn, body, reply))
    return PARKED
