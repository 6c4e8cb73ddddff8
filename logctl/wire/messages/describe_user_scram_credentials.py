"""DescribeUserScramCredentials (key 50): which users can log in by SCRAM, without their secrets (KIP-554)."""

from __future__ import annotations

from logctl.wire.schema import INT8, INT16, INT32, STRING, Message, Struct, array, field


class UserName(Struct):
    name: str = field(STRING, "0+")  # user


class DescribeUserScramCredentialsRequest(Message, api_key=50, versions="0", flexible="0+"):
    users: list[UserName] | None = field(array(UserName), "0+", nullable="0+")  # users wanted; null or empty for all


class CredentialInfo(Struct):
    mechanism: int = field(INT8, "0+")    # 1 SCRAM-SHA-256, 2 SCRAM-SHA-512
    iterations: int = field(INT32, "0+")  # rounds of the key derivation


class DescribeUserScramCredentialsResult(Struct):
    user: str = field(STRING, "0+")  # user
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+")
    credential_infos: list[CredentialInfo] = field(array(CredentialInfo), "0+")  # one per mechanism


class DescribeUserScramCredentialsResponse(Message, api_key=50, versions="0", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+")
    # one per user
    results: list[DescribeUserScramCredentialsResult] = field(array(DescribeUserScramCredentialsResult), "0+")
