"""AlterUserScramCredentials (key 51): set or remove SCRAM logins (KIP-554).

The password never travels: the sender salts and hashes it.
"""

from __future__ import annotations

from logctl.wire.primitives import Buffer
from logctl.wire.schema import BYTES, INT8, INT16, INT32, STRING, Message, Struct, array, field


class ScramCredentialDeletion(Struct):
    name: str = field(STRING, "0+")     # user
    mechanism: int = field(INT8, "0+")  # 1 SCRAM-SHA-256, 2 SCRAM-SHA-512


class ScramCredentialUpsertion(Struct):
    name: str = field(STRING, "0+")               # user
    mechanism: int = field(INT8, "0+")            # 1 SCRAM-SHA-256, 2 SCRAM-SHA-512
    iterations: int = field(INT32, "0+")          # rounds of the key derivation
    salt: Buffer = field(BYTES, "0+")             # random bytes that the password was mixed with
    salted_password: Buffer = field(BYTES, "0+")  # the password after the key derivation


class AlterUserScramCredentialsRequest(Message, api_key=51, versions="0", flexible="0+"):
    deletions: list[ScramCredentialDeletion] = field(array(ScramCredentialDeletion), "0+")     # logins to remove
    upsertions: list[ScramCredentialUpsertion] = field(array(ScramCredentialUpsertion), "0+")  # logins to set


class AlterUserScramCredentialsResult(Struct):
    user: str = field(STRING, "0+")  # user
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+")


class AlterUserScramCredentialsResponse(Message, api_key=51, versions="0", flexible="0+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    results: list[AlterUserScramCredentialsResult] = field(array(AlterUserScramCredentialsResult), "0+")  # one per user
