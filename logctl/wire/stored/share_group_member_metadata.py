"""ShareGroupMemberMetadata: a member of a share group and what it wants, type 10 (__consumer_offsets, KIP-932)."""

from __future__ import annotations

from logctl.wire.schema import STRING, Message, array, field


class ShareGroupMemberMetadataKey(Message, api_key=10, versions="0"):
    group_id: str = field(STRING, "0")   # group
    member_id: str = field(STRING, "0")  # member's id within the group


class ShareGroupMemberMetadataValue(Message, api_key=10, versions="0", flexible="0+"):
    rack_id: str | None = field(STRING, "0+", nullable="0+")        # its rack; null unknown
    client_id: str = field(STRING, "0+")                            # client.id as the member sent it
    client_host: str = field(STRING, "0+")                          # address the member connected from
    subscribed_topic_names: list[str] = field(array(STRING), "0+")  # topics subscribed to by name
