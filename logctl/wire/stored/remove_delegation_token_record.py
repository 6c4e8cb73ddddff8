"""RemoveDelegationTokenRecord: a delegation token ended (metadata log)."""

from __future__ import annotations

from logctl.wire.schema import STRING, Message, field


class RemoveDelegationTokenRecord(Message, api_key=26, versions="0", flexible="0+"):
    token_id: str = field(STRING, "0+")  # public name of the token
