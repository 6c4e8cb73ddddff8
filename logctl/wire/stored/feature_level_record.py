"""FeatureLevelRecord, as Apache Kafka stores it."""

from __future__ import annotations

from logctl.wire.schema import INT16, STRING, Message, field


class FeatureLevelRecord(Message, api_key=12, versions="0", flexible="0+"):
    name: str = field(STRING, "0+")
    feature_level: int = field(INT16, "0+")
