"""Brokers that copy a partition from each other: real logs on disks that forget, one clock, a wire that can be cut, and
a controller that the room plays itself.

What a broker is told of the cluster comes late, to each at its own time, so there may be two that believe they lead.
Messages are encoded and decoded. `play` draws what happens from the seed: produce and fetch requests, writes, flushes,
deliveries, power cuts, kills, cuts of the wire, fencing, and hours in which somebody falls behind.

After every step it is checked that nobody has seen or been promised what does not hold:

    match       two logs are the same below both high watermarks
    watermark   it never falls while a broker lives, and no log is cut below it
    seen        what a consumer has seen at an offset stays what is there
    kept        who leads in the newest epoch has everything acknowledged
"""

from __future__ import annotations

from collections import deque
from itertools import count
from random import Random
from types import SimpleNamespace
from typing import Any, NamedTuple

from logctl.engine.broker.acknowledgements import AfterCopies
from logctl.engine.broker.appends import AfterAppend, Appends
from logctl.engine.broker.broker import Broker
from logctl.engine.broker.exchange import answer_parts, read_request
from logctl.engine.broker.fetch_sessions import FetchSessions
from logctl.engine.broker.fetcher import Pace
from logctl.engine.broker.log_dirs import LogDir
from logctl.engine.broker.replica import Replica
from logctl.engine.broker.replicas import Replicas, Rules
from logctl.engine.broker.request import PARKED, Peer, Request
from logctl.engine.broker.waiting import Waiting
from logctl.engine.controller.delta import difference
from logctl.engine.controller.image import Broker as Registered
from logctl.engine.controller.image import Image, Partition, Topic
from logctl.engine.settings import Settings
from logctl.engine.simulation.disk import SimulatedDisk
from logctl.wire import errors
from logctl.wire.api import API
from logctl.wire.frames import request_frame
from logctl.wire.messages.alter_partition import (
    AlterPartitionRequest,
    AlterPartitionResponse,
    AlterPartitionResponsePartitionData,
    AlterPartitionResponseTopicData,
)
from logctl.wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from logctl.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from logctl.wire.records import NewRecord, build_batch, iter_batches, iter_records
from logctl.wire.schema import Message

NOW_MS = 1_700_000_000_000
TOPIC, TOPIC_ID = "orders", b"t" * 16
CONTROLLER = 0
LAG_MS = 2_000
EVENTS = {
    "start": 45,
    "crash": 22,
    "cut": 8,
    "mend": 16,
    "govern": 70,
    "produce": 190,
    "consume": 50,
    "flush": 170,
    "hear": 120,
    "wait": 50,
    "deliver": 280,
}
"""How often each thing happens, beside the others."""
WITH_NODES = {"crash", "produce", "consume", "flush", "hear", "move"}
DIRECTORIES = (("/data", 0), ("/more", 100))
"""Of each broker; all begin in the first."""
Records = dict[int, int]
"""Value by offset."""


class Asked(NamedTuple):
    source: int
    target: int
    frame: bytes
    done: Any
    life: Node | None


