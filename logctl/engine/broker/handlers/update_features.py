"""UpdateFeatures (57), versions 0 to 2: raise or lower the feature levels of the cluster.

All changes of a request are made or none: version 2 has one error for the whole, and versions 0 and 1 answer a refusal
with it too. What is served is told by ApiVersions. metadata.version only rises: a lower level could not hold what may
be in the metadata log (Apache refuses it in the same cases). kraft.version rises by itself: it is kept by the quorum,
and the metadata log names the voters from then on.

Not implemented: features that ApiVersions does not list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.deciding import answer_decided
from logctl.engine.broker.request import Answer, Request
from logctl.engine.broker.voter_answers import answer_change
from logctl.engine.broker.voters import KRAFT_VERSION
from logctl.engine.controller.features import update_features
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.update_features import (
    UpdatableFeatureResult,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)
from logctl.wire.schema import Message

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 57
VERSIONS = (0, 2)


def handle(broker: Broker, request: Request[UpdateFeaturesRequest], now_ms: int) -> Answer:
    if any(update.feature == KRAFT_VERSION for update in request.body.feature_updates):
        return _raise_kraft_version(broker, request)
    return answer_decided(
        broker, request, lambda controller: update_features(controller, request.body), refused=refused
    )


def _raise_kraft_version(broker: Broker, request: Request[UpdateFeaturesRequest]) -> Answer:
    body = request.body
    if len(body.feature_updates) > 1:
        raise WireError(errors.INVALID_UPDATE_VERSION, f"{KRAFT_VERSION} is changed by itself, without other features")
    level = body.feature_updates[0].max_version_level

    def granted() -> Message:
        result = UpdatableFeatureResult(feature=KRAFT_VERSION, error_message=None)
        return UpdateFeaturesResponse(error_message=None, results=[result])

    return answer_change(
        broker,
        request,
        lambda changes, done: changes.raise_version(level, validate_only=body.validate_only, done=done),
        granted,
    )


def refused(request: Request[UpdateFeaturesRequest], error: WireError) -> UpdateFeaturesResponse:
    return UpdateFeaturesResponse(error_code=error.code, error_message=error.message)
