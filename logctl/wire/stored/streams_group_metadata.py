"""StreamsGroupMetadata, as Apache Kafka stores it."""

from __future__ import annotations

from logctl.wire.schema import INT32, INT64, STRING, Message, Struct, array, field


class StreamsGroupMetadataKey(Message, api_key=17, versions="0"):
    group_id: str = field(STRING, "0")


class LastAssignmentConfig(Struct):
    key: str = field(STRING, "0+")
    value: str = field(STRING, "0+")


class StreamsGroupMetadataValue(Message, api_key=17, versions="0", flexible="0+"):
    epoch: int = field(INT32, "0+")
    metadata_hash: int = field(INT64, "0+")
    validated_topology_epoch: int = field(INT32, "0+", tagged="0+", tag=0, default=-1)
    last_assignment_configs: list[LastAssignmentConfig] | None = field(
        array(LastAssignmentConfig), "0+", nullable="0+", tagged="0+", tag=1
    )
