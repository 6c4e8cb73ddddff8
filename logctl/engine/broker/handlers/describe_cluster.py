"""DescribeCluster (60), versions 0 to 2: the cluster's id, its brokers and what may be done with it.

Version 1 adds the kind of endpoint, version 2 fenced brokers on demand. Controllers (endpoint type 2) are those that
vote, described on the listeners between nodes only, and brokers elsewhere only: MISMATCHED_ENDPOINT_TYPE otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.endpoints import controller_shown, endpoint_for
from logctl.engine.broker.request import Request
from logctl.security.acl import CLUSTER_NAME, Resource
from logctl.wire import errors
from logctl.wire.messages.describe_cluster import (
    DescribeClusterBroker,
    DescribeClusterRequest,
    DescribeClusterResponse,
)

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 60
VERSIONS = (0, 2)

BROKERS, CONTROLLERS = 1, 2


def handle(broker: Broker, request: Request[DescribeClusterRequest], now_ms: int) -> DescribeClusterResponse:
    body = request.body
    served = CONTROLLERS if request.peer.is_node else BROKERS
    if body.endpoint_type != served:
        return _wrong_endpoint(body.endpoint_type, served)
    if served == CONTROLLERS:
        return _controllers(broker)
    response = DescribeClusterResponse(
        cluster_id=broker.cluster_id,
        controller_id=controller_shown(broker),
        brokers=_brokers(broker, request.peer.listener, fenced_too=body.include_fenced_brokers),
    )
    if body.include_cluster_authorized_operations:
        response.cluster_authorized_operations = broker.operations(request, Resource.CLUSTER, CLUSTER_NAME)
    return response


def _wrong_endpoint(asked: int, served: int) -> DescribeClusterResponse:
    if asked == CONTROLLERS:
        code, message = errors.MISMATCHED_ENDPOINT_TYPE, "This is a broker's endpoint; controllers were asked for"
    elif asked == BROKERS:
        code, message = errors.MISMATCHED_ENDPOINT_TYPE, "This is a controller's endpoint; brokers were asked for"
    else:
        code, message = errors.UNSUPPORTED_ENDPOINT_TYPE, f"There is no endpoint type {asked}"
    return DescribeClusterResponse(error_code=code, error_message=message, endpoint_type=served)


def _controllers(broker: Broker) -> DescribeClusterResponse:
    reached = ((one, broker.voter.addresses.of_controller(one)) for one in broker.metadata.raft.voters)
    return DescribeClusterResponse(
        cluster_id=broker.cluster_id,
        controller_id=broker.metadata.leader_id,
        endpoint_type=CONTROLLERS,
        brokers=[DescribeClusterBroker(one, at.host, at.port, None, False) for one, at in reached if at is not None],
    )


def _brokers(broker: Broker, listener: str, *, fenced_too: bool) -> list[DescribeClusterBroker]:
    found = []
    for one in broker.metadata.image.brokers.values():
        endpoint = endpoint_for(one, listener)
        if endpoint is not None and (fenced_too or not one.fenced):
            found.append(DescribeClusterBroker(one.broker_id, endpoint.host, endpoint.port, one.rack, one.fenced))
    return found
