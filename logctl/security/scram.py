"""SCRAM-SHA-256 and SCRAM-SHA-512, the client's side (RFC 5802, RFC 7677), as a conversation without a socket.

    client-first    n,,n=USER,r=NONCE
    server-first    r=NONCE+MORE,s=SALT,i=ITERATIONS
    client-final    c=biws,r=NONCE+MORE,p=PROOF
    server-final    v=SIGNATURE  or  e=ERROR

The server's signature is verified: only who knows the password's salted form can make it.

Why not a library: Kafka takes passwords as they are, in UTF-8, and the libraries prepare them with SASLprep (RFC 4013),
so that a password with, say, a ligature in it lets every Kafka client in but theirs. Channel binding is not offered,
because Kafka does not.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from logctl.errors import AccessDenied
from logctl.security.secrets import Secret

HASHES: Final = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
MOST_ITERATIONS: Final = 10_000_000
"""More would keep this side busy for seconds at the word of somebody who has not proven anything yet."""

_GS2: Final = "n,,"


class ScramDialogue:
    """One login. `first()`, then `respond()` to each token of the server until it answers None: it is verified.

    `fresh_nonce` makes a new unpredictable text without commas for each call.
    """

    def __init__(self, mechanism: str, user: str, password: Secret, fresh_nonce: Callable[[], str]) -> None:
        self._hash = HASHES[mechanism]
        self._password = password
        self._nonce = fresh_nonce()
        self._bare = f"n={user.replace('=', '=3D').replace(',', '=2C')},r={self._nonce}"
        self._expected_signature: bytes | None = None

    def first(self) -> bytes:
        return (_GS2 + self._bare).encode()

    def respond(self, token: bytes) -> bytes | None:
        """The answer to the server's token. Raises AccessDenied when the server is not who it should be."""
        fields = _fields(token)
        if "e" in fields:
            raise AccessDenied(f"the server ended the SCRAM login: {fields['e']}")
        if self._expected_signature is None:
            return self._prove(token.decode(), fields)
        self._verify(fields)
        return None

    def _prove(self, server_first: str, fields: dict[str, str]) -> bytes:
        nonce, salt, iterations = fields.get("r", ""), _base64(fields.get("s", "")), _number(fields.get("i", ""))
        if not nonce.startswith(self._nonce) or nonce == self._nonce or not salt:
            raise _not_scram("its first answer does not go on from what was sent")
        if not 0 < iterations <= MOST_ITERATIONS:
            raise _not_scram(f"it asks for {fields.get('i')} iterations")
        salted = _salted(self._hash, self._password, salt, iterations)
        client_key = self._hmac(salted, b"Client Key")
        without_proof = f"c={base64.b64encode(_GS2.encode()).decode()},r={nonce}"
        message = ",".join((self._bare, server_first, without_proof)).encode()
        signature = self._hmac(hashlib.new(self._hash, client_key).digest(), message)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self._expected_signature = self._hmac(self._hmac(salted, b"Server Key"), message)
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def _verify(self, fields: dict[str, str]) -> None:
        assert self._expected_signature is not None
        if not hmac.compare_digest(_base64(fields.get("v", "")), self._expected_signature):
            raise AccessDenied(
                "the server let us in without knowing the password itself: its signature is wrong",
                "somebody may be standing between this machine and the cluster; do not trust what it answers",
            )

    def _hmac(self, key: bytes, message: bytes) -> bytes:
        return hmac.digest(key, message, self._hash)


@lru_cache(maxsize=4)
def _salted(hash_name: str, password: Secret, salt: bytes, iterations: int) -> bytes:
    """The slow part, which is the same at every broker of a cluster."""
    return hashlib.pbkdf2_hmac(hash_name, password.reveal().encode(), salt, iterations)


def _fields(token: bytes) -> dict[str, str]:
    try:
        return {part[0]: part[2:] for part in token.decode().split(",") if part[1:2] == "="}
    except UnicodeDecodeError:
        raise _not_scram("its answer is not text") from None


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _not_scram("its answer is not in base 64") from None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0


def _not_scram(why: str) -> AccessDenied:
    return AccessDenied(f"the server does not follow SCRAM: {why}")
