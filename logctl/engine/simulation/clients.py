"""The people of a simulated world, each a small state machine over one connection.

A client acts whenever its turn comes, and hears answers in between. What it is told it passes on to `Promises`; what it
finds wrong it raises as `Broken`. None of them ever calls an answer that did not come a failure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from logctl.engine.simulation.promises import Partition, Promises, Seen, Sent, Topic, ensure
from logctl.engine.simulation.session import Network, Way
from logctl.engine.simulation.trace import Trace
from logctl.wire import errors
from logctl.wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from logctl.wire.messages.find_coordinator import FindCoordinatorRequest
from logctl.wire.messages.init_producer_id import InitProducerIdRequest
from logctl.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from logctl.wire.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics
from logctl.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from logctl.wire.records import NewRecord, build_batch, iter_batches, iter_records

IN_FLIGHT_MAX = 5
BASE_TOPIC = "orders"
_GONE = frozenset({errors.UNKNOWN_TOPIC_ID, errors.UNKNOWN_TOPIC_OR_PARTITION})
_AGAINST_THE_ORDER = frozenset(
    {
        errors.OUT_OF_ORDER_SEQUENCE_NUMBER,
        errors.INVALID_PRODUCER_EPOCH,
        errors.UNKNOWN_PRODUCER_ID,
        errors.DUPLICATE_SEQUENCE_NUMBER,
    }
)


class World(Network, Protocol):
    """What clients know of their world."""

    random: Random
    promises: Promises
    trace: Trace

    @property
    def life(self) -> int: ...
    def now_ms(self) -> int: ...
    def next_value(self) -> int: ...
    def way(self, name: str, lost: Callable[[], None]) -> Way: ...


class Client:
    """`turn` is called again and again while the world lives."""

    bears_loss = True
    """Whether it deals with topics that may lose records."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.random = Random(world.random.random())
        self.session = world.way(name, self._lost)
        self.progress = 0
        """Operations that were answered well."""
        self.finishing = False
        """Begin nothing new."""

    def turn(self) -> None:
        if self.session.impatient():
            self.note("gave up", "no answer for too long")
            self.session.hang_up()
        elif self.session.connected:
            self.act()
        elif self.session.open():
            self.arrive()

    def note(self, what: str, details: str = "") -> None:
        self.world.trace.note(self.name, what, details)

    def arrive(self) -> None:
        """Connected anew."""

    def act(self) -> None:
        raise NotImplementedError

    def lost(self) -> None:
        """The connection has ended."""

    def _lost(self) -> None:
        self.note("disconnected")
        self.lost()

    def some_topic(self) -> Topic | None:
        certain = [topic for topic in self.world.promises.certain() if not topic.lossy or self.bears_loss]
        return self.random.choice(certain) if certain else None


@dataclass(slots=True, eq=False)
class Batch:
    values: list[int]
    sequence: int
    data: bytes
    began_s: float
    life: int = 0
    in_flight: bool = False


