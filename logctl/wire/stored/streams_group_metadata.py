"""StreamsGroupMetadata: a Streams group, type 17 (__consumer_offsets, KIP-1071)."""

from __future__ import annotations

from logctl.wire.schema import INT32, INT64, STRING, Message, Struct, array, field


class StreamsGroupMetadataKey(Message, api_key=17, versions="0"):
    group_id: str = field(STRING, "0")  # group


class LastAssignmentConfig(Struct):
    key: str = field(STRING, "0+")    # configuration key
    value: str = field(STRING, "0+")  # its value


class StreamsGroupMetadataValue(Message, api_key=17, versions="0", flexible="0+"):
    epoch: int = field(INT32, "0+")  # group epoch, raised with each change that calls for a new assignment
    metadata_hash: int = field(INT64, "0+")  # of the topics in the topology; a change calls for a new assignment
    # topology whose topics were found to be in order; -1 none
    validated_topology_epoch: int = field(INT32, "0+", tagged="0+", tag=0, default=-1)
    # settings the last assignment was made with
    last_assignment_configs: list[LastAssignmentConfig] | None = field(
        array(LastAssignmentConfig), "0+", nullable="0+", tagged="0+", tag=1
    )
