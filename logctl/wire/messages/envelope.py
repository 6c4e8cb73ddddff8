"""Envelope (key 58): a broker passes a client's request to the controller as it came, and the answer back (KIP-590)."""

from __future__ import annotations

from logctl.wire.primitives import Buffer
from logctl.wire.schema import BYTES, INT16, Message, field


class EnvelopeRequest(Message, api_key=58, versions="0", flexible="0+"):
    request_data: Buffer = field(BYTES, "0+")  # the request, header included
    # who sent it, as a DefaultPrincipalData behind its version
    request_principal: Buffer | None = field(BYTES, "0+", nullable="0+")
    client_host_address: Buffer = field(BYTES, "0+")  # from where, 4 or 16 bytes


class EnvelopeResponse(Message, api_key=58, versions="0", flexible="0+"):
    # the answer, header included; null on failure
    response_data: Buffer | None = field(BYTES, "0+", nullable="0+", default=None)
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
