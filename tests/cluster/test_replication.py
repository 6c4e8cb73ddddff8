"""Three real nodes keep each partition three times: any may be killed, and nothing acknowledged goes with it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from support.history import Outcome, Poll, Send, check
from support.node import Node
from support.trio import running_nodes
from support.waiting import wait_until

from logctl.engine.broker.groups.names import OFFSETS_TOPIC, partition_for
from logctl.wire.records import iter_batches, iter_records


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[dict[int, Node]]:
    with running_nodes(tmp_path, 3) as running:
        yield running


def bootstrap(nodes: dict[int, Node]) -> str:
    return ",".join(node.address for node in nodes.values() if node.running)


def create(nodes: dict[int, Node], name: str, partitions: int = 1, **configs: str) -> None:
    given = {key.replace("_", "."): value for key, value in configs.items()}
    admin = AdminClient({"bootstrap.servers": bootstrap(nodes)})
    admin.create_topics([NewTopic(name, partitions, 3, config=given)])[name].result(30)
    for node in nodes.values():
        wait_until(partial(_knows, node, name), f"{node.address} to know {name}")


def _knows(node: Node, name: str) -> bool:
    return name in AdminClient({"bootstrap.servers": node.address}).list_topics(timeout=10).topics


def leader_of(nodes: dict[int, Node], topic: str, partition: int = 0) -> int:
    metadata = AdminClient({"bootstrap.servers": bootstrap(nodes)}).list_topics(topic, timeout=10)
    leader: int = metadata.topics[topic].partitions[partition].leader
    return leader


def isr_of(nodes: dict[int, Node], topic: str, partition: int = 0) -> list[int]:
    metadata = AdminClient({"bootstrap.servers": bootstrap(nodes)}).list_topics(topic, timeout=10)
    return sorted(metadata.topics[topic].partitions[partition].isrs)


def on_disk(node: Node, topic: str, partition: int = 0) -> list[bytes | None]:
    """The values that lie in the node's own files."""
    folder = node.log_dir / f"{topic}-{partition}"
    found = []
    for segment in sorted(folder.glob("*.log")):
        for batch in iter_batches(memoryview(segment.read_bytes())):
            found += [record.value for record in iter_records(batch)]
    return found


def produce(nodes: dict[int, Node], topic: str, numbers: range) -> None:
    """All of them acknowledged by all in-sync replicas."""
    failures: list[object] = []
    producer = Producer({"bootstrap.servers": bootstrap(nodes), "acks": "all", "linger.ms": 0})

    def noted(error: object, message: object) -> None:
        if error:
            failures.append(error)

    for number in numbers:
        producer.produce(topic, str(number), partition=0, on_delivery=noted)
    assert producer.flush(30) == 0
    assert not failures


def read(nodes: dict[int, Node], topic: str, count: int) -> list[int]:
    """The values of the first `count` records."""
    return [value for _, value in read_with_offsets(nodes, topic, count)]


