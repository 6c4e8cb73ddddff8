"""Telling the controller where replicas lie, when that is not where the image says (AssignReplicasToDirs; KIP-858).

`Replicas.untold` gathers what changed. It is told in one request at a time; what did not arrive is told again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from logctl.engine.controller.decision import Controller, Decision
from logctl.engine.controller.directories import assign_replicas, assignment
from logctl.wire.errors import WireError

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

_AGAIN_MS: Final = 200
Chosen = dict[tuple[bytes, int], bytes]
"""(topic id, partition) -> directory id."""


class Placing:
    """A broker's notes to the controller about its directories."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._asking = False
        self._due_ms = 0

    def tick(self, now_ms: int) -> None:
        """Tell what there is to tell."""
        if not self._broker.replicas.untold or self._asking or now_ms < self._due_ms:
            return
        chosen, self._broker.replicas.untold = self._broker.replicas.untold, {}
        if self._broker.is_alone:
            self._note(chosen)
        else:
            self._tell(chosen)

    def next_deadline_ms(self) -> int | None:
        return self._due_ms if self._broker.replicas.untold and not self._asking else None

    def _note(self, chosen: Chosen) -> None:
        """This node is its own controller."""
        broker = self._broker

        def decide(controller: Controller) -> Decision[Any]:
            registered = controller.image.brokers[broker.node_id]
            return assign_replicas(controller, assignment(broker.node_id, registered.epoch, chosen))

        def failed(error: WireError) -> None:
            broker.say("metadata", f"The directories of {len(chosen)} partitions could not be noted: {error.message}")

        try:
            broker.metadata.decide(decide, lambda decision: None, failed)
        except WireError as error:
            failed(error)

    def _tell(self, chosen: Chosen) -> None:
        self._asking = True

        def told(response: Any) -> None:
            self._asking = False
            if response is None or response.error_code:
                self._broker.replicas.untold = chosen | self._broker.replicas.untold
                self._due_ms = self._broker.metadata.clock() + _AGAIN_MS

        registered = self._broker.metadata.image.brokers.get(self._broker.node_id)
        epoch = registered.epoch if registered is not None else -1
        self._broker.ask_controller(assignment(self._broker.node_id, epoch, chosen), told)
