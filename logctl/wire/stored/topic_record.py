"""TopicRecord, as Apache Kafka stores it."""

from __future__ import annotations

from logctl.wire.schema import STRING, UUID, Message, field


class TopicRecord(Message, api_key=2, versions="0", flexible="0+"):
    name: str = field(STRING, "0+")
    topic_id: bytes = field(UUID, "0+")
