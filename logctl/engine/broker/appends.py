"""What the handlers have appended and not yet secured.

A handler only *stages*: the batches are validated and stamped where they lie in the receive buffer, and the replica is
noted in `staged`. The shell ends its tick with one `write` per staged log, and starts a flush of everything in `dirty`
when none is running. So many requests share a system call, and many ticks share a flush.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.log.disk import DiskFault

if TYPE_CHECKING:
    from logctl.engine.broker.replica import Replica
    from logctl.engine.log.log import Log


class Appends:
    """`staged`: replicas with batches to write. `dirty`: logs written to, whose flush is wanted."""

    def __init__(self) -> None:
        self.staged: list[Replica] = []
        self.dirty: set[Log] = set()
        self._due: dict[Replica, int] = {}

    def write(self, now_ms: int) -> list[tuple[Replica, DiskFault]]:
        """Write everything staged, each log at once; answers the replicas whose batches are lost, and why."""
        failures = []
        staged, self.staged = self.staged, []
        for replica in staged:
            try:
                replica.log.write()
            except DiskFault as fault:
                replica.discarded()
                failures.append((replica, fault))
            else:
                replica.written(now_ms)
        return failures

    def flush_at(self, replica: Replica, due_ms: int) -> None:
        """`flush.ms`: want a flush of this replica's log at `due_ms`, unless one was wanted before."""
        self._due.setdefault(replica, due_ms)

    def flushed(self, replica: Replica) -> None:
        """All that was written has reached the disk: no timed flush is owed."""
        self._due.pop(replica, None)

    def tick(self, now_ms: int) -> None:
        """Want the flushes whose time has come."""
        for replica in [replica for replica, due_ms in self._due.items() if due_ms <= now_ms]:
            del self._due[replica]
            self.dirty.add(replica.log)

    def next_deadline_ms(self) -> int | None:
        return min(self._due.values(), default=None)
