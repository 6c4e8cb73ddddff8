"""RemoveTopicRecord, as Apache Kafka stores it."""

from __future__ import annotations

from logctl.wire.schema import UUID, Message, field


class RemoveTopicRecord(Message, api_key=9, versions="0", flexible="0+"):
    topic_id: bytes = field(UUID, "0+")
