"""A network in memory: the server's end of a connection behaves like a socket, the client's end is told by callbacks.

Bytes travel for a while that the seed decides, arrive in pieces, and in order. What was sent before the sender died
still arrives, and then the end of the stream.

Between nodes lie *cables*, one for each way. One that is cut holds what travels on it until it is mended, as TCP would
send it again and again; a connection that is given up meanwhile may leave its bytes behind, to arrive long afterwards.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Protocol

from logctl.engine.event_loop import asyncio

_SLOWEST_S = 0.004


class Cable:
    """One way from one machine to another, for all connections between them."""

    def __init__(self) -> None:
        self.slowest_s = _SLOWEST_S
        self._is_cut = False
        self._held: list[Direction] = []

    @property
    def is_cut(self) -> bool:
        return self._is_cut

    @property
    def delay_s(self) -> float:
        """How long anything may travel."""
        return self.slowest_s

    def cut(self) -> None:
        self._is_cut = True

    def mend(self) -> None:
        self._is_cut = False
        held, self._held = self._held, []
        for direction in held:
            direction.go_on()

    def hold(self, direction: Direction) -> None:
        self._held.append(direction)


class Strand(Cable):
    """What some connections have of a cable: it may be cut while the rest of the cable is not."""

    def __init__(self, cable: Cable) -> None:
        super().__init__()
        self.cable = cable

    @property
    def is_cut(self) -> bool:
        return self._is_cut or self.cable.is_cut

    @property
    def delay_s(self) -> float:
        return max(self.slowest_s, self.cable.slowest_s)

    def hold(self, direction: Direction) -> None:
        if self._is_cut:
            super().hold(direction)
        else:
            self.cable.hold(direction)


class Direction:
    """One way through the network: `deliver` is called in the order of `send`, later."""

    def __init__(self, loop: asyncio.AbstractEventLoop, random: Random, cable: Cable | None = None) -> None:
        self._loop = loop
        self._random = random
        self._cable = cable
        self._last_s = 0.0
        self._travelling: deque[Callable[[], None]] = deque()

    def later(self, deliver: Callable[[], None]) -> None:
        """Call `deliver` once everything sent before has arrived."""
        slowest_s = _SLOWEST_S if self._cable is None else self._cable.delay_s
        self._last_s = max(self._last_s, self._loop.time() + self._random.random() * slowest_s)
        self._travelling.append(deliver)
        self._loop.call_at(self._last_s, self._arrive)

    def lose(self) -> None:
        """What travels never arrives."""
        self._travelling.clear()

    def go_on(self) -> None:
        self._loop.call_soon(self._arrive)

    def _arrive(self) -> None:
        """The loop does not keep the order of what is due at the same time; the network does."""
        if self._cable is not None and self._cable.is_cut:
            self._cable.hold(self)
        elif self._travelling:
            self._travelling.popleft()()


class Caller(Protocol):
    """The other end of a server's."""

    def arriving(self, data: bytes) -> None: ...
    def ending(self) -> None: ...


class SocketEnd:
    """What the engine takes for a socket. Its `reader` and `writer` are the callbacks that were registered; they answer
    whether the process was there to hear them, and are called again when it is."""

    def __init__(self, loop: asyncio.AbstractEventLoop, random: Random) -> None:
        self.reader: Callable[[], bool] | None = None
        self.writer: Callable[[], bool] | None = None
        self._loop = loop
        self._random = random
        self._arrived = bytearray()
        self._ended = False
        self._closed = False
        self._awake = False

    # What the network does.

    def arrive(self, data: bytes) -> None:
        self._arrived += data
        self.wake()

    def end(self) -> None:
        """The other end is closed."""
        self._ended = True
        self.wake()

    def wake(self) -> None:
        """Call the reader as long as there is something to read, as a level-triggered poll would."""
        if not self._awake and (self.reader or self.writer):
            self._awake = True
            self._loop.call_soon(self._call)

    def _call(self) -> None:
        self._awake = False
        if self.reader is not None and (self._arrived or self._ended) and not self.reader():
            return
        if self.writer is not None and not self.writer():
            return
        if self.writer is not None or (self.reader is not None and (self._arrived or self._ended)):
            self.wake()

    # What a socket does.

    def close(self) -> None:
        raise NotImplementedError

    def setblocking(self, flag: bool) -> None:
        pass

    def setsockopt(self, level: int, option: int, value: int) -> None:
        pass

    def recv_into(self, view: memoryview) -> int:
        if not self._arrived:
            if self._ended:
                return 0
            raise BlockingIOError
        count = min(len(view), len(self._arrived))
        if self._random.random() < 0.1:
            count = self._random.randint(1, count)
        view[:count] = self._arrived[:count]
        del self._arrived[:count]
        return count


