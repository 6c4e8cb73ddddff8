"""A log on a disk that forgets: whatever is appended, rolled, cut, flushed and lost, recovery finds a history.

Each seed plays a few hundred events on one log, among them power failures, kills, full disks and failing flushes, and
keeps a plain account of what was written (the ledger). After every restart the log must hold exactly the beginning of
that account, at least up to what was flushed, and everything derived (indexes, producers, epochs, aborted transactions)
must be what a reader of the batches alone would conclude.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from random import Random

import pytest
from support.logs import NOW, batch, marker, numbered, open_log, stored

from logctl.engine.log.disk import DiskFault
from logctl.engine.log.log import COORDINATOR, AbortedTransaction, Log, LogConfig
from logctl.engine.log.producers import ProducerStates
from logctl.engine.log.replay import aborted_entry, apply_marker
from logctl.engine.simulation.disk import SimulatedDisk
from logctl.wire.errors import WireError
from logctl.wire.records import iter_records, read_header

SEEDS = int(os.environ.get("LOGCTL_CRASH_SEEDS", "40"))
FIRST_SEED = int(os.environ.get("LOGCTL_CRASH_FIRST_SEED", "0"))
EVENTS = 250
PATH = "/data/orders-0"


@dataclass
class Ledger:
    """What the log was told, batch by batch, and how much of it is promised."""

    batches: list[bytes] = field(default_factory=list)
    durable_end: int = 0
    start: int = 0

    @property
    def end(self) -> int:
        return read_header(self.batches[-1]).last_offset + 1 if self.batches else self.start

    def cut(self, offset: int) -> None:
        self.batches = [data for data in self.batches if read_header(data).last_offset < offset]
        self.durable_end = min(self.durable_end, offset)


class World:
    """One log, its disk, its producers, and the owner's duties: checkpoints, and forgetting what failed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.disk = SimulatedDisk(self.random)
        self.disk.mkdirs("/data")
        self.disk.sync_dir("")
        self.config = LogConfig(
            segment_bytes=self.random.choice((1500, 4000, 20_000)),
            index_interval_bytes=self.random.choice((0, 200, 4096)),
            segment_index_bytes=self.random.choice((120, 10 << 20)),
            retention_bytes=self.random.choice((-1, 4000)),
            file_delete_delay_ms=0,
        )
        self.now_ms = NOW
        self.epoch = 0
        self.ledger = Ledger()
        self.staged: list[memoryview] = []
        self.recovery_point = 0
        self.log_start = 0
        self.sequences: dict[int, int] = {}
        self.in_transaction: set[int] = set()
        self.outcome_unknown = False
        self.trace: list[str] = []
        self.log = self.open(clean=True)

    def open(self, *, clean: bool) -> Log:
        return open_log(
            self.disk,
            PATH,
            clean=clean,
            config=self.config,
            now_ms=self.now_ms,
            recovery_point=self.recovery_point,
            log_start_offset=self.log_start,
        )

    # ---- events ----

    def play(self) -> None:
        for _ in range(EVENTS):
            event = self.random.choices(list(EVENT_WEIGHTS), list(EVENT_WEIGHTS.values()))[0]
            self.trace.append(event)
            self.now_ms += self.random.randint(0, 1000)
            self.disk.now_ms = self.now_ms
            getattr(self, event)()
            if self.log.failed is not None:
                self.restart(self.random.random() < 0.5)

    def append(self) -> None:
        for _ in range(self.random.randint(1, 4)):
            self.stage(self.a_batch())
        self.write()

    def a_batch(self) -> memoryview:
        count = self.random.choice((1, 1, 2, 5))
        options = {"size": self.random.choice((0, 30, 250)), "timestamp": self.now_ms + self.random.randint(-5000, 0)}
        producer = self.random.randint(0, 4)
        if producer == 0:
            return batch(count, **options)
        transactional = producer >= 3
        if transactional:
            self.in_transaction.add(producer)
        return numbered(producer, self.sequences.get(producer, 0), count, transactional=transactional, **options)

    def stage(self, view: memoryview, origin: str = "client") -> None:
        header = read_header(view)
        before = self.log.end_offset
        appended = (
            self.log.stage(view, self.epoch, self.now_ms, origin)
            if origin != "client"
            else self.log.stage(view, self.epoch, self.now_ms)
        )
        assert not appended.duplicate
        assert appended.base_offset == before
        self.staged.append(view)
        if header.producer_id > 0 and not header.is_control:
            self.sequences[header.producer_id] = header.base_sequence + header.count

    def write(self) -> None:
        before = dict(self.sequences)
        try:
            self.log.write()
        except DiskFault:
            assert self.log.end_offset == self.log.written_end == self.ledger.end
            self.learn_producers()
            if self.log.failed is not None:
                # Not even taking it back succeeded: what was refused may be found after the restart.
                self.ledger.batches += [bytes(view) for view in self.staged]
                self.outcome_unknown = True
        else:
            self.ledger.batches += [bytes(view) for view in self.staged]
            assert self.sequences == before
        self.staged = []

    def end_transaction(self) -> None:
        if self.in_transaction:
            producer = self.random.choice(sorted(self.in_transaction))
            self.in_transaction.discard(producer)
            self.stage(marker(producer, commit=self.random.random() < 0.5, timestamp=self.now_ms), COORDINATOR)
            self.write()

    def send_again(self) -> None:
        """A producer that got no answer sends its last batch once more."""
        known = [data for data in self.ledger.batches[-3:] if read_header(data).producer_id > 0]
        known = [data for data in known if not read_header(data).is_control]
        if known:
            original = read_header(known[-1])
            copy = bytearray(known[-1])
            copy[:8] = bytes(8)
            last = self.log.producers.get(original.producer_id)
            if last is not None and last.batches and last.batches[-1].last_offset == original.last_offset:
                appended = self.log.stage(memoryview(copy), self.epoch, self.now_ms)
                assert (appended.duplicate, appended.base_offset) == (True, original.base_offset)

    def discard(self) -> None:
        self.stage(self.a_batch())
        self.log.discard_staged()
        self.staged = []
        self.learn_producers()
        assert self.log.end_offset == self.ledger.end

    def flush(self) -> None:
        flush = self.log.flush_targets()
        if self.random.random() < 0.3:
            self.append()
        try:
            flush.run()
        except DiskFault as fault:
            self.log.fence(fault)
            return
        self.log.flushed(flush)
        self.ledger.durable_end = max(self.ledger.durable_end, self.log.flushed_end)

    def checkpoint(self) -> None:
        try:
            self.log.checkpoint()
        except DiskFault:
            return
        self.flush()
        self.recovery_point = self.log.recovery_point
        self.log_start = self.log.start_offset

    def roll(self) -> None:
        try:
            self.log.roll(self.now_ms)
        except DiskFault:
            pass

    def new_leader(self) -> None:
        self.epoch += self.random.randint(1, 2)

    def truncate(self) -> None:
        span = self.ledger.end - self.log.start_offset
        if not span or self.random.random() < 0.5:
            return
        target = self.log.start_offset + self.random.randint(span // 2, span)
        bases = [read_header(data).base_offset for data in self.ledger.batches]
        target = max((base for base in bases if base <= target), default=target)
        self.disk.heal()
        self.log.truncate_to(target)
        self.ledger.cut(target)
        self.recovery_point = min(self.recovery_point, self.log.recovery_point)
        self.epoch += 1
        self.learn_producers()

    def retain(self) -> None:
        try:
            self.log.apply_retention(self.now_ms)
        except DiskFault:
            self.restart(True)

    def delete_records(self) -> None:
        if self.log.flushed_end > self.log.start_offset and self.random.random() < 0.3:
            self.log.delete_before(self.random.randint(self.log.start_offset, self.log.flushed_end))
            self.log_start = self.log.start_offset

    def full_disk(self) -> None:
        self.disk.capacity_bytes = sum(map(len, self.ledger.batches)) + self.random.randint(0, 500)
        self.append()
        self.disk.capacity_bytes = None

    def bad_write(self) -> None:
        self.disk.fail("write", errno.EIO, after=self.random.randint(0, 3))

    def bad_sync(self) -> None:
        self.disk.fail("sync", errno.EIO, after=self.random.randint(0, 3))

    def crash(self) -> None:
        self.restart(True)

    def kill(self) -> None:
        self.restart(False)

    def stop(self) -> None:
        """An orderly stop. If it fails the clean mark is not written, so the next start recovers."""
        try:
            self.log.close(clean=True)
        except DiskFault:
            return self.restart(False)
        self.disk.heal()
        self.ledger.durable_end = self.ledger.end
        self.recovery_point = self.log.recovery_point
        if self.random.random() < 0.5:
            self.disk = self.disk.crash()
        self.reopen(clean=True)
        return None

    def restart(self, power_failure: bool) -> None:
        self.staged = []
        written_end = self.ledger.end
        self.disk.heal()
        self.disk = self.disk.crash() if power_failure else self.disk.kill()
        self.reopen(clean=False)
        if not (power_failure or self.outcome_unknown):
            assert self.log.end_offset == written_end
        self.outcome_unknown = False

    def reopen(self, *, clean: bool) -> None:
        self.log = self.open(clean=clean)
        self.ledger.start = self.log.start_offset
        assert self.log.end_offset >= self.ledger.durable_end, "something flushed was lost"
        self.ledger.cut(self.log.end_offset)
        self.ledger.durable_end = self.log.end_offset
        self.learn_producers()
        self.compare()

    def learn_producers(self) -> None:
        """Producers go on where the log says they are, as after InitProducerId and a retry."""
        self.sequences = {}
        self.in_transaction = set()
        for producer, state in self.log.producers.items():
            if state.batches:
                self.sequences[producer] = state.batches[-1].last_sequence + 1
            if state.transaction_start >= 0:
                self.in_transaction.add(producer)

    # ---- invariants ----

    def compare(self) -> None:
        log, start = self.log, self.log.start_offset
        expected = [data for data in self.ledger.batches if read_header(data).last_offset >= start]
        assert stored(log, max_bytes=self.random.choice((1, 1000, 1 << 20))) == expected
        assert log.end_offset == (self.ledger.end if self.ledger.batches else log.end_offset)
        self.compare_producers()
        self.compare_epochs(expected)
        self.compare_timestamps(expected)

    def compare_producers(self) -> None:
        """What began in segments that are gone may be remembered from a snapshot, or from what remains."""
        states, aborted = conclude(self.ledger.batches)
        base = self.log.segments[0].base
        for producer, state in states.items():
            found = self.log.producers.get(producer)
            last = state.batches[-1]
            if last.last_offset >= base:
                assert found is not None
                assert found.batches[-1][:3] == last[:3]
                assert found.epoch == state.epoch
                if state.transaction_start < 0 or state.transaction_start >= base:
                    assert found.transaction_start == state.transaction_start
        self.compare_aborted(base, aborted)

    def compare_aborted(self, base: int, aborted: list[AbortedTransaction]) -> None:
        """Each aborted transaction with records that remain is known, from its first remaining record or before."""
        known = {
            (entry.producer_id, entry.last_offset): entry for entry in self.log.aborted_transactions(base, 1 << 62)
        }
        assert known.keys() <= {(entry.producer_id, entry.last_offset) for entry in aborted}
        _, remaining = conclude([data for data in self.ledger.batches if read_header(data).last_offset >= base])
        for entry in remaining:
            assert known[entry.producer_id, entry.last_offset].first_offset <= entry.first_offset

    def compare_epochs(self, expected: list[bytes]) -> None:
        for data in expected:
            header = read_header(data)
            assert self.log.epoch_at(max(header.base_offset, self.log.start_offset)) == header.leader_epoch

    def compare_timestamps(self, expected: list[bytes]) -> None:
        records = [
            record for data in expected for record in iter_records(data) if record.offset >= self.log.start_offset
        ]
        for wanted in self.random.sample(records, min(3, len(records))):
            first = next(record for record in records if record.timestamp >= wanted.timestamp)
            found = self.log.offset_for_timestamp(wanted.timestamp, self.log.end_offset)
            assert found is not None
            assert (found.offset, found.timestamp) == (first.offset, first.timestamp)


def conclude(batches: list[bytes]):
    """What a reader of the batches alone would know of producers and aborted transactions."""
    states, aborted = ProducerStates(), []
    for data in batches:
        header = read_header(data)
        if header.producer_id < 0:
            continue
        if header.is_control:
            completed = apply_marker(states, memoryview(data), header.last_offset)
            if completed is not None and completed.aborted:
                aborted.append(aborted_entry(states, completed))
            continue
        states.record(
            header.producer_id,
            header.producer_epoch,
            header.base_sequence,
            header.last_offset_delta,
            header.last_offset,
            header.max_timestamp,
            header.is_transactional,
        )
    return states, aborted


EVENT_WEIGHTS = {
    "append": 60,
    "end_transaction": 6,
    "send_again": 5,
    "discard": 3,
    "flush": 20,
    "checkpoint": 6,
    "roll": 3,
    "new_leader": 3,
    "truncate": 2,
    "retain": 4,
    "delete_records": 2,
    "full_disk": 2,
    "bad_write": 2,
    "bad_sync": 1,
    "crash": 4,
    "kill": 3,
    "stop": 3,
}


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEEDS))
def test_nothing_flushed_is_lost_and_nothing_else_is_found(seed: int) -> None:
    world = World(seed)
    try:
        world.play()
        world.restart(power_failure=True)
    except (AssertionError, DiskFault, WireError) as problem:
        problem.add_note(f"seed {seed}, last events: {' '.join(world.trace[-12:])}")
        raise
