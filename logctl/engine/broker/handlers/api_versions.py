"""ApiVersions (18), versions 0 to 4: what this node serves.

Version 3 adds the client's name and the features, version 4 features whose lowest level is 0. The response header is
always that of version 0. A version that is not known is answered in the form of version 0 with UNSUPPORTED_VERSION and
the list, so that the client can ask again. Not implemented: the cluster id and node id of version 5 (KIP-1242), which
Apache Kafka 4.3 does not have either.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from logctl.engine.broker.dispatch import BETWEEN_NODES, SERVED
from logctl.engine.broker.request import Request
from logctl.engine.broker.voters import KRAFT_VERSION, NEWEST_KRAFT_VERSION
from logctl.engine.controller.versions import SUPPORTED_FEATURES, served_features
from logctl.wire import errors
from logctl.wire.api import API
from logctl.wire.messages.api_versions import (
    ApiVersion,
    ApiVersionsRequest,
    ApiVersionsResponse,
    FinalizedFeatureKey,
    SupportedFeatureKey,
)

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 18
VERSIONS = (0, 4)

_SOFTWARE = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?")


def handle(broker: Broker, request: Request[ApiVersionsRequest], now_ms: int) -> ApiVersionsResponse:
    if request.version > VERSIONS[1]:
        return unsupported(request.peer.is_node)
    if request.version >= 3:
        if not _is_valid(request.body):
            return ApiVersionsResponse(error_code=errors.INVALID_REQUEST)
        request.peer.client_software_name = request.body.client_software_name
        request.peer.client_software_version = request.body.client_software_version
    response = ApiVersionsResponse(api_keys=_ranges(request.peer.is_node))
    if request.version >= 3:
        _add_features(broker, response, lowest=0 if request.version >= 4 else 1)
    return response


def unsupported(between_nodes: bool = False) -> ApiVersionsResponse:
    """The answer, to be encoded in version 0, to a version that this node does not know."""
    return ApiVersionsResponse(error_code=errors.UNSUPPORTED_VERSION, api_keys=_ranges(between_nodes))


def _ranges(between_nodes: bool) -> list[ApiVersion]:
    served = BETWEEN_NODES if between_nodes else SERVED
    return [ApiVersion(key, API[key].versions.lowest, API[key].versions.highest) for key in served]


def _is_valid(body: ApiVersionsRequest) -> bool:
    return all(_SOFTWARE.fullmatch(text) for text in (body.client_software_name, body.client_software_version))


def _add_features(broker: Broker, response: ApiVersionsResponse, lowest: int) -> None:
    """Clients before version 4 cannot read a feature whose lowest level is 0: it is left out for them (KIP-1022)."""
    supported = SUPPORTED_FEATURES | {KRAFT_VERSION: (0, NEWEST_KRAFT_VERSION)}
    response.supported_features = [
        SupportedFeatureKey(name, *levels) for name, levels in supported.items() if levels[0] >= lowest
    ]
    response.finalized_features_epoch = broker.metadata.applied_offset - 1
    finalized = served_features(broker.metadata.image.features)
    if broker.metadata.voters.are_in_the_log:
        finalized[KRAFT_VERSION] = broker.metadata.voters.newest.kraft_version
    response.finalized_features = [FinalizedFeatureKey(name, level, level) for name, level in finalized.items()]
