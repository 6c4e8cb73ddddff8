"""The same requests to our node and to Apache Kafka, answer beside answer.

What may differ is left out: sentences, ids and addresses that each makes up, the time told with a duplicate, and null
records, which Apache leaves without an answer.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from support.broker_room import batch
from support.engines import ENGINES, started
from support.live_server import Client
from support.waiting import wait_until

from logctl.wire import errors
from logctl.wire.frames import LENGTH
from logctl.wire.messages.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from logctl.wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic, ForgottenTopic, ReplicaState
from logctl.wire.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from logctl.wire.messages.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from logctl.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from logctl.wire.primitives import ZERO_UUID
from logctl.wire.records import NewRecord, build_batch
from logctl.wire.schema import Message

pytestmark = [pytest.mark.java, pytest.mark.xdist_group("beside-apache")]

TOPICS = {
    "plain": {},
    "stamped": {"message.timestamp.type": "LogAppendTime"},
    "small": {"max.message.bytes": "300"},
    "table": {"cleanup.policy": "compact"},
}
LOST = b"?" * 16
NOW_MS = 1_700_000_000_000


class Pair:
    """One connection to each engine; topics by the ids that each gave them."""

    def __init__(self, ports: dict[str, int]) -> None:
        self.ports = ports
        self.clients: dict[str, Client] = {}
        self.ids: dict[str, dict[str, bytes]] = {}
        for engine in ports:
            self.hang_up(engine)
            self.ids[engine] = self._create(engine)

    def hang_up(self, engine: str) -> None:
        if engine in self.clients:
            self.clients[engine].close()
        self.clients[engine] = Client(self.ports[engine])
        self.clients[engine].sock.settimeout(5)

    def close(self) -> None:
        for client in self.clients.values():
            client.close()

    def _create(self, engine: str) -> dict[str, bytes]:
        topics = [
            CreatableTopic(name, 2, 1, configs=[CreatableTopicConfig(*pair) for pair in configs.items()])
            for name, configs in TOPICS.items()
        ]
        answer = self.clients[engine].ask(CreateTopicsRequest(topics, 20_000), 7)
        assert {one.error_code for one in answer.topics} == {errors.NONE}
        for name in TOPICS:
            for partition in (0, 1):
                wait_until(lambda: self._leads(engine, name, partition), f"a leader of {name}-{partition}")  # noqa: B023
        return {one.name: one.topic_id for one in answer.topics}

    def _leads(self, engine: str, topic: str, partition: int) -> bool:
        answer = self.clients[engine].ask(list_offsets(-1, topic, partition), 9)
        return bool(answer.topics[0].partitions[0].error_code == errors.NONE)

    def ask(self, body: Message, version: int) -> tuple[Any, Any]:
        """The answers of both, as plain values; "closed" where the engine hung up."""
        return tuple(self._ask(engine, body, version) for engine in ENGINES)  # type: ignore[return-value]

    def _ask(self, engine: str, body: Message, version: int) -> Any:
        ids = self.ids[engine]
        by_id = {value: name for name, value in ids.items()}
        request = _with_ids(body, ids, version)
        try:
            answer = self.clients[engine].ask(request, version)
        except (ConnectionError, TimeoutError) as error:
            self.hang_up(engine)
            return "silence" if isinstance(error, TimeoutError) else "closed"
        return _plain(answer, by_id)


def _with_ids(body: Message, ids: dict[str, bytes], version: int) -> Message:
    """The request with each topic's id where the version speaks of ids; a topic named "?" gets one nobody knows."""
    for field in ("topic_data", "topics", "forgotten_topics_data"):
        for topic in getattr(body, field, []):
            if hasattr(topic, "topic_id"):
                name = getattr(topic, "name", None) or getattr(topic, "topic", "")
                known = ids.get(name, LOST)
                topic.topic_id = known if version >= 13 else ZERO_UUID
    return body


