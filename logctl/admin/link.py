"""One conversation with one broker, driven by readiness.

Theory of operation
-------------------
A link connects, asks ApiVersions, and then sends the calls submitted to it in order; Kafka answers them in that order.
Nothing here blocks: `Client` watches the sockets of all links and calls `advance` on those that are ready, so that many
brokers are asked at once and a silent one costs only its own answer.

    RESTING -> CONNECTING -> SECURING -> NEGOTIATING -> AUTHENTICATING -> READY -> CLOSED

SECURING is the handshake of TLS (admin/channel) and AUTHENTICATING the dialogue of SASL (admin/login), where the
cluster's listeners want them. A login may hold for a while only (KIP-368): the link goes back to AUTHENTICATING in
time, behind the calls that were sent and before those that were not.

A call that is not answered in time takes the link with it (`give_up`): Kafka answers in order, so whatever is asked
after it on the same connection would wait behind an answer that may never come. The next call opens a new one.

A name may resolve to several addresses; each is tried in turn until one answers. Whatever ends the link is one
sentence in `failure`, and every call that waited on it gets that as its error.

ApiVersions (KIP-35, KIP-511) is asked in the newest form this side knows. A broker that does not know that form answers
UNSUPPORTED_VERSION in form 0, often with the range it does know, and is asked again in that.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from logctl import __version__
from logctl.admin.channel import WRITE_PARTS, Access, Channel, Secured
from logctl.errors import AccessDenied, DeadlineExceeded, LogctlError, OperationFailed, Unreachable
from logctl.wire import errors
from logctl.wire.api import API, API_VERSIONS
from logctl.wire.frames import LENGTH, read_response_header
from logctl.wire.primitives import MalformedMessage
from logctl.wire.schema import Message

if TYPE_CHECKING:
    from logctl.admin.login import LoginDialogue

RESPONSE_LIMIT_BYTES: Final = 128 << 20
"""No answer of a Kafka broker is larger; a larger announcement is another protocol talking."""

_HEADER: Final = struct.Struct(">hhih")
_RENEW_AFTER: Final = 0.85
"""The share of a login's lifetime after which it is renewed."""