class Node:
    """One broker from a start to its end."""

    def __init__(self, room: Room, node_id: int, epoch: int) -> None:
        self.room = room
        self.node_id = node_id
        self.epoch = epoch
        self.marks: dict[Replica, int] = {}
        self.appends = Appends()
        self.waiting = Waiting()
        self.metadata = SimpleNamespace(
            image=Image(), leader_id=CONTROLLER, is_leader=False, clock=lambda: room.now_ms, log=None
        )
        self.replicas = Replicas(
            node_id,
            room.disks[node_id],
            [LogDir(room.disks[node_id], path, bytes([node_id + more]) * 16) for path, more in DIRECTORIES],
            Rules(flush_every_batch=room.flush_every_batch, checkpoint_ms=300),
            appends=self.appends,
            waiting=self.waiting,
            say=self.say,
            new_id=room.new_id,
        )
        metadata: Any = self.metadata
        self.broker = Broker(
            node_id=node_id,
            cluster_id="cluster",
            settings=room.settings,
            metadata=metadata,
            replicas=self.replicas,
            appends=self.appends,
            waiting=self.waiting,
            sessions=FetchSessions(10, lambda: next(room.session_ids)),
            say=self.say,
        )
        voter: Any = SimpleNamespace(forget=lambda request: None)
        self.broker.join(room.lines(self), voter)
        life: Any = SimpleNamespace(epoch=epoch, next_deadline_ms=lambda: None)
        self.broker.life = life
        self.metadata.image = room.image
        self.replicas.start(room.image, room.now_ms)
        self.broker.copy_replicas(Pace(wait_max_ms=200))
        replication = self.broker._replication
        assert replication is not None
        self.replication = replication

    def say(self, kind: str, sentence: str) -> None:
        self.room.diary.append(f"node {self.node_id}: {sentence}")
        assert "was acknowledged" not in sentence, sentence

    @property
    def replica(self) -> Replica:
        found = self.replicas.get(TOPIC, 0)
        assert found is not None
        return found

    def hear(self) -> None:
        """The newest image arrives."""
        old, self.metadata.image = self.metadata.image, self.room.image
        if old is not self.metadata.image:
            self.replicas.apply(difference(old, self.metadata.image), self.room.now_ms)

    def end_tick(self) -> None:
        assert not self.appends.write(self.room.now_ms)
        self.waiting.settle(self.room.now_ms)
        self.replication.advance(self.room.now_ms)
        self.waiting.settle(self.room.now_ms)
        assert not self.waiting.faults, self.waiting.faults
        outbox, self.broker.outbox[:] = list(self.broker.outbox), []
        for request, response in outbox:
            self.room.answered(self, request, response)
        decided = self.waiting.decided[:]
        self.waiting.decided.clear()
        for owed in decided:
            self.room.produced(owed.whose, b"".join(owed.parts()))

    def flush(self) -> None:
        dirty = list(self.appends.dirty)
        self.appends.dirty.clear()
        for log in dirty:
            log.flush()
            self.appends.flushed(log)
        self.end_tick()

    def records(self, up_to: int | None = None) -> Records:
        """What the log holds below `up_to` (its written end)."""
        log = self.replica.log
        found: Records = {}
        position, end = log.start_offset, log.written_end if up_to is None else up_to
        while position < end:
            piece = log.read(position, 1 << 20, end, minimum_one_batch=True)
            if piece.file is None:
                break
            for batch in iter_batches(memoryview(piece.file.pread(piece.length, piece.position))):
                for record in iter_records(batch):
                    found[record.offset] = int(record.value or b"-1")
                    position = record.offset + 1
        return found


