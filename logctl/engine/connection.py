"""One connection: bytes in, whole frames handled in place, answers out in the order of the requests.

Theory of operation
-------------------
`readable` is called by the loop. It receives into the server's arena and lets `consume` handle every whole frame where
it lies. An unfinished frame moves to a buffer of this connection's own (`own[:filled]`) until it is whole.

Answers of a tick gather in `new`; beside each lies, in `doubts`, who can say what to send instead when the append
behind it is lost (None for an answer that is certain). At the end of the tick the server calls `release`:

- nothing to wait for: the answers leave;
- `waits` (an acks=all append is not on disk yet): they are held under the ticket of the flush that is gathering, and
  whatever the connection answers later queues behind them (`held`);
- the flush completes: `let_go` lets everything up to its ticket go.

An answer that other nodes must make true first is *owed* (`broker/acknowledgements.py`) and stands among the others in
its place; it is decided later than any flush, and `let_go` is called again then. So the answers of a connection leave
in the order of its requests, whatever each of them waits for. A connection that is owed OWED_MAX answers is muted until
it is owed half as many.

A request that is parked (a fetch waiting for data, a change waiting for its commit) mutes the connection: frames behind
it stay unparsed until it is answered, as Apache does, so answers cannot overtake each other. A peer that does not take
its answers mutes itself the same way (`stalled`). A muted connection is read once more at most, then not at all. A node
that says something while its fetch is parked has learnt of more that it must copy, and does not wait for that one.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterator
from fcntl import ioctl
from struct import Struct
from termios import FIONREAD
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from logctl.engine import sender
from logctl.engine.broker.acknowledgements import AfterCopies, Owed
from logctl.engine.broker.appends import AfterAppend, Lost
from logctl.engine.broker.exchange import answer_parts, read_request, said
from logctl.engine.broker.produce_path import OWES, WAITS, ProducePath
from logctl.engine.broker.request import NO_RESPONSE, PARKED, AfterFlush, Peer, Request
from logctl.engine.buffers import CHUNK_BYTES, SMALL_BYTES, capacity
from logctl.engine.log.disk import DiskFault
from logctl.wire.primitives import MalformedMessage

if TYPE_CHECKING:
    from logctl.engine.broker.groups.commit_path import CommitPath
    from logctl.engine.server import Server

_LENGTH: Final = Struct(">i")
_REQUEST_BYTES_MIN: Final = 8
OFFSET_COMMIT: Final = 8
OWED_MAX: Final = 1000
"""An owed answer keeps some 300 bytes."""
_HTTP_VERBS: Final = (b"GET ", b"HEAD", b"POST", b"PUT ", b"DELE", b"OPTI", b"PATC", b"CONN", b"TRAC", b"PRI ")


class Doubt(Protocol):
    """Behind an answer whose append may yet be lost."""

    def instead(self, answer: bytes, lost: Lost) -> bytes | None:
        """What to send now that appends are lost; None to close the connection."""


class Held(NamedTuple):
    """Answers that leave with a flush, or with what is in front of them (ticket 0)."""

    ticket: int
    parts: list[Any]
    doubts: list[Doubt | None]


class _Rewritten(NamedTuple):
    """The doubt behind an answer of the general path."""

    request: Request[Any]
    answer: AfterFlush | AfterAppend

    def instead(self, answer: bytes, lost: Lost) -> bytes | None:
        told = self.answer.without(lost) if isinstance(self.answer, AfterAppend) else self.answer.failure()
        if told is None or not answer:
            return None if told is None else answer
        return b"".join(answer_parts(self.request, told))


class _AlsoLost(NamedTuple):
    """The doubt behind an answer that was corrected once already: what was lost then stays lost."""

    doubt: Doubt
    before: Lost

    def instead(self, answer: bytes, lost: Lost) -> bytes | None:
        return self.doubt.instead(answer, lambda replica: self.before(replica) or lost(replica))


class Connection:
    """The shell's view of a peer. Everything runs on the loop's thread."""

    __slots__ = (
        "active_ms",
        "closed",
        "commits",
        "doubts",
        "filled",
        "full",
        "greeted",
        "held",
        "new",
        "out",
        "owed",
        "owing",
        "own",
        "parked",
        "path",
        "peer",
        "reading",
        "server",
        "sock",
        "stalled",
        "touched",
        "unsent_bytes",
        "waits",
    )

    def __init__(self, server: Server, sock: socket.socket, peer: Peer) -> None:
        self.server = server
        self.sock = sock
        self.peer = peer
        self.path = ProducePath()
        self.commits: CommitPath | None = None
        self.own: memoryview | None = None
        self.filled = 0
        self.new: list[Any] = []
        self.doubts: list[Doubt | None] = []
        self.waits = False
        self.touched = False
        self.held: deque[Held | Owed] | None = None
        self.owed = 0
        """How many answers are owed."""
        self.owing = False
        """Whether there are owed ones among `new`."""
        self.full = False
        self.out: list[Any] | None = None
        self.unsent_bytes = 0
        self.parked: Request[Any] | None = None
        self.stalled = False
        self.reading = True
        self.greeted = False
        self.closed = False
        self.active_ms = server.now_ms

    @property
    def muted(self) -> bool:
        return self.parked is not None or self.stalled or self.full

    @property
    def idle(self) -> bool:
        """Nothing is owed to the peer."""
        return self.parked is None and self.out is None and not self.held and not self.new

    # Receiving.

    def readable(self) -> None:
        """The loop says that there is something to receive."""
        server = self.server
        if not server.ticking:
            server.begin_tick()
        try:
            if self.own is None:
                self._receive_into_arena()
            else:
                self._receive_into_own()
            if self.parked is not None and self.own is not None and self.peer.is_node:
                server.broker.waiting.hasten(self.parked, server.now_ms)
        except BlockingIOError:
            pass
        except OSError:
            self.close()
        except Exception:
            self._fail()

    def _receive_into_arena(self) -> None:
        server = self.server
        arena = server.arena
        start = arena.position
        if start + SMALL_BYTES > len(arena.view):
            server.end_tick()
            server.begin_tick()
            start = 0
        count = self.sock.recv_into(arena.view[start : start + CHUNK_BYTES])
        if not count:
            self.close()
            return
        server.metrics.bytes_in += count
        self.active_ms = server.now_ms
        end = arena.position = start + count
        rest = start if self.muted else self.consume(arena.view, start, end)
        if rest < end and not self.closed:
            self._keep(arena.view, rest, end)
            if end - rest > SMALL_BYTES:
                server.received_large(count)

    def _receive_into_own(self) -> None:
        assert self.own is not None
        if self.filled == len(self.own) and not self._grow():
            return
        own, filled = self.own, self.filled
        end = self._frame_bytes(own) if filled >= 4 else 0
        if end <= filled:
            end = len(own)
        count = self.sock.recv_into(own[filled:end])
        if not count:
            self.close()
            return
        self.server.metrics.bytes_in += count
        self.active_ms = self.server.now_ms
        self.filled += count
        self.consume_own()
        if len(own) > SMALL_BYTES:
            self.server.received_large(count)

    def consume_own(self) -> None:
        """Handle what the connection's own buffer holds, unless the connection is muted."""
        own = self.own
        if own is None or self.closed:
            return
        if self.muted:
            self._pause_if_full()
            return
        rest = self.consume(own, 0, self.filled)
        if self.closed:
            return
        if rest:
            end, self.own, self.filled = self.filled, None, 0
            self.server.spent.append(own)
            self.server.buffers.done(self)
            if rest < end:
                self._keep(own, rest, end)
            else:
                self.server.patience.pop(self, None)
        else:
            self.server.patience.setdefault(self, self.server.now_ms)

    def _keep(self, view: memoryview, start: int, end: int) -> None:
        """Move what is unfinished to a buffer of this connection's own."""
        arrived = end - start
        frame_bytes = max(arrived, self._frame_bytes(view, start) if arrived >= 4 else 4)
        self.own = own = self.server.buffers.take(self._arrived(arrived, frame_bytes), frame_bytes)
        own[:arrived] = view[start:end]
        self.filled = arrived
        self.server.patience[self] = self.server.now_ms

    def _grow(self) -> bool:
        """Make room in the connection's own buffer; False when it must wait, with reading paused."""
        own, filled, buffers = self.own, self.filled, self.server.buffers
        assert own is not None
        if self.muted:
            self._pause_if_full()
            return False
        frame_bytes = self._frame_bytes(own)
        arrived = self._arrived(filled, frame_bytes)
        if not buffers.allows(self, capacity(arrived, frame_bytes) - filled):
            self.pause()
            return False
        self.own = bigger = buffers.take(arrived, frame_bytes)
        bigger[:filled] = own
        buffers.give(own)
        return True

    def _frame_bytes(self, view: memoryview, start: int = 0) -> int:
        """What the frame at `start` announces, its length included."""
        size: int = _LENGTH.unpack_from(view, start)[0]
        return 4 + size

    def _arrived(self, received: int, frame_bytes: int) -> int:
        """How much of a frame is on this machine: of a large one some usually lies in the kernel still."""
        if frame_bytes <= SMALL_BYTES or self.muted:
            return received
        waiting = int.from_bytes(ioctl(self.sock, FIONREAD, bytes(4)), "little")
        return min(received + waiting, frame_bytes)

    def _pause_if_full(self) -> None:
        if self.own is not None and self.filled == len(self.own):
            self.pause()

    def pause(self) -> None:
        """Stop reading from the peer."""
        if self.reading:
            self.reading = False
            self.server.loop.remove_reader(self.sock)

    def resume(self) -> None:
        """Go on with what has arrived, and read on."""
        if self.closed or self.server.stopping:
            return
        try:
            self.consume_own()
        except Exception:
            self._fail()
        if not self.closed and not self.muted and not self.reading:
            self.reading = True
            self.server.loop.add_reader(self.sock, self.readable)

    def consume(self, view: memoryview, position: int, end: int) -> int:
        """Handle the whole frames in view[position:end]; where the first one begins that was not handled.

        The loop over the frames of a chunk is the broker's hottest; a produce request to one partition that looks like
        an earlier one is handled inside `path.append`, all others in `_handle`.
        """
        server = self.server
        now_ms = server.now_ms
        request_bytes_max = server.limits.request_max_bytes
        quick = self.path.append
        new, doubts = self.new, self.doubts
        length_at = _LENGTH.unpack_from
        quick_count = 0
        if not self.touched:
            self.touched = True
            server.touched.append(self)
        while end - position >= 4:
            size: int = length_at(view, position)[0]
            start = position + 4
            stop = start + size
            if not _REQUEST_BYTES_MIN <= size <= request_bytes_max:
                self._refuse_size(view, position, end, size)
                return end
            if stop > end:
                break
            handled = quick(view, start, stop, now_ms, new, doubts)
            position = stop
            if handled:
                quick_count += 1
                if handled == WAITS:
                    self.waits = True
                elif handled == OWES:
                    self._owe(new[-1])
                    if self.full:
                        break
            else:
                self._handle(view, start, stop)
                if self.muted or self.closed:
                    break
        server.metrics.requests_quick += quick_count
        return position

    def _handle(self, view: memoryview, start: int, stop: int) -> None:
        """The general path: decode, dispatch, and place the answer."""
        server = self.server
        commits = view[start + 1] == OFFSET_COMMIT and not view[start] and self._commits()
        if commits and (handled := commits.commit(view, start, stop, server.now_ms, self.new, self.doubts)):
            server.metrics.requests_quick += 1
            self.waits = self.waits or handled == WAITS
            return
        server.metrics.requests += 1
        try:
            request = read_request(view[start:stop], self.peer, server.now_ms)
        except MalformedMessage as problem:
            self.cut(f"sent a request that cannot be read ({problem})")
            return
        self.greeted = True
        answer = server.handle(request)
        if answer is None:
            server.metrics.connections_cut += 1
            self.close()
        elif answer is PARKED:
            self.parked = request
        elif answer is not NO_RESPONSE:
            self.place(request, answer)
        if isinstance(answer, AfterAppend | AfterCopies) and answer.only is not None:
            refuse = answer.refuse if isinstance(answer, AfterCopies) else None
            self.path.learn(view[start:stop], request, answer.only, refuse)
        if commits and answer is PARKED:
            commits.learn(view[start:stop], request, server.broker)

    def _commits(self) -> CommitPath:
        if self.commits is None:
            from logctl.engine.broker.groups.commit_path import CommitPath

            self.commits = CommitPath()
        return self.commits

    def place(self, request: Request[Any], answer: Any) -> None:
        """Put an answer behind those that this tick gives already."""
        if not self.touched:
            self.touched = True
            self.server.touched.append(self)
        try:
            self._place(request, answer)
        except Exception:
            fallback = self.server.failed(request)
            if fallback is None:
                self.cut(f"sent a request that failed ({said(request)})")
            else:
                self._place(request, fallback)
        self.stalled = self.unsent_bytes > self.server.limits.send_queue_max_bytes

    def _place(self, request: Request[Any], answer: Any) -> None:
        if isinstance(answer, AfterCopies):
            self.new.append(answer.owed)
            self.doubts.append(None)
            self._owe(answer.owed)
            return
        if isinstance(answer, AfterAppend | AfterFlush):
            response = answer.response
            parts = [b"" if response is None else b"".join(answer_parts(request, response))]
            self.doubts.append(_Rewritten(request, answer))
            self.waits = self.waits or isinstance(answer, AfterFlush) or answer.waits
        else:
            parts = answer_parts(request, answer)
            self.doubts.extend([None] * len(parts))
        self.new.extend(parts)
        self.unsent_bytes += sender.weight(parts)

    def _owe(self, owed: Owed) -> None:
        owed.whose = self
        self.owing = True
        self.owed += 1
        self.full = self.owed >= OWED_MAX

    # Answering.

    def lose(self, lost: Lost) -> None:
        """The tick's appends to `lost` did not reach the disk: correct the answers that spoke of them."""
        if not _correct(self.new, self.doubts, lost):
            self.close()

    def release(self, ticket: int) -> bool:
        """The tick is over and its appends are written. True when answers are held for the flush `ticket`."""
        self.touched = False
        parts = self.new
        if not parts:
            return False
        doubts = self.doubts
        self.new, self.doubts = [], []
        waits, self.waits = self.waits, False
        if not waits and not self.held and not self.owing:
            self.send(parts)
            return False
        if self.held is None:
            self.held = deque()
        if self.owing:
            self.owing = False
            self.held.extend(_apart(ticket if waits else 0, parts, doubts))
        else:
            self.held.append(Held(ticket if waits else 0, parts, doubts))
        return waits

    def let_go(self, ticket: int, lost: Lost | None) -> None:
        """The flush `ticket` is over, or something owed is decided. With `lost` some flush has failed."""
        held, out = self.held, list[Any]()
        while held:
            first = held[0]
            if isinstance(first, Owed):
                if not first.decided:
                    break
                out += first.parts()
                self.owed -= 1
            elif first.ticket > ticket:
                break
            elif lost and not _correct(first.parts, first.doubts, lost):
                self.send(out)
                self.close()
                return
            else:
                out += first.parts
            held.popleft()
        if not held:
            self.held = None
        if out:
            self.send(out)
        if self.full and self.owed <= OWED_MAX // 2:
            self.full = False
            self.server.resume_soon(self)

    def send(self, parts: list[Any]) -> None:
        """Send what the socket takes, queue the rest."""
        if self.closed:
            return
        if self.out is not None:
            self.out.extend(parts)
            return
        self._transmit(parts)
        if parts and not self.closed:
            self.out = parts
            self.server.loop.add_writer(self.sock, self.writable)
        self._note_unsent()

    def writable(self) -> None:
        """The loop says that the socket takes more."""
        assert self.out is not None
        self._transmit(self.out)
        if self.closed:
            return
        if not self.out:
            self.out = None
            self.server.loop.remove_writer(self.sock)
        self._note_unsent()

    def _transmit(self, parts: list[Any]) -> None:
        try:
            self.server.metrics.bytes_out += sender.transmit(self.sock, parts)
            self.active_ms = self.server.now_ms
        except (sender.RangeUnreadable, DiskFault) as problem:
            self.cut(f"was being answered when a log file could not be read: {problem}")
        except OSError:
            self.close()

    def _note_unsent(self) -> None:
        """Something was sent: a peer that had stopped taking its answers may be read from again."""
        self.unsent_bytes = sender.weight(self.out) if self.out else 0
        if self.stalled and self.unsent_bytes <= self.server.limits.send_queue_max_bytes // 2:
            self.stalled = False
            self.server.resume_soon(self)

    # The end.

    def _refuse_size(self, view: memoryview, position: int, end: int, size: int) -> None:
        first = bytes(view[position : min(end, position + 4)])
        if first[:2] == b"\x16\x03":
            self.cut("speaks TLS, but this listener expects the Kafka protocol in plain text")
        elif first in _HTTP_VERBS:
            self.cut("speaks HTTP, but this listener expects the Kafka protocol")
        elif size > self.server.limits.request_max_bytes:
            limit = self.server.limits.request_max_bytes
            self.cut(f"announced a request of {size} bytes; socket.request.max.bytes allows {limit}")
        else:
            self.cut(f"announced a request of {size} bytes, which is none")

    def cut(self, why: str) -> None:
        """Close because of what the peer did, and say so."""
        if not self.closed:
            self.server.metrics.connections_cut += 1
            self.server.say("connection", f"Closed the connection of {self.peer.host}:{self.peer.port}: it {why}")
            self.close()

    def _fail(self) -> None:
        """A fault of ours: the connection goes, the node stays."""
        self.server.confess(f"Serving {self.peer.host}:{self.peer.port} failed")
        self.close()

    def close(self) -> None:
        """Forget the peer. Answers not sent yet are dropped, appends stay."""
        if self.closed:
            return
        self.closed = True
        server = self.server
        if self.parked is not None:
            server.broker.forget(self.parked)
            self.parked = None
        if self.reading:
            server.loop.remove_reader(self.sock)
        if self.out is not None:
            server.loop.remove_writer(self.sock)
            self.out = None
        if self.own is not None:
            server.spent.append(self.own)
            self.own = None
        self.new, self.doubts, self.held = [], [], None
        server.forget(self)
        self.sock.close()


def _apart(ticket: int, parts: list[Any], doubts: list[Doubt | None]) -> Iterator[Held | Owed]:
    """Owed answers one by one, runs of others between them."""
    first = 0
    for index, part in enumerate(parts):
        if isinstance(part, Owed):
            if first < index:
                yield Held(ticket, parts[first:index], doubts[first:index])
            yield part
            first = index + 1
    if first < len(parts):
        yield Held(ticket, parts[first:], doubts[first:])


def _correct(parts: list[Any], doubts: list[Doubt | None], lost: Lost) -> bool:
    """Replace the answers whose appends are lost; False when one of them must close the connection instead."""
    for index, doubt in enumerate(doubts):
        if doubt is not None:
            told = doubt.instead(parts[index], lost)
            if told is None:
                return False
            if told != parts[index]:
                parts[index], doubts[index] = told, _AlsoLost(doubt, lost)
    return True
