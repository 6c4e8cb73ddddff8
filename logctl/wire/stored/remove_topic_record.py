"""RemoveTopicRecord: a topic was deleted, with its partitions (metadata log)."""

from __future__ import annotations

from logctl.wire.schema import UUID, Message, field


class RemoveTopicRecord(Message, api_key=9, versions="0", flexible="0+"):
    topic_id: bytes = field(UUID, "0+")  # topic, by identifier
