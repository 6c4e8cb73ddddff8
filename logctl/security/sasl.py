"""Logging in with SASL, the client's side: which mechanism, as whom, and the tokens to exchange. No sockets here.

PLAIN (RFC 4616) sends name and password as they are; SCRAM (security/scram) proves the knowledge of the password.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from logctl.errors import UsageError
from logctl.security.secrets import Secret

SPOKEN: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_NOT_SPOKEN: Final = {
    "GSSAPI": "Kerberos (GSSAPI)",
    "OAUTHBEARER": "OAUTHBEARER",
    "DELEGATION_TOKEN": "delegation tokens",
}


class Dialogue(Protocol):
    """What is said to the server: first, and in response to each of its tokens; None when it has been said all."""

    def first(self) -> bytes: ...

    def respond(self, token: bytes) -> bytes | None: ...


class Login(NamedTuple):
    """As whom to log in, and how."""

    mechanism: str
    user: str
    password: Secret

    def dialogue(self, fresh_nonce: Callable[[], str] | None = None) -> Dialogue:
        """A new conversation; `fresh_nonce` is there for tests."""
        if self.mechanism == "PLAIN":
            return PlainDialogue(self.user, self.password)
        from logctl.security.scram import ScramDialogue

        return ScramDialogue(self.mechanism, self.user, self.password, fresh_nonce or _nonce)


class PlainDialogue:
    def __init__(self, user: str, password: Secret) -> None:
        self._user = user
        self._password = password

    def first(self) -> bytes:
        return b"\0".join((b"", self._user.encode(), self._password.reveal().encode()))

    def respond(self, token: bytes) -> None:
        return None


def check_mechanism(mechanism: str | None) -> str:
    """The mechanism as it is written on the wire. Raises UsageError for one that is not spoken."""
    if not mechanism:
        raise UsageError(
            "security.protocol asks for SASL, and sasl.mechanism is not set",
            f"set it to one of {', '.join(SPOKEN)}; Apache's own clients would take Kerberos (GSSAPI) now",
        )
    named = mechanism.upper()
    if named not in SPOKEN:
        said = _NOT_SPOKEN.get(named, mechanism)
        raise UsageError(f"sasl.mechanism: logctl does not speak {said} yet", f"it speaks {', '.join(SPOKEN)}")
    return named


def _nonce() -> str:
    from base64 import b64encode
    from os import urandom

    return b64encode(urandom(24)).decode()
