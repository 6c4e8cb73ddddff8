"""TopicRecord: a topic was made (metadata log). Its partitions follow."""

from __future__ import annotations

from logctl.wire.schema import STRING, UUID, Message, field


class TopicRecord(Message, api_key=2, versions="0", flexible="0+"):
    name: str = field(STRING, "0+")      # topic
    topic_id: bytes = field(UUID, "0+")  # its identifier for life
