"""Group commit: one worker thread that brings written logs to the disk, one round at a time.

While a round runs, the ticks that follow gather for the next, so the slower the disk, the more appends share a flush.
The thread touches nothing but the files it is handed; what came of them is reported on the loop's thread. A flush that
failed is never tried again: after a failed fsync the kernel may have dropped the pages, and a second, successful one
would prove nothing.

Each sync of a file makes the device empty its cache. Where a round has very many logs, the file system is synced as a
whole instead, once.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Final, NamedTuple

from logctl.engine.log.disk import DiskFault, RealDisk, Volume

if TYPE_CHECKING:
    from logctl.engine.log.log import Flush, Log

    Work = list[tuple[Log, Flush]]


_VERY_MANY: Final = 64


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
        self._rounds: SimpleQueue[Work | None] = SimpleQueue()
        self._volumes: dict[str, Volume] = {}
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
        for volume in self._volumes.values():
            volume.close()
        self._volumes.clear()

    def _run(self) -> None:
        while (work := self._rounds.get()) is not None:
            if len(work) > _VERY_MANY:
                outcome = [one for several in _by_directory(work).items() for one in self._flush_many(*several)]
            else:
                outcome = [Flushed(log, flush, _flush(flush)) for log, flush in work]
            self._post(self._report, outcome)

    def _flush_many(self, directory: str, work: Work) -> list[Flushed]:
        """The logs of one log directory, all at once where that can be had."""
        if len(work) <= _VERY_MANY or not all(isinstance(flush.disk, RealDisk) for _, flush in work):
            return [Flushed(log, flush, _flush(flush)) for log, flush in work]
        written = [Flushed(log, flush, _fault_of(flush.write)) for log, flush in work]
        try:
            if directory not in self._volumes:
                self._volumes[directory] = Volume(directory)
            if self._volumes[directory].sync():
                return written
        except DiskFault as fault:
            return [one._replace(fault=one.fault or fault) for one in written]
        return [one if one.fault else one._replace(fault=_flush(one.flush)) for one in written]

    def _report(self, outcome: list[Flushed]) -> None:
        self.busy = False
        self._done(outcome)


def _by_directory(work: Work) -> dict[str, Work]:
    found: dict[str, Work] = {}
    for log, flush in work:
        found.setdefault(log.path.rpartition("/")[0], []).append((log, flush))
    return found


def _flush(flush: Flush) -> DiskFault | None:
    return _fault_of(flush.run)


def _fault_of(act: Callable[[], None]) -> DiskFault | None:
    try:
        act()
    except DiskFault as fault:
        return fault
    return None
