"""A replica room that the real controller governs, with eligible leader replicas kept (KIP-966).

Two of three must be in sync. Whoever stops without order is known to have done so: it is in no set until it has caught
up, however well its disk has kept everything.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from support.replica_room import NOW_MS, TOPIC, Node, Room

from logctl.engine.controller.brokers import fence_broker, register_broker
from logctl.engine.controller.decision import Controller, Decision
from logctl.engine.controller.heartbeats import heartbeat
from logctl.engine.controller.image import ResourceType
from logctl.engine.controller.isr import alter_partition
from logctl.engine.controller.replay import apply
from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.alter_partition import AlterPartitionRequest, AlterPartitionResponse
from logctl.wire.messages.broker_heartbeat import BrokerHeartbeatRequest
from logctl.wire.messages.broker_registration import BrokerRegistrationRequest, Feature

FEATURES = {"metadata.version": 30, "eligible.leader.replicas.version": 1}


class EligibleRoom(Room):
    def __init__(self, seed: int = 1, *, flush_every_batch: bool = True, least: int = 2) -> None:
        self._offsets = count(10)
        self._least = least
        super().__init__(seed, flush_every_batch=flush_every_batch)

    def decide(self, decision: Callable[..., Decision[Any]], *args: Any, **more: Any) -> Any:
        controller = Controller(self.image, NOW_MS, next(self._offsets), self.new_id)
        decided = decision(controller, *args, **more)
        self.image = apply(self.image, decided.records)
        return decided.response

    def register(self, node_id: int, *, orderly: bool = False) -> None:
        """`orderly`: its last life ended in order."""
        if not self.image.features:
            configs = {(ResourceType.TOPIC, TOPIC): {"min.insync.replicas": str(self._least)}}
            self.image = self.image._replace(features=FEATURES, configs=configs)
        request = BrokerRegistrationRequest(
            broker_id=node_id,
            incarnation_id=self.new_id(),
            features=[Feature(name, 0, level) for name, level in FEATURES.items()],
            log_dirs=[bytes([node_id]) * 16],
            previous_broker_epoch=self.image.brokers[node_id].epoch if orderly else -1,
        )
        epoch = self.decide(register_broker, request).broker_epoch
        self.nodes[node_id] = Node(self, node_id, epoch)

    def fence(self, node_id: int) -> None:
        if not self.image.brokers[node_id].fenced:
            self.decide(fence_broker, node_id)

    def unfence(self, node_id: int) -> None:
        epoch = self.image.brokers[node_id].epoch
        if self.image.brokers[node_id].fenced:
            self.decide(heartbeat, BrokerHeartbeatRequest(node_id, epoch, current_metadata_offset=1 << 40))

    def _alter(self, body: AlterPartitionRequest) -> AlterPartitionResponse:
        try:
            answer: AlterPartitionResponse = self.decide(alter_partition, body)
        except WireError as error:
            return AlterPartitionResponse(error_code=error.code)
        assert not answer.error_code or answer.error_code == errors.STALE_BROKER_EPOCH
        return answer
