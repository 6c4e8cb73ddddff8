"""Raising and lowering the feature levels of the cluster (UpdateFeatures; KIP-584, KIP-778).

A level is a promise about which records may be in the metadata log, so it rises freely within what every registered
broker and this controller can run, and falls only where nothing can be lost by that: for features other than
metadata.version, whose records this engine would have to give up.

Keeping eligible leader replicas rests on min.insync.replicas being the same for whoever leads (KIP-966): with the
feature one value for all brokers is written down, and those of single brokers go.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from logctl.engine.controller.decision import Controller, Decision
from logctl.engine.controller.image import METADATA_VERSION, Image, ResourceType
from logctl.engine.controller.terms import ELIGIBLE_FEATURE, ELIGIBLE_SINCE, Terms
from logctl.engine.controller.versions import RUNNABLE_FEATURES, SUPPORTED_FEATURES
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.update_features import (
    FeatureUpdateKey,
    UpdatableFeatureResult,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)
from logctl.wire.stored.config_record import ConfigRecord
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
        _check(controller, update, request.feature_updates)
        if controller.image.features.get(update.feature, 0) != update.max_version_level:
            if update.feature == ELIGIBLE_FEATURE and update.max_version_level:
                records += _one_minimum(controller)
            records.append(FeatureLevelRecord(name=update.feature, feature_level=update.max_version_level))
    results = [
        UpdatableFeatureResult(feature=update.feature, error_message=None) for update in request.feature_updates
    ]
    return Decision(
        [] if request.validate_only else records, UpdateFeaturesResponse(error_message=None, results=results)
    )


def _one_minimum(controller: Controller) -> list[Any]:
    """min.insync.replicas as it holds for all brokers, and for none of them apart."""
    kind, name = ResourceType.BROKER, "min.insync.replicas"
    own = [
        ConfigRecord(resource_type=kind, resource_name=owner, name=name, value=None)
        for (one, owner), values in sorted(controller.image.configs.items())
        if one == kind and owner and name in values
    ]
    if name in controller.image.broker_configs(None):
        return own
    least = Terms(controller).least_by_default
    return [ConfigRecord(resource_type=kind, resource_name="", name=name, value=str(least)), *own]


def _metadata_level(image: Image, updates: list[FeatureUpdateKey]) -> int:
    wanted = [one.max_version_level for one in updates if one.feature == METADATA_VERSION]
    return wanted[-1] if wanted else image.metadata_version


def _check(controller: Controller, update: FeatureUpdateKey, updates: list[FeatureUpdateKey]) -> None:
    name, level = update.feature, update.max_version_level
    if update.upgrade_type not in tuple(Direction):
        raise _refused(update, f"there is no upgrade type {update.upgrade_type}")
    if name not in SUPPORTED_FEATURES:
        known = name in RUNNABLE_FEATURES
        raise _refused(update, "this engine does not serve the feature" if known else "there is no such feature")
    lowest, highest = SUPPORTED_FEATURES[name]
    if not lowest <= level <= highest:
        raise _refused(update, f"this controller runs levels {lowest} to {highest}")
    if name == ELIGIBLE_FEATURE and level and _metadata_level(controller.image, updates) < ELIGIBLE_SINCE:
        raise _refused(update, f"it needs metadata.version {ELIGIBLE_SINCE} (4.0-IV1) or later")
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
