"""SaslHandshake (key 17)."""

from __future__ import annotations

from logctl.wire.schema import INT16, STRING, Message, array, field


class SaslHandshakeRequest(Message, api_key=17, versions="0-1"):
    mechanism: str = field(STRING, "0+")


class SaslHandshakeResponse(Message, api_key=17, versions="0-1"):
    error_code: int = field(INT16, "0+")
    mechanisms: list[str] = field(array(STRING), "0+")
