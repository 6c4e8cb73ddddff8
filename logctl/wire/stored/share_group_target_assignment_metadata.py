"""ShareGroupTargetAssignmentMetadata: which epoch the target assignment was made for, type 12 (__consumer_offsets)."""

from __future__ import annotations

from logctl.wire.schema import INT32, INT64, STRING, Message, field


class ShareGroupTargetAssignmentMetadataKey(Message, api_key=12, versions="0"):
    group_id: str = field(STRING, "0")  # group


class ShareGroupTargetAssignmentMetadataValue(Message, api_key=12, versions="0", flexible="0+"):
    assignment_epoch: int = field(INT32, "0+")                          # group epoch it was made for
    assignment_timestamp: int = field(INT64, "0+", tagged="0+", tag=0)  # when it was made, in ms
