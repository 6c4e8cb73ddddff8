"""FeatureLevelRecord: the cluster runs at another level of a feature (metadata log).

The first record of every metadata log and snapshot is one for "metadata.version", so it never gets a version 1.
"""

from __future__ import annotations

from logctl.wire.schema import INT16, STRING, Message, field


class FeatureLevelRecord(Message, api_key=12, versions="0", flexible="0+"):
    name: str = field(STRING, "0+")          # feature
    feature_level: int = field(INT16, "0+")  # level to run at; 0 off