_MADE_UP = {"error_message", "batch_index_error_message", "node_endpoints", "session_id", "log_append_time_ms"}


def _plain(value: Any, by_id: dict[bytes, str]) -> Any:
    if isinstance(value, list):
        return [_plain(item, by_id) for item in value]
    if isinstance(value, memoryview | bytes):
        return by_id.get(bytes(value), bytes(value))
    if not hasattr(value, "fields"):
        return value
    return {
        entry.name: (getattr(value, entry.name) not in (0, -1, None, "", []))
        if entry.name in _MADE_UP
        else _plain(getattr(value, entry.name), by_id)
        for entry in value.fields
        if entry.name not in ("error_message", "batch_index_error_message")
    }


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with ExitStack() as stack:
        ports = {}
        for engine in ENGINES:
            node = stack.enter_context(started(engine, tmp_path_factory.mktemp(engine)))
            ports[engine] = int(node.address.rpartition(":")[2])
        pair = Pair(ports)
        yield pair
        pair.close()


def produce(records: Any, topic: str = "plain", *, partition: int = 0, acks: int = -1) -> ProduceRequest:
    data = [PartitionProduceData(partition, records)]
    return ProduceRequest(acks=acks, timeout_ms=5000, topic_data=[TopicProduceData(topic, partition_data=data)])


def numbered(producer_id: int, sequence: int, *values: bytes, epoch: int = 0) -> bytearray:
    return batch(*values, producer_id=producer_id, producer_epoch=epoch, base_sequence=sequence)


def fetch(topic: str = "plain", offset: int = 0, **more: Any) -> FetchRequest:
    own = ("partition", "partition_max_bytes", "current_leader_epoch", "last_fetched_epoch")
    asked = {"partition": 0, "partition_max_bytes": 1 << 20, **{key: more.pop(key) for key in own if key in more}}
    return FetchRequest(
        **{"max_wait_ms": 0, "min_bytes": 1, "session_epoch": -1, **more},
        topics=[FetchTopic(topic, partitions=[FetchPartition(fetch_offset=offset, **asked)])],
    )


def list_offsets(timestamp: int, topic: str = "plain", partition: int = 0, epoch: int = -1) -> ListOffsetsRequest:
    asked = ListOffsetsPartition(partition, epoch, timestamp)
    return ListOffsetsRequest(-1, topics=[ListOffsetsTopic(topic, [asked])])


def epoch_end(epoch: int, topic: str = "plain", current: int = -1) -> OffsetForLeaderEpochRequest:
    return OffsetForLeaderEpochRequest(-1, [OffsetForLeaderTopic(topic, [OffsetForLeaderPartition(0, current, epoch)])])


def spoilt() -> bytearray:
    data = batch(b"payload")
    data[-1] ^= 1
    return data


def with_byte(place: int, value: int) -> bytearray:
    data = batch(b"payload")
    data[place] = value
    return data


