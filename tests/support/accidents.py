"""A cluster of real nodes to which accidents happen, the load it is under meanwhile, and the judgement afterwards.

    with running_nodes(tmp_path, 3) as nodes:
        room = Accidents(nodes)
        room.create_topic(partitions=2)
        with room.load(clients, partitions=2) as load:
            load.goes_on()
            nodes[room.leader(room.topic)].kill()
            load.goes_on()
        room.judge(load)

`judge` reads everything, hands the history to `support.history`, and compares the files of all replicas byte by byte.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, NamedTuple

from support.clients import PATIENCE_S, Client, Message, Sending, Stream, produce
from support.clients.librdkafka import Librdkafka
from support.history import Outcome, Poll, Send, check
from support.live_server import Client as Wire
from support.node import Node
from support.waiting import wait_until

from logctl.engine.broker.groups.names import OFFSETS_TOPIC, partition_for
from logctl.wire import errors
from logctl.wire.messages.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from logctl.wire.messages.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumRequestPartitionData,
    DescribeQuorumRequestTopicData,
)
from logctl.wire.messages.elect_leaders import ElectLeadersRequest, TopicPartitions
from logctl.wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from logctl.wire.messages.metadata import MetadataRequest, MetadataRequestTopic
from logctl.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from logctl.wire.records import NewRecord, build_batch, iter_batches, iter_records

MARKER = b"the end"
NOW_MS = 1_790_000_000_000
PAUSE_S = 0.008
"""Between two records of a producer: a story asks when they are acknowledged, not how many."""
ROUNDS = int(os.environ.get("LOGCTL_CLUSTER_ROUNDS", "1"))
"""How often each accident happens on the same nodes. More than once: also what usually is left out."""
_RETRIED = ("NOT_CONTROLLER", "REQUEST_TIMED_OUT", "NOT_COORDINATOR", "INVALID_REPLICATION_FACTOR")


class Place(NamedTuple):
    """What the cluster says of a partition."""

    leader: int
    epoch: int
    isr: list[int]
    replicas: list[int]


class Accidents:
    """`away` are nodes that run but are not to be asked: paused, or cut off. `topic` is that of the story."""

    topic = "orders"

    def __init__(self, nodes: Mapping[int, Node]) -> None:
        self.nodes = nodes
        self.away: set[int] = set()

    # ---- what is so ----

    @property
    def there(self) -> dict[int, Node]:
        return {one: node for one, node in self.nodes.items() if node.running and one not in self.away}

    @property
    def bootstrap(self) -> str:
        return ",".join(node.address for node in self.nodes.values())

    def place(self, topic: str, partition: int = 0) -> Place:
        """As the node sees it that knows the newest leader epoch."""
        seen = [place for node in self.there.values() if (place := _place(node, topic, partition)) is not None]
        assert seen, f"nobody knows {topic}-{partition}"
        return max(seen, key=lambda place: place.epoch)

    def leader(self, topic: str, partition: int = 0) -> int:
        return self.place(topic, partition).leader

    def follower(self, topic: str, partition: int = 0) -> int:
        place = self.place(topic, partition)
        return next(one for one in place.isr if one != place.leader)

    def controller(self) -> int:
        """Who leads the quorum, in the eyes of whoever is there; waits until somebody does."""
        found: list[int] = []

        def somebody() -> bool:
            found[:] = [one for node in self.there.values() if (one := _quorum_leader(node)) >= 0]
            return bool(found)

        wait_until(somebody, "the quorum to have a leader")
        return found[0]

    def quorum(self) -> tuple[int, int]:
        """(who leads it, in which epoch)."""
        told = _quorum(next(iter(self.there.values())))
        return told.leader_id, told.leader_epoch

    def topic_id(self, topic: str) -> bytes:
        found: bytes = _told_of(next(iter(self.there.values())), topic).topic_id
        return found

    def coordinator(self, group: str) -> int:
        return self.leader(OFFSETS_TOPIC, partition_for(group, 50))

    # ---- what is done ----

    def begin_anew(self, topic: str) -> None:
        """Another story on the same nodes: whoever was left down, or asleep, comes back."""
        self.topic = topic
        for one, node in self.nodes.items():
            if not node.running:
                node.start()
            elif one in self.away:
                node.resume()
        self.away = set()

    def create_topic(self, **more: Any) -> None:
        """That of the story."""
        self.create(self.topic, **more)

    def create(
        self, name: str, partitions: int = 1, *, replicas: Sequence[int] | None = None, **configs: str
    ) -> None:
        """With the most replicas there can be, or on these, the first of which leads; returns when all know it."""
        given = [CreatableTopicConfig(key.replace("_", "."), value) for key, value in configs.items()]
        topic = CreatableTopic(name, partitions, 3, [], given)
        if replicas:
            assigned = [CreatableReplicaAssignment(number, list(replicas)) for number in range(partitions)]
            topic = CreatableTopic(name, -1, -1, assigned, given)

        def done() -> bool:
            node = next(iter(self.there.values()))
            answer = ask(node, CreateTopicsRequest(topics=[topic], timeout_ms=5_000), 7).topics[0]
            code = errors.describe(answer.error_code).name
            assert code in ("NONE", *_RETRIED, "TOPIC_ALREADY_EXISTS"), (code, answer.error_message)
            return code in ("NONE", "TOPIC_ALREADY_EXISTS")

        wait_until(done, f"{name} to be created")
        for node in self.there.values():
            wait_until(partial(_knows, node, name, partitions), f"{node.address} to know {name}")

    def pause(self, node_id: int) -> None:
        self.nodes[node_id].pause()
        self.away.add(node_id)

    def resume(self, node_id: int) -> None:
        self.nodes[node_id].resume()
        self.away.discard(node_id)

    def wait_in_sync(self, topic: str, partitions: int = 1, members: Iterable[int] | None = None) -> None:
        wanted = sorted(self.nodes if members is None else members)
        for number in range(partitions):
            wait_until(lambda number=number: sorted(self.place(topic, number).isr) == wanted,  # type: ignore[misc]
                       f"{topic}-{number} to be in sync on {wanted}")  # fmt: skip

    def wait_led_by_another(self, topic: str, than: int, partition: int = 0) -> int:
        """Returns who leads then."""
        wait_until(lambda: self.leader(topic, partition) not in (than, -1), f"another than {than} to lead {topic}")
        return self.leader(topic, partition)

    # ---- load and judgement ----

    @contextmanager
    def load(self, clients: Sequence[Client], partitions: int = 1) -> Iterator[Load]:
        """On the topic of the story."""
        load = Load(self.topic, partitions)
        try:
            for number, client in enumerate(clients):
                who = f"{client.name}-{number}"
                load.streams.append(client.stream(self.bootstrap, who, self.topic, partitions, PAUSE_S))
            yield load
        finally:
            load.stop()

    def judge(self, load: Load, *others: Poll, replicas: Collection[int] | None = None) -> None:
        """Nothing acknowledged was lost, doubled, moved or reordered, and all replicas hold the same bytes."""
        topic = load.topic
        polls = [self.final_read(topic, number) for number in range(load.partitions)]
        found = check(load.sends, [*polls, *others])
        assert not found, "\n".join([f"{len(found)} anomalies:", *(f"{one.kind}: {one.what}" for one in found[:8])])
        writers = {send.process for send in load.sends if send.outcome is Outcome.OK}
        assert len(writers) >= len(load.streams), f"only {writers} were acknowledged anything"
        for number in range(load.partitions):
            self.replicas_match(topic, number, replicas)

    def final_read(self, topic: str, partition: int = 0, start: int = 0) -> Poll:
        """Everything up to a marker that is written now."""
        return Poll("final read", (topic, partition), tuple(self.read(topic, partition, start)), final=True)

    def read(self, topic: str, partition: int = 0, start: int = 0) -> list[tuple[int, int]]:
        client, seen = Librdkafka(), list[tuple[int, int]]()
        produce(client, self.bootstrap, topic, [Message(MARKER)], partition=partition, sending=Sending(linger_ms=0))
        with client.reader(self.bootstrap, topic, partition, start) as records:
            while (record := records.next()) is not None and record.value != MARKER:
                seen.append((record.offset, int(record.value or b"-1")))
        assert record is not None, f"the marker at the end of {topic}-{partition} did not come"
        return seen

    def replicas_match(self, topic: str, partition: int = 0, replicas: Collection[int] | None = None) -> None:
        """Every replica comes to hold the same bytes, from the first to the last."""
        holders = [self.nodes[one] for one in (replicas or self.place(topic, partition).replicas)]

        def all_alike() -> bool:
            first, *rest = (stored(node, topic, partition) for node in holders)
            return len(first) > 0 and all(one == first for one in rest)

        wait_until(all_alike, f"the replicas of {topic}-{partition} to be the same bytes", timeout_s=PATIENCE_S)


class Load:
    """Producers that never rest, and after `stop` what they were told."""

    def __init__(self, topic: str, partitions: int) -> None:
        self.topic = topic
        self.partitions = partitions
        self.streams: list[Stream] = []
        self.sends: list[Send] = []
        self._stopped = False

    def goes_on(self, more: int = 40) -> None:
        """Wait until every producer was acknowledged that many more."""
        goals = [stream.acknowledged() + more for stream in self.streams]
        wait_until(
            lambda: all(stream.acknowledged() >= goal for stream, goal in zip(self.streams, goals, strict=True)),
            f"{more} more acknowledgements for every producer",
        )

    def stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            self.sends = [send for stream in self.streams for send in stream.stop()]

    @property
    def refused(self) -> list[Send]:
        """What a client gave up on."""
        return [send for send in self.sends if send.outcome is not Outcome.OK]


def stored(node: Node, topic: str, partition: int = 0) -> bytes:
    """The bytes of a replica's log as they lie on its disk, first segment to last."""
    folder = node.log_dir / f"{topic}-{partition}"
    return b"".join(segment.read_bytes() for segment in sorted(folder.glob("*.log")))


