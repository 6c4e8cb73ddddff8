"""The shell around the broker: listeners, connections, ticks.

Theory of operation
-------------------
asyncio's loop polls and keeps time; nothing on the data path is a coroutine. A *tick* begins with the first connection
that has something to say and ends when the loop has let all of them say it:

1. every readable connection receives and handles its whole frames; produce requests only stage their batches;
2. `end_tick`: one write per log with staged batches, then readers waiting for them are tried, answers that were parked
   are placed, and what muted connections had in their buffers is handled, until nothing moves any more;
3. connections send their answers, in one call each; those that speak of unflushed acks=all appends are held, and those
   that other nodes must have first are owed until the tick in which enough of them have it;
4. if no flush is running, one is started for all logs that want it. When it ends, the answers held for it leave.

So latency is one turn of the loop when the node is idle, and under load every system call is shared by all requests
that arrived meanwhile.
"""

from __future__ import annotations

import errno
import socket
import traceback
from collections.abc import Callable, Sequence
from time import time
from typing import TYPE_CHECKING, Any, Final

from logctl.engine.broker.exchange import said, server_error
from logctl.engine.broker.request import Peer, Request
from logctl.engine.buffers import Arena, Buffers
from logctl.engine.connection import Connection
from logctl.engine.event_loop import asyncio
from logctl.engine.flusher import Flushed, Flusher
from logctl.engine.limits import Door, Limits
from logctl.engine.metrics import Metrics
from logctl.engine.notices import Notices
from logctl.engine.poller import TickLoop
from logctl.errors import UsageError
from logctl.wire.schema import Message

if TYPE_CHECKING:
    from logctl.engine.broker.appends import Lost
    from logctl.engine.broker.broker import Broker
    from logctl.engine.broker.replica import Replica
    from logctl.engine.log.disk import DiskFault
    from logctl.engine.log.log import Log
    from logctl.engine.settings import Listener

_BACKLOG: Final = 1024
_ACCEPTED_PER_TURN: Final = 64
_WRITTEN_AT_ONCE_BYTES: Final = 512 << 10
_SWEEP_S: Final = 1.0
_CLOCK_STEP_MS: Final = 1000
_OUT_OF_DESCRIPTORS: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_KEEPALIVE: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
)
"""A peer that vanished without a word is noticed after two minutes."""


def wall_ms() -> int:
    return int(time() * 1000)