class Producer(Client):
    """Produces with `acks`, each batch once; without an answer nobody knows what became of it."""

    def __init__(self, world: World, name: str, acks: int) -> None:
        super().__init__(world, name)
        self.acks = acks
        self._unanswered: list[tuple[Partition, Batch]] = []

    def act(self) -> None:
        topic = self.some_topic()
        if topic is not None and self.session.owed < IN_FLIGHT_MAX:
            partition = topic.topic_id, self.random.randrange(topic.partitions)
            if self.session.leads_to(partition):
                self.send(partition, self.new_batch(partition, -1, -1, -1))

    def new_batch(self, partition: Partition, producer_id: int, epoch: int, sequence: int) -> Batch:
        values = [self.world.next_value() for _ in range(self.random.choice((1, 1, 2, 5)))]
        padding = b"x" * self.random.choice((0, 0, 20, 400))
        records = [NewRecord(padding, b"%d" % value, (), self.world.now_ms()) for value in values]
        data = build_batch(records, producer_id=producer_id, producer_epoch=epoch, base_sequence=sequence)
        self.world.promises.sending(partition, values)
        return Batch(values, sequence, bytes(data), self.world.time())

    def send(self, partition: Partition, batch: Batch) -> None:
        batch.in_flight = True
        batch.life = self.world.life
        self._unanswered.append((partition, batch))
        one = PartitionProduceData(partition[1], batch.data)
        request = ProduceRequest(
            acks=self.acks, timeout_ms=1000, topic_data=[TopicProduceData(topic_id=partition[0], partition_data=[one])]
        )
        self.session.ask(request, 13, lambda response: self._answered(partition, batch, response))

    def _answered(self, partition: Partition, batch: Batch, response: Any) -> None:
        self._unanswered.remove((partition, batch))
        batch.in_flight = False
        answer = response.responses[0].partition_responses[0]
        name = self.world.promises.name_of(partition)
        if answer.error_code:
            self.note("refused", f"{name} {errors.describe(answer.error_code).name}")
            self.session.astray(answer.error_code)
            self.refused(partition, batch, answer.error_code)
            return
        base = answer.base_offset
        self.note("acknowledged" if self.acks == -1 else "written", f"{name} {base}..{base + len(batch.values) - 1}")
        if self.acks == -1 or batch.life == self.world.life:
            self.world.promises.answered(partition, base, batch.values, self.acks)
        self.record(partition, batch, "ok", base)
        self.progress += 1
        self.accepted(partition, batch)

    def accepted(self, partition: Partition, batch: Batch) -> None:
        pass

    def refused(self, partition: Partition, batch: Batch, code: int) -> None:
        self.record(partition, batch, "info", None)

    def lost(self) -> None:
        for partition, batch in self._unanswered:
            self.record(partition, batch, "info", None)
        self._unanswered.clear()

    def record(self, partition: Partition, batch: Batch, outcome: str, base: int | None) -> None:
        now_s = self.world.time()
        for number, value in enumerate(batch.values):
            offset = None if base is None else base + number
            sent = Sent(self.name, partition, value, batch.began_s, now_s, outcome, offset, self.acks)
            self.world.promises.history.append(sent)


@dataclass(slots=True)
class Queue:
    """One partition of an idempotent producer: batches without an acknowledgement, oldest first. While `broken`
    nothing new is sent: what is on its way comes back first, then everything is sent again in order."""

    batches: list[Batch] = field(default_factory=list)
    next_sequence: int = 0
    broken: bool = False
    begun: bool = False