class Address(NamedTuple):
    """Where a broker listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class State(Enum):
    RESTING = "resting"
    CONNECTING = "connecting"
    SECURING = "securing"
    NEGOTIATING = "negotiating"
    AUTHENTICATING = "authenticating"
    READY = "ready"
    CLOSED = "closed"


class NotOffered(OperationFailed):
    """The broker does not serve this API, or no version of it that this side speaks. Some callers know another way."""


class Call:
    """One request on its way. `sent`: some of it reached the socket, so the broker may have acted on it."""

    __slots__ = ("error", "link", "request", "response", "sent", "version")

    def __init__(self, request: Message) -> None:
        self.request = request
        self.link: Link | None = None
        self.version = -1
        self.sent = False
        self.response: Any = None
        self.error: LogctlError | None = None

    @property
    def done(self) -> bool:
        return self.response is not None or self.error is not None

    @property
    def name(self) -> str:
        return API[self.request.api_key].name

    def result(self) -> Any:
        """The response, or the error raised."""
        if self.error is not None:
            raise self.error
        return self.response


class _OwnCall(Call):
    """A request of the link itself; `then` takes its answer."""

    __slots__ = ("then",)

    def __init__(self, request: Message, then: Callable[[Call], None]) -> None:
        super().__init__(request)
        self.then = then


_OPENING: Final = (State.CONNECTING, State.SECURING, State.NEGOTIATING, State.AUTHENTICATING)


class Link:
    """A connection to the broker at `address`; see the module's theory of operation."""

    def __init__(self, address: Address, client_id: str, access: Access | None = None) -> None:
        self.address = address
        self.state = State.RESTING
        self.failure: LogctlError | None = None
        self.versions: dict[int, tuple[int, int]] = {}
        self.secured: Secured | None = None
        self._client_id = client_id.encode()
        self._access = access or Access()
        self._login: LoginDialogue | None = None
        self._renew_at_s: float | None = None
        self._answered = 0
        self._socket: socket.socket | None = None
        self._channel: Channel | None = None
        self._candidates: list[Any] = []
        self._refusals: list[str] = []
        self._queue: deque[Call] = deque()
        self._asked: deque[tuple[int, Call]] = deque()
        self._outgoing: deque[memoryview] = deque()
        self._unsent: deque[tuple[int, Call]] = deque()
        self._written_bytes = 0
        self._queued_bytes = 0
        self._correlation = 0
        self._incoming = bytearray(4)
        self._filled = 0
        self._in_body = False

    # -- what the client asks of a link ------------------------------------------------------------------------------

    def submit(self, call: Call) -> None:
        """Send `call` as soon as the broker's versions are known; fails it at once on a link that is closed."""
        call.link = self
        if self.state is State.READY and self._renew_at_s is not None and time.monotonic() >= self._renew_at_s:
            self._begin_login()
        if self.state is State.CLOSED:
            call.error = self.failure
        elif self.state is State.READY:
            self._send(call)
        else:
            self._queue.append(call)

    def open(self) -> None:
        """Begin to connect. Name resolution is the one step that blocks."""
        try:
            found = socket.getaddrinfo(self.address.host, self.address.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            self._close(Unreachable(f"{self.address}: the name does not resolve ({_reason(error)})"))
            return
        self._candidates = [(family, where) for family, _, _, _, where in found]
        self._connect_next()

    def fileno(self) -> int:
        end = self._channel or self._socket
        return end.fileno() if end is not None else -1

    @property
    def wants_write(self) -> bool:
        if self.state is State.SECURING:
            assert self._channel is not None
            return self._channel.handshake_wants_write
        if self._channel is not None and self._channel.write_waits_for_read:
            return False
        return self.state is State.CONNECTING or bool(self._outgoing)

    @property
    def busy(self) -> bool:
        """Something is under way: an answer is awaited or bytes wait to be written."""
        return self.state in _OPENING or bool(self._asked) or bool(self._outgoing)

    def advance(self, *, readable: bool, writable: bool) -> None:
        """The socket is ready: do what can be done without blocking."""
        try:
            if self.state is State.CONNECTING:
                self._finish_connecting()
                return
            if self.state is State.SECURING:
                self._secure()
                return
            if readable:
                self._receive()
            if writable and self.state is not State.CLOSED:
                self._flush()
        except OSError as error:
            self._close(self._explain_error(error))
        except MalformedMessage as error:
            self._close(OperationFailed(f"{self.address} sent an answer that cannot be read: {error}"))

    def notice_end(self) -> None:
        """While nothing is under way: has the broker hung up meanwhile, as it does with idle connections?"""
        assert self._channel is not None
        if self._channel.ended():
            self.close()

    def close(self) -> None:
        self._close(Unreachable(f"{self.address}: the connection was closed"))

    def give_up(self, timeout_s: float) -> None:
        """Nothing came within the time there was: close, and let each call that waits say how far it got."""
        silence = self.explain_silence()
        within = f"within {timeout_s:g} s"
        for call in self._waiting():
            if call.sent:
                call.error = DeadlineExceeded(f"{silence}: {call.name} was sent and not answered {within}")
            else:
                call.error = Unreachable(f"{silence} {within}")
        self.close()

    def explain_silence(self) -> str:
        """Why nothing came from here before the deadline, as far as this end can tell."""
        if self.state is State.CONNECTING:
            return f"{self.address}: no answer to the connection attempt"
        if self.state is State.SECURING:
            return f"{self.address}: accepted the connection but did not answer TLS"
        if self.state is State.NEGOTIATING:
            wanted = "Kafka listener" if self.secured else "plaintext Kafka listener"
            return f"{self.address}: accepted the connection but said nothing; is it a {wanted}?"
        if self.state is State.AUTHENTICATING:
            return f"{self.address}: did not answer the login"
        return f"{self.address}: did not answer in time"

    # -- connecting --------------------------------------------------------------------------------------------------

    def _connect_next(self) -> None:
        while self._candidates:
            family, where = self._candidates.pop(0)
            self._socket = socket.socket(family, socket.SOCK_STREAM)
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.state = State.CONNECTING
            try:
                self._socket.connect(where)
            except BlockingIOError:
                return
            except OSError as error:
                self._refuse(_reason(error))
                continue
            self._finish_connecting()
            return
        said = "; ".join(dict.fromkeys(self._refusals)) or "no address"
        self._close(Unreachable(f"{self.address}: {said}"))

    def _refuse(self, why: str) -> None:
        self._refusals.append(why)
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _finish_connecting(self) -> None:
        assert self._socket is not None
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._refuse(_reason(OSError(code, "")))
            self._connect_next()
            return
        try:
            self._channel = self._access.channel(self._socket, self.address.host)
        except ValueError as error:
            self._close(Unreachable(f"{self.address}: TLS cannot name this host ({error})"))
            return
        except (LogctlError, OSError) as error:
            self._close(error if isinstance(error, LogctlError) else self._explain_error(error))
            return
        self.state = State.SECURING
        self._secure()

    def _secure(self) -> None:
        assert self._channel is not None
        try:
            if not self._channel.handshake():
                return
        except OSError as error:
            self._close(self._explain_error(error))
            return
        self.secured = self._channel.secured()
        self.state = State.NEGOTIATING
        self._ask_versions(API[API_VERSIONS].versions.highest)

    def _ask_versions(self, version: int) -> None:
        request = API[API_VERSIONS].request(client_software_name="logctl", client_software_version=__version__)
        call = _OwnCall(request, self._learn_versions)
        call.version = version
        self._write(call)

    def _learn_versions(self, call: Call) -> None:
        response = call.response
        known = {entry.api_key: (entry.min_version, entry.max_version) for entry in response.api_keys}
        if response.error_code == errors.UNSUPPORTED_VERSION and call.version > 0:
            offered = known.get(API_VERSIONS, (0, 0))[1]
            self._ask_versions(min(offered, call.version - 1))
            return
        if response.error_code:
            info = errors.describe(response.error_code)
            self._close(OperationFailed(f"{self.address} refused to negotiate: {info.name}: {info.meaning}"))
            return
        self.versions = known
        if self._access.login is None:
            self._welcome()
        else:
            self._begin_login()

    def _welcome(self) -> None:
        self.state = State.READY
        self._answered = 0
        while self._queue and self.state is State.READY:
            self._send(self._queue.popleft())

    # -- logging in --------------------------------------------------------------------------------------------------

    def _begin_login(self) -> None:
        from logctl.admin.login import LoginDialogue

        assert self._access.login is not None
        self.state = State.AUTHENTICATING
        self._login = LoginDialogue(self._access.login, str(self.address))
        self._ask(self._login.begin())

    def _ask(self, request: Message) -> None:
        call = _OwnCall(request, self._login_answered)
        self._send(call)
        if call.error is not None:
            self._close(call.error)

    def _login_answered(self, call: Call) -> None:
        assert self._login is not None
        try:
            following = self._login.proceed(call.response)
        except LogctlError as error:
            self._close(error)
            return
        if following is not None:
            self._ask(following)
            return
        lifetime_ms = self._login.lifetime_ms
        self._renew_at_s = time.monotonic() + lifetime_ms / 1000 * _RENEW_AFTER if lifetime_ms > 0 else None
        self._welcome()

    def version_for(self, request: Message) -> int:
        """The newest version of the request both ends speak. Raises NotOffered."""
        lowest, highest = self.versions.get(request.api_key, (0, -1))
        ours = API[request.api_key].versions
        chosen = min(highest, ours.highest)
        if chosen < max(lowest, request.versions.lowest):
            name = API[request.api_key].name
            raise NotOffered(f"{self.address} does not offer {name} (key {request.api_key}) in a version logctl speaks")
        return chosen

    # -- writing -----------------------------------------------------------------------------------------------------

    def _send(self, call: Call) -> None:
        try:
            call.version = self.version_for(call.request)
        except NotOffered as error:
            call.error = error
            return
        self._write(call)

    def _write(self, call: Call) -> None:
        self._correlation += 1
        pieces = call.request.encode_parts(call.version)
        if len(pieces) > WRITE_PARTS:
            pieces = [b"".join(pieces)]
        parts = [memoryview(part) for part in pieces]
        header = _HEADER.pack(call.request.api_key, call.version, self._correlation, len(self._client_id))
        header += self._client_id
        if call.version in call.request.flexible:
            header += b"\0"
        size = len(header) + sum(part.nbytes for part in parts)
        self._outgoing.append(memoryview(LENGTH.pack(size) + header))
        self._outgoing.extend(part for part in parts if part.nbytes)
        self._unsent.append((self._queued_bytes, call))
        self._queued_bytes += size + 4
        if expects_answer(call.request):
            self._asked.append((self._correlation, call))
        try:
            self._flush()
        except OSError as error:
            self._close(self._explain_error(error))

    def _flush(self) -> None:
        assert self._channel is not None
        while self._outgoing:
            batch = [self._outgoing[i] for i in range(min(len(self._outgoing), WRITE_PARTS))]
            try:
                written = self._channel.send(batch)
            except BlockingIOError:
                return
            self._written_bytes += written
            self._drop(written)
            self._mark_sent()

    def _drop(self, written: int) -> None:
        while written:
            first = self._outgoing[0]
            if written < first.nbytes:
                self._outgoing[0] = first[written:]
                return
            written -= first.nbytes
            self._outgoing.popleft()

    def _mark_sent(self) -> None:
        while self._unsent and self._unsent[0][0] < self._written_bytes:
            _, call = self._unsent.popleft()
            call.sent = True
            if not expects_answer(call.request):
                call.response = True

    # -- reading -----------------------------------------------------------------------------------------------------

    def _receive(self) -> None:
        while self._channel is not None:
            try:
                count = self._channel.receive(memoryview(self._incoming)[self._filled :])
            except BlockingIOError:
                return
            if count == 0:
                self._close(self._explain_end())
                return
            self._filled += count
            if self._filled == len(self._incoming):
                self._part_complete()

    def _part_complete(self) -> None:
        if self._in_body:
            body, self._incoming = self._incoming, bytearray(4)
            self._in_body = False
            self._filled = 0
            self._answer(memoryview(body))
            return
        size = int.from_bytes(self._incoming, "big", signed=True)
        if not 4 <= size <= RESPONSE_LIMIT_BYTES:
            self._close(self._explain_length(bytes(self._incoming)))
            return
        self._incoming = bytearray(size)
        self._filled = 0
        self._in_body = True

    def _answer(self, body: memoryview) -> None:
        number = int.from_bytes(body[:4], "big", signed=True)
        if not self._asked or self._asked[0][0] != number:
            self._close(OperationFailed(f"{self.address} answered request {number}, which was not asked"))
            return
        _, call = self._asked.popleft()
        try:
            call.response = decode_answer(call, body)
        except MalformedMessage:
            self._asked.appendleft((number, call))
            raise
        if isinstance(call, _OwnCall):
            call.then(call)
        else:
            self._answered += 1

    # -- ending ------------------------------------------------------------------------------------------------------

    def _close(self, failure: LogctlError) -> None:
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        self.failure = failure
        for open_end in (self._channel, self._socket):
            if open_end is not None:
                open_end.close()
        self._channel = self._socket = None
        for call in self._waiting():
            call.error = failure
        self._asked.clear()
        self._unsent.clear()
        self._queue.clear()
        self._outgoing.clear()

    def _waiting(self) -> list[Call]:
        known = [*(call for _, call in self._asked), *(call for _, call in self._unsent), *self._queue]
        return [call for call in known if not call.done]

    def _explain_error(self, error: OSError) -> LogctlError:
        known = self._channel.explain(error, str(self.address)) if self._channel is not None else None
        ended = isinstance(error, ConnectionError) or type(error).__name__ == "SSLEOFError"
        if known is None and ended and self.state is not State.CONNECTING:
            return self._explain_end()
        return known or Unreachable(f"{self.address}: {_reason(error)}")

    def _explain_end(self) -> LogctlError:
        if self.state is State.NEGOTIATING:
            return Unreachable(
                f"{self.address}: closed the connection without answering",
                "the listener may ask for a certificate of this side (ssl.keystore.location)"
                if self.secured
                else "the port may expect TLS (security.protocol=SSL), or another protocol than Kafka's",
            )
        if self.state is State.AUTHENTICATING:
            return AccessDenied(f"{self.address}: closed the connection during the login")
        if self._access.login is None and not self._answered:
            protocol = "SASL_SSL" if self.secured else "SASL_PLAINTEXT"
            return Unreachable(
                f"{self.address}: closed the connection at the first request",
                f"the listener may ask for a login: security.protocol={protocol}, sasl.mechanism, sasl.username",
            )
        return Unreachable(f"{self.address}: closed the connection")

    def _explain_length(self, start: bytes) -> LogctlError:
        if start[0] in (0x14, 0x15, 0x16) and start[1] == 3:
            return Unreachable(
                f"{self.address}: speaks TLS, and logctl spoke plaintext",
                "set security.protocol=SSL (or SASL_SSL), or use the port of a PLAINTEXT listener",
            )
        if start in (b"HTTP", b"<htm", b"<!DO"):
            return Unreachable(f"{self.address}: speaks HTTP, not the Kafka protocol", "check the port number")
        if start[:3] == b"SSH":
            return Unreachable(f"{self.address}: speaks SSH, not the Kafka protocol", "check the port number")
        return Unreachable(
            f"{self.address}: does not speak the Kafka protocol (it began with {start!r})", "check the port number"
        )


def expects_answer(request: Message) -> bool:
    """Every request is answered, except a Produce with acks=0."""
    return request.api_key != 0 or getattr(request, "acks", -1) != 0


def decode_answer(call: Call, body: memoryview) -> Any:
    """The response behind its header. An ApiVersions answer with error 35 has form 0, whatever was asked."""
    key, version = call.request.api_key, call.version
    _, start = read_response_header(body, key, version)
    if key == API_VERSIONS and int.from_bytes(body[4:6], "big") == errors.UNSUPPORTED_VERSION:
        version = 0
    response, _ = API[key].response.decode(body, version, start)
    return response


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno is not None and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno).lower()
    return str(error.args[-1]).lower() if error.args else type(error).__name__
