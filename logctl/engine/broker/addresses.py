"""Where other nodes are reached by this one.

Who votes is reached on its controllers' listener, for every purpose: there nodes talk among themselves. The newest of
these counts: what the metadata log says of the voters, what the settings say of them (controller.quorum.voters), what
other nodes have told of the leader, where controllers are registered. A broker without such a listener is reached on
the one that its registration names `inter.broker.listener.name`.

To find a quorum that nothing is known of yet there are the addresses of controller.quorum.bootstrap.servers. They stand
for nodes with ids of their own, below -1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from logctl.engine.quorum.voters import Address

if TYPE_CHECKING:
    from logctl.engine.broker.metadata import Metadata

INTER_BROKER: Final = "INTERNAL"
"""How the listener between brokers is called where inter.broker.listener.name is not set."""
CANDIDATE: Final = -2
_FIRST_SEED: Final = -3


class Addresses:
    """`own`: this node's controllers' listeners, as others reach them; `fixed`: the voters of the settings."""

    def __init__(
        self,
        metadata: Metadata,
        *,
        own: Sequence[Address] = (),
        fixed: Mapping[int, Address] | None = None,
        seeds: Sequence[Address] = (),
        inter_broker: str = INTER_BROKER,
    ) -> None:
        self.own = tuple(own)
        self._metadata = metadata
        self._fixed = dict(fixed or {})
        self._seeds = tuple(seeds)
        self._inter_broker = inter_broker
        self._told: dict[int, Address] = {}
        self.candidate: Address | None = None
        """Where CANDIDATE is reached: who is to vote, and has to show that it is who it is said to be."""

    def find(self, node_id: int) -> Address | None:
        """None for a node of which nothing is known."""
        if node_id == CANDIDATE:
            return self.candidate
        if node_id <= _FIRST_SEED:
            place = _FIRST_SEED - node_id
            return self._seeds[place] if place < len(self._seeds) else None
        return self.of_controller(node_id) or self._of_broker(node_id)

    def of_controller(self, node_id: int) -> Address | None:
        """Where it is reached as one who votes, or may."""
        metadata = self._metadata
        if node_id == metadata.raft.node_id and self.own:
            return self.own[0]
        voter = metadata.voters.voters.get(node_id)
        if voter is not None and voter.addresses:
            return self._choose(voter.addresses)
        return self._fixed.get(node_id) or self._told.get(node_id) or self._registered(node_id)

    def _choose(self, addresses: Sequence[Address]) -> Address:
        """By the listener that this node has too, if there is one."""
        names = [one.name for one in self.own]
        return next((one for one in addresses if one.name in names), addresses[0])

    def _registered(self, node_id: int) -> Address | None:
        controller = self._metadata.image.controllers.get(node_id)
        if controller is None or not controller.end_points:
            return None
        return self._choose([Address(at.name, at.host, at.port) for at in controller.end_points])

    def _of_broker(self, node_id: int) -> Address | None:
        broker = self._metadata.image.brokers.get(node_id)
        found = broker.endpoint(self._inter_broker) if broker is not None else None
        return None if found is None else Address(found.name, found.host, found.port)

    def learn(self, node_id: int, host: str, port: int) -> None:
        """Another node says where this one is."""
        if host and port and node_id >= 0:
            self._told[node_id] = Address("", host, port)

    def to_ask(self) -> list[int]:
        """Who may know the leader: the seeds, and those who vote or have voted."""
        seeds = [_FIRST_SEED - place for place in range(len(self._seeds))]
        known = {*self._metadata.voters.voters.ids, *self._fixed, *self._told} - {self._metadata.raft.node_id}
        return seeds + sorted(known)
