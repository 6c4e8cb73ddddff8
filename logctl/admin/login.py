"""Logging in over a link: SaslHandshake names the mechanism, then SaslAuthenticate carries its tokens (KIP-152).

Pure: `begin` gives the first request, `proceed` takes an answer and gives the next request, until there is none and
`lifetime_ms` says for how long the login holds (KIP-368; 0: as long as the connection).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from logctl.errors import AccessDenied, LogctlError, UsageError
from logctl.wire import errors
from logctl.wire.messages.sasl_authenticate import SaslAuthenticateRequest
from logctl.wire.messages.sasl_handshake import SaslHandshakeRequest
from logctl.wire.schema import Message

if TYPE_CHECKING:
    from logctl.security.sasl import Login


class LoginDialogue:
    """One login at the broker shown as `place`."""

    def __init__(self, login: Login, place: str) -> None:
        self._login = login
        self._place = place
        self._tokens = login.dialogue()
        self._chosen = False
        self._complete = False
        self.lifetime_ms = 0

    def begin(self) -> Message:
        return SaslHandshakeRequest(mechanism=self._login.mechanism)

    def proceed(self, response: Any) -> Message | None:
        """Raises AccessDenied, or UsageError where the listener wants no login at all."""
        if not self._chosen:
            self._check_choice(response)
            self._chosen = True
            return SaslAuthenticateRequest(auth_bytes=self._tokens.first())
        if response.error_code:
            raise self._refused(response)
        self.lifetime_ms = getattr(response, "session_lifetime_ms", 0)
        try:
            token = self._tokens.respond(bytes(response.auth_bytes))
        except AccessDenied as error:
            raise AccessDenied(f"{self._place}: {error.message}", error.hint) from None
        return None if token is None else SaslAuthenticateRequest(auth_bytes=token)

    def _check_choice(self, response: Any) -> None:
        code, mechanism = response.error_code, self._login.mechanism
        if code == errors.UNSUPPORTED_SASL_MECHANISM:
            offered = ", ".join(response.mechanisms) or "none"
            raise _named(
                AccessDenied(
                    f"{self._place}: the listener does not offer {mechanism}; it offers {offered}",
                    "set sasl.mechanism to one of these",
                ),
                code,
            )
        if code == errors.ILLEGAL_SASL_STATE:
            raise _named(
                UsageError(
                    f"{self._place}: the listener takes no login",
                    "set security.protocol to PLAINTEXT, or to SSL if it speaks TLS",
                ),
                code,
            )
        if code:
            raise self._refused(response)

    def _refused(self, response: Any) -> LogctlError:
        info = errors.describe(response.error_code)
        said = getattr(response, "error_message", None) or info.meaning
        return _named(
            AccessDenied(
                f"{self._place}: {self._login.user!r} was not let in with {self._login.mechanism}: {said}",
                "check the name and the password; the broker does not tell which of them is wrong",
            ),
            response.error_code,
        )


def _named(error: LogctlError, code: int) -> LogctlError:
    error.kafka_name = errors.describe(code).name
    return error
