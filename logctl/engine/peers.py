"""The way to other nodes: a few connections each, opened when somebody is asked and kept.

Theory of operation
-------------------
A *line* is one connection to one node for one purpose, so that what may wait (a long poll for the metadata log) does
not hold up what may not (a vote). It connects, asks ApiVersions, and then sends what it is given in the newest version
both ends know; answers come in order. Nothing here blocks: the event loop tells when a socket can be read or written.

Whoever asks is told exactly once: the response, or None when the line broke, the peer does not know the API, or time
ran out. A line that breaks takes everything on it along; the next question opens it anew, but not sooner than a moment
after the last failure, doubling up to a second: who asks meanwhile is told None at once.

A connection that is refused says more than one that breaks: the machine is there and no process listens. `refused`
hears of each. `knock` opens a line for no other purpose than to find that out; when it breaks, it tries once more.
"""

from __future__ import annotations

import errno
import os
import socket
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from logctl import __version__
from logctl.errors import LogctlError
from logctl.wire.api import API_VERSIONS
from logctl.wire.connection import ClientConversation, NotOffered

if TYPE_CHECKING:
    from logctl.engine.event_loop import asyncio
    from logctl.wire.schema import Message

Done = Callable[[Any], None]

_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 1.0
_KNOCKING: Final = "knock"


class Endpoint(NamedTuple):
    host: str
    port: int