class IdempotentProducer(Producer):
    """Sends every batch until it is acknowledged; the node must keep the order and write each batch once."""

    bears_loss = False

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name, -1)
        self.producer_id = -1
        self._asked_id = False
        self._queues: dict[Partition, Queue] = {}

    def arrive(self) -> None:
        """Now and then as a new producer, when nothing is owed to the old one."""
        self._asked_id = False
        if self.random.random() < 0.3 and not any(queue.batches for queue in self._queues.values()):
            self.producer_id = -1
            self._queues.clear()

    def lost(self) -> None:
        self._unanswered.clear()
        for queue in self._queues.values():
            queue.broken = True
            for batch in queue.batches:
                batch.in_flight = False

    def act(self) -> None:
        if self.producer_id < 0:
            if not self._asked_id:
                self._asked_id = True
                self.session.ask(InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=1000), 5, self._id)
            return
        self._drop_deleted()
        certain = {topic.topic_id for topic in self.world.promises.certain()}
        for partition, queue in self._queues.items():
            waits = any(batch.in_flight for batch in queue.batches)
            if queue.broken and not waits and partition[0] in certain and self.session.leads_to(partition):
                queue.broken = False
                self._again(partition, queue)
        topic = self.some_topic()
        if topic is not None and not self.finishing and self.random.random() < 0.8:
            self._one_more((topic.topic_id, self.random.randrange(topic.partitions)))

    def _id(self, response: Any) -> None:
        self._asked_id = False
        if not response.error_code:
            self.producer_id = response.producer_id
            self.world.promises.new_producer(self.producer_id)
            self.note("producer id", str(self.producer_id))

    def _again(self, partition: Partition, queue: Queue) -> None:
        if queue.batches:
            self.note("sends again", f"{self.world.promises.name_of(partition)} {len(queue.batches)} batches")
        for batch in queue.batches:
            self.send(partition, batch)

    def _one_more(self, partition: Partition) -> None:
        queue = self._queues.setdefault(partition, Queue())
        if queue.broken or len(queue.batches) >= IN_FLIGHT_MAX or not self.session.leads_to(partition):
            return
        batch = self.new_batch(partition, self.producer_id, 0, queue.next_sequence)
        queue.next_sequence += len(batch.values)
        queue.batches.append(batch)
        self.send(partition, batch)

    def accepted(self, partition: Partition, batch: Batch) -> None:
        queue = self._queues.get(partition)
        if queue is not None:
            queue.begun = True
            queue.batches.remove(batch)

    def refused(self, partition: Partition, batch: Batch, code: int) -> None:
        queue = self._queues.get(partition)
        if queue is None:
            return
        # A leader that was deposed and has not heard of it knows too little: with several copies only liveness tells.
        oldest = queue.batches[0] is batch and self.world.promises.copies(partition) == 1
        name = self.world.promises.name_of(partition)
        ensure(
            not (oldest and code in _AGAINST_THE_ORDER),
            f"once: {self.name} sent its oldest batch to {name} in order and got {errors.describe(code).name}",
        )
        queue.broken = True

    def _drop_deleted(self) -> None:
        kept = {topic.topic_id for topic in self.world.promises.topics.values() if not topic.lossy}
        for partition in [partition for partition in self._queues if partition[0] not in kept]:
            del self._queues[partition]

    @property
    def idle(self) -> bool:
        """Everything it has sent is acknowledged, of topics that exist."""
        certain = {topic.topic_id for topic in self.world.promises.certain() if not topic.lossy}
        return not any(queue.batches for partition, queue in self._queues.items() if partition[0] in certain)


class PatientProducer(IdempotentProducer):
    """Waits for the acknowledgement of its first batch in a partition before it sends the second.

    A node that does not know the topic yet may refuse the first and take the second, as from a producer whose past has
    expired; the first could never follow it. Apache Kafka has the same gap.
    """

    def _one_more(self, partition: Partition) -> None:
        queue = self._queues.get(partition)
        if queue is None or queue.begun or not queue.batches:
            super()._one_more(partition)


