"""What the handlers have appended and not yet secured.

A handler only *stages*: the batches are validated and stamped where they lie in the receive buffer, and the replica is
noted in `staged`. The shell ends its tick with one `write` per staged log, and starts a flush of everything in `dirty`
when none is running. So many requests share a system call, and many ticks share a flush.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from errno import EIO
from typing import TYPE_CHECKING

from logctl.engine.log.disk import DiskFault

if TYPE_CHECKING:
    from logctl.engine.broker.replica import Replica
    from logctl.engine.log.log import Log
    from logctl.wire.schema import Message


Lost = Callable[["Replica"], bool]
"""Says of a replica whether what was appended to it lately did not survive."""


@dataclass(frozen=True, slots=True)
class AfterAppend:
    """The answer to a produce request. `waits`: it leaves after the flush, else right after the write.

    `response` is None for acks=0, where nothing is sent but a loss closes the connection. `without(lost)` is the answer
    when appends did not survive; None closes the connection. `only` is the replica when there was one batch for one
    partition and it was appended: the next request of the kind may take the short way.
    """

    response: Message | None
    waits: bool
    without: Callable[[Lost], Message | None]
    only: Replica | None = None


class Appends:
    """`staged`: replicas with batches to write. `dirty`: logs written to, whose flush is wanted.

    `owners` holds, for each log that may be flushed, whom to tell that its flushed end has moved.
    """

    def __init__(self) -> None:
        self.staged: list[Replica] = []
        self.dirty: set[Log] = set()
        self.owners: dict[Log, Callable[[], None]] = {}
        self._due: dict[Replica, int] = {}

    def write(self, now_ms: int) -> list[tuple[Replica, DiskFault]]:
        """Write everything staged, each log at once; returns the replicas whose batches are lost, and why."""
        failures = []
        staged, self.staged = self.staged, []
        for replica in staged:
            try:
                replica.log.write()
            except DiskFault as fault:
                replica.discarded()
                failures.append((replica, fault))
            except Exception as error:  # a fault of ours; nothing staged may be taken for written because of it
                hint = f"This is a fault of the node: {error!r}"
                failures.append((replica, DiskFault("Writing to", replica.log.path, EIO, hint)))
            else:
                replica.written(now_ms)
        return failures

    def flush_at(self, replica: Replica, due_ms: int) -> None:
        """`flush.ms`: want a flush of this replica's log at `due_ms`, unless one was wanted before."""
        self._due.setdefault(replica, due_ms)

    def flushed(self, log: Log) -> None:
        """A flush of `log` is complete."""
        owner = self.owners.get(log)
        if owner is not None:
            owner()

    def forget_timer(self, replica: Replica) -> None:
        """No timed flush is owed: all that was written has reached the disk, or is lost."""
        self._due.pop(replica, None)

    def forget(self, replica: Replica) -> None:
        """The replica is gone, or its disk failed: what it has staged is not written any more."""
        if replica in self.staged:
            self.staged.remove(replica)
            replica.discarded()
        self.forget_log(replica, replica.log)

    def forget_log(self, replica: Replica, log: Log) -> None:
        """No flush of `log`, which is or was the replica's, is wanted any more, nor is anybody told of one."""
        self.forget_timer(replica)
        self.owners.pop(log, None)
        self.dirty.discard(log)

    def tick(self, now_ms: int) -> None:
        """Want the flushes whose time has come."""
        for replica in [replica for replica, due_ms in self._due.items() if due_ms <= now_ms]:
            del self._due[replica]
            self.dirty.add(replica.log)

    @property
    def timed(self) -> bool:
        """Whether a timed flush is owed."""
        return bool(self._due)

    def next_deadline_ms(self) -> int | None:
        return min(self._due.values(), default=None)
