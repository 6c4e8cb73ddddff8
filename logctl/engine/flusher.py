"""Group commit: one worker thread that brings written logs to the disk, one round at a time.

While a round runs, the ticks that follow gather for the next, so the slower the disk, the more appends share a flush.
The thread touches nothing but the files it is handed; what came of them is reported on the loop's thread. A flush that
failed is never tried again: after a failed fsync the kernel may have dropped the pages, and a second, successful one
would prove nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple

from logctl.engine.log.disk import DiskFault

if TYPE_CHECKING:
    from logctl.engine.log.log import Flush, Log


class Flushed(NamedTuple):
    """One log of a round. `fault` is None when everything up to the flush's end is durable."""

    log: Log
    flush: Flush
    fault: DiskFault | None


class Flusher:
    """`post(callback, *args)` must be safe to call from any thread and run the callback on the loop's."""

    def __init__(self, post: Callable[..., object], done: Callable[[list[Flushed]], None]) -> None:
        self.busy = False
        self._post = post
        self._done = done
        self._rounds: SimpleQueue[list[tuple[Log, Flush]] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="flusher", daemon=True)
        self._thread.start()

    def start(self, logs: set[Log]) -> None:
        """Flush what is written of these logs by now. Only while not `busy`."""
        assert not self.busy
        self.busy = True
        self._rounds.put([(log, log.flush_targets()) for log in logs])

    def close(self) -> None:
        """Finish the round that runs and stop the thread."""
        self._rounds.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (work := self._rounds.get()) is not None:
            outcome = [Flushed(log, flush, _flush(flush)) for log, flush in work]
            self._post(self._report, outcome)

    def _report(self, outcome: list[Flushed]) -> None:
        self.busy = False
        self._done(outcome)


def _flush(flush: Flush) -> DiskFault | None:
    try:
        flush.run()
    except DiskFault as fault:
        return fault
    return None
