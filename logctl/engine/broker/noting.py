"""What is noted of the logs of a node, so that the next start need not read them: how far each is on disk, where it
begins, what readers have seen.

Theory of operation. Every log that is open first writes what shortens its recovery (`Log.checkpoint`), a portion of
them at a time, with requests served in between; then each directory's files are written as a whole. A recovery point
moves only once the indexes below it are durable too: what a log writes for that is flushed with the next round, and
noted the next time. A directory in which a log cannot write is left out of this round.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from logctl.engine.broker.log_dirs import Bounds, LogDir, Place
from logctl.engine.broker.replica import Replica
from logctl.engine.log.disk import DiskFault

if TYPE_CHECKING:
    from logctl.engine.broker.appends import Appends

_PORTION: Final = 64
"""Logs that one tick looks at: each may have to make two or three files."""


class Home(NamedTuple):
    """A replica and the directory it lives in."""

    replica: Replica
    directory: LogDir

    @property
    def place(self) -> Place:
        return Place(self.replica.topic, self.replica.partition)


class Notes:
    """`homes` by topic and partition is the node's, and changes."""

    def __init__(
        self,
        directories: Sequence[LogDir],
        homes: Mapping[tuple[str, int], Home],
        appends: Appends,
        say: Callable[[str, str], None],
    ) -> None:
        self._directories = directories
        self._homes = homes
        self._appends = appends
        self._say = say
        self._waiting: deque[Home] | None = None
        """Those that this round has not come to; None between two rounds."""
        self._left_out: set[LogDir] = set()

    @property
    def are_under_way(self) -> bool:
        return self._waiting is not None

    def begin(self) -> None:
        """A round of all logs."""
        self._waiting = deque(home for home in self._homes.values() if home.replica.awake)
        self._left_out = set()

    def tick(self) -> None:
        """Go on with the round, if one is under way."""
        if self._waiting is None:
            return
        for _ in range(min(_PORTION, len(self._waiting))):
            self._prepare(self._waiting.popleft())
        if not self._waiting:
            self._waiting = None
            for directory in self._directories:
                if not directory.failed and directory not in self._left_out:
                    self._try(directory, lambda one: one.checkpoint(self.bounds(one)))

    def take(self) -> None:
        """A whole round, here and now."""
        self.begin()
        while self.are_under_way:
            self.tick()

    def _prepare(self, home: Home) -> None:
        replica, directory = home
        if self._homes.get((replica.topic, replica.partition)) is not home or directory in self._left_out:
            return
        log = replica.log
        if directory.failed or log.failed is not None:
            return
        self._try(directory, lambda one: log.checkpoint())
        if log.recovery_point < log.written_end:
            self._appends.dirty.add(log)

    def _try(self, directory: LogDir, act: Callable[[LogDir], None]) -> None:
        try:
            act(directory)
        except DiskFault as fault:
            self._left_out.add(directory)
            self._say("disk", f"{fault.message}. {fault.hint}")

    def save_recovery_points(self, cut: Iterable[Replica]) -> list[tuple[Replica, DiskFault]]:
        """Logs were cut: note at once how far they are on disk, before anything is appended to them.

        Answers where the disk refuses: a replica of each such directory.
        """
        refused = []
        for directory, replica in {self._directory_of(replica): replica for replica in cut}.items():
            try:
                directory.note_arrival(self.bounds(directory))
            except DiskFault as fault:
                refused.append((replica, fault))
        return refused

    def save_start_offsets(self, moved: Iterable[Replica]) -> None:
        """Note where the logs of these replicas begin, so that a crash does not move it back. Raises DiskFault."""
        for directory in dict.fromkeys(map(self._directory_of, moved)):
            directory.save_start_offsets(self.bounds(directory))

    def _directory_of(self, replica: Replica) -> LogDir:
        return self._homes[replica.topic, replica.partition].directory

    def bounds(self, directory: LogDir) -> Iterator[Bounds]:
        """Of every log in the directory."""
        for (topic, number), (replica, home) in self._homes.items():
            if home is not directory:
                continue
            place = Place(topic, number)
            if replica.awake:
                log = replica.log
                yield Bounds(place, log.start_offset, log.recovery_point, replica.high_watermark)
            else:
                yield directory.bounds(place)
