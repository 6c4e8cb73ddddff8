"""UserScramCredentialRecord, as Apache Kafka stores it."""

from __future__ import annotations

from logctl.wire.primitives import Buffer
from logctl.wire.schema import BYTES, INT8, INT32, STRING, Message, field


class UserScramCredentialRecord(Message, api_key=11, versions="0", flexible="0+"):
    name: str = field(STRING, "0+")
    mechanism: int = field(INT8, "0+")
    salt: Buffer = field(BYTES, "0+")
    stored_key: Buffer = field(BYTES, "0+")
    server_key: Buffer = field(BYTES, "0+")
    iterations: int = field(INT32, "0+")
