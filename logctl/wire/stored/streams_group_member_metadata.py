"""StreamsGroupMemberMetadata: a member of a Streams group, type 19 (__consumer_offsets)."""

from __future__ import annotations

from logctl.wire.schema import INT32, STRING, UINT16, Message, Struct, array, field


class StreamsGroupMemberMetadataKey(Message, api_key=19, versions="0"):
    group_id: str = field(STRING, "0")   # group
    member_id: str = field(STRING, "0")  # member's id within the group


class Endpoint(Struct):
    host: str = field(STRING, "0+")  # host name or address
    port: int = field(UINT16, "0+")  # TCP port


class KeyValue(Struct):
    key: str = field(STRING, "0+")    # label
    value: str = field(STRING, "0+")  # its value


class StreamsGroupMemberMetadataValue(Message, api_key=19, versions="0", flexible="0+"):
    instance_id: str | None = field(STRING, "0+", nullable="0+")  # name of a static member; null for a dynamic one
    rack_id: str | None = field(STRING, "0+", nullable="0+")  # its rack; null unknown
    client_id: str = field(STRING, "0+")  # client.id as the member sent it
    client_host: str = field(STRING, "0+")  # address the member connected from
    rebalance_timeout_ms: int = field(INT32, "0+", default=-1)  # how long a member may take to give up partitions
    topology_epoch: int = field(INT32, "0+")  # topology the member runs
    process_id: str = field(STRING, "0+")  # process that the member lives in; one may hold several members
    # where the process answers interactive queries; null for none
    user_endpoint: Endpoint | None = field(Endpoint, "0+", nullable="0+", default=None)
    client_tags: list[KeyValue] = field(array(KeyValue), "0+")  # labels for rack-aware standby placement
