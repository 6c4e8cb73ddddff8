"""What a failed TLS handshake means, in words: each way it fails has its own remedy.

`explain` takes the error that `ssl` raised and answers the one an operator can act on. Where the broker said no to this
side it is AccessDenied, otherwise Unreachable: there is somebody, but nobody to talk to.
"""

from __future__ import annotations

import ssl
from typing import Final

from logctl.errors import AccessDenied, LogctlError, Unreachable

_TRUST: Final = "name the authority that signed it: ssl.truststore.location (or ssl.ca.location), in PEM or PKCS#12"
_UNKNOWN_SIGNER: Final = ("its certificate is not signed by an authority that is trusted here", _TRUST)
_VERIFICATION: Final = {
    9: ("its certificate is not valid yet", "compare the clocks of this machine and of the broker"),
    10: ("its certificate has expired", "the broker needs a new one; compare the clock of this machine too"),
    18: _UNKNOWN_SIGNER,
    19: _UNKNOWN_SIGNER,
    20: _UNKNOWN_SIGNER,
    21: _UNKNOWN_SIGNER,
    23: ("its certificate has been revoked", "the broker needs a new one"),
}
_WRONG_NAME: Final = (62, 64)
_REFUSED_BY_BROKER: Final = ("CERTIFICATE", "UNKNOWN_CA", "HANDSHAKE_FAILURE", "ACCESS_DENIED", "DECRYPT_ERROR")
_OTHER_PROTOCOL: Final = (
    "WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE",
    "UNEXPECTED_RECORD", "UNEXPECTED_MESSAGE", "RECORD_TOO_SMALL",
)  # fmt: skip
_NO_TLS_HINT: Final = "is it a PLAINTEXT listener? then set security.protocol=PLAINTEXT (or SASL_PLAINTEXT)"


def explain(error: ssl.SSLError, place: str, host: str, *, identified: bool, greeting: bytes = b"") -> LogctlError:
    """`place`: the address as it is shown; `host`: the name its certificate should carry; `identified`: this side has
    a certificate of its own; `greeting`: the first bytes that came from there."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _untrusted(error, place, host)
    reason = error.reason or ""
    if "ALERT" in reason:
        return _alert(reason, place, identified)
    if isinstance(error, ssl.SSLEOFError):
        return hung_up(place)
    if greeting.startswith(b"HTTP"):
        return Unreachable(f"{place}: speaks HTTP, and no TLS", "check the port number")
    if reason in _OTHER_PROTOCOL:
        return Unreachable(f"{place}: does not speak TLS", _NO_TLS_HINT)
    if "PROTOCOL" in reason or "VERSION" in reason:
        return Unreachable(f"{place}: no version of TLS is spoken on both sides", "see ssl.enabled.protocols")
    return Unreachable(f"{place}: TLS failed ({reason.lower().replace('_', ' ') or error})")


def hung_up(place: str) -> LogctlError:
    """The broker ended the connection in the middle of the handshake, or at its first bytes."""
    return Unreachable(f"{place}: closed the connection when TLS was offered", _NO_TLS_HINT)


def _untrusted(error: ssl.SSLCertVerificationError, place: str, host: str) -> LogctlError:
    if error.verify_code in _WRONG_NAME:
        return Unreachable(
            f"{place}: its certificate is not for {host}",
            "use a name that the certificate carries; ssl.endpoint.identification.algorithm= (empty) accepts any name",
        )
    unusual = (f"its certificate is not trusted: {error.verify_message}", _TRUST)
    sentence, hint = _VERIFICATION.get(error.verify_code, unusual)
    return Unreachable(f"{place}: {sentence}", hint)


def _alert(reason: str, place: str, identified: bool) -> LogctlError:
    if "PROTOCOL_VERSION" in reason:
        return Unreachable(f"{place}: no version of TLS is spoken on both sides", "see ssl.enabled.protocols")
    if not any(word in reason for word in _REFUSED_BY_BROKER):
        return Unreachable(f"{place}: the broker ended TLS: {reason.lower().replace('_', ' ')}")
    if identified:
        return AccessDenied(
            f"{place}: the broker does not accept the certificate of this side ({reason.lower().replace('_', ' ')})",
            "it must be signed by an authority in the broker's truststore, and not have expired",
        )
    return AccessDenied(
        f"{place}: the broker asks for a certificate of this side, and there is none",
        "give one with ssl.keystore.location: a file in PEM or PKCS#12",
    )
