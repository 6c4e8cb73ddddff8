"""RenewDelegationToken (key 39): put off the end of a token (KIP-48). Version 2 is flexible."""

from __future__ import annotations

from logctl.wire.primitives import Buffer
from logctl.wire.schema import BYTES, INT16, INT32, INT64, Message, field


class RenewDelegationTokenRequest(Message, api_key=39, versions="1-2", flexible="2+"):
    hmac: Buffer = field(BYTES, "0+")          # the token's secret, which also names it
    renew_period_ms: int = field(INT64, "0+")  # by how long; -1 the broker's setting


class RenewDelegationTokenResponse(Message, api_key=39, versions="1-2", flexible="2+"):
    error_code: int = field(INT16, "0+")           # 0, or what went wrong
    expiry_timestamp_ms: int = field(INT64, "0+")  # when it ends now
    throttle_time_ms: int = field(INT32, "0+")     # how long the quota delayed, or is to delay, this client
