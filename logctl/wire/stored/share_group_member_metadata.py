"""ShareGroupMemberMetadata, as Apache Kafka stores it."""

from __future__ import annotations

from logctl.wire.schema import STRING, Message, array, field


class ShareGroupMemberMetadataKey(Message, api_key=10, versions="0"):
    group_id: str = field(STRING, "0")
    member_id: str = field(STRING, "0")


class ShareGroupMemberMetadataValue(Message, api_key=10, versions="0", flexible="0+"):
    rack_id: str | None = field(STRING, "0+", nullable="0+")
    client_id: str = field(STRING, "0+")
    client_host: str = field(STRING, "0+")
    subscribed_topic_names: list[str] = field(array(STRING), "0+")
