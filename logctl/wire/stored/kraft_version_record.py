"""KRaftVersionRecord, as clients and brokers store it."""

from __future__ import annotations

from logctl.wire.schema import INT16, Message, field


class KRaftVersionRecord(Message, versions="0", flexible="0+"):
    version: int = field(INT16, "0+")
    kraft_version: int = field(INT16, "0+")
