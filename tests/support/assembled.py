"""A whole node without sockets: the parts of `assembly.py` on a real disk, asked request by request.

    node = Assembled(tmp_path)
    answer = node.ask(CreateTopicsRequest(topics=[...]), 7)

`ask` sends the request through its bytes, lets the broker handle it, ends the tick (writes, flushes, commits) and
decodes the answer in the same version. `restart` closes the node in order and opens it again, `crash` opens it again
without closing. The clock stands still unless a test moves it.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

from logctl.engine.assembly import Assembly
from logctl.engine.broker.exchange import read_request
from logctl.engine.broker.request import PARKED, Peer
from logctl.engine.config_file import Entry
from logctl.engine.directory import format_directories, open_directories
from logctl.engine.log.disk import Disk, RealDisk
from logctl.engine.settings import Listener, Settings
from logctl.wire.api import API
from logctl.wire.frames import request_frame
from logctl.wire.schema import Message

NODE = 1
CLUSTER = "aaaaaaaaaaaaaaaaaaaaaa"
PORT = 9092


class Assembled:
    """`diary` holds (kind, sentence). `settings` by Apache's names."""

    def __init__(self, folder: Path, settings: dict[str, str] | None = None, disk: Disk | None = None) -> None:
        self.log_dir = folder / "node-1"
        self.diary: list[tuple[str, str]] = []
        self.now_ms = 1_700_000_000_000
        self.peer = Peer(1, "127.0.0.1", 50000)
        self._disk = disk or RealDisk()
        self._ids = count(0x1000)
        self._correlation = count(1)
        given = {"node.id": str(NODE), "log.dirs": str(self.log_dir), **(settings or {})}
        self.settings = Settings.of(Entry(name, text, "test") for name, text in given.items())
        format_directories(
            self._disk, self._paths, cluster_id=CLUSTER, node_id=NODE, new_uuid=self._new_uuid, now_ms=self.now_ms
        )
        self._open()

    @property
    def _paths(self) -> list[str]:
        return list(dict.fromkeys([self.settings.metadata_dir, *self.settings.log_dirs]))

    def _new_uuid(self) -> bytes:
        return next(self._ids).to_bytes(16)

    def _open(self) -> None:
        self.parts = self.assemble()
        self.parts.open([Listener("PLAINTEXT", "PLAINTEXT", "127.0.0.1", PORT)])
        self.broker = self.parts.broker

    def assemble(self) -> Assembly:
        """The parts of another life, not opened yet."""
        return Assembly(
            self.settings,
            self._disk,
            self._paths,
            open_directories(self._disk, self._paths, node_id=NODE),
            say=lambda kind, sentence: self.diary.append((kind, sentence)),
            new_uuid=self._new_uuid,
            clock=lambda: self.now_ms,
        )

    def restart(self) -> None:
        self.parts.close()
        self._open()

    def crash(self) -> None:
        self._open()

    def said(self, kind: str) -> list[str]:
        return [sentence for said, sentence in self.diary if said == kind]

    # Asking.

    def ask(self, body: Message, version: int) -> Any:
        """The answer as a client of that version reads it; None when the connection would be closed."""
        request = read_request(memoryview(bytearray(self.frame(body, version)[4:])), self.peer, self.now_ms)
        answer = self.broker.handle(request, self.now_ms)
        self.settle()
        if answer is PARKED:
            asked, answer = self.broker.outbox.pop()
            assert asked is request
        if answer is None:
            return None
        response = getattr(answer, "response", answer)
        answered = version if version in API[request.api_key].response.versions else 0
        decoded, _ = type(response).decode(response.encode(answered), answered)
        return decoded

    def frame(self, body: Message, version: int) -> bytes:
        return request_frame(type(body).api_key, version, next(self._correlation), "test", body)

    def settle(self) -> None:
        """Write and flush until nothing wants it any more."""
        appends = self.parts.appends
        while appends.staged or appends.dirty:
            assert not appends.write(self.now_ms)
            dirty, appends.dirty = appends.dirty, set()
            for log in dirty:
                log.flush()
                appends.flushed(log)

    def pass_time(self, ms: int) -> None:
        self.now_ms += ms
        self.broker.tick(self.now_ms)
        self.settle()