class Server:
    """Serves a broker. `say(kind, sentence)` writes the diary; `clock` answers in milliseconds since 1970."""

    def __init__(
        self,
        broker: Broker,
        limits: Limits,
        say: Callable[[str, str], None],
        *,
        clock: Callable[[], int] = wall_ms,
    ) -> None:
        self.broker = broker
        self.limits = limits
        self.metrics = Metrics()
        self.now_ms = clock()
        self._notices = Notices(say)
        self.ticking = self.stopping = False
        self.arena = Arena()
        self.buffers = Buffers(limits.in_flight_max_bytes)
        self.spent: list[memoryview] = []
        self.touched: list[Connection] = []
        self.connections: dict[int, Connection] = {}
        self.patience: dict[Connection, int] = {}
        """Connections that owe us bytes, and since when: no first request yet, or a frame that is not whole."""
        self.loop: asyncio.AbstractEventLoop
        self._clock = clock
        self._door = Door(limits)
        self._listening: list[socket.socket] = []
        self._held: list[tuple[socket.socket, str]] = []
        self._between_nodes: frozenset[str] = frozenset()
        self._accepted = 0
        self._tick_is_due = False
        self._turn_ends_tick = False
        self._deadlines_differ = True
        self._resumable: list[Connection] = []
        self._flusher: Flusher
        self._ticket = 1
        self._finished = 0
        """The newest ticket whose flush is over."""
        self._gathered: list[Connection] = []
        self._flushing: list[Connection] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ms = 0
        self._sweeper: asyncio.TimerHandle | None = None
        self._clock_ahead_ms = 0
        self._unwritten_bytes = 0
        self._lost: Lost | None = None

    # Life.

    def start(
        self, loop: asyncio.AbstractEventLoop, listeners: Sequence[Listener], between_nodes: Sequence[Listener] = ()
    ) -> list[tuple[str, str, int]]:
        """Listen; answers (listener name, host, port) of each, with the real port where 0 was asked for.

        Where there are listeners `between_nodes`, these are heard at once and the others from `admit_clients` on;
        until then clients wait in the backlog. Raises UsageError when an address cannot be had; nothing is open then.
        """
        self.loop = loop
        self._clock_ahead_ms = self._clock() - int(loop.time() * 1000)
        opened: list[tuple[str, str, int]] = []
        self._between_nodes = frozenset(listener.name for listener in between_nodes)
        try:
            for listener in (*listeners, *between_nodes):
                opened.append((listener.name, listener.host, self._listen(listener)))
        except OSError as problem:
            self._stop_listening()
            address = f"{listener.host}:{listener.port}"
            raise UsageError(
                f"cannot listen on {address}: {problem.strerror or problem}",
                "stop the program that uses the port, or choose another one",
            ) from None
        self._flusher = Flusher(loop.call_soon_threadsafe, self._flush_done)
        self._sweeper = loop.call_later(_SWEEP_S, self._sweep_again)
        self.tick_soon()
        if isinstance(loop, TickLoop):
            loop.at_end_of_turn(self._end_due_tick)
            self._turn_ends_tick = True
        return opened

    async def stop(self, patience_ms: int = 10_000) -> None:
        """Accept nothing more, answer what was asked, flush, close. Peers that don't take their answers are cut off."""
        self.stopping = True
        self._stop_listening()
        for connection in self.connections.values():
            connection.pause()
        self.tick_soon()
        self.broker.waiting.expire_all(self.now_ms)
        deadline = self.loop.time() + patience_ms / 1000
        while not self._quiet() and self.loop.time() < deadline:
            await asyncio.sleep(0.005)
        for timer in (self._timer, self._sweeper):
            if timer is not None:
                timer.cancel()
        for connection in list(self.connections.values()):
            connection.close()
        self._flusher.close()

    def _quiet(self) -> bool:
        busy = self.ticking or self._flusher.busy or self.broker.appends.dirty
        return not busy and all(connection.idle for connection in self.connections.values())

    def forget_paths(self) -> None:
        """What peers may do has changed: their next requests go through the general path again."""
        for connection in self.connections.values():
            connection.path.forget()
            connection.commits = None

    # Listening.

    def _listen(self, listener: Listener) -> int:
        port = listener.port
        infos = socket.getaddrinfo(
            listener.host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_ADDRCONFIG
        )
        for family, kind, protocol, _, address in dict.fromkeys(infos):
            sock = socket.socket(family, kind, protocol)
            self._listening.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((address[0], port, *address[2:]))
            sock.listen(_BACKLOG)
            sock.setblocking(False)
            port = sock.getsockname()[1]
            if self._between_nodes and listener.name not in self._between_nodes:
                self._held.append((sock, listener.name))
            else:
                self.loop.add_reader(sock, self._accept, sock, listener.name)
        return port

    def admit_clients(self) -> None:
        """Hear the listeners that were held back."""
        held, self._held = self._held, []
        for sock, name in held:
            self.loop.add_reader(sock, self._accept, sock, name)

    def _stop_listening(self) -> None:
        for sock in self._listening:
            self.loop.remove_reader(sock)
            sock.close()
        self._listening, self._held = [], []

    def _accept(self, listening: socket.socket, listener: str) -> None:
        self.now_ms = self._clock()
        for _ in range(_ACCEPTED_PER_TURN):
            try:
                sock, address = listening.accept()
            except BlockingIOError:
                return
            except OSError as problem:
                if problem.errno in _OUT_OF_DESCRIPTORS:
                    self._breathe(listening, listener, problem)
                return
            self._admit(sock, address[0], address[1], listener)

    def _breathe(self, listening: socket.socket, listener: str, problem: OSError) -> None:
        """Out of descriptors: leave the peers in the backlog for a second instead of spinning."""
        self.say("limits", f"Cannot accept connections: {problem.strerror}. Raise the limit of open files (ulimit -n)")
        self.loop.remove_reader(listening)
        self.loop.call_later(1.0, self._listen_again, listening, listener)

    def _listen_again(self, listening: socket.socket, listener: str) -> None:
        if listening in self._listening:
            self.loop.add_reader(listening, self._accept, listening, listener)

    def _admit(self, sock: socket.socket, host: str, port: int, listener: str) -> None:
        refusal = self._door.admit(host, self.now_ms)
        if refusal is not None:
            self.metrics.connections_refused += 1
            self.say("limits", f"Refused a connection from {host}:{port}: {refusal}")
            sock.close()
            return
        try:
            sock.setblocking(False)
            for option in _KEEPALIVE:
                sock.setsockopt(*option)
        except OSError:
            self._door.left(host)
            sock.close()
            return
        self._accepted += 1
        self.metrics.connections_accepted += 1
        connection = Connection(
            self, sock, Peer(self._accepted, host, port, listener, is_node=listener in self._between_nodes)
        )
        self.connections[self._accepted] = connection
        self.patience[connection] = self.now_ms
        self.loop.add_reader(sock, connection.readable)

    def forget(self, connection: Connection) -> None:
        """The connection is closed."""
        del self.connections[connection.peer.connection_id]
        self.patience.pop(connection, None)
        self.buffers.done(connection)
        self._door.left(connection.peer.host)
        if self.spent and not self.ticking:
            self.tick_soon()

    # Ticks.

    def begin_tick(self) -> None:
        """A descriptor is ready: note the time, and see to it that the tick ends."""
        self.now_ms = self._clock()
        self.ticking = True
        if not self._turn_ends_tick:
            self.tick_soon()

    def tick_soon(self) -> None:
        """Something else happens: the same, with the end of the tick in the loop's next turn."""
        self.now_ms = self._clock()
        self.ticking = True
        if not self._tick_is_due:
            self._tick_is_due = True
            self.loop.call_soon(self._end_due_tick)

    def _end_due_tick(self) -> None:
        self._tick_is_due = False
        if not self.ticking:
            return
        try:
            self.end_tick()
        except Exception:
            self.confess("A tick failed")

    def received_large(self, count: int) -> None:
        """So many bytes of large frames came in: what is staged is written while the processor's cache still holds it.

        Small batches gain more from one write for many of them at the end of the tick.
        """
        self._unwritten_bytes += count
        if self._unwritten_bytes >= _WRITTEN_AT_ONCE_BYTES:
            self._unwritten_bytes = 0
            if self.broker.appends.staged:
                self._write()

    def end_tick(self) -> None:
        """Write what was staged, answer what was asked, start the flush."""
        self.ticking = False
        self.metrics.ticks += 1
        self._settle()
        if self._a_directory_is_closed():
            for connection in list(self.touched):
                connection.lose(_fenced)
        self.arena.position = 0
        for connection in self.touched:
            if connection.release(self._ticket):
                self._gathered.append(connection)
        self.touched.clear()
        if self.broker.waiting.decided:
            self._let_go_decided()
        if self.spent:
            self._return_buffers()
        if not self._flusher.busy:
            self._start_flush()
        if self._deadlines_differ or self.broker.appends.timed:
            self._set_timer()

    def _settle(self) -> None:
        broker, now_ms = self.broker, self.now_ms
        appends, waiting = broker.appends, broker.waiting
        while True:
            if appends.staged:
                self._write()
            waiting.settle(now_ms)
            broker.converse(now_ms)
            if waiting.faults:
                self._confess_faults()
            if broker.outbox:
                self._deliver()
            elif self._resumable:
                resumable, self._resumable = self._resumable, []
                for connection in resumable:
                    connection.resume()
            elif not appends.staged:
                return

    def _write(self) -> None:
        failures = self.broker.appends.write(self.now_ms)
        if not failures:
            return
        self.metrics.write_failures += len(failures)
        lost = {replica for replica, _ in failures}
        for connection in list(self.touched):
            connection.lose(lost.__contains__)
        for replica, fault in failures:
            self.say("disk", f"Lost an append to {replica.topic}-{replica.partition}: {fault.message}. {fault.hint}")
            if not fault.is_full or not self.broker.is_alone:
                self._lose_directory(replica.log, fault)  # when full, others may lead what lies there

    def _deliver(self) -> None:
        """Place the answers of parked requests and let their connections go on."""
        outbox = self.broker.outbox[:]
        self.broker.outbox.clear()
        for request, response in outbox:
            connection = self.connections.get(request.peer.connection_id)
            if connection is not None and connection.parked is request:
                connection.parked = None
                connection.place(request, response)
                connection.resume()

    def resume_soon(self, connection: Connection) -> None:
        """The connection is no longer muted; go on with it at the end of the tick."""
        self._resumable.append(connection)
        self.tick_soon()

    def _return_buffers(self) -> None:
        for buffer in self.spent:
            self.buffers.give(buffer)
        self.spent.clear()
        while (starving := self.buffers.next_turn()) is not None:
            assert isinstance(starving, Connection)
            self.resume_soon(starving)

    def _set_timer(self) -> None:
        """Ring when the broker's next deadline comes; quick requests set none, so that not every tick asks."""
        self._deadlines_differ = False
        due_ms = self.broker.next_deadline_ms()
        if due_ms is None or (self._timer is not None and self._timer_ms <= due_ms):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_ms = due_ms
        self._timer = self.loop.call_later(max(due_ms - self._clock(), 1) / 1000, self.ring)

    def ring(self) -> None:
        """A deadline of the broker's has come."""
        self._timer = None
        self._deadlines_differ = True
        self.tick_soon()
        try:
            self.broker.tick(self.now_ms)
        except Exception:
            self.confess("Housekeeping failed")

    # Flushing.

    def _start_flush(self) -> None:
        """Start the next round: every log that wants it, for every answer that has gathered."""
        appends = self.broker.appends
        if not appends.dirty and not self._gathered:
            return
        self._flushing, self._gathered = self._gathered, []
        self._ticket += 1
        if appends.dirty:
            self.metrics.flushes += 1
            self._flusher.start(appends.dirty)
            appends.dirty.clear()
        else:
            finished, self._flushing = self._flushing, []
            self._finish(finished, self._ticket - 1)

    def _flush_done(self, outcome: list[Flushed]) -> None:
        self.tick_soon()
        self._deadlines_differ = True
        for log, flush, fault in outcome:
            if fault is None:
                log.flushed(flush)
                self.broker.appends.flushed(log)
            else:
                self._lose_directory(log, fault)
        finished, ticket = self._flushing, self._ticket - 1
        self._flushing = []
        self._start_flush()
        self._finish(finished, ticket)

    def _lose_directory(self, log: Log, fault: DiskFault) -> None:
        """From now on every answer is checked before it leaves: those that speak of a fenced replica are corrected."""
        self.metrics.flush_failures += 1
        log.fence(fault)
        self.broker.log_dir_failed(log, fault)
        self._lost = _fenced
        for connection in list(self.touched):
            connection.lose(_fenced)

    def _a_directory_is_closed(self) -> bool:
        """The broker closes directories also by itself, when it cannot open a log there: what was staged in them is
        forgotten then, and no flush comes for what was written."""
        if self._lost is None and any(directory.failed for directory in self.broker.replicas.directories):
            self._lost = _fenced
        return self._lost is not None

    def _finish(self, connections: list[Connection], ticket: int) -> None:
        self._a_directory_is_closed()
        self._finished = max(self._finished, ticket)
        for connection in connections:
            self._let_go(connection)

    def _let_go_decided(self) -> None:
        """Answers that were owed are decided: they leave, and what was held behind them."""
        decided = self.broker.waiting.decided
        whose = dict.fromkeys(owed.whose for owed in decided)
        decided.clear()
        for connection in whose:
            if connection is not None:
                self._let_go(connection)

    def _let_go(self, connection: Connection) -> None:
        if not connection.closed:
            try:
                connection.let_go(self._finished, self._lost)
            except Exception:
                self.confess(f"Answering {connection.peer.host}:{connection.peer.port} failed")
                connection.close()

    # Requests.

    def handle(self, request: Request[Any]) -> Any:
        """The broker's answer, or UNKNOWN_SERVER_ERROR after a fault of ours. None closes the connection."""
        self._deadlines_differ = True
        try:
            return self.broker.handle(request, self.now_ms)
        except Exception:
            return self.failed(request)

    def failed(self, request: Request[Any]) -> Message | None:
        """An exception nobody expected is being handled: tell the diary, and the peer if there is a way."""
        self.metrics.requests_failed += 1
        self.confess(f"A request failed ({said(request)})")
        return server_error(request)

    def _confess_faults(self) -> None:
        """Parked requests that met an exception: tell the diary, and hang up, since their turn has passed."""
        faults, self.broker.waiting.faults = self.broker.waiting.faults, []
        for request, error in faults:
            self.metrics.requests_failed += 1
            story = "".join(traceback.format_exception(error))
            self.say("node", f"A request failed ({said(request)}). This is a fault of the node:\n{story}")
            connection = self.connections.get(request.peer.connection_id)
            if connection is not None:
                connection.close()

    def confess(self, what: str) -> None:
        """Tell the diary of the exception that is being handled: nobody expected it."""
        self.say("node", f"{what}. This is a fault of the node:\n{traceback.format_exc()}")

    def say(self, kind: str, sentence: str) -> None:
        """Write the diary; what comes in floods is counted."""
        self._notices.tell(kind, sentence, self.now_ms)

    # Deadlines.

    def _sweep_again(self) -> None:
        self._sweeper = self.loop.call_later(_SWEEP_S, self._sweep_again)
        self.sweep()

    def obey(self, limits: Limits) -> None:
        """Other limits hold from now on; connections that are open stay. The memory for frames keeps its size."""
        self.limits = self._door.limits = limits

    def sweep(self) -> None:
        """Close who has kept us waiting too long."""
        now_ms = self.now_ms = self._clock()
        self._watch_clock(now_ms)
        for connection, since_ms in list(self.patience.items()):
            self._watch(connection, since_ms, now_ms)
        idle_since_ms = now_ms - self.limits.idle_ms
        for connection in list(self.connections.values()):
            if connection.active_ms < idle_since_ms and (connection.idle or connection.out is not None):
                connection.close()
        self._door.forget_strangers(now_ms)
        self._notices.tick(now_ms)

    def _watch(self, connection: Connection, since_ms: int, now_ms: int) -> None:
        limits = self.limits
        if connection.muted:
            self.patience[connection] = now_ms
        elif connection.own is None:
            if connection.greeted:
                del self.patience[connection]
            elif now_ms - since_ms > limits.first_byte_ms:
                connection.cut(f"said nothing for {limits.first_byte_ms // 1000} seconds")
        elif now_ms - since_ms > limits.partial_frame_ms + connection.filled * 1000 // 65536:
            connection.cut(f"did not complete a request: {connection.filled} bytes in {(now_ms - since_ms) // 1000} s")

    def _watch_clock(self, now_ms: int) -> None:
        """When the wall clock was set back, deadlines taken before would come late: answer what waits now."""
        ahead_ms = now_ms - int(self.loop.time() * 1000)
        if ahead_ms < self._clock_ahead_ms - _CLOCK_STEP_MS:
            self.tick_soon()
            self.broker.waiting.expire_all(now_ms)
        self._clock_ahead_ms = ahead_ms


def _fenced(replica: Replica) -> bool:
    return replica.fenced
