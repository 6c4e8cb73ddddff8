"""What the coordinators of groups must hold to: *replay* equals live.

Whatever a coordinator knows of its groups, and has made durable, is what a fresh one makes of the same log. Compared
when a partition of `__consumer_offsets` has just been loaded, now and then while it serves, and in the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from logctl.engine.simulation.promises import ensure

if TYPE_CHECKING:
    from logctl.engine.simulation.node import SimulatedNode

_EVERY_S: Final = 2.0


class Coordination:
    """Watches all nodes."""

    def __init__(self) -> None:
        self._compared: dict[Any, tuple[int, float]] = {}

    def look(self, node: SimulatedNode, now_s: float) -> None:
        """At the end of a tick."""
        for home in self._homes(node):
            if home.loading:
                self._compared.pop(home, None)
                continue
            end, at_s = self._compared.get(home, (-1, -_EVERY_S))
            if home.end_offset != end and now_s - at_s >= _EVERY_S and home.is_durable:
                self._compare(home)
                self._compared[home] = home.end_offset, now_s

    def died(self, node: SimulatedNode) -> None:
        """A life has ended: its coordinators are gone."""
        for home in self._homes(node):
            self._compared.pop(home, None)

    def finish(self, node: SimulatedNode) -> int:
        """All that can be compared now, once more; how many."""
        homes = [home for home in self._homes(node) if not home.loading and home.is_durable]
        for home in homes:
            self._compare(home)
        return len(homes)

    def _homes(self, node: SimulatedNode) -> list[Any]:
        groups = node.broker.groups
        homes = groups._homes.values() if groups is not None else ()
        return [home for home in homes if not home.replica.refusal and not home.has_lost_writes]

    def _compare(self, home: Any) -> None:
        from logctl.engine.broker.groups.home import Home
        from logctl.engine.broker.groups.shard import difference
        from logctl.engine.simulation.agreement import batches_of

        fresh = Home(home.replica, home._new_shard, home._waiting, lambda sentence: None)
        log = home.replica.log
        for _, data in batches_of(log, log.start_offset, log.end_offset):
            fresh._replay_batch(memoryview(data), 0)
        found = difference(home.shard, fresh.shard)
        name = f"{home.replica.topic}-{home.partition}"
        ensure(not found, f"replay: the groups of {name} are not what the log says: {'; '.join(found)[:600]}")
