"""KRaftVersionRecord: kraft.version of the quorum, a control record of the metadata log (KIP-853)."""

from __future__ import annotations

from logctl.wire.schema import INT16, Message, field


class KRaftVersionRecord(Message, versions="0", flexible="0+"):
    version: int = field(INT16, "0+")        # of this record
    kraft_version: int = field(INT16, "0+")  # 0 voters by configuration, 1 voters in the log
