"""A broker that says what a test tells it to: real sockets and real bytes, and answers made up by the story.

    with ScriptedBroker() as broker:
        broker.answer("Metadata", lambda request, version: MetadataResponse(...))
        ...                       # None: hang up; a bytes object: sent as it is; SILENCE: never answered

ApiVersions is answered by itself, with the APIs that the script knows (or `versions`). What was asked is in `asked`.
For faults that no real broker commits on request; everything else is tested against real ones.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

from logctl.wire import errors
from logctl.wire.api import API, BY_NAME
from logctl.wire.frames import read_request_header, response_parts
from logctl.wire.messages.api_versions import ApiVersion, ApiVersionsResponse
from logctl.wire.messages.metadata import (
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)

SILENCE = object()
Answer = Callable[[Any, int], Any]


class ScriptedBroker:
    """One listening socket on loopback; each connection is served by a thread of its own, requests in order."""

    def __init__(self, node_id: int = 1) -> None:
        self.node_id = node_id
        self.asked: list[tuple[str, int, Any]] = []
        self.versions: dict[str, tuple[int, int]] = {}
        self._answers: dict[str, Answer] = {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def answer(self, name: str, answer: Answer) -> None:
        """What to say to an API from now on."""
        self._answers[name] = answer

    def forget(self, name: str) -> None:
        """No longer offer an API."""
        del self._answers[name]

    def count(self, name: str) -> int:
        return sum(asked == name for asked, _, _ in self.asked)

    def hang_up(self) -> None:
        """Close the connections there are; new ones are welcome."""
        for one in self._open[1:]:
            _end(one)
        del self._open[1:]

    def close(self) -> None:
        for one in self._open:
            _end(one)

    def __enter__(self) -> ScriptedBroker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as stream:
                while len(size := stream.read(4)) == 4:
                    if not self._one(connection, stream.read(int.from_bytes(size, "big"))):
                        return
        except OSError:
            return

    def _one(self, connection: socket.socket, frame: bytes) -> bool:
        header, position = read_request_header(frame)
        name = API[header.api_key].name
        request = API[header.api_key].request.decode(frame, header.version, position)[0]
        self.asked.append((name, header.version, request))
        response = self._answers.get(name, self._by_itself(name))(request, header.version)
        if response is None:
            return False
        if response is SILENCE:
            return True
        if not isinstance(response, bytes):
            response = b"".join(
                bytes(part) for part in response_parts(header.api_key, header.version, header.correlation_id, response)
            )
        connection.sendall(response)
        return True

    def _by_itself(self, name: str) -> Answer:
        if name == "ApiVersions":
            return lambda request, version: ApiVersionsResponse(api_keys=self._offered())
        return lambda request, version: None

    def _offered(self) -> list[ApiVersion]:
        names = {"ApiVersions", *self._answers, *self.versions}
        rows = []
        for name in sorted(names):
            api = BY_NAME[name]
            lowest, highest = self.versions.get(name, (api.versions.lowest, api.versions.highest))
            rows.append(ApiVersion(api_key=api.key, min_version=lowest, max_version=highest))
        return rows


def _end(one: socket.socket) -> None:
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    one.close()


class ScriptedCluster:
    """Brokers that know each other: Metadata tells of them all, and of `topics` (name -> leader of each partition)."""

    def __init__(self, *node_ids: int, topics: dict[str, list[int]] | None = None) -> None:
        self.brokers = {node_id: ScriptedBroker(node_id) for node_id in node_ids or (1,)}
        self.topics: dict[str, list[int]] = dict(topics or {})
        self.controller_id = next(iter(self.brokers))
        for broker in self.brokers.values():
            broker.answer("Metadata", self._metadata)

    @property
    def bootstrap(self) -> str:
        return next(iter(self.brokers.values())).bootstrap

    def answer(self, name: str, answer: Answer) -> None:
        for broker in self.brokers.values():
            broker.answer(name, answer)

    def __enter__(self) -> ScriptedCluster:
        return self

    def __exit__(self, *_: object) -> None:
        for broker in self.brokers.values():
            broker.close()

    def _metadata(self, request: Any, version: int) -> MetadataResponse:
        ids = {topic_id(name): name for name in self.topics}
        asked = [topic.name or ids[topic.topic_id] for topic in request.topics or ()]
        wanted = list(self.topics) if request.topics is None else asked
        return MetadataResponse(
            cluster_id="scripted",
            controller_id=self.controller_id,
            brokers=[
                MetadataResponseBroker(node_id=node_id, host="127.0.0.1", port=broker.port)
                for node_id, broker in self.brokers.items()
            ],
            topics=[self._topic(name) for name in wanted],
        )

    def _topic(self, name: str) -> MetadataResponseTopic:
        if name not in self.topics:
            return MetadataResponseTopic(error_code=errors.UNKNOWN_TOPIC_OR_PARTITION, name=name)
        return MetadataResponseTopic(
            name=name,
            topic_id=topic_id(name),
            partitions=[
                MetadataResponsePartition(partition_index=index, leader_id=leader, replica_nodes=[1], isr_nodes=[1])
                for index, leader in enumerate(self.topics[name])
            ],
        )


def topic_id(name: str) -> bytes:
    """The identifier a scripted cluster gives to a topic."""
    return name.encode().ljust(16, b"\0")[:16]
