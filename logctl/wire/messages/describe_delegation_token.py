"""DescribeDelegationToken (key 41): tokens the caller may see (KIP-48).

2   flexible
3   who asked for each token (KIP-373)
"""

from __future__ import annotations

from logctl.wire.primitives import Buffer
from logctl.wire.schema import BYTES, INT16, INT32, INT64, STRING, Message, Struct, array, field


class DescribeDelegationTokenOwner(Struct):
    principal_type: str = field(STRING, "0+")  # "User"
    principal_name: str = field(STRING, "0+")  # name of the principal


class DescribeDelegationTokenRequest(Message, api_key=41, versions="1-3", flexible="2+"):
    # tokens of these owners; null for all
    owners: list[DescribeDelegationTokenOwner] | None = field(array(DescribeDelegationTokenOwner), "0+", nullable="0+")


class DescribedDelegationTokenRenewer(Struct):
    principal_type: str = field(STRING, "0+")  # "User"
    principal_name: str = field(STRING, "0+")  # name of the principal


class DescribedDelegationToken(Struct):
    principal_type: str = field(STRING, "0+")  # "User"
    principal_name: str = field(STRING, "0+")  # name of the principal
    token_requester_principal_type: str = field(STRING, "3+")  # kind of the one who asked for it
    token_requester_principal_name: str = field(STRING, "3+")  # who asked for it
    issue_timestamp: int = field(INT64, "0+")  # when it was made, in ms
    expiry_timestamp: int = field(INT64, "0+")  # when it ends unless renewed, in ms
    max_timestamp: int = field(INT64, "0+")  # when it ends whatever happens, in ms
    token_id: str = field(STRING, "0+")  # public name of the token
    hmac: Buffer = field(BYTES, "0+")  # the token's secret, which also names it
    # who may renew it besides the owner
    renewers: list[DescribedDelegationTokenRenewer] = field(array(DescribedDelegationTokenRenewer), "0+")


class DescribeDelegationTokenResponse(Message, api_key=41, versions="1-3", flexible="2+"):
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    tokens: list[DescribedDelegationToken] = field(array(DescribedDelegationToken), "0+")  # those found
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
