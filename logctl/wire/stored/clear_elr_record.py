"""ClearElrRecord: eligible leader replicas are forgotten, as their setting changed (metadata log, KIP-966)."""

from __future__ import annotations

from logctl.wire.schema import STRING, Message, field


class ClearElrRecord(Message, api_key=28, versions="0", flexible="0+"):
    topic_name: str = field(STRING, "0+")  # topic; empty for all
