"""Counters of a running node. Plain integers, written by the one thread that owns the broker."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class Metrics:
    """Totals since the start. `requests` went the general way, `requests_quick` through `produce_path`."""

    connections_accepted: int = 0
    connections_refused: int = 0
    connections_cut: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    requests: int = 0
    requests_quick: int = 0
    requests_failed: int = 0
    ticks: int = 0
    flushes: int = 0
    flush_failures: int = 0
    write_failures: int = 0

    def snapshot(self) -> dict[str, int]:
        """All counters by name."""
        return asdict(self)
