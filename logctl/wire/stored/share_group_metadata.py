"""ShareGroupMetadata, as Apache Kafka stores it."""

from __future__ import annotations

from logctl.wire.schema import INT32, INT64, STRING, Message, field


class ShareGroupMetadataKey(Message, api_key=11, versions="0"):
    group_id: str = field(STRING, "0")


class ShareGroupMetadataValue(Message, api_key=11, versions="0", flexible="0+"):
    epoch: int = field(INT32, "0+")
    metadata_hash: int = field(INT64, "0+")
