"""SaslHandshake (key 17): choose how to authenticate.

The first request on a SASL listener, perhaps after ApiVersions. Version 0 is followed by bare tokens (KIP-43),
version 1 by SaslAuthenticate requests (KIP-152). It never became flexible: old clients would misread it.
"""

from __future__ import annotations

from logctl.wire.schema import INT16, STRING, Message, array, field


class SaslHandshakeRequest(Message, api_key=17, versions="0-1"):
    mechanism: str = field(STRING, "0+")  # mechanism wanted, e.g. "SCRAM-SHA-256"


class SaslHandshakeResponse(Message, api_key=17, versions="0-1"):
    error_code: int = field(INT16, "0+")                # 0, or what went wrong
    mechanisms: list[str] = field(array(STRING), "0+")  # those the listener offers
