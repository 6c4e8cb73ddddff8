"""ConsumerGroupTargetAssignmentMetadata, as Apache Kafka stores it."""

from __future__ import annotations

from logctl.wire.schema import INT32, INT64, STRING, Message, field


class ConsumerGroupTargetAssignmentMetadataKey(Message, api_key=6, versions="0"):
    group_id: str = field(STRING, "0")


class ConsumerGroupTargetAssignmentMetadataValue(Message, api_key=6, versions="0", flexible="0+"):
    assignment_epoch: int = field(INT32, "0+")
    assignment_timestamp: int = field(INT64, "0+", tagged="0+", tag=0)
