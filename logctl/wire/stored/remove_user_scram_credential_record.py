"""RemoveUserScramCredentialRecord: a SCRAM login was removed (metadata log)."""

from __future__ import annotations

from logctl.wire.schema import INT8, STRING, Message, field


class RemoveUserScramCredentialRecord(Message, api_key=22, versions="0", flexible="0+"):
    name: str = field(STRING, "0+")     # user
    mechanism: int = field(INT8, "0+")  # 1 SCRAM-SHA-256, 2 SCRAM-SHA-512
