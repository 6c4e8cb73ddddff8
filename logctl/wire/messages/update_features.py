"""UpdateFeatures (key 57): raise or lower the feature levels of the cluster (KIP-584, KIP-778).

1   dry run; kind of change
2   one error for the whole instead of one per feature
"""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT8, INT16, INT32, STRING, Message, Struct, array, field


class FeatureUpdateKey(Struct):
    feature: str = field(STRING, "0+")                # feature, e.g. "metadata.version"
    max_version_level: int = field(INT16, "0+")       # level to run at; 0 switches the feature off
    allow_downgrade: bool = field(BOOL, "0")          # it may be lowered, in version 0
    upgrade_type: int = field(INT8, "1+", default=1)  # 1 raise only, 2 lower if nothing is lost, 3 lower even so


class UpdateFeaturesRequest(Message, api_key=57, versions="0-2", flexible="0+"):
    timeout_ms: int = field(INT32, "0+", default=60000)  # how long the answer may take
    feature_updates: list[FeatureUpdateKey] = field(array(FeatureUpdateKey), "0+")  # changes
    validate_only: bool = field(BOOL, "1+")  # check and answer, but change nothing


class UpdatableFeatureResult(Struct):
    feature: str = field(STRING, "0+")  # feature, e.g. "metadata.version"
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+")


class UpdateFeaturesResponse(Message, api_key=57, versions="0-2", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+")
    results: list[UpdatableFeatureResult] = field(array(UpdatableFeatureResult), "0-1")  # one per feature, up to 1
