"""The metadata log as it is found on disk: from the newest sound snapshot and the records behind it to an image.

Theory of operation
-------------------
Everything is read before anything is touched. A directory of a newer metadata.version, a log with a record this
version does not know, or damage in what had been flushed stop the start with a sentence and leave the files as they
were: an image with a hole would look like deleted topics. Only what a crash explains is repaired: a torn end, which
recovery of the log cuts off, and a damaged snapshot, which is set aside because an older one and the log behind it
say the same.

The replay reads segment files batch by batch, skipping what the snapshot covers, so a start takes as long as what
happened since the last snapshot, not as long as the history.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from logctl.engine.broker.metadata_records import (
    Batch,
    ControlRecord,
    DamagedBatch,
    UnreadableRecord,
    decode_batches,
    describe_unknown,
)
from logctl.engine.broker.metadata_snapshots import BOOTSTRAP, Snapshot, SnapshotId, decode_snapshot, list_snapshots
from logctl.engine.broker.voters import control_objection, note_batch, note_snapshot
from logctl.engine.controller.image import Image
from logctl.engine.controller.replay import Draft, InconsistentRecord
from logctl.engine.controller.versions import feature_objection
from logctl.engine.log.checkpoints import set_aside
from logctl.engine.log.config import LogConfig
from logctl.engine.log.disk import Disk
from logctl.engine.log.log import Log
from logctl.engine.log.scan import Scanner, sound_batch_follows
from logctl.engine.log.segment import OpenFiles
from logctl.engine.quorum.election_state import FILE_NAME as STATE_FILE
from logctl.engine.quorum.election_state import DamagedState, ElectionState, decode_state
from logctl.engine.quorum.voters import VoterHistory, VoterSet
from logctl.errors import OperationFailed
from logctl.wire.stored.framing import UnknownRecord

TOPIC: Final = "__cluster_metadata"
TOPIC_ID: Final = bytes(15) + b"\x01"
DIRECTORY: Final = f"{TOPIC}-0"
LARGEST_BATCH_BYTES: Final = 8 << 20
"""What Apache's readers of the metadata log accept."""
_READ_BYTES: Final = 1 << 20
_HINT: Final = "Nothing was changed. Restore the directory from a backup"
_TOO_NEW: Final = "Nothing was changed. Use a version of the engine that can run it"


@dataclass(slots=True)
class Stored:
    """What was found. `image` is what the whole log amounts to, `base` what its snapshot says alone.
    `bytes_behind_snapshot` is how much of the log a next start would have to replay."""

    image: Image
    base: Image
    log: Log
    snapshot: SnapshotId | None
    bytes_behind_snapshot: int
    notes: list[str]
    voters: VoterHistory


def load(
    disk: Disk,
    log_dir: str,
    segment_bytes: int,
    *,
    now_ms: int,
    clean: bool,
    files: OpenFiles | None = None,
) -> Stored:
    """Open the metadata log below `log_dir` and replay it. `clean`: the last stop was orderly.

    Raises OperationFailed when it cannot be used, DiskFault.
    """
    path = f"{log_dir}/{DIRECTORY}"
    notes: list[str] = []
    exists = disk.exists(path)
    voters = VoterHistory()
    snapshot, image = _newest_snapshot(disk, path, notes, voters) if exists else (None, Image())
    replay = _Replay(disk, path, snapshot.end_offset if snapshot else 0, image, voters)
    if exists:
        replay.run()
    log = _open_log(disk, path, segment_bytes, now_ms, clean and not replay.torn, replay.start, files)
    notes += log.notes
    log.notes.clear()
    if log.end_offset < replay.start:
        notes.append(
            f"{path} ends at {log.end_offset}, before its snapshot ends ({replay.start}): it goes on behind it"
        )
        log.truncate_fully_at(replay.start, now_ms)
    if log.end_offset != replay.end:
        raise OperationFailed(f"{path} ends at offset {log.end_offset} but was read up to {replay.end}", _HINT)
    return Stored(replay.image, image, log, snapshot, replay.bytes, notes, voters)


