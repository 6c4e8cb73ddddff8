"""ConsumerGroupMemberMetadata: a member of a new-protocol group and what it wants, type 5 (__consumer_offsets)."""

from __future__ import annotations

from logctl.wire.primitives import Buffer
from logctl.wire.schema import BYTES, INT32, STRING, Message, Struct, array, field


class ConsumerGroupMemberMetadataKey(Message, api_key=5, versions="0"):
    group_id: str = field(STRING, "0")   # group
    member_id: str = field(STRING, "0")  # member's id within the group


class ClassicProtocol(Struct):
    name: str = field(STRING, "0+")        # assignor or protocol
    metadata: Buffer = field(BYTES, "0+")  # what the member told under it


class ClassicMemberMetadata(Struct):
    session_timeout_ms: int = field(INT32, "0+")  # silence after which the member is considered dead
    supported_protocols: list[ClassicProtocol] = field(array(ClassicProtocol), "0+")  # what it can do, best first


class ConsumerGroupMemberMetadataValue(Message, api_key=5, versions="0", flexible="0+"):
    instance_id: str | None = field(STRING, "0+", nullable="0+")  # name of a static member; null for a dynamic one
    rack_id: str | None = field(STRING, "0+", nullable="0+")  # its rack; null unknown
    client_id: str = field(STRING, "0+")  # client.id as the member sent it
    client_host: str = field(STRING, "0+")  # address the member connected from
    subscribed_topic_names: list[str] = field(array(STRING), "0+")  # topics subscribed to by name
    # RE2 pattern of topics subscribed to; null or empty for none
    subscribed_topic_regex: str | None = field(STRING, "0+", nullable="0+")
    rebalance_timeout_ms: int = field(INT32, "0+", default=-1)  # how long a member may take to give up partitions
    # assignor to be used on the broker; null leaves the choice to it
    server_assignor: str | None = field(STRING, "0+", nullable="0+")
    # set while it still speaks the classic protocol
    classic_member_metadata: ClassicMemberMetadata | None = field(
        ClassicMemberMetadata, "0+", nullable="0+", tagged="0+", tag=0
    )
