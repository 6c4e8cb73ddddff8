"""DeleteGroups (42), versions 0 to 2: remove groups without members, and their offsets.

Each group succeeds or fails on its own: NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND. The answer leaves when the tombstones are
on disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.groups.home import Home
from logctl.engine.broker.groups.reply import Later, answer_when_durable
from logctl.engine.broker.request import PARKED, Answer, Request
from logctl.security.acl import Operation, Resource
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.delete_groups import DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 42
VERSIONS = (0, 2)


def handle(broker: Broker, request: Request[DeleteGroupsRequest], now_ms: int) -> Answer:
    homes: list[Home] = []
    names = list(dict.fromkeys(request.body.groups_names))
    results = [DeletableGroupResult(name, _delete(broker, request, name, homes, now_ms)) for name in names]
    answer_when_durable(homes, Later(broker, request), DeleteGroupsResponse(results=results), now_ms)
    return PARKED


def _delete(
    broker: Broker, request: Request[DeleteGroupsRequest], group_id: str, homes: list[Home], now_ms: int
) -> int:
    """The error code of one group."""
    if not broker.may(request, Operation.DELETE, Resource.GROUP, group_id):
        return errors.GROUP_AUTHORIZATION_FAILED
    if not group_id:
        return errors.INVALID_GROUP_ID
    try:
        home, _ = broker.groups.change(group_id, now_ms, lambda shard, turn: shard.delete_group(turn, group_id))
    except WireError as error:
        return error.code
    homes.append(home)
    return errors.NONE


def refused(request: Request[DeleteGroupsRequest], error: WireError) -> DeleteGroupsResponse:
    """The whole request was refused: every group says so."""
    return DeleteGroupsResponse(results=[DeletableGroupResult(name, error.code) for name in request.body.groups_names])
