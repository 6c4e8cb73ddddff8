"""CreateDelegationToken (key 38): a secret with a lifetime that stands for its owner (KIP-48).

2   flexible
3   a token for somebody else (KIP-373)
"""

from __future__ import annotations

from logctl.wire.primitives import Buffer
from logctl.wire.schema import BYTES, INT16, INT32, INT64, STRING, Message, Struct, array, field


class CreatableRenewers(Struct):
    principal_type: str = field(STRING, "0+")  # "User"
    principal_name: str = field(STRING, "0+")  # name of the principal


class CreateDelegationTokenRequest(Message, api_key=38, versions="1-3", flexible="2+"):
    owner_principal_type: str | None = field(STRING, "3+", nullable="3+")  # whose token it is to be; null the caller's
    owner_principal_name: str | None = field(STRING, "3+", nullable="3+")  # whose token it is to be; null the caller's
    renewers: list[CreatableRenewers] = field(array(CreatableRenewers), "0+")  # who may renew it besides the owner
    max_lifetime_ms: int = field(INT64, "0+")  # time after which it cannot be renewed; -1 the broker's setting


class CreateDelegationTokenResponse(Message, api_key=38, versions="1-3", flexible="2+"):
    error_code: int = field(INT16, "0+")                       # 0, or what went wrong
    principal_type: str = field(STRING, "0+")                  # kind of the owner
    principal_name: str = field(STRING, "0+")                  # owner
    token_requester_principal_type: str = field(STRING, "3+")  # kind of the one who asked for it
    token_requester_principal_name: str = field(STRING, "3+")  # who asked for it
    issue_timestamp_ms: int = field(INT64, "0+")               # when it was made
    expiry_timestamp_ms: int = field(INT64, "0+")              # when it ends unless renewed
    max_timestamp_ms: int = field(INT64, "0+")                 # when it ends whatever happens
    token_id: str = field(STRING, "0+")                        # public name of the token
    hmac: Buffer = field(BYTES, "0+")                          # the token's secret, which also names it
    throttle_time_ms: int = field(INT32, "0+")                 # how long the quota delayed, or is to delay, this client
