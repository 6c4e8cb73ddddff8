"""A network in memory: the server's end of a connection behaves like a socket, the client's end is told by callbacks.

Bytes travel for a while that the seed decides, arrive in pieces, and in order. What was sent before the sender died
still arrives, and then the end of the stream.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random

from logctl.engine.event_loop import asyncio

_SLOWEST_S = 0.004


class Direction:
    """One way through the network: `deliver` is called in the order of `send`, later."""

    def __init__(self, loop: asyncio.AbstractEventLoop, random: Random) -> None:
        self._loop = loop
        self._random = random
        self._last_s = 0.0
        self._travelling: deque[Callable[[], None]] = deque()

    def later(self, deliver: Callable[[], None]) -> None:
        """Call `deliver` once everything sent before has arrived."""
        self._last_s = max(self._last_s, self._loop.time() + self._random.random() * _SLOWEST_S)
        self._travelling.append(deliver)
        self._loop.call_at(self._last_s, self._arrive)

    def _arrive(self) -> None:
        """The loop does not keep the order of what is due at the same time; the network does."""
        self._travelling.popleft()()


class ServerEnd:
    """What `Connection` takes for a socket. Its `reader` and `writer` are the callbacks the server registered."""

    def __init__(self, loop: asyncio.AbstractEventLoop, random: Random) -> None:
        self.reader: Callable[[], object] | None = None
        self.writer: Callable[[], object] | None = None
        self.client: ClientEnd
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
        """The client has closed its end."""
        self._ended = True
        self.wake()

    def wake(self) -> None:
        """Call the reader as long as there is something to read, as a level-triggered poll would."""
        if not self._awake and (self.reader or self.writer):
            self._awake = True
            self._loop.call_soon(self._call)

    def _call(self) -> None:
        self._awake = False
        if self.reader is not None and (self._arrived or self._ended):
            self.reader()
        if self.writer is not None:
            self.writer()
        if self.writer is not None or (self.reader is not None and (self._arrived or self._ended)):
            self.wake()

    # What a socket does.

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

    def send(self, data: bytes | memoryview, flags: int = 0) -> int:
        if self._ended or self._closed:
            raise BrokenPipeError
        count = len(data)
        if count > 1 and self._random.random() < 0.05:
            count = self._random.randint(1, count)
        self.client.arriving(bytes(data[:count]))
        return count

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
    ) -> None:
        self._there = Direction(loop, random)
        self._back = Direction(loop, random)
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

    def arriving(self, data: bytes) -> None:
        self._back.later(lambda: self._received(data) if self.open else None)

    def ending(self) -> None:
        self._back.later(self._end)

    def _end(self) -> None:
        if self.open:
            self.open = False
            self._ended()