class Peers:
    """All lines of a node. `find(node_id, lane)` answers where that node is reached for that purpose, None when nobody
    knows; `heard` is called after answers were handed out, `say` writes the diary."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        find: Callable[[int, str], Endpoint | None],
        *,
        client_id: str,
        timeout_ms: int,
        heard: Callable[[], None],
        say: Callable[[str, str], None],
    ) -> None:
        self._loop = loop
        self._find = find
        self._client_id = client_id
        self._timeout_s = timeout_ms / 1000
        self._heard = heard
        self._say = say
        self._lines: dict[tuple[int, str], _Line] = {}
        self.closed = False
        self.refused: Callable[[int], None] = lambda node_id: None
        """Is told of a node at whose address nobody listens, each time a connection is refused."""

    def ask(
        self, node_id: int, lane: str, request: Message, done: Done, version: int | None = None
    ) -> None:
        """Send a request; `done` is told the response, or None. Never before this returns."""
        line = self._lines.get((node_id, lane))
        if line is None or line.endpoint != self._find(node_id, lane):
            line = self._open(node_id, lane, line)
        if line is None or self.closed:
            self._loop.call_soon(self._tell, done, None)
        else:
            line.ask(request, done, version)

    def knock(self, node_id: int) -> None:
        """See whether somebody listens where that node is reached, now and as soon as the line breaks."""
        line = self._lines.get((node_id, _KNOCKING))
        if line is None or line.endpoint != self._find(node_id, _KNOCKING):
            line = self._open(node_id, _KNOCKING, line)
        if line is not None:
            line.knock()

    def _open(self, node_id: int, lane: str, old: _Line | None) -> _Line | None:
        if old is not None:
            old.fail("has moved")
        endpoint = self._find(node_id, lane)
        if endpoint is None:
            self._lines.pop((node_id, lane), None)
            return None
        line = _Line(self, node_id, endpoint)
        self._lines[node_id, lane] = line
        return line

    def _tell(self, done: Done, response: Any) -> None:
        done(response)
        self._heard()

    def close(self) -> None:
        """Break every line; who waits for an answer is told that there is none."""
        self.closed = True
        for line in self._lines.values():
            line.fail("is not needed any more")
        self._lines.clear()

    # ---- for lines ----

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    @property
    def timeout_s(self) -> float:
        return self._timeout_s

    def conversation(self, node_id: int) -> ClientConversation:
        return ClientConversation(self._client_id, software=("logctl", __version__), who=f"node {node_id}")

    def tell_all(self, answers: list[tuple[Done, Any]]) -> None:
        for done, response in answers:
            done(response)
        if answers:
            self._heard()

    def tell_refused(self, node_id: int) -> None:
        self.refused(node_id)
        self._heard()

    def note(self, sentence: str) -> None:
        self._say("peers", sentence)


class _Asked(NamedTuple):
    request: Message
    version: int | None
    done: Done
    deadline_s: float


class _Line:
    """One connection. `_waiting` are requests that were not sent yet, `_sent` those that were."""

    def __init__(self, peers: Peers, node_id: int, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._peers = peers
        self._node_id = node_id
        self._socket: socket.socket | None = None
        self._connected = False
        self._knocked = False
        self._conversation = peers.conversation(node_id)
        self._waiting: deque[_Asked] = deque()
        self._sent: deque[_Asked] = deque()
        self._outgoing = bytearray()
        self._pause_s = _FIRST_PAUSE_S
        self._closed_until_s = 0.0
        self._watch: asyncio.TimerHandle | None = None

    def ask(self, request: Message, done: Done, version: int | None) -> None:
        now_s = self._peers.loop.time()
        if self._socket is None and now_s < self._closed_until_s:
            self._peers.loop.call_soon(self._peers.tell_all, [(done, None)])
            return
        self._waiting.append(_Asked(request, version, done, now_s + self._peers.timeout_s))
        if self._socket is None:
            self._connect()
        elif self._conversation.negotiated:
            self._send_waiting()
        self._watch_time()

    def knock(self) -> None:
        self._knocked = True
        if self._socket is None and self._peers.loop.time() >= self._closed_until_s and not self._peers.closed:
            self._connect()

    # ---- the connection ----

    def _connect(self) -> None:
        self._conversation = self._peers.conversation(self._node_id)
        self._connected = False
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                self.endpoint.host, self.endpoint.port, type=socket.SOCK_STREAM
            )[0]
            self._socket = socket.socket(family, kind, protocol)
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.connect(address)
        except BlockingIOError:
            pass
        except OSError as problem:
            self._peers.loop.call_soon(self._not_reached, problem.errno, problem.strerror or str(problem))
            return
        assert self._socket is not None
        self._peers.loop.add_writer(self._socket, self._writable)

    def _writable(self) -> None:
        assert self._socket is not None
        if not self._connected:
            code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self._not_reached(code, os.strerror(code))
                return
            self._connected = True
            self._peers.loop.add_reader(self._socket, self._readable)
            self._outgoing += self._conversation.negotiate()
        self._write()

    def _write(self) -> None:
        assert self._socket is not None
        try:
            if self._outgoing:
                del self._outgoing[: self._socket.send(self._outgoing)]
        except BlockingIOError:
            pass
        except OSError as problem:
            self.fail(problem.strerror or str(problem))
            return
        if self._outgoing:
            self._peers.loop.add_writer(self._socket, self._writable)
        else:
            self._peers.loop.remove_writer(self._socket)

    def _readable(self) -> None:
        assert self._socket is not None
        try:
            count = self._socket.recv_into(self._conversation.room())
        except BlockingIOError:
            return
        except OSError as problem:
            self.fail(problem.strerror or str(problem))
            return
        if not count:
            self.fail("hung up")
            return
        try:
            answers = self._conversation.arrived(count)
            told = [self._answered(answer.response) for answer in answers if answer.request.api_key != API_VERSIONS]
            if self._conversation.negotiated:
                self._pause_s = _FIRST_PAUSE_S
                self._send_waiting()
        except LogctlError as fault:
            self.fail(str(fault))
            return
        self._peers.tell_all(told)
        self._watch_time()

    def _answered(self, response: Any) -> tuple[Done, Any]:
        return self._sent.popleft().done, response

    def _send_waiting(self) -> None:
        """What the peer does not know is not sent, and answered with None like what was lost."""
        while self._waiting:
            asked = self._waiting.popleft()
            try:
                self._outgoing += self._conversation.send(asked.request, asked.version)
            except NotOffered as refusal:
                self._peers.note(refusal.message)
                self._peers.loop.call_soon(self._peers.tell_all, [(asked.done, None)])
            else:
                self._sent.append(asked)
        if self._outgoing and self._socket is not None:
            self._write()

    # ---- its end ----

    def _not_reached(self, code: int | None, reason: str) -> None:
        self.fail(reason)
        if code == errno.ECONNREFUSED:
            self._peers.tell_refused(self._node_id)

    def fail(self, reason: str) -> None:
        """The line is broken: tell everybody who waits, and let a moment pass before the next attempt."""
        loop = self._peers.loop
        if self._socket is not None:
            loop.remove_reader(self._socket)
            loop.remove_writer(self._socket)
            self._socket.close()
            self._socket = None
        self._closed_until_s = loop.time() + self._pause_s
        if self._connected and self._knocked:
            loop.call_at(self._closed_until_s, self.knock)
        self._connected = False
        self._pause_s = min(_LONGEST_PAUSE_S, self._pause_s * 2)
        self._outgoing.clear()
        lost = [(asked.done, None) for asked in (*self._sent, *self._waiting)]
        self._sent.clear()
        self._waiting.clear()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._peers.tell_all(lost)

    def _watch_time(self) -> None:
        """See to it that a silent peer is given up."""
        oldest = next(iter(self._sent), None) or next(iter(self._waiting), None)
        if self._watch is not None or oldest is None:
            return
        self._watch = self._peers.loop.call_at(oldest.deadline_s, self._time_is_up)

    def _time_is_up(self) -> None:
        self._watch = None
        oldest = next(iter(self._sent), None) or next(iter(self._waiting), None)
        if oldest is not None and oldest.deadline_s <= self._peers.loop.time():
            self.fail("does not answer")
        else:
            self._watch_time()
