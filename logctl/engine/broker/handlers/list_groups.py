"""ListGroups (16), versions 0 to 5: the groups that this node coordinates.

Version 4 filters by state, version 5 by type (classic, consumer), both without regard to case; a word that means
nothing matches nothing. Groups that the sender may not describe are left out. While a partition is loading the list
would be incomplete: COORDINATOR_LOAD_IN_PROGRESS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.groups.listing import listed
from logctl.engine.broker.groups.reply import Later, answer_when_durable
from logctl.engine.broker.request import PARKED, Answer, Request
from logctl.security.acl import CLUSTER_NAME, Operation, Resource
from logctl.wire.messages.list_groups import ListedGroup, ListGroupsRequest, ListGroupsResponse

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 16
VERSIONS = (0, 5)


def handle(broker: Broker, request: Request[ListGroupsRequest], now_ms: int) -> Answer:
    states = {state.lower() for state in request.body.states_filter}
    types = {kind.lower() for kind in request.body.types_filter}
    sees_all = broker.may(request, Operation.DESCRIBE, Resource.CLUSTER, CLUSTER_NAME)

    def fits(group: ListedGroup) -> bool:
        return (
            (not states or group.group_state.lower() in states)
            and (not types or group.group_type in types)
            and (sees_all or broker.may(request, Operation.DESCRIBE, Resource.GROUP, group.group_id))
        )

    homes = list(broker.groups.homes())
    found = (listed(group) for home in homes for group in home.shard.groups.values())
    response = ListGroupsResponse(groups=[group for group in found if fits(group)])
    answer_when_durable(homes, Later(broker, request), response, now_ms)
    return PARKED
