"""SaslAuthenticate (key 36): one step of the SASL dialogue (KIP-152).

1   how long the session lasts before it must be renewed (KIP-368)
2   flexible
"""

from __future__ import annotations

from logctl.wire.primitives import Buffer
from logctl.wire.schema import BYTES, INT16, INT64, STRING, Message, field


class SaslAuthenticateRequest(Message, api_key=36, versions="0-2", flexible="2+"):
    auth_bytes: Buffer = field(BYTES, "0+")  # token of the client, as the mechanism defines it


class SaslAuthenticateResponse(Message, api_key=36, versions="0-2", flexible="2+"):
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+")
    auth_bytes: Buffer = field(BYTES, "0+")  # token of the broker, as the mechanism defines it
    session_lifetime_ms: int = field(INT64, "1+")  # time until the client must authenticate again; 0 for ever
