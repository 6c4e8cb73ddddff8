"""A controller's world in a few words: brokers that are registered, decisions that are replayed at once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from logctl.engine.controller.brokers import start_broker
from logctl.engine.controller.decision import Controller, Decision, Rules
from logctl.engine.controller.image import Image, Partition
from logctl.engine.controller.replay import apply
from logctl.wire.messages.broker_registration import BrokerRegistrationRequest, Feature, Listener
from logctl.wire.messages.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreatableTopicResult,
    CreateTopicsRequest,
)
from logctl.wire.stored.feature_level_record import FeatureLevelRecord

CLUSTER_ID = "AAAAAAAAQACAAAAAAAAAAQ"


def numbered_id(number: int) -> bytes:
    """An identifier a reader recognises."""
    return number.to_bytes(16)


def registration(broker_id: int = 1, rack: str | None = None, **changes: Any) -> BrokerRegistrationRequest:
    """What a healthy broker says of itself."""
    said: dict[str, Any] = {
        "broker_id": broker_id,
        "cluster_id": CLUSTER_ID,
        "incarnation_id": numbered_id(100 + broker_id),
        "listeners": [Listener("PLAINTEXT", f"host{broker_id}", 9092, 0)],
        "features": [
            Feature("metadata.version", 7, 30),
            Feature("group.version", 0, 1),
            Feature("eligible.leader.replicas.version", 0, 1),
        ],
        "rack": rack,
        "log_dirs": [numbered_id(200 + broker_id)],
    }
    return BrokerRegistrationRequest(**(said | changes))


class Cluster:
    """Decides and replays; `image` is what the cluster has agreed on, `log` every record so far."""

    def __init__(self, brokers: int = 1, racks: tuple[str, ...] = (), **rules: Any) -> None:
        self.rules = Rules(cluster_id=CLUSTER_ID, **rules)
        self.log: list[Any] = []
        self.image = Image()
        self._ids = count(1)
        self.take([FeatureLevelRecord(name="metadata.version", feature_level=30)])
        for broker_id in range(1, brokers + 1):
            self.decide(start_broker, registration(broker_id, racks[broker_id - 1] if racks else None))

    def take(self, records: list[Any]) -> None:
        self.image = apply(self.image, records)
        self.log += records

    @property
    def controller(self) -> Controller:
        return Controller(self.image, 1_000, len(self.log), lambda: numbered_id(next(self._ids)), self.rules)

    def decide(self, decision: Callable[[Controller, Any], Decision[Any]], request: Any) -> Any:
        """The response; its records are in the image."""
        decided = decision(self.controller, request)
        self.take(decided.records)
        return decided.response

    def keep_eligible(self) -> None:
        """Finalize eligible.leader.replicas.version, as a cluster of Apache Kafka 4.1 has it."""
        self.take([FeatureLevelRecord(name="eligible.leader.replicas.version", feature_level=1)])

    def partition(self, name: str = "orders", number: int = 0) -> Partition:
        return self.image.topics[name].partitions[number]

    def epoch(self, broker_id: int) -> int:
        return self.image.brokers[broker_id].epoch

    def create(self, *topics: CreatableTopic, validate_only: bool = False) -> list[CreatableTopicResult]:
        from logctl.engine.controller.topics import create_topics

        answer = self.decide(create_topics, CreateTopicsRequest(topics=list(topics), validate_only=validate_only))
        results: list[CreatableTopicResult] = answer.topics
        return results


def new_topic(
    name: str,
    partitions: int = 1,
    replicas: int = 1,
    configs: dict[str, str | None] | None = None,
    assignment: dict[int, list[int]] | None = None,
) -> CreatableTopic:
    """With an `assignment` by hand both counts are -1 unless they are given."""
    if assignment is not None and (partitions, replicas) == (1, 1):
        partitions = replicas = -1
    return CreatableTopic(
        name=name,
        num_partitions=partitions,
        replication_factor=replicas,
        assignments=[CreatableReplicaAssignment(number, brokers) for number, brokers in (assignment or {}).items()],
        configs=[CreatableTopicConfig(key, value) for key, value in (configs or {}).items()],
    )