def _open_log(
    disk: Disk, path: str, segment_bytes: int, now_ms: int, clean: bool, verified_to: int, files: OpenFiles | None
) -> Log:
    """Nothing goes by age or size: snapshots decide what the log may forget."""
    config = LogConfig(
        segment_bytes=segment_bytes,
        segment_ms=1 << 62,
        retention_ms=-1,
        max_message_bytes=LARGEST_BATCH_BYTES,
        file_delete_delay_ms=0,
    )
    return Log.open(
        disk,
        path,
        topic=TOPIC,
        partition=0,
        topic_id=TOPIC_ID,
        config=config,
        now_ms=now_ms,
        clean=clean,
        recovery_point=verified_to,
        files=files,
    )


def read_bootstrap(disk: Disk, log_dir: str) -> list[Any] | None:
    """The first records of a new cluster; None when there is no bootstrap.checkpoint. Raises OperationFailed."""
    path = f"{log_dir}/{BOOTSTRAP}"
    if not disk.exists(path):
        return None
    try:
        found = decode_snapshot(disk.read_file(path))
    except UnreadableRecord as damage:
        raise OperationFailed(f"{path} cannot be used: {damage}", _HINT) from None
    check_controls(found.controls, path)
    for record in found.records:
        check_known(record, path)
    return found.records


def _newest_snapshot(
    disk: Disk, path: str, notes: list[str], voters: VoterHistory
) -> tuple[SnapshotId | None, Image]:
    """The newest snapshot that can be read, and what it says. Damaged ones are set aside; one that is whole and still
    makes no sense stops the start."""
    broken: list[tuple[SnapshotId, str]] = []
    found: tuple[SnapshotId | None, Image] = (None, Image())
    for snapshot in list_snapshots(disk, path):
        file = f"{path}/{snapshot.file_name}"
        try:
            content = decode_snapshot(disk.read_file(file))
            found = snapshot, _image_of(file, content)
            note_snapshot(voters, snapshot.end_offset, content.controls)
            break
        except DamagedBatch as damage:
            broken.append((snapshot, str(damage)))
        except UnreadableRecord as problem:
            raise OperationFailed(f"{file} cannot be used: {problem}", _HINT) from None
    _check_reach(disk, path, found[0], broken)
    for snapshot, reason in broken:
        set_aside(disk, f"{path}/{snapshot.file_name}", f"The snapshot cannot be used ({reason})", notes)
    return found


def _image_of(file: str, snapshot: Snapshot) -> Image:
    check_controls(snapshot.controls, file)
    draft = Draft()
    for record in snapshot.records:
        replay_checked(draft, record, file)
    return draft.image()


def replay_checked(draft: Draft, record: Any, file: str) -> None:
    """Replay one stored record. Raises OperationFailed when it cannot be true or needs a newer version."""
    check_known(record, file)
    try:
        draft.replay(record)
    except InconsistentRecord as contradiction:
        raise OperationFailed(f"{file} contradicts itself: {contradiction}", _HINT) from None


def check_known(record: Any, file: str) -> None:
    """Raises OperationFailed for a record or a feature that came after this version."""
    if isinstance(record, UnknownRecord):
        raise OperationFailed(f"{file} cannot be used: {describe_unknown(record)}", _TOO_NEW)
    if hasattr(record, "feature_level"):
        objection = feature_objection(record.name, record.feature_level)
        if objection:
            raise OperationFailed(f"{file} cannot be used: {objection}", _TOO_NEW)


def check_controls(controls: Iterable[ControlRecord], file: str) -> None:
    """Raises OperationFailed when the quorum is kept in a way that this version does not know."""
    for control in controls:
        objection = control_objection(control)
        if objection:
            raise OperationFailed(f"{file} cannot be used: {objection}", _TOO_NEW)


def _check_reach(disk: Disk, path: str, snapshot: SnapshotId | None, broken: list[tuple[SnapshotId, str]]) -> None:
    """The log must begin where the snapshot ends, or before."""
    bases = _segment_bases(disk, path)
    reached = snapshot.end_offset if snapshot else 0
    if bases and bases[0] > reached:
        lost = f" ({broken[0][0].file_name}: {broken[0][1]})" if broken else ""
        raise OperationFailed(
            f"{path} has no readable snapshot that reaches its first record, at offset {bases[0]}{lost}", _HINT
        )
    if not bases and not snapshot and broken:
        raise OperationFailed(f"{path}/{broken[0][0].file_name} cannot be used: {broken[0][1]}", _HINT)


