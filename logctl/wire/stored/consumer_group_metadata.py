"""ConsumerGroupMetadata: a group of the new protocol, type 3 (__consumer_offsets, KIP-848)."""

from __future__ import annotations

from logctl.wire.schema import INT32, INT64, STRING, Message, field


class ConsumerGroupMetadataKey(Message, api_key=3, versions="0"):
    group_id: str = field(STRING, "0")  # group


class ConsumerGroupMetadataValue(Message, api_key=3, versions="0", flexible="0+"):
    epoch: int = field(INT32, "0+")  # group epoch, raised with each change that calls for a new assignment
    # of the topics subscribed to; a change calls for a new assignment (KIP-1101)
    metadata_hash: int = field(INT64, "0+", tagged="0+", tag=0)
