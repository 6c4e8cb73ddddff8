"""Handing out producer ids, each once in the life of the cluster.

The controller gives a broker a block of ids at a time and records it; the broker hands them out one by one. While a
block is being asked for, the requests that need an id wait for it in the order in which they came.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from logctl.wire import errors
from logctl.wire.errors import WireError
from logctl.wire.messages.allocate_producer_ids import AllocateProducerIdsRequest

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker


Use = Callable[[int], None]
Failed = Callable[[WireError], None]


class ProducerIds:
    """What is left of this broker's block: `[_next, _end)`."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._next = 0
        self._end = 0
        self._waiting: list[tuple[Use, Failed]] = []

    def take(self, use: Use, failed: Failed) -> None:
        """Calls `use` with a fresh id, now or when the next block has been granted; `failed` when it was refused."""
        if self._next < self._end:
            self._next += 1
            use(self._next - 1)
            return
        self._waiting.append((use, failed))
        if len(self._waiting) == 1:
            self._ask()

    def _ask(self) -> None:
        """Asks on behalf of this broker as it is registered now."""
        node_id = self._broker.node_id
        registered = self._broker.metadata.image.brokers[node_id]
        wanted = AllocateProducerIdsRequest(broker_id=node_id, broker_epoch=registered.epoch)
        self._broker.ask_controller(wanted, self._granted)

    def _granted(self, block: Any) -> None:
        if block is None or block.error_code:
            self._refused(WireError(block.error_code if block else errors.COORDINATOR_NOT_AVAILABLE))
            return
        self._next, self._end = block.producer_id_start, block.producer_id_start + block.producer_id_len
        waiting, self._waiting = self._waiting, []
        for use, failed in waiting:
            self.take(use, failed)

    def _refused(self, error: WireError) -> None:
        waiting, self._waiting = self._waiting, []
        for _, failed in waiting:
            failed(error)
