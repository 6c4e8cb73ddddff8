"""LegacyOffsetCommit, as Apache Kafka stores it."""

from __future__ import annotations

from logctl.wire.schema import INT32, INT64, STRING, Message, field


class LegacyOffsetCommitKey(Message, api_key=0, versions="0"):
    group: str = field(STRING, "0")
    topic: str = field(STRING, "0")
    partition: int = field(INT32, "0")


class LegacyOffsetCommitValue(Message, api_key=0, versions="0"):
    offset: int = field(INT64, "0")
    metadata: str = field(STRING, "0")
    commit_timestamp: int = field(INT64, "0")