class Room:
    """`acknowledged` and `seen` are what clients know."""

    def __init__(self, seed: int = 1, size: int = 3, *, flush_every_batch: bool = True) -> None:
        """Without flushing nobody's power is cut: that is not promised to be survived."""
        self.flush_every_batch = flush_every_batch
        self.events = dict(EVENTS)
        self.random = Random(seed)
        self.now_ms = NOW_MS
        self.ids = tuple(range(1, size + 1))
        self.settings = Settings.of([])
        self.settings.overlay({"replica.lag.time.max.ms": str(LAG_MS)})
        self.disks = {node_id: SimulatedDisk(Random(seed * 100 + node_id)) for node_id in self.ids}
        self.diary: list[str] = []
        self.wire: deque[Asked] = deque()
        self.parked: dict[Request[Any], Asked] = {}
        self.sent: dict[Request[Any], int] = {}
        self.cut: set[tuple[int, int]] = set()
        self.acknowledged: Records = {}
        self.seen: Records = {}
        self.nodes: dict[int, Node] = {}
        self.session_ids = count(1)
        self._values = count(1)
        self._correlation = count(1)
        self._fresh = count(1000)
        self._epochs = count(1)
        placed = Partition(self.ids, self.ids, self.ids[0], 0, 0, tuple(bytes([one]) * 16 for one in self.ids))
        self.image = Image(
            topics={TOPIC: Topic(TOPIC, TOPIC_ID, {0: placed})},
            topic_names={TOPIC_ID: TOPIC},
        )
        for node_id in self.ids:
            for path, _ in DIRECTORIES:
                self.disks[node_id].mkdirs(path)
            self.disks[node_id].sync_dir("")
            self.register(node_id)
            self.unfence(node_id)

    def new_id(self) -> bytes:
        return next(self._fresh).to_bytes(16, "big")

    # ---- the controller ----

    @property
    def partition(self) -> Partition:
        return self.image.topics[TOPIC].partitions[0]

    def _decide(self, **changes: Any) -> None:
        before = self.partition
        after = before._replace(**changes, partition_epoch=before.partition_epoch + 1)
        if "leader" in changes:
            after = after._replace(leader_epoch=before.leader_epoch + 1)
        self.image = self.image._replace(topics={TOPIC: Topic(TOPIC, TOPIC_ID, {0: after})})

    def register(self, node_id: int) -> None:
        """A broker comes to life, fenced; what an earlier life led goes to others."""
        known = self.image.brokers.get(node_id)
        if known is not None and not known.fenced:
            self.fence(node_id)
        broker = Registered(node_id, next(self._epochs), bytes(16), fenced=True)
        self.image = self.image._replace(brokers={**self.image.brokers, node_id: broker})
        self.nodes[node_id] = Node(self, node_id, broker.epoch)

    def _mark(self, node_id: int, *, fenced: bool) -> None:
        changed = self.image.brokers[node_id]._replace(fenced=fenced)
        self.image = self.image._replace(brokers={**self.image.brokers, node_id: changed})

    def fence(self, node_id: int) -> None:
        self._mark(node_id, fenced=True)
        partition = self.partition
        isr = tuple(one for one in partition.isr if one != node_id) or partition.isr
        able = [one for one in isr if not self.image.brokers[one].fenced]
        if partition.leader == node_id:
            self._decide(isr=isr, leader=self.random.choice(able) if able else -1)
        elif isr != partition.isr:
            self._decide(isr=isr)

    def unfence(self, node_id: int) -> None:
        self._mark(node_id, fenced=False)
        if self.partition.leader < 0 and node_id in self.partition.isr:
            self._decide(leader=node_id)

    def _alter(self, body: AlterPartitionRequest) -> AlterPartitionResponse:
        wanted = body.topics[0].partitions[0]
        partition = self.partition
        code = errors.NONE
        if partition.leader != body.broker_id or partition.leader_epoch != wanted.leader_epoch:
            code = errors.FENCED_LEADER_EPOCH
        elif partition.partition_epoch != wanted.partition_epoch:
            code = errors.INVALID_UPDATE_VERSION
        elif not all(self._eligible(one) for one in wanted.new_isr_with_epochs):
            code = errors.INELIGIBLE_REPLICA
        else:
            self._decide(isr=tuple(one.broker_id for one in wanted.new_isr_with_epochs))
        after = self.partition
        told = AlterPartitionResponsePartitionData(
            0, code, after.leader, after.leader_epoch, list(after.isr), 0, after.partition_epoch
        )
        return AlterPartitionResponse(topics=[AlterPartitionResponseTopicData(TOPIC_ID, [told])])

    def _eligible(self, member: Any) -> bool:
        broker = self.image.brokers[member.broker_id]
        return not broker.fenced and broker.epoch == member.broker_epoch

    # ---- life ----

    def crash(self, node_id: int, *, power: bool) -> None:
        node = self.nodes.pop(node_id)
        for request, asked in list(self.parked.items()):
            if asked.target == node_id:
                del self.parked[request]
                self._finish(asked, None)
        for request in [one for one in self.sent if one.peer.connection_id == node_id]:
            del self.sent[request]
        self.disks[node_id] = self.disks[node_id].crash() if power else self.disks[node_id].kill()
        self.diary.append(f"node {node_id} is gone, power={power}, at {node.replica.leader_epoch}")

    # ---- the wire ----

    def lines(self, node: Node) -> Any:
        def ask(node_id: int, lane: str, request: Message, done: Any, version: int | None = None) -> None:
            highest = API[request.api_key].versions.highest
            frame = request_frame(request.api_key, highest, next(self._correlation), "node", request)
            self.wire.append(Asked(node.node_id, node_id, frame, done, node))

        return SimpleNamespace(ask=ask)

    def deliver(self) -> None:
        if not self.wire:
            return
        asked = self.wire.popleft()
        request = read_request(
            memoryview(bytearray(asked.frame))[4:], Peer(asked.source, "node", 0, is_node=True), self.now_ms
        )
        if asked.target == CONTROLLER:
            lost_before, lost_after = self.random.random() < 0.1, self.random.random() < 0.2
            response = None if lost_before else self._alter(request.body)
            self._finish(asked, None if lost_after else response)
            return
        node = self.nodes.get(asked.target)
        if node is None or (asked.source, asked.target) in self.cut:
            self._finish(asked, None)
            return
        self.parked[request] = asked
        answer = node.broker.handle(request, self.now_ms)
        if answer is not PARKED:
            self.answered(node, request, answer)
        node.end_tick()

    def answered(self, node: Node, request: Request[Any], response: Any) -> None:
        asked = self.parked.pop(request, None)
        if asked is None:
            return
        decoded = self._through_bytes(request, response)
        self._finish(asked, None if (asked.target, asked.source) in self.cut else decoded)

    def _through_bytes(self, request: Request[Any], response: Message) -> Any:
        data = b"".join(
            part if isinstance(part, bytes) else part.file.pread(part.length, part.position)
            for part in answer_parts(request, response)
        )
        return self._decoded(request, data)

    def _decoded(self, request: Request[Any], data: bytes) -> Any:
        header = 9 if API[request.api_key].response_header_is_flexible(request.version) else 8
        return API[request.api_key].response.decode(memoryview(data)[header:], request.version)[0]

    def _finish(self, asked: Asked, response: Any) -> None:
        node = asked.life
        if node is not None and self.nodes.get(asked.source) is node:
            asked.done(response)
            node.end_tick()

    # ---- clients ----

    def _request(self, node: Node, body: Message, version: int) -> Request[Any]:
        frame = request_frame(body.api_key, version, next(self._correlation), "client", body)
        return read_request(memoryview(bytearray(frame))[4:], Peer(node.node_id, "client", 0), self.now_ms)

    def produce(self, node_id: int, acks: int = -1) -> None:
        """Whoever believes to lead takes it."""
        node, value = self.nodes[node_id], next(self._values)
        batch = build_batch([NewRecord(None, str(value).encode(), (), self.now_ms)])
        data = [TopicProduceData(TOPIC, TOPIC_ID, [PartitionProduceData(0, memoryview(batch))])]
        request = self._request(node, ProduceRequest(acks=acks, timeout_ms=1_500, topic_data=data), 13)
        self.sent[request] = value
        answer = node.broker.handle(request, self.now_ms)
        if isinstance(answer, AfterCopies):
            answer.owed.whose = request
        else:
            assert acks != -1 or answer.only is None, "answered before others had it"
            self._produced(request, answer.response if isinstance(answer, AfterAppend) else answer)
        if self.random.random() < 0.8:
            node.end_tick()

    def produced(self, request: Request[Any], frame: bytes) -> None:
        """An answer that was owed; that of a life that is over is heard by nobody."""
        if request in self.sent:
            self._produced(request, self._decoded(request, frame))

    def _produced(self, request: Request[Any], response: Any) -> None:
        value = self.sent.pop(request)
        told = response.responses[0].partition_responses[0]
        if not told.error_code and request.body.acks == -1:
            known = self.acknowledged.setdefault(told.base_offset, value)
            assert known == value, f"offset {told.base_offset} was given twice: {known}, {value}"

    def consume(self, node_id: int) -> None:
        """A consumer reads all that this node would show."""
        node = self.nodes[node_id]
        asked = FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1 << 20)
        body = FetchRequest(max_wait_ms=0, min_bytes=0, topics=[FetchTopic(topic_id=TOPIC_ID, partitions=[asked])])
        request = self._request(node, body, 17)
        told = self._through_bytes(request, node.broker.handle(request, self.now_ms)).responses[0].partitions[0]
        for batch in iter_batches(memoryview(bytes(told.records or b""))):
            for record in iter_records(batch):
                value = int(record.value or b"-1")
                assert record.offset < told.high_watermark
                assert self.seen.setdefault(record.offset, value) == value, f"offset {record.offset} has changed"

    # ---- what happens ----

    def play(self, steps: int) -> None:
        for number in range(steps):
            self.step()
            self.check(logs_too=number % 4 == 0)

    def step(self) -> None:
        """One thing happens."""
        names = list(self.events)
        [event] = self.random.choices(names, [self.events[name] for name in names])
        up, random = sorted(self.nodes), self.random
        if event in WITH_NODES and not up:
            event = "start"
        match event:
            case "start":
                self._start_one()
            case "crash":
                self.crash(random.choice(up), power=self.flush_every_batch and random.random() < 0.5)
            case "cut":
                one, other = random.sample(self.ids, 2)
                self.cut |= {(one, other)} if random.random() < 0.5 else {(one, other), (other, one)}
            case "mend":
                self.cut = set()
            case "produce":
                self._produce_somewhere(up)
            case "consume":
                self.consume(random.choice(up))
            case "flush":
                self.nodes[random.choice(up)].flush()
            case "move":
                self.move(random.choice(up))
            case "hear":
                self.nodes[random.choice(up)].hear()
            case _:
                self._happen_anywhere(event)

    def move(self, node_id: int) -> None:
        """Its replica begins to move to the other directory, or a move on its way is taken back."""
        node = self.nodes[node_id]
        replicas = node.replicas
        target = self.random.choice(replicas.directories)
        replicas.move(node.replica, target, self.now_ms)

    def _happen_anywhere(self, event: str) -> None:
        if event == "govern":
            self._govern()
        elif event == "wait":
            self.pass_time(self.random.choice((5, 20, 100, 700)))
        else:
            self.deliver()

    def _start_one(self) -> None:
        down = [one for one in self.ids if one not in self.nodes]
        if down:
            self.register(self.random.choice(down))

    def _produce_somewhere(self, up: list[int]) -> None:
        leaders = [one for one in up if self.nodes[one].replica.is_leader]
        if leaders:
            self.produce(self.random.choice(leaders), acks=self.random.choice((-1, -1, -1, 1)))

    def _govern(self) -> None:
        """The controller hears, or does not hear, of a broker."""
        node_id = self.random.choice(self.ids)
        fenced = self.image.brokers[node_id].fenced
        if node_id in self.nodes and fenced:
            self.nodes[node_id].hear()
            self.unfence(node_id)
        elif not fenced and (node_id not in self.nodes or self.random.random() < 0.2):
            self.fence(node_id)

    def pass_time(self, milliseconds: int) -> None:
        self.now_ms += milliseconds
        for node in list(self.nodes.values()):
            node.waiting.expire(self.now_ms)
            node.replicas.tick(self.now_ms)
            node.end_tick()

    def heal(self) -> None:
        """Everybody is up and hears everybody; time passes until all have everything."""
        self.cut = set()
        for node_id in self.ids:
            if node_id not in self.nodes:
                self.register(node_id)
        for _ in range(400):
            for node_id, node in sorted(self.nodes.items()):
                if self.image.brokers[node_id].fenced:
                    self.unfence(node_id)
                node.hear()
                node.flush()
            while self.wire:
                self.deliver()
            self.pass_time(50)
            self.check()
            if self._is_calm():
                return
        raise AssertionError(f"it does not come to rest: {self.partition}")

    def _is_calm(self) -> bool:
        ends = {node.replica.log.end_offset for node in self.nodes.values()}
        marks = {node.replica.high_watermark for node in self.nodes.values()}
        return len(self.partition.isr) == len(self.ids) and ends == marks and len(ends) == 1

    # ---- what always holds ----

    def check(self, *, logs_too: bool = True) -> None:
        for node in self.nodes.values():
            mark = node.replica.high_watermark
            assert mark >= node.marks.get(node.replica, 0), f"the watermark of node {node.node_id} fell to {mark}"
            node.marks[node.replica] = mark
        if not logs_too:
            return
        leader = self.nodes.get(self.partition.leader)
        if leader is not None and leader.replica.is_leader:
            self._check_complete(leader)
        self._check_match()

    def _check_complete(self, leader: Node) -> None:
        if leader.replica.leader_epoch != self.partition.leader_epoch:
            return
        held = leader.records()
        for offset, value in {**self.seen, **self.acknowledged}.items():
            assert held.get(offset) == value, f"node {leader.node_id} leads without {value} at offset {offset}"

    def _check_match(self) -> None:
        agreed: Records = {}
        for node in self.nodes.values():
            for offset, value in node.records(node.replica.high_watermark).items():
                if offset < node.replica.high_watermark:
                    assert agreed.setdefault(offset, value) == value, f"logs differ at offset {offset}"
