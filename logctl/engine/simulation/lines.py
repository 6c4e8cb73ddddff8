"""The production lines between nodes (`engine/peers.py`) over the simulated network: only dialling is another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from logctl.engine.peers import Endpoint, Peers, _Line
from logctl.engine.simulation.network import CallingEnd

Dial = Callable[[int, str], CallingEnd]
"""Begins a connection to a node, for a lane."""


class SimulatedPeers(Peers):
    """All lines of a node, `dial`led instead of looked up."""

    dial: Dial

    def _open(self, node_id: int, lane: str, old: _Line | None) -> _Line | None:
        line = self._lines[node_id, lane] = SimulatedLine(self, node_id, lane, self.dial)
        return line


def endpoint_of(node_id: int) -> Endpoint:
    """Where a node is reached by others."""
    return Endpoint(f"10.0.0.{node_id}", 9093)


class SimulatedLine(_Line):
    def __init__(self, peers: SimulatedPeers, node_id: int, lane: str, dial: Dial) -> None:
        super().__init__(peers, node_id, endpoint_of(node_id))
        self._lane = lane
        self._dial = dial

    def _connect(self) -> None:
        self._conversation = self._peers.conversation(self._node_id)
        self._connected = False
        self._socket = cast(Any, self._dial(self._node_id, self._lane))
        self._peers.loop.add_writer(cast(Any, self._socket), self._writable)
