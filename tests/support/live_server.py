"""The real server over a `Room`: real sockets, real files, its loop in a thread; and a client that sees every byte."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from concurrent.futures import Future
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from support.broker_room import NODE, Room, registered

from logctl.engine.limits import Limits
from logctl.engine.poller import TickLoop
from logctl.engine.server import Server
from logctl.engine.settings import Listener
from logctl.wire.api import API
from logctl.wire.frames import read_response_header, request_frame
from logctl.wire.schema import Message

T = TypeVar("T")


class LiveServer:
    """Use as a context manager. `now_ms` is the server's clock; tests move it, and the sweep follows at once."""

    def __init__(self, path: Path, limits: Limits | None = None, **room: Any) -> None:
        self.room = Room(path, **room)
        self.server = Server(self.room.broker, limits or Limits(), self.room.say, clock=lambda: self.room.now_ms)
        self.port = 0
        self._loop = TickLoop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._clients: list[Client] = []

    def __enter__(self) -> LiveServer:
        self._thread.start()
        listener = Listener("PLAINTEXT", "PLAINTEXT", "127.0.0.1", 0)
        [(_, _, self.port)] = self.run(lambda: self.server.start(self._loop, [listener]))
        image = self.room.metadata.image
        self.room.metadata.image = image._replace(brokers={NODE: registered(NODE, self.port)})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        for client in self._clients:
            client.close()
        self.stop()

    def stop(self, patience_ms: int = 2_000) -> None:
        """An orderly stop. Harmless a second time."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self.server.stop(patience_ms), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop.close()

    def run(self, action: Callable[[], T]) -> T:
        """Do something on the server's own thread."""
        done: Future[T] = Future()

        def act() -> None:
            try:
                done.set_result(action())
            except BaseException as error:
                done.set_exception(error)

        self._loop.call_soon_threadsafe(act)
        return done.result(10)

    def create(self, name: str, partitions: int = 1, **configs: str) -> None:
        self.run(lambda: self.room.create(name, partitions, **configs))

    def pass_time(self, ms: int) -> None:
        """Move the clock and let the server notice."""

        def move() -> None:
            self.room.now_ms += ms
            self.server.sweep()
            self.server.ring()

        self.run(move)

    def said(self, words: str) -> bool:
        """Whether the diary has a sentence with these words."""
        return any(words in sentence for _, sentence in list(self.room.diary))

    def connect(self, **options: Any) -> Client:
        client = Client(self.port, **options)
        self._clients.append(client)
        return client


class Client:
    """A peer on a blocking socket: sends frames whole or in pieces, reads answers one by one."""

    def __init__(self, port: int, receive_buffer_bytes: int = 0, host: str = "127.0.0.1") -> None:
        self.sock = socket.socket()
        if receive_buffer_bytes:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self.sock.settimeout(10)
        try:
            self.sock.connect((host, port))
        except OSError:
            self.sock.close()
            raise
        self._numbers = count(1)
        self._asked: dict[int, tuple[int, int]] = {}

    def frame(self, body: Message, version: int) -> bytes:
        """The bytes of a request; its answer is expected from now on."""
        number = next(self._numbers)
        self._asked[number] = type(body).api_key, version
        return request_frame(type(body).api_key, version, number, "test", body)

    def send(self, body: Message, version: int) -> None:
        self.sock.sendall(self.frame(body, version))

    def receive(self) -> tuple[int, Any]:
        """The next answer and the number of the request it belongs to."""
        data = memoryview(self._exactly(struct.unpack(">i", self._exactly(4))[0]))
        number = struct.unpack_from(">i", data)[0]
        key, version = self._asked.pop(number)
        _, position = read_response_header(data, key, version)
        answer, end = API[key].response.decode(data, version, position)
        assert end == len(data), "the answer is longer than its message"
        return number, answer

    def ask(self, body: Message, version: int) -> Any:
        self.send(body, version)
        return self.receive()[1]

    def is_closed(self) -> bool:
        """Waits until the server has hung up; raises TimeoutError if it does not."""
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self.sock.close()

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            piece = self.sock.recv(size - len(data))
            if not piece:
                raise ConnectionError(f"the server hung up after {len(data)} of {size} bytes")
            data += piece
        return bytes(data)
