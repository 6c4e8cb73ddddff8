"""The log directories of a node: what lies in them, their checkpoints, and what happens when one fails.

A directory is read once, at the start: the checkpoints say from where each log must be recovered, the mark of an
orderly stop says that none must. Names of folders are Apache Kafka's: `orders-0`, and for what is on its way out
`orders-0.<32 hex digits>-delete`, on its way in from another directory `...-future` or, set aside because the cluster
knows nothing of it, `...-stray`.

A directory whose disk failed stays failed until the node is started anew: its replicas answer KAFKA_STORAGE_ERROR,
and nothing more is written to it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from logctl.engine.log import checkpoints
from logctl.engine.log.directory import is_retired
from logctl.engine.log.disk import Disk

_FOLDER: Final = re.compile(r"(?P<topic>[a-zA-Z0-9._-]{1,249})-(?P<partition>\d+)")
_FUTURE: Final = re.compile(rf"{_FOLDER.pattern}\.[^.]+-future")
METADATA_FOLDER: Final = "__cluster_metadata-0"


class Place(NamedTuple):
    """A log's name in the checkpoints and on disk."""

    topic: str
    partition: int

    @property
    def folder(self) -> str:
        return f"{self.topic}-{self.partition}"


class Bounds(NamedTuple):
    """What a directory has to say about its logs when it is checkpointed."""

    place: Place
    start_offset: int
    recovery_point: int
    high_watermark: int


class LogDir:
    """One directory. `notes` collects sentences for the diary."""

    def __init__(self, disk: Disk, path: str, directory_id: bytes) -> None:
        self.disk = disk
        self.path = path
        self.directory_id = directory_id
        self.failed = False
        self.cordoned = False
        """It gets no new partitions (`cordoned.log.dirs`)."""
        self.is_synced = False
        """What an unclean stop left in it is known to be durable."""
        self.held = 0
        """Replicas that live in it."""
        self.notes: list[str] = []
        self.broker_epoch = _epoch_of_the_last_stop(disk, path)
        self.clean = checkpoints.was_clean_shutdown(disk, path)
        self._recovery_points = self._read(checkpoints.RECOVERY_POINTS)
        self._starts = self._read(checkpoints.LOG_START_OFFSETS)
        self._marks = self._read(checkpoints.HIGH_WATERMARKS)

    def _read(self, name: str) -> checkpoints.Offsets:
        return checkpoints.read_offsets(self.disk, f"{self.path}/{name}", self.notes)

    def begin(self) -> None:
        """The directory will be written to: what said that it was left in order goes. Raises DiskFault."""
        if self.clean:
            checkpoints.remove_clean_shutdown(self.disk, self.path)

    def path_of(self, place: Place) -> str:
        return f"{self.path}/{place.folder}"

    def recovery_point(self, place: Place) -> int:
        return self._recovery_points.get(place, 0)

    def start_offset(self, place: Place) -> int | None:
        return self._starts.get(place)

    def high_watermark(self, place: Place) -> int:
        """As it was noted last; 0 when it never was."""
        return self._marks.get(place, 0)

    def knows(self, place: Place) -> bool:
        """Whether the checkpoint tells how far this log is on disk."""
        return place in self._recovery_points

    def is_cut_short(self, place: Place, end_offset: int) -> bool:
        """Whether a log lacks something that an orderly stop had left."""
        return self.clean and end_offset < self.recovery_point(place)

    def forget(self, place: Place) -> None:
        """What the checkpoints say of this log does not hold any more: it is gone, or another has its name."""
        self._recovery_points.pop(place, None)
        self._starts.pop(place, None)
        self._marks.pop(place, None)

    def bounds(self, place: Place) -> Bounds:
        """Of a log that has not been opened since the start. What an orderly stop left is on disk to its end."""
        end = self.recovery_point(place)
        return Bounds(place, self.start_offset(place) or 0, end, min(self._marks.get(place, end), end))

    def logs(self) -> Iterator[Place]:
        """The logs that lie in the directory, without the metadata log."""
        for name in self.disk.listdir(self.path):
            found = _FOLDER.fullmatch(name)
            if found and name != METADATA_FOLDER:
                yield Place(found["topic"], int(found["partition"]))

    def futures(self) -> Iterator[tuple[Place, str]]:
        """(place, path) of copies that were to replace a log elsewhere when the node stopped."""
        for name in self.disk.listdir(self.path):
            found = _FUTURE.fullmatch(name)
            if found:
                yield Place(found["topic"], int(found["partition"])), f"{self.path}/{name}"

    def leaving(self) -> list[str]:
        """Folders whose deletion was begun before the last stop."""
        return [f"{self.path}/{name}" for name in self.disk.listdir(self.path) if is_retired(name)]

    def checkpoint(self, logs: Iterable[Bounds]) -> None:
        """Note how far each log is on disk, where it begins and what readers have seen. Raises DiskFault."""
        known = list(logs)
        self._write(checkpoints.RECOVERY_POINTS, {log.place: log.recovery_point for log in known})
        self.save_start_offsets(known)
        self._write(checkpoints.HIGH_WATERMARKS, {log.place: log.high_watermark for log in known})

    def note_arrival(self, logs: Iterable[Bounds]) -> None:
        """A log came from another directory: note at once what its recovery needs. Raises DiskFault."""
        known = list(logs)
        self._write(checkpoints.RECOVERY_POINTS, {log.place: log.recovery_point for log in known})
        if any(log.start_offset for log in known):
            self.save_start_offsets(known)

    def save_start_offsets(self, logs: Iterable[Bounds]) -> None:
        """Note where each log begins. Raises DiskFault."""
        self._write(checkpoints.LOG_START_OFFSETS, {log.place: log.start_offset for log in logs if log.start_offset})

    def _write(self, name: str, offsets: dict[Place, int]) -> None:
        plain = {(place.topic, place.partition): offset for place, offset in offsets.items()}
        checkpoints.write_offsets(self.disk, f"{self.path}/{name}", plain)

    def mark_clean(self, broker_epoch: int) -> None:
        """Say that every log in it was closed in order. Raises DiskFault."""
        checkpoints.mark_clean_shutdown(self.disk, self.path, broker_epoch)


def _epoch_of_the_last_stop(disk: Disk, path: str) -> int:
    """The broker epoch that an orderly stop wrote down; -1 when there was none, or it cannot be read."""
    mark = f"{path}/{checkpoints.CLEAN_SHUTDOWN}"
    try:
        return int(json.loads(disk.read_file(mark))["brokerEpoch"]) if disk.exists(mark) else -1
    except (ValueError, KeyError, TypeError):
        return -1

