"""UpdateFeatures (57), versions 0 to 2: raise or lower the feature levels of the cluster.

All changes of a request are made or none: version 2 has one error for the whole, and versions 0 and 1 answer a refusal
with it too. What is served is told by ApiVersions. metadata.version only rises: a lower level could not hold what may
be in the metadata log (Apache refuses it in the same cases).

Not implemented: raising kraft.version, and features that ApiVersions does not list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.deciding import answer_decided
from logctl.engine.broker.request import Answer, Request
from logctl.engine.controller.features import update_features
from logctl.wire.errors import WireError
from logctl.wire.messages.update_features import UpdateFeaturesRequest, UpdateFeaturesResponse

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 57
VERSIONS = (0, 2)


def handle(broker: Broker, request: Request[UpdateFeaturesRequest], now_ms: int) -> Answer:
    return answer_decided(
        broker, request, lambda controller: update_features(controller, request.body), refused=refused
    )


def refused(request: Request[UpdateFeaturesRequest], error: WireError) -> UpdateFeaturesResponse:
    return UpdateFeaturesResponse(error_code=error.code, error_message=error.message)
