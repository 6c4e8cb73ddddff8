"""DefaultPrincipalData: who sent a request that a broker passes to the controller, inside Envelope."""

from __future__ import annotations

from logctl.wire.schema import BOOL, STRING, Message, field


class DefaultPrincipalData(Message, versions="0", flexible="0+"):
    type: str = field(STRING, "0+")                # "User"
    name: str = field(STRING, "0+")                # name of the principal
    token_authenticated: bool = field(BOOL, "0+")  # logged in by delegation token
