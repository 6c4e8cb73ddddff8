"""Raising and lowering the feature levels of the cluster (UpdateFeatures; KIP-584, KIP-778).

A level is a promise about which records may be in the metadata log, so it rises freely within what every registered
broker and this controller can run, and falls only where nothing can be lost by that: for features other than
metadata.version, whose records this engine would have to give up.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from logctl.engine.controller.decision import Controller, Decision
from logctl.engine.controller.image import METADATA_VERSION
from logctl.engine.controller.versions import RUNNABLE_FEATURES, SUPPORTED_FEATURES
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.update_features import (
    FeatureUpdateKey,
    UpdatableFeatureResult,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)
from logctl.wire.stored.feature_level_record import FeatureLevelRecord


class Direction(IntEnum):
    """What a change may do (upgrade type)."""

    UPGRADE = 1
    SAFE_DOWNGRADE = 2
    UNSAFE_DOWNGRADE = 3


def update_features(controller: Controller, request: UpdateFeaturesRequest) -> Decision[UpdateFeaturesResponse]:
    """All of the changes are made or none. Raises WireError INVALID_UPDATE_VERSION for the whole request."""
    records: list[Any] = []
    for update in request.feature_updates:
        _check(controller, update)
        if controller.image.features.get(update.feature, 0) != update.max_version_level:
            records.append(FeatureLevelRecord(name=update.feature, feature_level=update.max_version_level))
    results = [
        UpdatableFeatureResult(feature=update.feature, error_message=None) for update in request.feature_updates
    ]
    return Decision(
        [] if request.validate_only else records, UpdateFeaturesResponse(error_message=None, results=results)
    )


def _check(controller: Controller, update: FeatureUpdateKey) -> None:
    name, level = update.feature, update.max_version_level
    if update.upgrade_type not in tuple(Direction):
        raise _refused(update, f"there is no upgrade type {update.upgrade_type}")
    if name not in SUPPORTED_FEATURES:
        known = name in RUNNABLE_FEATURES
        raise _refused(update, "this engine does not serve the feature" if known else "there is no such feature")
    lowest, highest = SUPPORTED_FEATURES[name]
    if not lowest <= level <= highest:
        raise _refused(update, f"this controller runs levels {lowest} to {highest}")
    for broker in controller.image.brokers.values():
        lowest, highest = broker.features.get(name, (0, 0))
        if level and not lowest <= level <= highest:
            raise _refused(update, f"broker {broker.broker_id} runs levels {lowest} to {highest}")
    if level < controller.image.features.get(name, 0):
        _check_downgrade(update)


def _check_downgrade(update: FeatureUpdateKey) -> None:
    if update.upgrade_type == Direction.UPGRADE and not update.allow_downgrade:
        raise _refused(update, "the level would fall, which must be asked for as a downgrade")
    if update.feature == METADATA_VERSION:
        raise _refused(update, "a lower metadata.version could not hold everything that is in the metadata log")


def _refused(update: FeatureUpdateKey, why: str) -> WireError:
    return WireError(
        errors.INVALID_UPDATE_VERSION, f"{update.feature} cannot be set to level {update.max_version_level}: {why}"
    )