def read_with_offsets(nodes: dict[int, Node], topic: str, count: int) -> list[tuple[int, int]]:
    """(offset, value) of the first `count` records."""
    consumer = Consumer({"bootstrap.servers": bootstrap(nodes), "group.id": "none", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    found: list[tuple[int, int]] = []

    def more() -> bool:
        messages = [one for one in consumer.consume(500, 0.2) if one.error() is None]
        found.extend((one.offset(), int(one.value())) for one in messages)
        return len(found) >= count

    wait_until(more, f"{count} records of {topic}")
    consumer.close()
    return found


def test_an_acknowledged_record_is_on_every_node_and_survives_its_leader(nodes: dict[int, Node]) -> None:
    create(nodes, "orders")
    produce(nodes, "orders", range(100))
    for node in nodes.values():
        assert on_disk(node, "orders") == [str(number).encode() for number in range(100)]
    leader = leader_of(nodes, "orders")
    nodes[leader].kill()
    assert read(nodes, "orders", 100) == list(range(100))
    produce(nodes, "orders", range(100, 150))
    assert read(nodes, "orders", 150) == list(range(150))
    nodes[leader].start()
    wait_until(lambda: on_disk(nodes[leader], "orders")[-1:] == [b"149"], "the node that was away to catch up")


def test_a_node_that_comes_back_is_in_sync_again_and_may_lead(nodes: dict[int, Node]) -> None:
    create(nodes, "orders", min_insync_replicas="2")
    for round_ in range(2):
        leader = leader_of(nodes, "orders")
        nodes[leader].kill()
        produce(nodes, "orders", range(round_ * 50, round_ * 50 + 50))
        assert leader not in isr_of(nodes, "orders")
        nodes[leader].start()
        wait_until(lambda: isr_of(nodes, "orders") == [1, 2, 3], "all to be in sync")
    assert read(nodes, "orders", 100) == list(range(100))


class Load:
    """An idempotent producer that never rests, and what it was told."""

    def __init__(self, nodes: dict[int, Node], topic: str) -> None:
        self.topic = topic
        self.sends: list[Send] = []
        self._values = count(1)
        self._resting = Event()
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap(nodes),
                "enable.idempotence": True,
                "linger.ms": 1,
                "message.timeout.ms": 60_000,
                "topic.metadata.refresh.fast.interval.ms": 50,
                "retry.backoff.ms": 20,
                "reconnect.backoff.max.ms": 200,
            }
        )
        self._thread = Thread(target=self._run)

    @property
    def acknowledged(self) -> int:
        return len(self.sends)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._resting.set()
        self._thread.join()
        assert self._producer.flush(60) == 0, "some were never answered"

    def _run(self) -> None:
        while not self._resting.is_set():
            for _ in range(10):
                self._send(next(self._values), monotonic())
            self._producer.poll(0)
            self._resting.wait(0.01)

    def _send(self, value: int, began: float) -> None:
        def told(error: object, message: Message) -> None:
            outcome = Outcome.INFO if error else Outcome.OK
            offset = None if error else message.offset()
            self.sends.append(Send("producer", (self.topic, 0), value, began, monotonic(), outcome, offset))

        self._producer.produce(self.topic, str(value), partition=0, on_delivery=told)

    def goes_on(self, more: int = 200) -> None:
        """Wait until that many more were acknowledged."""
        enough = self.acknowledged + more
        wait_until(lambda: self.acknowledged >= enough, "acknowledgements to go on")


def test_leaders_are_killed_under_load_and_nothing_is_lost_or_doubled(nodes: dict[int, Node]) -> None:
    create(nodes, "orders", min_insync_replicas="2")
    with Load(nodes, "orders") as load:
        load.goes_on()
        for _ in range(2):
            leader = leader_of(nodes, "orders")
            nodes[leader].kill()
            load.goes_on()
            nodes[leader].start()
            wait_until(lambda: isr_of(nodes, "orders") == [1, 2, 3], "all to be in sync")
            load.goes_on()
    seen = read_with_offsets(nodes, "orders", load.acknowledged)
    poll = Poll("reader", ("orders", 0), tuple(seen), final=True)
    assert not check(load.sends, [poll])
    for node in nodes.values():
        wait_until(partial(_holds, node, [str(value).encode() for _, value in seen]), f"{node.address} to have all")


def _holds(node: Node, values: list[bytes]) -> bool:
    return on_disk(node, "orders") == values


def test_a_group_goes_on_where_it_was_when_its_coordinator_is_killed(nodes: dict[int, Node]) -> None:
    create(nodes, "orders")
    produce(nodes, "orders", range(10))
    settings = {"bootstrap.servers": bootstrap(nodes), "group.id": "billing", "enable.auto.commit": False}
    consumer = Consumer(settings)
    wait_until(lambda: _committed(consumer, 7), "the commit to be taken")
    coordinator = _coordinator(nodes)
    consumer.close()
    nodes[coordinator].kill()
    consumer = Consumer({**settings, "bootstrap.servers": bootstrap(nodes)})
    wait_until(lambda: _asked(consumer) == 7, "another coordinator to know the offset")
    assert _coordinator(nodes) != coordinator
    consumer.close()


def _committed(consumer: Consumer, offset: int) -> bool:
    try:
        consumer.commit(offsets=[TopicPartition("orders", 0, offset)], asynchronous=False)
    except KafkaException:
        return False
    return True


def _asked(consumer: Consumer) -> int | None:
    try:
        offset: int = consumer.committed([TopicPartition("orders", 0)], timeout=5)[0].offset
    except KafkaException:
        return None
    return offset


def _coordinator(nodes: dict[int, Node]) -> int:
    """Who leads the group's partition, and so must be asked."""
    assert isr_of(nodes, OFFSETS_TOPIC, partition_for("billing", 50)), "it is replicated"
    return leader_of(nodes, OFFSETS_TOPIC, partition_for("billing", 50))
