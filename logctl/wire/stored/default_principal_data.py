"""DefaultPrincipalData, as clients and brokers store it."""

from __future__ import annotations

from logctl.wire.schema import BOOL, STRING, Message, field


class DefaultPrincipalData(Message, versions="0", flexible="0+"):
    type: str = field(STRING, "0+")
    name: str = field(STRING, "0+")
    token_authenticated: bool = field(BOOL, "0+")
