"""A client that asks one thing at a time and costs little: the broker is to be measured, not the client."""

from __future__ import annotations

import itertools
import socket
from typing import Any

from logctl.wire.api import API
from logctl.wire.frames import LENGTH, read_response_header, request_frame
from logctl.wire.schema import Message

CLIENT_ID = "bench"


class Conversation:
    """One blocking connection. `source`: the local address to come from, where a broker counts by address."""

    def __init__(self, address: str, source: str = "", timeout_s: float = 120.0) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout_s, (source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._numbers = itertools.count(1)
        self._expected: list[tuple[int, int]] = []

    def ask(self, request: Message, version: int) -> Any:
        """The response, decoded."""
        self.send(request, version)
        return self.receive()

    def send(self, request: Message, version: int) -> None:
        self.socket.sendall(request_frame(request.api_key, version, next(self._numbers), CLIENT_ID, request))
        self._expected.append((request.api_key, version))

    def receive(self) -> Any:
        """The answer to the oldest request that was sent and not received."""
        key, version = self._expected.pop(0)
        frame = self.frame()
        _, position = read_response_header(frame, key, version)
        return API[key].response.decode(memoryview(frame), version, position)[0]

    def frame(self) -> bytes:
        """The next frame, undecoded."""
        return self._exactly(LENGTH.unpack(self._exactly(4))[0])

    def _exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            part = self.socket.recv(min(count - len(data), 1 << 20))
            if not part:
                raise ConnectionError("the broker hung up")
            data += part
        return bytes(data)

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
