"""ShareGroupMetadata: a share group, type 11 (__consumer_offsets)."""

from __future__ import annotations

from logctl.wire.schema import INT32, INT64, STRING, Message, field


class ShareGroupMetadataKey(Message, api_key=11, versions="0"):
    group_id: str = field(STRING, "0")  # group


class ShareGroupMetadataValue(Message, api_key=11, versions="0", flexible="0+"):
    epoch: int = field(INT32, "0+")          # group epoch, raised with each change that calls for a new assignment
    metadata_hash: int = field(INT64, "0+")  # of the topics subscribed to; a change calls for a new assignment
