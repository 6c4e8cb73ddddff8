"""DelegationTokenRecord: a delegation token was made or renewed (metadata log). Its secret is not kept."""

from __future__ import annotations

from logctl.wire.schema import INT64, STRING, Message, array, field


class DelegationTokenRecord(Message, api_key=10, versions="0", flexible="0+"):
    owner: str = field(STRING, "0+")                  # whom it stands for
    requester: str = field(STRING, "0+")              # who asked for it
    renewers: list[str] = field(array(STRING), "0+")  # who may renew it besides the owner
    issue_timestamp: int = field(INT64, "0+")         # when it was made, in ms
    max_timestamp: int = field(INT64, "0+")           # when it ends whatever happens, in ms
    expiration_timestamp: int = field(INT64, "0+")    # when it ends unless renewed, in ms
    token_id: str = field(STRING, "0+")               # public name of the token
