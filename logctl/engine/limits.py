"""How much a peer may take before it is turned away: sizes, counts, rates and deadlines of connections.

The broker is one process for everybody, so every resource a stranger can hold is bounded from the first byte on.
`Limits` are the bounds; `Door` decides who may come in. Both are told the time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Apache's settings where it has one; the rest are fixed. The rules per address spare the node's own machine."""

    request_max_bytes: int = 100 * MIB
    """`socket.request.max.bytes`"""
    in_flight_max_bytes: int = 256 * MIB
    """All unfinished frames together; one connection at a time may exceed it, so that somebody always gets done."""
    connections_max: int = 2000
    """`max.connections`"""
    connections_per_ip_max: int = 200
    """`max.connections.per.ip`"""
    creation_rate_per_ip: int = 100
    """`max.connection.creation.rate`, per second and address"""
    reserved_for_own_machine: int = 16
    """Connections above the maximum for loopback alone: a full node can still be administered at its console."""
    first_byte_ms: int = 10_000
    partial_frame_ms: int = 30_000
    """To complete a frame, plus a second for every 64 KiB that have arrived of it."""
    idle_ms: int = 600_000
    """`connections.max.idle.ms`"""
    send_queue_max_bytes: int = 4 * MIB
    """Answers a peer has not taken; above it nothing more is read from that peer."""


@dataclass(slots=True)
class _Address:
    open: int = 0
    tokens: float = 0.0
    refilled_ms: int = 0


@dataclass(slots=True)
class Door:
    """Counts connections and says who may come in."""

    limits: Limits
    open: int = 0
    _addresses: dict[str, _Address] = field(default_factory=dict)

    def admit(self, host: str, now_ms: int) -> str | None:
        """None and the connection counts as open, or the reason why it may not come in."""
        own = ip_address(host).is_loopback
        limits = self.limits
        if self.open >= limits.connections_max + (limits.reserved_for_own_machine if own else 0):
            return f"{self.open} connections are open (max.connections)"
        address = self._addresses.setdefault(host, _Address(0, limits.creation_rate_per_ip, now_ms))
        if not own:
            refusal = self._strain(address, now_ms)
            if refusal:
                return refusal
        self.open += 1
        address.open += 1
        return None

    def left(self, host: str) -> None:
        """A connection that was admitted is closed."""
        self.open -= 1
        self._addresses[host].open -= 1

    def forget_strangers(self, now_ms: int) -> None:
        """Drop addresses that have no connection and full tokens again."""
        for host, address in list(self._addresses.items()):
            if not address.open and now_ms - address.refilled_ms > 1000:
                del self._addresses[host]

    def _strain(self, address: _Address, now_ms: int) -> str | None:
        if address.open >= self.limits.connections_per_ip_max:
            return f"{address.open} connections are open from there (max.connections.per.ip)"
        rate = self.limits.creation_rate_per_ip
        refill = max(0, now_ms - address.refilled_ms) * rate / 1000
        address.tokens = min(float(rate), address.tokens + refill)
        address.refilled_ms = now_ms
        if address.tokens < 1:
            return f"more than {rate} connections a second come from there (max.connection.creation.rate)"
        address.tokens -= 1
        return None
