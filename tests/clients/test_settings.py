"""Settings of topics and brokers, changed by clients while the node runs, do at once what Apache Kafka's do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.admins import ADMINS, BROKER, TOPIC, Admin
from support.clients import Client, Message, Refused, Sending, Start, produce, read
from support.engines import started
from support.waiting import wait_until

from logctl.wire.records import iter_batches, read_header

pytestmark = pytest.mark.on_both

SETTINGS = {
    "log.retention.check.interval.ms": "50",
    "log.initial.task.delay.ms": "0",
    "log.segment.delete.delay.ms": "0",
}
KIB = b"." * 1024
PLAIN = Sending(linger_ms=0, batch_bytes=100_000)


class Scene:
    """A node whose retention looks often, an admin client, and what lies in its log directory."""

    def __init__(self, address: str, folder: Path, admin: Admin) -> None:
        self.address, self.folder, self.admin = address, folder, admin

    def log(self, topic: str, partition: int = 0) -> Path:
        [found] = self.folder.rglob(f"{topic}-{partition}")
        return found

    def files(self, topic: str, ending: str = ".log") -> list[str]:
        return sorted(path.name for path in self.log(topic).iterdir() if path.name.endswith(ending))

    def codecs(self, topic: str) -> list[int]:
        """The codec number of each batch on disk."""
        data = b"".join((self.log(topic) / name).read_bytes() for name in self.files(topic))
        return [read_header(batch).compression for batch in iter_batches(memoryview(data))]


@pytest.fixture(scope="module")
def node(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp(f"settings-{engine}")
    with started(engine, folder, SETTINGS) as node:
        yield node.address, folder


@pytest.fixture(scope="module", params=list(ADMINS))
def scene(request: pytest.FixtureRequest, node: tuple[str, Path]) -> Iterator[Scene]:
    admin = ADMINS[request.param](node[0])
    yield Scene(*node, admin)
    admin.close()


@pytest.fixture
def producer(cast: Callable[[str], Client]) -> Client:
    return cast("librdkafka")


@pytest.fixture
def made(scene: Scene, topic_name: str) -> str:
    scene.admin.create(topic_name, 1, {})
    wait_until(lambda: any(scene.folder.rglob(f"{topic_name}-0")), "the topic's directory")
    return topic_name


def write(producer: Client, scene: Scene, topic: str, *values: bytes, **more: Any) -> None:
    produce(producer, scene.address, topic, [Message(value, b"k", **more) for value in values], sending=PLAIN)


def refusal(producer: Client, scene: Scene, topic: str, message: Message) -> str | None:
    try:
        produce(producer, scene.address, topic, [message], sending=PLAIN)
    except Refused as refused:
        return refused.error
    return None


def test_old_segments_go_and_their_files_with_them(scene: Scene, producer: Client, made: str) -> None:
    scene.admin.change(TOPIC, made, {"segment.ms": "1"})
    earlier_ms = int(time.time() * 1000) - 1000
    for number in range(3):
        write(producer, scene, made, b"%d" % number, timestamp_ms=earlier_ms + 10 * number)
    assert len(scene.files(made)) == 3, "each record is older than segment.ms when the next one comes"
    scene.admin.change(TOPIC, made, {"retention.ms": "1"})
    wait_until(lambda: len(scene.files(made)) == 1 and not scene.files(made, ".deleted"), "old segments to go")
    scene.admin.change(TOPIC, made, {"retention.ms": None, "segment.ms": None})
    wait_until(lambda: _readable(producer, scene, made, b"later"), "records to stay again")


def _readable(producer: Client, scene: Scene, topic: str, value: bytes) -> bool:
    write(producer, scene, topic, value)
    with producer.reader(scene.address, topic, 0, Start.BEGINNING) as reader:
        first = reader.next(0.5)
    return first is not None and first.value == value


def test_a_log_that_is_too_large_loses_its_oldest_segments(scene: Scene, producer: Client, made: str) -> None:
    scene.admin.change(TOPIC, made, {"segment.bytes": str(1 << 20)})
    for _ in range(4):
        write(producer, scene, made, *[KIB * 50] * 14)
    assert len(scene.files(made)) > 2
    scene.admin.change(TOPIC, made, {"retention.bytes": str(1 << 20)})
    wait_until(lambda: len(scene.files(made)) <= 2, "the oldest segments to go")
    assert read(producer, scene.address, made, 1)[0].offset > 0


def test_a_broker_s_setting_holds_for_topics_without_their_own(scene: Scene, producer: Client, made: str) -> None:
    scene.admin.change(BROKER, "1", {"message.max.bytes": "5000"})
    try:
        wait_until(lambda: refusal(producer, scene, made, Message(KIB * 6)) == "MESSAGE_TOO_LARGE", "the limit to hold")
        assert scene.admin.value(TOPIC, made, "max.message.bytes") == "5000"
        scene.admin.change(TOPIC, made, {"max.message.bytes": "8000"})
        wait_until(lambda: refusal(producer, scene, made, Message(KIB * 6)) is None, "the topic's own limit to hold")
        assert refusal(producer, scene, made, Message(KIB * 9)) == "MESSAGE_TOO_LARGE"
    finally:
        scene.admin.change(BROKER, "1", {"message.max.bytes": None})
    scene.admin.change(TOPIC, made, {"max.message.bytes": None})
    wait_until(lambda: refusal(producer, scene, made, Message(KIB * 9)) is None, "the default to hold again")


def test_more_in_sync_replicas_than_there_are_ask_for_no_more_than_there_are(
    scene: Scene, producer: Client, made: str
) -> None:
    scene.admin.change(TOPIC, made, {"min.insync.replicas": "3"})
    assert refusal(producer, scene, made, Message(b"acknowledged by all")) is None


def test_timestamps_are_the_broker_s_when_the_topic_says_so(scene: Scene, producer: Client, made: str) -> None:
    write(producer, scene, made, b"old", timestamp_ms=1_000)
    scene.admin.change(TOPIC, made, {"message.timestamp.type": "LogAppendTime", "retention.ms": "-1"})
    wait_until(lambda: _next_timestamp(producer, scene, made) > 1_600_000_000_000, "the broker's time to be kept")


def _next_timestamp(producer: Client, scene: Scene, topic: str) -> int:
    [offset] = produce(producer, scene.address, topic, [Message(b"x", timestamp_ms=1_000)], sending=PLAIN)
    assert offset is not None
    [record] = read(producer, scene.address, topic, 1, start=offset)
    return record.timestamp_ms


def test_timestamps_may_lie_no_further_away_than_the_topic_says(scene: Scene, producer: Client, made: str) -> None:
    now_ms = int(time.time() * 1000)
    ahead, behind = Message(b"x", timestamp_ms=now_ms + 600_000), Message(b"x", timestamp_ms=now_ms - 600_000)
    assert refusal(producer, scene, made, ahead) is None
    limits = {"message.timestamp.after.max.ms": "60000", "message.timestamp.before.max.ms": "60000"}
    scene.admin.change(TOPIC, made, limits)
    wait_until(lambda: refusal(producer, scene, made, ahead) == "INVALID_TIMESTAMP", "the limits to hold")
    assert refusal(producer, scene, made, behind) == "INVALID_TIMESTAMP"
    assert refusal(producer, scene, made, Message(b"x", timestamp_ms=now_ms)) is None


def test_a_topic_that_begins_to_compact_takes_only_records_with_keys(scene: Scene, producer: Client, made: str) -> None:
    assert refusal(producer, scene, made, Message(b"no key")) is None
    scene.admin.change(TOPIC, made, {"cleanup.policy": "compact"})
    wait_until(lambda: refusal(producer, scene, made, Message(b"no key")) == "INVALID_RECORD", "keyless to be refused")
    assert refusal(producer, scene, made, Message(b"x", b"key")) is None
    with pytest.raises(Exception, match=r"(?i)policy.?violation"):
        scene.admin.delete_before(made, 0, 1)


def test_a_topic_s_codec_replaces_the_producer_s(scene: Scene, producer: Client, made: str) -> None:
    write(producer, scene, made, b"plain")
    scene.admin.change(TOPIC, made, {"compression.type": "zstd"})
    wait_until(lambda: _last_codec(producer, scene, made) == 4, "the topic's codec to be used")
    values = [record.value for record in read(producer, scene.address, made, 2)]
    assert values == [b"plain", KIB], "and readers notice nothing"


def _last_codec(producer: Client, scene: Scene, topic: str) -> int:
    write(producer, scene, topic, KIB)
    return scene.codecs(topic)[-1]


def test_a_new_partition_is_there_for_producers_and_consumers(scene: Scene, producer: Client, made: str) -> None:
    scene.admin.grow(made, 3)
    wait_until(lambda: any(scene.folder.rglob(f"{made}-2")), "the new partition")
    produce(producer, scene.address, made, [Message(b"x")], partition=2)
    assert [record.value for record in read(producer, scene.address, made, 1, partition=2)] == [b"x"]
    with pytest.raises(Exception, match=r"(?i)invalid.?partitions"):
        scene.admin.grow(made, 2)


def test_records_are_deleted_from_the_front(scene: Scene, producer: Client, made: str) -> None:
    write(producer, scene, made, b"0", b"1", b"2", b"3")
    assert scene.admin.delete_before(made, 0, 2) == 2
    assert [record.offset for record in read(producer, scene.address, made, 2)] == [2, 3]
    assert scene.admin.delete_before(made, 0, -1) == 4
    with pytest.raises(Exception, match=r"(?i)offset.?out.?of.?range"):
        scene.admin.delete_before(made, 0, 9)


@pytest.mark.parametrize(
    ("kind", "changes", "error"),
    [
        (TOPIC, {"retention.ms": "soon"}, "INVALID_CONFIG"),
        (TOPIC, {"no.such.setting": "1"}, "INVALID_CONFIG"),
        (TOPIC, {"min.compaction.lag.ms": "9", "max.compaction.lag.ms": "3"}, "INVALID_CONFIG"),
        (BROKER, {"log.dirs": "/elsewhere"}, "INVALID_REQUEST"),
        (BROKER, {"log.retention.ms": "soon"}, "INVALID_REQUEST"),
    ],
)
def test_what_may_not_be_set(scene: Scene, made: str, kind: str, changes: Mapping[str, str], error: str) -> None:
    name = made if kind == TOPIC else "1"
    with pytest.raises(Refused, match=error):
        scene.admin.change(kind, name, changes)