PRODUCED = {
    "one record": lambda: produce(batch(b"a")),
    "several records": lambda: produce(batch(b"b", b"c")),
    "acks=1": lambda: produce(batch(b"d"), acks=1),
    "the broker's time": lambda: produce(batch(b"a"), "stamped"),
    "acks=5": lambda: produce(batch(b"a"), acks=5),
    "unknown topic": lambda: produce(batch(b"a"), "nowhere"),
    "unknown partition": lambda: produce(batch(b"a"), partition=7),
    "negative partition": lambda: produce(batch(b"a"), partition=-1),
    "no records": lambda: produce(b""),
    "two batches": lambda: produce(batch(b"a") + batch(b"b")),
    "a batch cut off": lambda: produce(batch(b"a")[:-2]),
    "a batch and a bit": lambda: produce(batch(b"a") + b"\0" * 5),
    "wrong checksum": lambda: produce(spoilt()),
    "magic 1": lambda: produce(with_byte(16, 1)),
    "magic 3": lambda: produce(with_byte(16, 3)),
    "base offset 5": lambda: produce(with_byte(7, 5)),
    "too large": lambda: produce(batch(b"x" * 400), "small"),
    "keyless in a compacted topic": lambda: produce(batch(b"x"), "table"),
    "keyed in a compacted topic": lambda: produce(build_batch([NewRecord(b"k", b"v", (), NOW_MS)]), "table"),
    "a control batch": lambda: produce(batch(b"x", control=True)),
    "zstd": lambda: produce(batch(b"x" * 100, compression="zstd")),
    "a timestamp two hours ahead of every clock": lambda: produce(
        build_batch([NewRecord(None, b"v", (), 1 << 60), NewRecord(None, b"v", (), NOW_MS)])
    ),
    "producer 7, first": lambda: produce(numbered(7, 0, b"a", b"b")),
    "producer 7, again": lambda: produce(numbered(7, 0, b"a", b"b")),
    "producer 7, next": lambda: produce(numbered(7, 2, b"c")),
    "producer 7, a gap": lambda: produce(numbered(7, 9, b"d")),
    "producer 7, an older epoch": lambda: produce(numbered(7, 3, b"d", epoch=-1)),
    "producer 7, a newer epoch from the middle": lambda: produce(numbered(7, 3, b"d", epoch=2)),
    "producer 7, a newer epoch": lambda: produce(numbered(7, 0, b"d", epoch=2)),
    "producer 7, the old epoch": lambda: produce(numbered(7, 3, b"d", epoch=1)),
    "producer 8, from the middle": lambda: produce(numbered(8, 40, b"a")),
    "producer 9, no sequence": lambda: produce(numbered(9, -1, b"a")),
    "an internal topic that is not there": lambda: produce(batch(b"a"), "__consumer_offsets"),
}


@pytest.mark.parametrize("name", PRODUCED)
def test_produce(pair: Pair, name: str) -> None:
    ours, apaches = pair.ask(PRODUCED[name](), 12)
    if name.endswith("again"):
        for answer in (ours, apaches):
            answer["responses"][0]["partition_responses"][0]["log_append_time_ms"] = "may differ"
    assert ours == apaches


@pytest.mark.parametrize("version", range(3, 14))
@pytest.mark.parametrize("name", ["one record", "unknown topic", "two batches", "zstd", "keyless in a compacted topic"])
def test_produce_in_every_version(pair: Pair, version: int, name: str) -> None:
    ours, apaches = pair.ask(PRODUCED[name](), version)
    assert ours == apaches


@pytest.mark.parametrize("version", range(3))
def test_produce_in_versions_that_are_only_advertised(pair: Pair, version: int) -> None:
    """Written by hand: the codec has no such versions."""
    records = bytes(batch(b"a"))
    body = struct.pack(">hii", 1, 1000, 1) + b"\0\5plain" + struct.pack(">iii", 1, 0, len(records)) + records
    frame = struct.pack(">hhih", 0, version, 1, -1) + body
    told = []
    for engine in ENGINES:
        client = pair.clients[engine]
        client.sock.sendall(LENGTH.pack(len(frame)) + frame)
        told.append(client.sock.recv(100))
        pair.hang_up(engine)
    assert told[0] == told[1]


FETCHED = {
    "from the beginning": lambda: fetch(),
    "the end": lambda: fetch(partition=1),
    "out of range": lambda: fetch(offset=1000),
    "a negative offset": lambda: fetch(offset=-1),
    "unknown topic": lambda: fetch("nowhere"),
    "unknown partition": lambda: fetch(partition=9),
    "committed records": lambda: fetch(isolation_level=1),
    "a newer leader epoch": lambda: fetch(current_leader_epoch=5),
    "the leader epoch": lambda: fetch(current_leader_epoch=0),
    "a small limit": lambda: fetch(partition_max_bytes=1),
    "no limit at all": lambda: fetch(partition_max_bytes=0),
    "an epoch that nobody wrote": lambda: fetch(last_fetched_epoch=3, offset=1),
    "the epoch that was written": lambda: fetch(last_fetched_epoch=0, offset=1),
    "an unknown session": lambda: fetch(session_id=77, session_epoch=3),
    "a wait for nothing": lambda: fetch(partition=1, max_wait_ms=20),
}


