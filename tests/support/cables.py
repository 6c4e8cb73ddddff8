"""Cables between nodes that can be cut: everything they say to each other passes through here.

    with Cables() as cables, running_nodes(folder, 3, way=cables.way) as nodes:
        cables.cut(1, 2)          # what 1 says does not reach 2; what 2 says still reaches 1
        cables.isolate(3)         # both ways, from everybody
        cables.mend()

Clients are not cut off: they reach every node. A cut cable holds what travels until it is mended, as TCP does over one
that loses every packet; a connection that is closed meanwhile stays open at the other end. Whoever connects over a cut
cable gets a connection, and no answer.
"""

from __future__ import annotations

import socket
from collections import defaultdict
from threading import Event, Thread
from typing import Final

from support.ports import free_port

_RECEIVE_BYTES: Final = 256 << 10


class Cables:
    """Use as a context manager, around the nodes."""

    def __init__(self) -> None:
        self._open: dict[tuple[int, int], Event] = defaultdict(_set_event)
        self._sockets: list[socket.socket] = []
        self._nodes: set[int] = set()
        self._closed = False

    def __enter__(self) -> Cables:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        self.mend()
        for one in self._sockets:
            _end(one)

    def way(self, who: int, whom: int, port: int) -> int:
        """The port where `who` finds `whom`, whose own is `port`."""
        door = socket.create_server(("127.0.0.1", free_port()))
        self._sockets.append(door)
        self._nodes |= {who, whom}
        Thread(target=self._serve, args=(door, who, whom, port), daemon=True).start()
        named: int = door.getsockname()[1]
        return named

    def cut(self, who: int, whom: int) -> None:
        """What the first says does not reach the second any more."""
        self._open[who, whom].clear()

    def isolate(self, who: int) -> None:
        self.silence(who)
        self.deafen(who)

    def silence(self, who: int) -> None:
        """Nobody hears it, and it hears everybody."""
        for other in self._nodes - {who}:
            self.cut(who, other)

    def deafen(self, who: int) -> None:
        """It hears nobody, and everybody hears it."""
        for other in self._nodes - {who}:
            self.cut(other, who)

    def mend(self) -> None:
        for one in self._open.values():
            one.set()

    def _serve(self, door: socket.socket, who: int, whom: int, port: int) -> None:
        while not self._closed:
            try:
                near, _ = door.accept()
            except OSError:
                return
            self._sockets.append(near)
            try:
                far = socket.create_connection(("127.0.0.1", port), 5)
            except OSError:
                _end(near)
                continue
            far.settimeout(None)
            self._sockets.append(far)
            for one in (near, far):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Thread(target=self._pump, args=(near, far, self._open[who, whom]), daemon=True).start()
            Thread(target=self._pump, args=(far, near, self._open[whom, who]), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, is_open: Event) -> None:
        try:
            while data := source.recv(_RECEIVE_BYTES):
                is_open.wait()
                sink.sendall(data)
        except OSError:
            pass
        is_open.wait()
        _end(source)
        _end(sink)


def _set_event() -> Event:
    event = Event()
    event.set()
    return event


def _end(one: socket.socket) -> None:
    """Wake whoever waits on it, and close it."""
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    one.close()
