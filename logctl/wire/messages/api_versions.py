"""ApiVersions (key 18): which APIs, versions and features does a broker serve?

Asked first by every client, before authentication. An unknown form of the question is answered in form 0 with
UNSUPPORTED_VERSION and the forms that are known (KIP-511); the response header is the oldest one whatever the
version.

1   throttle time
3   flexible; name and version of the client's software; features (KIP-584)
4   features whose lowest level is 0 may be listed
"""

from __future__ import annotations

from logctl.wire.schema import BOOL, INT16, INT32, INT64, STRING, Message, Struct, array, field


class ApiVersionsRequest(Message, api_key=18, versions="0-4", flexible="3+"):
    client_software_name: str = field(STRING, "3+")     # library or program, letters, digits, "-" and "."
    client_software_version: str = field(STRING, "3+")  # its version, same letters


class ApiVersion(Struct):
    api_key: int = field(INT16, "0+")      # API
    min_version: int = field(INT16, "0+")  # lowest version served
    max_version: int = field(INT16, "0+")  # highest version served


class SupportedFeatureKey(Struct):
    name: str = field(STRING, "3+")        # feature, e.g. "metadata.version"
    min_version: int = field(INT16, "3+")  # lowest level the broker can run at
    max_version: int = field(INT16, "3+")  # highest level the broker can run at


class FinalizedFeatureKey(Struct):
    name: str = field(STRING, "3+")              # feature
    max_version_level: int = field(INT16, "3+")  # level the cluster runs at
    min_version_level: int = field(INT16, "3+")  # lowest level the cluster still allows


class ApiVersionsResponse(Message, api_key=18, versions="0-4", flexible="3+"):
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # one per API; with UNSUPPORTED_VERSION perhaps only this one
    api_keys: list[ApiVersion] = field(array(ApiVersion), "0+")
    throttle_time_ms: int = field(INT32, "1+")  # how long the quota delayed, or is to delay, this client
    # what this broker could do
    supported_features: list[SupportedFeatureKey] = field(array(SupportedFeatureKey), "3+", tagged="3+", tag=0)
    # counts changes to the finalized ones; -1 unknown
    finalized_features_epoch: int = field(INT64, "3+", tagged="3+", tag=1, default=-1)
    # what the cluster agreed on
    finalized_features: list[FinalizedFeatureKey] = field(array(FinalizedFeatureKey), "3+", tagged="3+", tag=2)
    # left over from the migration off ZooKeeper; false
    zk_migration_ready: bool = field(BOOL, "3+", tagged="3+", tag=3)
