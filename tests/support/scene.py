"""A story of three simulated nodes, told step by step: nothing happens but what the script says.

A script is a generator. It yields seconds to wait, or a condition to wait for, which must come true within a bounded
time; in between it ends machines, cuts cables and asks nodes. The invariants of the simulation are watched all along,
and when the script is over everything is mended, comes to rest and is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from random import Random
from typing import Any

from logctl.engine.simulation.cluster import Cluster
from logctl.engine.simulation.machine import Machine
from logctl.engine.simulation.promises import Broken
from logctl.engine.simulation.routes import _Host
from logctl.engine.simulation.session import Session
from logctl.wire.messages.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from logctl.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from logctl.wire.records import NewRecord, build_batch
from logctl.wire.schema import Message

Step = float | Callable[[], Any]
Script = Generator[Step, None, None]

TOPIC = "orders"
PATIENCE_S = 20.0
CALM = {
    "log.dirs": "/data/a",
    "replica.lag.time.max.ms": "30000",
    "replica.fetch.wait.max.ms": "50",
    "replica.fetch.max.bytes": "1048576",
    "replica.fetch.response.max.bytes": "10485760",
    "leader.imbalance.check.interval.seconds": "300",
}


class Scene(Cluster):
    """`machines` and `fate` are the simulation's."""

    def __init__(self, settings: Mapping[str, str] = {}, features: Mapping[str, int] = {}) -> None:
        super().__init__(1, 3, {**CALM, **settings}, features)
        self.clients = []
        self.resting = True  # nothing happens by chance
        self._held_back: set[int] = set()

    def perform(self, script: Script) -> None:
        """Raises what the script or the simulation finds wrong, with the trace."""
        self.loop.call_later(0.01, self._go_on, script, 0.0, None)
        try:
            self.run(1.0)
        except BaseException as problem:
            problem.add_note(self.trace.last(60))
            raise

    def _next_event(self) -> None:
        """No event, and no rest before the script is over."""

    def _go_on(self, script: Script, since_s: float, condition: Callable[[], Any] | None) -> None:
        try:
            if condition is not None and not condition():
                if self.time() - since_s > PATIENCE_S:
                    raise Broken(f"the story waits in vain since {since_s:.2f}: {condition.__code__.co_names}")
                self.loop.call_later(0.01, self._go_on, script, since_s, condition)
                return
            step = next(script)
        except StopIteration:
            self._begin_rest()
        except Exception as problem:
            self.fail(problem)
        else:
            if callable(step):
                self.loop.call_soon(self._go_on, script, self.time(), step)
            else:
                self.loop.call_later(step, self._go_on, script, self.time(), None)

    def _begin_rest(self) -> None:
        """Nobody else is ended for that."""
        self.fate.mend()
        self._goal = {}
        self._deadline_s = self.time() + PATIENCE_S
        self._watch_rest()

    # Who is down stays down.

    def hold_back(self, node_id: int) -> None:
        self._held_back.add(node_id)

    def let_start(self, node_id: int) -> None:
        self._held_back.discard(node_id)
        self.machines[node_id].start()

    def _start(self, machine: Machine) -> None:
        if machine.node_id not in self._held_back:
            machine.start()

    # What a script asks.

    def ask(self, node_id: int, body: Message, version: int) -> list[Any]:
        """Fills with the answer."""
        answers: list[Any] = []
        session = Session(_Host(self, node_id), "script", lambda: None)
        assert session.open(), f"node {node_id} does not listen"
        session.ask(body, version, answers.append)
        return answers

    def create(self, replicas: list[int], **configs: str) -> list[Any]:
        """A topic of one partition; the first replica leads. Who governs is asked."""
        given = [CreatableTopicConfig(name.replace("_", "."), value) for name, value in configs.items()]
        topic = CreatableTopic(TOPIC, -1, -1, [CreatableReplicaAssignment(0, replicas)], given)
        self.attempted[TOPIC] = 1
        return self.ask(self.governor(), CreateTopicsRequest(topics=[topic]), 7)

    def produce(
        self, node_id: int, value: int, acks: int = -1, producer: tuple[int, int, int] = (-1, -1, -1)
    ) -> list[Any]:
        """One record; `producer`: id, epoch and sequence number. What is acknowledged counts as promised."""
        topic = self.promises.topics[TOPIC]
        data = bytes(build_batch([NewRecord(None, b"%d" % value, (), self.now_ms())], **_producer(producer)))
        self.promises.sending((topic.topic_id, 0), [value])
        wanted = [TopicProduceData(topic_id=topic.topic_id, partition_data=[PartitionProduceData(0, data)])]
        answers = self.ask(node_id, ProduceRequest(acks=acks, timeout_ms=60_000, topic_data=wanted), 13)
        told: list[Any] = []

        def look() -> None:
            if not answers:
                self.loop.call_later(0.01, look)
                return
            answer = answers[0].responses[0].partition_responses[0]
            if not answer.error_code:
                self.promises.answered((topic.topic_id, 0), answer.base_offset, [value], acks)
            told.append(answer)

        look()
        return told

    @property
    def partition(self) -> Any:
        """As it was decided last."""
        image = self.agreement.newest
        return image.topics[TOPIC].partitions[0] if image is not None and TOPIC in image.topics else None

    def replica(self, node_id: int) -> Any:
        node = self.machines[node_id].node
        return node.broker.replicas.get(TOPIC, 0) if node is not None else None

    def leads(self, node_id: int) -> bool:
        """It is the leader, and knows."""
        replica = self.replica(node_id)
        known = self.partition
        return (
            known is not None
            and known.leader == node_id
            and replica is not None
            and replica.is_leader
            and replica.leader_epoch == known.leader_epoch
        )

    def all_in(self) -> bool:
        """Every broker is let in."""
        return all(machine.serves for machine in self.machines.values())

    def stop_copying(self, follower: int, leader: int) -> Callable[[], None]:
        """Answers what makes it go on."""
        pairs = [(follower, leader), (leader, follower)]
        for pair in pairs:
            self.fate._copying[pair].cut()
        return lambda: self.fate.mend(pairs)

    def governor(self) -> int:
        """Who leads the quorum."""
        return next(
            one.node_id for one in self.machines.values() if one.node is not None and one.node.parts.metadata.is_leader
        )


def _producer(producer: tuple[int, int, int]) -> dict[str, int]:
    return dict(zip(("producer_id", "producer_epoch", "base_sequence"), producer, strict=True))


def calm(scene: Scene, replicas: list[int], **configs: str) -> Script:
    """The beginning of a story: all are let in, the topic is there, its leader leads."""
    scene.random = Random(1)
    yield scene.all_in
    answers = scene.create(replicas, **configs)
    yield lambda: answers
    assert not answers[0].topics[0].error_code, answers[0].topics[0].error_message
    yield lambda: TOPIC in scene.promises.topics
    yield lambda: scene.leads(replicas[0]) and all(scene.replica(one) is not None for one in replicas)
