"""Envelope (key 58)."""

from __future__ import annotations

from logctl.wire.primitives import Buffer
from logctl.wire.schema import BYTES, INT16, Message, field


class EnvelopeRequest(Message, api_key=58, versions="0", flexible="0+"):
    request_data: Buffer = field(BYTES, "0+")
    request_principal: Buffer | None = field(BYTES, "0+", nullable="0+")
    client_host_address: Buffer = field(BYTES, "0+")


class EnvelopeResponse(Message, api_key=58, versions="0", flexible="0+"):
    response_data: Buffer | None = field(BYTES, "0+", nullable="0+", default=None)
    error_code: int = field(INT16, "0+")
