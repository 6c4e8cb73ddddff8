"""Which version of each record may be written at a metadata.version, and which levels this engine can run.

A record is written in the newest version that every reader at the finalized level understands (MetadataVersion of
Apache Kafka 4.3). Records that are not listed have one version only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

OLDEST_METADATA_LEVEL: Final = 7
"""3.3-IV3: the first level of a log without ZooKeeper that Apache Kafka 4.x still reads."""
NEWEST_METADATA_LEVEL: Final = 30
"""4.3-IV0."""

_REGISTER_BROKER, _PARTITION, _PARTITION_CHANGE, _REGISTRATION_CHANGE = 0, 3, 5, 17

_SINCE: Final[dict[int, tuple[tuple[int, int], ...]]] = {
    _REGISTER_BROKER: ((30, 4), (17, 3), (8, 2), (7, 1)),
    _REGISTRATION_CHANGE: ((30, 3), (17, 2), (7, 1)),
    _PARTITION: ((23, 2), (17, 1)),
    _PARTITION_CHANGE: ((23, 2), (17, 1)),
}

SUPPORTED_FEATURES: Final[dict[str, tuple[int, int]]] = {
    "metadata.version": (OLDEST_METADATA_LEVEL, NEWEST_METADATA_LEVEL),
    "group.version": (0, 1),
    "eligible.leader.replicas.version": (0, 1),
}
"""Features this engine serves, with the lowest and highest level it can run: what clients are told."""

CARRIED_FEATURES: Final[dict[str, tuple[int, int]]] = {
    "transaction.version": (0, 2),
    "share.version": (0, 1),
    "streams.version": (0, 1),
}
"""Features of Apache Kafka 4.3 that this engine does not serve. A cluster may have them finalized: their level and
their records are kept as they are, and clients are not told of them.
"""

RUNNABLE_FEATURES: Final = SUPPORTED_FEATURES | CARRIED_FEATURES
"""With what a cluster may be run, or a directory be used, by this engine."""

_NAMES: Final = (
    *("3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1", "3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2"),
    *("3.7-IV0", "3.7-IV1", "3.7-IV2", "3.7-IV3", "3.7-IV4", "3.8-IV0", "3.9-IV0", "4.0-IV0"),
    *("4.0-IV1", "4.0-IV2", "4.0-IV3", "4.1-IV0", "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0"),
)


def level_name(level: int) -> str:
    """'4.3-IV0' for 30; the bare number for a level this version does not know."""
    place = level - OLDEST_METADATA_LEVEL
    return _NAMES[place] if 0 <= place < len(_NAMES) else str(level)


def record_version(api_key: int, level: int) -> int:
    """The version to write that record type in at metadata.version `level`."""
    return next((version for since, version in _SINCE.get(api_key, ()) if level >= since), 0)


def feature_objection(name: str, level: int) -> str | None:
    """Why a finalized feature keeps this engine from reading a metadata log; None when it does not."""
    lowest, highest = RUNNABLE_FEATURES.get(name, (0, 0))
    if lowest <= level <= highest:
        return None
    if name == "metadata.version":
        return f"its metadata.version is {level_name(level)}, this version reads up to {level_name(highest)}"
    return f"its feature {name} is at level {level}, this version runs at most {highest}"


def served_features(finalized: Mapping[str, int]) -> dict[str, int]:
    """Of what the cluster has finalized that which clients may rely on here: served features above level 0."""
    levels = ((name, min(finalized.get(name, 0), highest)) for name, (_, highest) in SUPPORTED_FEATURES.items())
    return {name: level for name, level in levels if level > 0}