class ServerEnd(SocketEnd):
    """The end that was accepted."""

    client: Caller

    def send(self, data: bytes | memoryview, flags: int = 0) -> int:
        if self._ended or self._closed:
            raise BrokenPipeError
        count = len(data)
        if count > 1 and self._random.random() < 0.05:
            count = self._random.randint(1, count)
        self.client.arriving(bytes(data[:count]))
        return count

    def fail(self) -> None:
        """The connection breaks: both ends learn that it has ended."""
        if not self._closed:
            self.end()
            self.client.ending()

    def sendmsg(self, buffers: list[bytes], ancillary: tuple[()], flags: int = 0) -> int:
        return self.send(b"".join(buffers), flags)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.reader = self.writer = None
            self.client.ending()


class ClientEnd:
    """`received` is called with bytes, `ended` once when the server's end is closed, unless this end was first."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        random: Random,
        server: ServerEnd,
        received: Callable[[bytes], None],
        ended: Callable[[], None],
        cables: tuple[Cable | None, Cable | None] = (None, None),
    ) -> None:
        """`cables`: there and back."""
        self._there = Direction(loop, random, cables[0])
        self._back = Direction(loop, random, cables[1])
        self._server = server
        self._received = received
        self._ended = ended
        self.open = True
        server.client = self

    def send(self, data: bytes) -> None:
        self._there.later(lambda: self._server.arrive(data))

    def close(self) -> None:
        """Hang up: what the server sends from now on is lost."""
        if self.open:
            self.open = False
            self._there.later(self._server.end)

    def abort(self) -> None:
        """Hang up, and take back what has not arrived yet."""
        if self.open:
            self._there.lose()
            self.close()

    def arriving(self, data: bytes) -> None:
        self._back.later(lambda: self._received(data) if self.open else None)

    def ending(self) -> None:
        self._back.later(self._end)

    def _end(self) -> None:
        if self.open:
            self.open = False
            self._ended()


class CallingEnd(SocketEnd):
    """The end of a node that calls another: a socket, which can be written once the other one has answered.

    `reach` is called when the call arrives: the server's end, or None when nobody listens.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        random: Random,
        cables: tuple[Cable, Cable],
        reach: Callable[[], ServerEnd | None],
        *,
        lingers: bool,
    ) -> None:
        """`lingers`: what was sent before the end was closed may arrive all the same."""
        super().__init__(loop, random)
        self._lingers = lingers
        self._there = Direction(loop, random, cables[0])
        self._back = Direction(loop, random, cables[1])
        self._server: ServerEnd | None = None
        self._problem: int | None = None
        self._there.later(lambda: self._arrive_there(reach))

    def _arrive_there(self, reach: Callable[[], ServerEnd | None]) -> None:
        self._server = server = reach()
        if server is not None:
            server.client = self
        self._back.later(lambda: self._answered(0 if server is not None else errno.ECONNREFUSED))

    def _answered(self, problem: int) -> None:
        self._problem = problem
        self.wake()

    def wake(self) -> None:
        if self._problem is not None and not self._closed:
            super().wake()

    def arriving(self, data: bytes) -> None:
        self._back.later(lambda: self.arrive(data))

    def ending(self) -> None:
        self._back.later(self.end)

    def getsockopt(self, level: int, option: int) -> int:
        return self._problem or 0

    def send(self, data: bytes | bytearray) -> int:
        if self._ended or self._closed:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        sent = bytes(data)
        self._there.later(lambda: self._deliver(sent))
        return len(sent)

    def _deliver(self, data: bytes) -> None:
        if self._server is not None:
            self._server.arrive(data)

    def close(self) -> None:
        """What is on its way is lost, or arrives all the same."""
        if self._closed:
            return
        self._closed = True
        self.reader = self.writer = None
        if not self._lingers or self._random.random() < 0.5:
            self._there.lose()
        self._there.later(self._finish)

    def _finish(self) -> None:
        if self._server is not None:
            self._server.end()