def ask(node: Node, body: Any, version: int) -> Any:
    """One question to one node, on a connection of its own."""
    with closing(Wire(node.port, host=node.address.rpartition(":")[0])) as wire:
        return wire.ask(body, version)


def _told_of(node: Node, topic: str) -> Any:
    wanted = [MetadataRequestTopic(bytes(16), topic)]
    return ask(node, MetadataRequest(topics=wanted, allow_auto_topic_creation=False), 12).topics[0]


def _place(node: Node, topic: str, partition: int) -> Place | None:
    try:
        told = _told_of(node, topic)
    except OSError:
        return None
    for one in told.partitions:
        if one.partition_index == partition:
            return Place(one.leader_id, one.leader_epoch, list(one.isr_nodes), list(one.replica_nodes))
    return None


def _knows(node: Node, topic: str, partitions: int) -> bool:
    told = _told_of(node, topic).partitions
    return len(told) == partitions and all(one.leader_id >= 0 for one in told)


def _quorum_leader(node: Node) -> int:
    try:
        told = _quorum(node)
    except OSError:
        return -1
    leader: int = -1 if told is None else told.leader_id
    return leader


def _quorum(node: Node) -> Any:
    """None where nobody leads it."""
    log = DescribeQuorumRequestTopicData("__cluster_metadata", [DescribeQuorumRequestPartitionData(0)])
    told = ask(node, DescribeQuorumRequest(topics=[log]), 0)
    if told.error_code or not told.topics or told.topics[0].partitions[0].error_code:
        return None
    return told.topics[0].partitions[0]


