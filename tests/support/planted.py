"""Bugs planted into a node, to see that the simulation finds them. They live in tests alone: the node has no switch.

Each function breaks one promise the way a hurried change might. `BUGS` lists them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from logctl.engine import connection
from logctl.engine.broker.handlers import allocate_producer_ids
from logctl.engine.broker.log_dirs import LogDir
from logctl.engine.broker.metadata import Metadata
from logctl.engine.broker.metadata_copying import LogView
from logctl.engine.broker.metadata_snapshot_keeping import SnapshotTask
from logctl.engine.broker.replica import Replica
from logctl.engine.controller.decision import Decision
from logctl.engine.log import checkpoints, producer_snapshot
from logctl.engine.log.disk import DiskFault
from logctl.engine.log.flush import Flush
from logctl.engine.log.log import Log
from logctl.engine.log.producers import ProducerStates
from logctl.engine.log.recovery import Recovery
from logctl.engine.log.scan import Scanner

Plant = Callable[[pytest.MonkeyPatch], None]


def answers_before_the_flush(patch: pytest.MonkeyPatch) -> None:
    genuine = connection.Connection.release

    def release(self: Any, ticket: int) -> bool:
        self.waits = False
        return genuine(self, ticket)

    patch.setattr(connection.Connection, "release", release)


def takes_a_failed_flush_for_done(patch: pytest.MonkeyPatch) -> None:
    genuine = Flush.run

    def run(self: Flush) -> None:
        try:
            genuine(self)
        except DiskFault:
            pass

    patch.setattr(Flush, "run", run)


def does_not_sync_names(patch: pytest.MonkeyPatch) -> None:
    def run(self: Flush) -> None:
        for file in self.files.values():
            file.sync()

    patch.setattr(Flush, "run", run)


def shows_what_is_not_flushed(patch: pytest.MonkeyPatch) -> None:
    genuine = Replica.written

    def written(self: Replica, now_ms: int) -> None:
        genuine(self, now_ms)
        self._see(self.log.written_end)

    patch.setattr(Replica, "written", written)


def recovers_without_checksums(patch: pytest.MonkeyPatch) -> None:
    genuine = Scanner.__init__

    def begin(self: Scanner, file: Any, position: int, end: int, *, next_offset: int, check: bool = True) -> None:
        genuine(self, file, position, end, next_offset=next_offset, check=False)

    patch.setattr(Scanner, "__init__", begin)


def checkpoints_ahead_of_the_flush(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Log, "recovery_point", property(lambda self: self.written_end))


def keeps_the_mark_of_an_orderly_stop(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(LogDir, "begin", lambda self: None)


def cuts_at_the_noted_high_watermark(patch: pytest.MonkeyPatch) -> None:
    """KIP-101's first scenario, on one node."""
    genuine = Log.open.__func__  # type: ignore[attr-defined]

    def open_(cls: type[Log], disk: Any, path: str, **given: Any) -> Log:
        log: Log = genuine(cls, disk, path, **given)
        noted = checkpoints.read_offsets(disk, f"{path.rpartition('/')[0]}/{checkpoints.HIGH_WATERMARKS}", [])
        end = noted.get((given["topic"], given["partition"]))
        if end is not None and log.start_offset <= end < log.end_offset:
            log.truncate_to(end)
        return log

    patch.setattr(Log, "open", classmethod(open_))


def forgets_producers_at_recovery(patch: pytest.MonkeyPatch) -> None:
    genuine = Recovery._replay

    def replay(self: Recovery, found: Any, verified_from: int) -> None:
        genuine(self, found, verified_from)
        found.producers = ProducerStates()

    patch.setattr(Recovery, "_replay", replay)


def remembers_one_batch_of_five(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(producer_snapshot, "REMEMBERED_BATCHES", 1)


def takes_a_correction_back(patch: pytest.MonkeyPatch) -> None:
    def correct(parts: list[Any], doubts: list[Any], lost: Any) -> bool:
        for index, doubt in enumerate(doubts):
            if doubt is not None:
                parts[index] = doubt.instead(parts[index], lost)
        return True

    patch.setattr(connection, "_correct", correct)


def answers_before_the_metadata_is_committed(patch: pytest.MonkeyPatch) -> None:
    genuine = Metadata.decide

    def decide(self: Metadata, *given: Any) -> None:
        genuine(self, *given)
        self.on_flushed()

    patch.setattr(Metadata, "decide", decide)
    patch.setattr(LogView, "flushed_end", property(lambda self: self.log.written_end))


def does_not_record_producer_ids(patch: pytest.MonkeyPatch) -> None:
    genuine = allocate_producer_ids.allocate_producer_ids
    patch.setattr(
        allocate_producer_ids,
        "allocate_producer_ids",
        lambda controller, wanted: Decision([], genuine(controller, wanted).response),
    )


def does_not_sync_snapshots(patch: pytest.MonkeyPatch) -> None:
    genuine = SnapshotTask.run

    def run(self: SnapshotTask) -> None:
        write_file = self.disk.write_file
        self.disk.write_file = lambda path, data, durable=True: write_file(path, data, False)  # type: ignore[method-assign]
        try:
            genuine(self)
        finally:
            del self.disk.write_file

    patch.setattr(SnapshotTask, "run", run)


BUGS: dict[Plant, int] = {
    answers_before_the_flush: 0,
    answers_before_the_metadata_is_committed: 2,
    checkpoints_ahead_of_the_flush: 8,
    cuts_at_the_noted_high_watermark: 0,
    does_not_record_producer_ids: 0,
    does_not_sync_names: 0,
    does_not_sync_snapshots: 1,
    forgets_producers_at_recovery: 0,
    keeps_the_mark_of_an_orderly_stop: 1,
    remembers_one_batch_of_five: 0,
    shows_what_is_not_flushed: 0,
    takes_a_failed_flush_for_done: 43,
}
"""Each with the seed from which on it is looked for. Not among them are `takes_a_correction_back` and
`recovers_without_checksums`: they take many."""

FOUND_SOON: tuple[Plant, ...] = (
    answers_before_the_flush,
    cuts_at_the_noted_high_watermark,
    does_not_record_producer_ids,
    does_not_sync_names,
    does_not_sync_snapshots,
    forgets_producers_at_recovery,
    keeps_the_mark_of_an_orderly_stop,
    remembers_one_batch_of_five,
    shows_what_is_not_flushed,
)
"""Those looked for in every run of the tests."""