class Consumer(Client):
    """Reads every partition of every topic, one or two at a time, each from its beginning."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self._positions: dict[Partition, int] = {}
        self._high_watermarks: dict[Partition, int] = {}

    def act(self) -> None:
        topic = self.some_topic()
        if topic is None or self.session.owed:
            return
        numbers = self.random.sample(range(topic.partitions), min(2, topic.partitions))
        numbers = [number for number in numbers if self.session.leads_to((topic.topic_id, number), also=numbers[0])]
        if not numbers:
            return
        wanted = [
            FetchPartition(
                number,
                fetch_offset=self._positions.get((topic.topic_id, number), 0),
                partition_max_bytes=self.random.choice((1, 2000, 50_000)),
            )
            for number in numbers
        ]
        request = FetchRequest(
            max_wait_ms=self.random.choice((0, 10, 200)),
            min_bytes=1,
            max_bytes=100_000,
            topics=[FetchTopic(topic_id=topic.topic_id, partitions=wanted)],
        )
        positions = {one.partition: one.fetch_offset for one in wanted}
        self.session.ask(request, 17, lambda response: self._fetched(topic, positions, response))

    def _fetched(self, topic: Topic, positions: dict[int, int], response: Any) -> None:
        for answer in (one for each in response.responses for one in each.partitions):
            partition = topic.topic_id, answer.partition_index
            if not answer.error_code:
                self._take(partition, positions[answer.partition_index], answer)
                continue
            self.session.astray(answer.error_code)
            if answer.error_code != errors.OFFSET_OUT_OF_RANGE:
                continue
            cut = self.world.promises.cut_at_most.get(partition, 0)
            if positions[answer.partition_index] < cut or self.world.promises.is_lossy(partition):
                self._positions[partition] = 0 if positions[answer.partition_index] >= cut else cut
            elif self.world.promises.copies(partition) == 1:
                where = f"{topic.name}-{partition[1]}"
                ensure(False, f"shown: {where} does not know offset {positions[partition[1]]}, which it has shown")

    def _take(self, partition: Partition, position: int, answer: Any) -> None:
        records = [
            (one.offset, int(one.value or b"-1"))
            for batch in iter_batches(answer.records or b"")
            for one in iter_records(batch)
            if one.offset >= position
        ]
        expected = list(range(position, position + len(records)))
        name = self.world.promises.name_of(partition)
        ensure([offset for offset, _ in records] == expected, f"dense: {name} from {position} on gave {records}")
        before = self._high_watermarks.get(partition, 0)
        now = self._high_watermarks[partition] = answer.high_watermark
        copies = self.world.promises.copies(partition)
        ensure(now >= before or copies > 1, f"shown: the high watermark of {name} fell from {before} to {now}")
        self.world.promises.seen(partition, records, now)
        self._positions[partition] = position + len(records)
        self.progress += 1
        if records:
            self.note("read", f"{name} {position}..{records[-1][0]} of {answer.high_watermark}")
            self.world.promises.history.append(Seen(self.name, partition, tuple(records), False))


class Committer(Client):
    """Commits ever higher offsets for a group, and asks where it is after each connection."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self.group = f"group-{name}"
        self._next = 0
        self._found = False
        self._ready = False

    def arrive(self) -> None:
        self._found = False

    def act(self) -> None:
        topic = self.world.promises.topics.get(BASE_TOPIC)
        if topic is None or self.session.owed:
            return
        if not self._ready or not self.session.has_coordinator:
            self.session.ask(FindCoordinatorRequest(coordinator_keys=[self.group]), 6, self._coordinator)
        elif not self._found:
            group = OffsetFetchRequestGroup(
                group_id=self.group,
                topics=[
                    OffsetFetchRequestTopics(topic_id=topic.topic_id, partition_indexes=list(range(topic.partitions)))
                ],
            )
            self.session.ask(OffsetFetchRequest(groups=[group]), 10, self._fetched)
        else:
            self._commit(topic)

    def _coordinator(self, response: Any) -> None:
        found = response.coordinators[0]
        self._ready = not found.error_code and self.session.reaches(found.node_id)

    def _fetched(self, response: Any) -> None:
        group = response.groups[0]
        if group.error_code:
            self._ready = not self.session.astray(group.error_code)
            return
        found = {one.partition_index: one for topic in group.topics for one in topic.partitions}
        if any(one.error_code for one in found.values()):
            return
        self._found = True
        for number, one in found.items():
            self.world.promises.commit_found(self.group, number, one.committed_offset)
        self.note("finds", " ".join(f"{number}:{one.committed_offset}" for number, one in found.items()))

    def _commit(self, topic: Topic) -> None:
        number = self.random.randrange(topic.partitions)
        self._next += 1
        offset = self._next
        self.world.promises.attempted[self.group, number] = offset
        one = OffsetCommitRequestPartition(number, committed_offset=offset, committed_metadata="")
        request = OffsetCommitRequest(
            group_id=self.group, topics=[OffsetCommitRequestTopic(topic_id=topic.topic_id, partitions=[one])]
        )

        def answered(response: Any) -> None:
            code = response.topics[0].partitions[0].error_code
            if code:
                self.note("commit refused", errors.describe(code).name)
                self._ready = not self.session.astray(code)
                return
            self.note("committed", f"{BASE_TOPIC}-{number} {offset}")
            self.progress += 1
            self.world.promises.commit_answered(self.group, number, offset)

        self.session.ask(request, 10, answered)
