"""UserScramCredentialRecord: a SCRAM login was set (metadata log, RFC 5802)."""

from __future__ import annotations

from logctl.wire.primitives import Buffer
from logctl.wire.schema import BYTES, INT8, INT32, STRING, Message, field


class UserScramCredentialRecord(Message, api_key=11, versions="0", flexible="0+"):
    name: str = field(STRING, "0+")          # user
    mechanism: int = field(INT8, "0+")       # 1 SCRAM-SHA-256, 2 SCRAM-SHA-512
    salt: Buffer = field(BYTES, "0+")        # random bytes that the password was mixed with
    stored_key: Buffer = field(BYTES, "0+")  # what the broker checks a proof against; does not let anybody log in
    server_key: Buffer = field(BYTES, "0+")  # what the broker proves itself with
    iterations: int = field(INT32, "0+")     # rounds of the key derivation
