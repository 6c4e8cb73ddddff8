"""The bytes below a link: a socket, bare or with TLS around it. Both are driven by readiness and never block.

`BlockingIOError` means "not now" from either. `ssl` is imported by the first channel that needs it.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from logctl.errors import LogctlError

if TYPE_CHECKING:
    import ssl

    from logctl.security.sasl import Login
    from logctl.security.tls import TlsSettings

WRITE_PARTS: Final = 64
_RECORDS_BYTES: Final = 64 << 10


class Access:
    """How the listeners of a cluster are entered: with TLS or not, logging in or not. One for all links of a client."""

    def __init__(self, tls: TlsSettings | None = None, login: Login | None = None) -> None:
        self.tls = tls
        self.login = login
        self._context: ssl.SSLContext | None = None

    def prepare(self) -> None:
        """Read what TLS needs from its files. Raises UsageError."""
        if self.tls is not None and self._context is None:
            from logctl.security.tls import client_context

            self._context = client_context(self.tls)

    def channel(self, plain: socket.socket, host: str) -> Channel:
        """A channel over a connected socket to `host`."""
        if self.tls is None:
            return Channel(plain)
        self.prepare()
        assert self._context is not None
        return TlsChannel(plain, self._context, host, self.tls)


class Secured(NamedTuple):
    """What TLS agreed on: 'TLSv1.3', the cipher's name, and until when the broker's certificate is valid, in ms since
    1970; None where it was not looked at."""

    version: str
    cipher: str
    valid_until_ms: int | None


class Channel:
    """A bare socket."""

    handshake_wants_write = False
    write_waits_for_read = False
    """Writing goes on only after something was read: a wish of TLS, when it agrees on new keys."""

    def __init__(self, plain: socket.socket) -> None:
        self._socket = plain

    def handshake(self) -> bool:
        """Go on with securing the channel; True once that is done."""
        return True

    def secured(self) -> Secured | None:
        return None

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self, into: memoryview) -> int:
        """Bytes received; 0 at the end of the stream."""
        return self._socket.recv_into(into)

    def send(self, parts: Sequence[memoryview]) -> int:
        """Bytes taken of the parts, in order. What was not taken must be given again first."""
        return self._socket.sendmsg(parts[:WRITE_PARTS])

    def ended(self) -> bool:
        """While nothing is awaited: has the other side hung up, or said something nobody asked for?"""
        try:
            return self._socket.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def explain(self, error: OSError, place: str) -> LogctlError | None:
        """What the error means, where the channel knows better than the system."""
        return None

    def close(self) -> None:
        self._socket.close()


class TlsChannel(Channel):
    """TLS around a socket. OpenSSL wants to be given the same bytes again after "not now": they wait in `_offered`."""

    def __init__(self, plain: socket.socket, context: ssl.SSLContext, host: str, settings: TlsSettings) -> None:
        import ssl

        self._host = host
        self._identified = settings.identity is not None
        self._want_read, self._want_write = ssl.SSLWantReadError, ssl.SSLWantWriteError
        self._offered = b""
        self._greeting = b""
        self._done = False
        self._tls = context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
        super().__init__(self._tls)

    def handshake(self) -> bool:
        self._look_ahead()
        try:
            self._tls.do_handshake()
        except self._want_read:
            self.handshake_wants_write = False
            return False
        except self._want_write:
            self.handshake_wants_write = True
            return False
        self._done = True
        return True

    def _look_ahead(self) -> None:
        """Keep the first bytes that came, because OpenSSL does not say what it choked on."""
        if not self._greeting:
            self._greeting = self._waiting()

    def _waiting(self) -> bytes:
        try:
            return socket.socket.recv(self._tls, 8, socket.MSG_PEEK)
        except OSError:
            return b""

    def _said_first(self) -> bytes:
        """What came first. When it came after the look ahead, OpenSSL has taken the five bytes of a record's head: the
        rest of an 'HTTP/1.1' still tells."""
        return b"HTTP/" if not self._greeting and self._waiting().startswith(b"1.") else self._greeting

    def secured(self) -> Secured:
        import ssl

        cipher = self._tls.cipher()
        until = (self._tls.getpeercert() or {}).get("notAfter")
        valid_until_ms = int(ssl.cert_time_to_seconds(until)) * 1000 if isinstance(until, str) else None
        return Secured(self._tls.version() or "", cipher[0] if cipher else "", valid_until_ms)

    def receive(self, into: memoryview) -> int:
        self.write_waits_for_read = False
        try:
            return self._tls.recv_into(into)
        except (self._want_read, self._want_write):
            raise BlockingIOError from None

    def send(self, parts: Sequence[memoryview]) -> int:
        if not self._offered:
            self._offered = _beginning(parts)
        try:
            taken = self._tls.send(self._offered)
        except self._want_write:
            raise BlockingIOError from None
        except self._want_read:
            self.write_waits_for_read = True
            raise BlockingIOError from None
        self._offered = b""
        return taken

    def ended(self) -> bool:
        try:
            return self._tls.recv(1) is not None  # the end, or a byte that answers nothing
        except (self._want_read, self._want_write):
            return False
        except OSError:
            return True

    def explain(self, error: OSError, place: str) -> LogctlError | None:
        import ssl

        from logctl.security import tls_refusals

        if self._done and (isinstance(error, ssl.SSLEOFError) or not isinstance(error, ssl.SSLError)):
            error = self._last_words() or error
        if self._done and isinstance(error, ssl.SSLEOFError):
            return None
        if isinstance(error, ssl.SSLError):
            said = self._said_first()
            return tls_refusals.explain(error, place, self._host, identified=self._identified, greeting=said)
        return None if self._done else tls_refusals.hung_up(place)

    def _last_words(self) -> OSError | None:
        """The alert that may have come before the connection broke: in TLS 1.3 a certificate is refused after the
        handshake, when this side is writing already."""
        import ssl

        try:
            self._tls.recv(1)
        except ssl.SSLError as alert:
            return alert
        except OSError:
            pass
        return None


def _beginning(parts: Sequence[memoryview]) -> bytes:
    taken, size = [], 0
    for part in parts:
        taken.append(part[: _RECORDS_BYTES - size])
        size += taken[-1].nbytes
        if size == _RECORDS_BYTES:
            break
    return b"".join(taken)