@pytest.fixture(scope="module")
def filled(pair: Pair) -> Pair:
    pair.ask(produce(batch(b"filled")), 12)
    return pair


@pytest.mark.parametrize("version", [4, 9, 10, 12, 13, 17, 18])
@pytest.mark.parametrize("name", FETCHED)
def test_fetch(filled: Pair, name: str, version: int) -> None:
    ours, apaches = filled.ask(FETCHED[name](), version)
    assert ours == apaches


@pytest.mark.parametrize("version", [12, 15])
def test_who_pretends_to_be_a_replica(filled: Pair, version: int) -> None:
    asked = fetch(replica_id=2) if version < 15 else fetch(replica_state=ReplicaState(2, -1))
    ours, apaches = filled.ask(asked, version)
    assert ours == apaches


def test_a_session_from_beginning_to_end(filled: Pair) -> None:
    """Both sides are led through the same session, each by its own id."""
    stories = []
    for engine in ENGINES:
        client, story = filled.clients[engine], []
        first = client.ask(fetch(session_epoch=0, partition=1), 12)
        session = first.session_id
        steps = [
            FetchRequest(min_bytes=1, session_id=session, session_epoch=1),
            fetch(session_id=session, session_epoch=2),
            FetchRequest(min_bytes=1, session_id=session, session_epoch=3),
            FetchRequest(min_bytes=1, session_id=session, session_epoch=3),
            FetchRequest(
                session_id=session, session_epoch=4, forgotten_topics_data=[ForgottenTopic("plain", partitions=[0])]
            ),
            FetchRequest(
                session_id=session, session_epoch=5, forgotten_topics_data=[ForgottenTopic("plain", partitions=[1])]
            ),
            FetchRequest(session_id=session, session_epoch=6),
        ]
        for step in [None, *steps]:
            answer = first if step is None else client.ask(step, 12)
            parts = [(topic.topic, part.partition_index) for topic in answer.responses for part in topic.partitions]
            story.append((answer.error_code, answer.session_id == session, answer.session_id == 0, parts))
        stories.append(story)
    assert stories[0] == stories[1]


@pytest.mark.parametrize("version", range(1, 12))
@pytest.mark.parametrize("timestamp", [-1, -2, -3, -4, -5, -6, -7, 0, NOW_MS, NOW_MS + 1, 1 << 61])
def test_list_offsets(filled: Pair, version: int, timestamp: int) -> None:
    ours, apaches = filled.ask(list_offsets(timestamp), version)
    assert ours == apaches


@pytest.mark.parametrize(
    "asked",
    [
        lambda: list_offsets(-1, "nowhere"),
        lambda: list_offsets(-1, partition=9),
        lambda: list_offsets(-1, epoch=4),
        lambda: list_offsets(-1, epoch=0),
        lambda: list_offsets(-3, partition=1),
        lambda: list_offsets(NOW_MS, partition=1),
    ],
)
def test_list_offsets_of_odd_places(filled: Pair, asked: Any) -> None:
    ours, apaches = filled.ask(asked(), 10)
    assert ours == apaches


@pytest.mark.parametrize("version", [2, 3, 4])
@pytest.mark.parametrize(
    "asked",
    [
        lambda: epoch_end(0),
        lambda: epoch_end(1),
        lambda: epoch_end(-1),
        lambda: epoch_end(0, "nowhere"),
        lambda: epoch_end(0, current=0),
        lambda: epoch_end(0, current=3),
    ],
)
def test_offset_for_leader_epoch(filled: Pair, version: int, asked: Any) -> None:
    ours, apaches = filled.ask(asked(), version)
    assert ours == apaches