def produce_request(topic: str, *values: int, acks: int = -1, timeout_ms: int = 30_000) -> ProduceRequest:
    """For partition 0, in version 12: who sends it sees the answer of the very node it was sent to."""
    batch = build_batch([NewRecord(None, b"%d" % value, (), NOW_MS) for value in values])
    data = TopicProduceData(topic, bytes(16), [PartitionProduceData(0, batch)])
    return ProduceRequest(None, acks, timeout_ms, [data])


def produced(answer: Any) -> tuple[str, int]:
    """(name of the error, base offset) in the answer to one of these."""
    told = answer.responses[0].partition_responses[0]
    return errors.describe(told.error_code).name, told.base_offset


def fetch_request(topic: str, offset: int = 0, *, epoch: int = -1, max_wait_ms: int = 0) -> FetchRequest:
    """For partition 0, in version 12."""
    asked = FetchPartition(0, epoch, offset, partition_max_bytes=1 << 20)
    return FetchRequest(max_wait_ms=max_wait_ms, min_bytes=1, topics=[FetchTopic(topic, bytes(16), [asked])])


def fetched(answer: Any) -> tuple[str, list[int]]:
    """(name of the error, values) in the answer to one of these."""
    told = answer.responses[0].partitions[0]
    values = [int(one.value or b"-1") for batch in iter_batches(memoryview(bytes(told.records or b"")))
              for one in iter_records(batch)]  # fmt: skip
    return errors.describe(told.error_code).name, values


def elect_unclean(room: Accidents) -> str:
    """Have somebody lead who may have lost records; the name of the error."""
    return _elect(room, 1)


def give_back(room: Accidents) -> None:
    """Let the first of the replicas lead again."""
    assert _elect(room, 0) in ("NONE", "ELECTION_NOT_NEEDED")
    wait_until(lambda: room.leader(room.topic) == room.place(room.topic).replicas[0], "the preferred replica to lead")


def _elect(room: Accidents, kind: int) -> str:
    wanted = ElectLeadersRequest(kind, [TopicPartitions(room.topic, [0])], 5_000)
    answer = ask(next(iter(room.there.values())), wanted, 2)
    return errors.describe(answer.replica_election_results[0].partition_result[0].error_code).name


def usually(*names: str, more: Sequence[str] = ()) -> list[str]:
    """What a story is told of, and what only where there is time."""
    return [*names, *(more if ROUNDS > 1 else ())]