def _segment_bases(disk: Disk, path: str) -> list[int]:
    names = (name[:-4] for name in disk.listdir(path) if name.endswith(".log"))
    return sorted(int(name) for name in names if name.isdecimal())


class _Replay:
    """One pass over the segment files, without changing them. Afterwards `image` is what holds at `end`."""

    def __init__(self, disk: Disk, path: str, start: int, image: Image, voters: VoterHistory) -> None:
        self.image = image
        self.voters = voters
        self.start = self.end = start
        self.bytes = 0
        self.torn = False
        self._disk = disk
        self._path = path

    def run(self) -> None:
        """Raises OperationFailed."""
        draft = Draft(self.image)
        bases = _segment_bases(self._disk, self._path)
        for place, base in enumerate(bases):
            if place + 1 < len(bases) and bases[place + 1] <= self.start:
                continue
            file = f"{self._path}/{base:020}.log"
            if base > self.end:
                raise OperationFailed(f"{file} begins at offset {base}, but {self.end} is due", _HINT)
            if not self._replay_segment(file, base, draft):
                break
        self.image = draft.image()

    def _replay_segment(self, path: str, base: int, draft: Draft) -> bool:
        """Whether the segment is whole; a torn end is left to the log's recovery."""
        file = self._disk.open(path)
        size = file.size()
        scanner = Scanner(file, 0, size, next_offset=base)
        pending: list[tuple[int, int]] = []
        for position, header in scanner:
            if header[0] + header[6] >= self.start:
                pending.append((position, header[1] + 12))
        for batch in self._read(path, pending):
            if batch.controls:
                check_controls(batch.controls, path)
                note_batch(self.voters, batch)
            for record in batch.records:
                replay_checked(draft, record, path)
        self.bytes += sum(length for _, length in pending)
        self.end = max(self.end, scanner.next_offset)
        if scanner.damage and sound_batch_follows(file, scanner.position, size):
            raise OperationFailed(
                f"{path} is damaged at position {scanner.position} (offset {scanner.next_offset}): {scanner.damage}, "
                "and sound records follow",
                _HINT,
            )
        self.torn = bool(scanner.damage)
        return not self.torn

    def _read(self, path: str, batches: list[tuple[int, int]]) -> Iterator[Batch]:
        """Decode the batches at these places, which lie one behind the other, some megabytes at a time."""
        file = self._disk.open(path)
        start = 0
        for place, (position, length) in enumerate(batches):
            last = place + 1 == len(batches)
            if last or position + length - batches[start][0] >= _READ_BYTES:
                first = batches[start][0]
                try:
                    yield from decode_batches(file.pread(position + length - first, first))
                except UnreadableRecord as damage:
                    raise OperationFailed(f"{path} cannot be used: {damage}", _HINT) from None
                start = place + 1


def read_election_state(disk: Disk, path: str, log: Log, voters: VoterSet, notes: list[str]) -> ElectionState:
    """The election state; where it is missing or damaged, the epoch of the log says as much with a single voter.

    With more voters a forgotten vote could be given twice, so a damaged file stops the start. Raises OperationFailed.
    """
    file = f"{path}/{STATE_FILE}"
    last_epoch = max(log.leader_epoch, 0)
    if not disk.exists(file):
        return ElectionState(last_epoch)
    try:
        state = decode_state(disk.read_file(file))
    except DamagedState as damage:
        if len(voters) > 1:
            raise OperationFailed(
                f"{file} cannot be used: {damage}",
                "Nothing was changed. This voter may have voted; take it out of the quorum and let it join anew",
            ) from None
        set_aside(disk, file, f"The election state cannot be read ({damage})", notes)
        return ElectionState(last_epoch)
    return state if state.epoch >= last_epoch else ElectionState(last_epoch)
