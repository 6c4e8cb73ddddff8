"""When the metadata log's snapshots are made, and what may go when they are there.

Snapshots bound the next start. One is due when enough was appended since the last, or anything some time ago; it is
made from the committed image, which never changes, so the shell may run the task in another thread. The newest two are
kept, and the log behind the older.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from logctl.engine.broker.metadata_records import ControlRecord
from logctl.engine.broker.metadata_snapshots import SnapshotId, encode_snapshot, list_snapshots
from logctl.engine.controller.image import Image
from logctl.engine.controller.snapshot import image_records
from logctl.engine.controller.versions import record_version
from logctl.engine.log.disk import Disk, DiskFault
from logctl.engine.log.log import Log


class Options(NamedTuple):
    """Settings of the metadata log: metadata.log.segment.bytes, metadata.log.max.record.bytes.between.snapshots and
    metadata.log.max.snapshot.interval.ms (0: only the bytes count).
    """

    segment_bytes: int = 1 << 30
    snapshot_interval_bytes: int = 20 << 20
    snapshot_interval_ms: int = 3_600_000


@dataclass(slots=True)
class SnapshotTask:
    """Writing one snapshot; `run` may be called in any thread and raises DiskFault."""

    disk: Disk
    directory: str
    snapshot: SnapshotId
    image: Image
    last_append_ms: int
    now_ms: int
    controls: list[ControlRecord]

    def run(self) -> None:
        level = self.image.metadata_version
        data = encode_snapshot(
            image_records(self.image),
            lambda kind: record_version(kind, level),
            epoch=self.snapshot.epoch,
            last_append_ms=self.last_append_ms,
            now_ms=self.now_ms,
            controls=self.controls,
        )
        self.disk.write_file(f"{self.directory}/{self.snapshot.file_name}", data)


class SnapshotKeeper:
    """The snapshots of one metadata log. `notes` are sentences for the diary."""

    def __init__(
        self,
        disk: Disk,
        path: str,
        log: Log,
        options: Options,
        clock: Callable[[], int],
        notes: list[str],
        since_bytes: int,
    ) -> None:
        self.run: Callable[[SnapshotTask], None] = self._run_here
        """Runs a task and calls `written` or `failed`; a shell may use a thread."""
        self.since_bytes = since_bytes
        """What was appended since the newest snapshot."""
        self._disk = disk
        self._path = path
        self._log = log
        self._options = options
        self._clock = clock
        self._notes = notes
        self._last_append_ms = self._last_snapshot_ms = clock()
        self._runs = False

    def appended(self, size_bytes: int, now_ms: int) -> None:
        self.since_bytes += size_bytes
        self._last_append_ms = now_ms

    @property
    def are_many_bytes_behind(self) -> bool:
        return self.since_bytes >= self._options.snapshot_interval_bytes

    def due_ms(self) -> int | None:
        """By the clock; None when there is nothing new, or the clock does not count."""
        interval_ms = self._options.snapshot_interval_ms
        if not interval_ms or not self.since_bytes or self._runs or self._log.failed is not None:
            return None
        return self._last_snapshot_ms + interval_ms

    def begin(self, image: Image, applied_offset: int, controls: list[ControlRecord]) -> None:
        """Snapshot the committed image, one at a time."""
        if self._runs or not applied_offset:
            return
        snapshot = SnapshotId(applied_offset, max(self._log.epoch_at(applied_offset - 1), 0))
        self._runs = True
        self.since_bytes = 0
        self._last_snapshot_ms = self._clock()
        self.run(
            SnapshotTask(
                self._disk, self._path, snapshot, image, self._last_append_ms, self._clock(), controls
            )
        )

    def _run_here(self, task: SnapshotTask) -> None:
        try:
            task.run()
        except DiskFault as fault:
            self.failed(task, fault)
        else:
            self.written(task)

    def failed(self, task: SnapshotTask, fault: DiskFault) -> None:
        """The log still holds everything; it is tried again when as much again was written."""
        self._runs = False
        self._notes.append(f"The snapshot {task.snapshot.file_name} could not be written: {fault.message}")

    def written(self, task: SnapshotTask) -> None:
        """It is on disk: older snapshots but one go, and the log that they alone needed."""
        self._runs = False
        now_ms = self._clock()
        try:
            self._forget_older(now_ms)
        except DiskFault as fault:
            self._notes.append(f"Old metadata could not be removed yet: {fault.message}")

    def _forget_older(self, now_ms: int) -> None:
        snapshots = list_snapshots(self._disk, self._path)
        self._log.roll(now_ms)
        for snapshot in snapshots[2:]:
            self._disk.remove(f"{self._path}/{snapshot.file_name}")
        if len(snapshots) > 1:
            self._log.delete_before(snapshots[1].end_offset)
            self._notes += self._log.apply_retention(now_ms)
            self._log.purge_deleted(now_ms)
