"""A broker without a node: real logs in a temporary directory, an image made by hand, and no metadata log.

`Room` gives tests the pure broker: they hand it requests and the time, end the tick themselves, and see the answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from logctl.engine.broker.appends import AfterAppend, Appends
from logctl.engine.broker.broker import Broker
from logctl.engine.broker.fetch_sessions import FetchSessions
from logctl.engine.broker.log_dirs import LogDir
from logctl.engine.broker.replica import Replica
from logctl.engine.broker.replicas import Replicas, Rules
from logctl.engine.broker.request import PARKED, Peer, Request
from logctl.engine.broker.waiting import Waiting
from logctl.engine.controller.decision import Controller
from logctl.engine.controller.decision import Rules as DecisionRules
from logctl.engine.controller.delta import difference
from logctl.engine.controller.image import Broker as Registered
from logctl.engine.controller.image import Endpoint, Image, Partition, ResourceType, Topic
from logctl.engine.controller.replay import apply
from logctl.engine.log.disk import Disk, RealDisk
from logctl.engine.settings import Settings
from logctl.wire.api import API
from logctl.wire.records import NewRecord, build_batch, iter_batches, iter_records
from logctl.wire.schema import Message

NODE = 1
NOW_MS = 1_700_000_000_000


@dataclass
class StillMetadata:
    """Metadata that only ever says what the test put into it."""

    image: Image
    applied_offset: int = 1
    log: Any = field(default_factory=lambda: SimpleNamespace(path="/elsewhere/__cluster_metadata-0"))
    voters: Any = field(default_factory=lambda: SimpleNamespace(are_in_the_log=False))

    rules: DecisionRules = field(default_factory=DecisionRules)
    adopt: Callable[[Image], None] = field(default=lambda image: None)
    new_uuid: Callable[[], bytes] = field(default=lambda: bytes(16))

    def decide(self, decide: Any, done: Any, failed: Any = None) -> None:
        """Decide on the image as it stands; what was decided is committed at once."""
        decision = decide(Controller(self.image, NOW_MS, self.applied_offset, self.new_uuid, self.rules))
        self.adopt(apply(self.image, decision.records))
        self.applied_offset += len(decision.records)
        done(decision)

    def tick(self, now_ms: int) -> None: ...

    def next_deadline_ms(self) -> int | None:
        return None


@dataclass
class Room:
    """A broker, its clock, and its diary."""

    path: Path
    flush_every_batch: bool = True
    disk: Disk = field(default_factory=RealDisk)
    session_slots: int = 1000
    now_ms: int = NOW_MS

    def __post_init__(self) -> None:
        self.diary: list[tuple[str, str]] = []
        self.ids = count(1)
        self.correlation = count(1)
        self.appends = Appends()
        self.waiting = Waiting()
        self.metadata = StillMetadata(Image(brokers={NODE: registered(NODE, 9092), 2: registered(2, 9093)}))
        self.replicas = Replicas(
            NODE,
            self.disk,
            [LogDir(self.disk, str(self.path), b"d" * 16)],
            Rules(flush_every_batch=self.flush_every_batch),
            appends=self.appends,
            waiting=self.waiting,
            say=self.say,
            new_id=self.fresh_uuid,
        )
        self.broker = Broker(
            node_id=NODE,
            cluster_id="cluster",
            settings=Settings.of([]),
            metadata=self.metadata,
            replicas=self.replicas,
            appends=self.appends,
            waiting=self.waiting,
            sessions=FetchSessions(self.session_slots, lambda: next(self.ids)),
            say=self.say,
        )
        self.replicas.start(self.metadata.image, self.now_ms)
        self.metadata.adopt, self.metadata.new_uuid = self._apply, self.fresh_uuid

    # The world around the broker.

    def say(self, kind: str, sentence: str) -> None:
        self.diary.append((kind, sentence))

    def fresh_uuid(self) -> bytes:
        return next(self.ids).to_bytes(2, "big") * 8

    def create(self, name: str, partitions: int = 1, leader: int = NODE, **configs: str) -> Topic:
        """A topic with one replica per partition; configs by Apache's names with underscores."""
        placed = Partition((leader,), (leader,), leader, 0, 0, (b"d" * 16,))
        topic = Topic(name, self.fresh_uuid(), dict.fromkeys(range(partitions), placed))
        image = self.metadata.image
        given = {key.replace("_", "."): value for key, value in configs.items()}
        self._apply(
            image._replace(
                topics={**image.topics, name: topic},
                topic_names={**image.topic_names, topic.topic_id: name},
                configs={**image.configs, (ResourceType.TOPIC, name): given},
            )
        )
        return topic

    def change(self, name: str, partition: int = 0, **fields: Any) -> None:
        """Another leader, leader epoch, in-sync set or list of replicas."""
        image = self.metadata.image
        topic = image.topics[name]
        changed = {**topic.partitions, partition: topic.partitions[partition]._replace(**fields)}
        self._apply(image._replace(topics={**image.topics, name: Topic(name, topic.topic_id, changed)}))

    def delete(self, name: str) -> None:
        image = self.metadata.image
        topic_id = image.topics[name].topic_id
        self._apply(
            image._replace(
                topics={key: topic for key, topic in image.topics.items() if key != name},
                topic_names={key: value for key, value in image.topic_names.items() if key != topic_id},
            )
        )

    def _apply(self, image: Image) -> None:
        old, self.metadata.image = self.metadata.image, image
        self.replicas.apply(difference(old, image), self.now_ms)

    def replica(self, name: str, partition: int = 0) -> Replica:
        found = self.replicas.get(name, partition)
        assert found is not None
        return found

    # Asking.

    def request(self, body: Message, version: int, client_id: str | None = "test") -> Request[Any]:
        """The request as the broker sees it: through its bytes, so that only what the version has gets there."""
        key = type(body).api_key
        encoded = memoryview(bytearray(body.encode(version)))
        decoded, _ = API[key].request.decode(encoded, version)
        return Request(
            key, version, next(self.correlation), client_id, decoded, Peer(1, "127.0.0.1", 5000), self.now_ms
        )

    def ask(self, body: Message, version: int, client_id: str | None = "test") -> Any:
        """Hand the broker a request; its answer as it stands, parked or not."""
        return self.broker.handle(self.request(body, version, client_id), self.now_ms)

    def answer(self, body: Message, version: int, client_id: str | None = "test") -> Any:
        """The response to a request that does not wait, as the client reads it; all appends are written and flushed."""
        request = self.request(body, version, client_id)
        answer = self.broker.handle(request, self.now_ms)
        assert answer is not PARKED, "the request was parked"
        self.end_tick()
        self.flush()
        response = answer.response if isinstance(answer, AfterAppend) else answer
        return self.read(response, version)

    def decided(self, body: Message, version: int, client_id: str | None = "test") -> Any:
        """The response to a request that the controller decides, as the client reads it."""
        assert self.ask(body, version, client_id) is PARKED, "the request was not parked"
        [response] = self.answers()
        return self.read(response, version)

    def read(self, response: Message, version: int) -> Any:
        """The response as a client decodes it, with records where the broker put ranges of files."""
        data = b"".join(
            part if isinstance(part, bytes | memoryview) else part.file.pread(part.length, part.position)
            for part in response.encode_parts(version)
        )
        decoded, end = type(response).decode(data, version)
        assert end == len(data)
        return decoded

    # Time and disk.

    def end_tick(self) -> list[tuple[Replica, Any]]:
        """Write what was staged and let waiters look; the replicas whose appends were lost, and why."""
        failures = self.appends.write(self.now_ms)
        self.waiting.settle(self.now_ms)
        return failures

    def flush(self) -> None:
        """Flush everything that wants it."""
        dirty = list(self.appends.dirty)
        self.appends.dirty.clear()
        for log in dirty:
            flush = log.flush_targets()
            flush.run()
            log.flushed(flush)
            self.appends.flushed(log)
        self.waiting.settle(self.now_ms)

    def pass_time(self, ms: int) -> None:
        self.now_ms += ms
        self.broker.tick(self.now_ms)

    def answers(self) -> list[Message]:
        """What parked requests were answered since the last call."""
        given = [response for _, response in self.broker.outbox]
        self.broker.outbox.clear()
        return given


def registered(node_id: int, port: int) -> Registered:
    return Registered(node_id, 0, bytes(16), (Endpoint("PLAINTEXT", "localhost", port),), fenced=False)


def batch(*values: bytes, **options: Any) -> bytearray:
    """A record batch of these values, stamped with the room's time unless told otherwise."""
    return build_batch([NewRecord(None, value, (), NOW_MS) for value in values], **options)


def values(records: bytes | memoryview | None) -> list[bytes | None]:
    """The values in a run of batches."""
    found = []
    for one in iter_batches(memoryview(bytes(records or b""))):
        found += [record.value for record in iter_records(one)]
    return found
