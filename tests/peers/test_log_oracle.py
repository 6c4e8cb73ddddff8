"""Apache Kafka's own log and ours, told the same: the same verdicts, the same answers, the same bytes on disk."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support.java import JavaProgram, compile_java
from support.logs import NOW, batch, marker, numbered, real_log

from logctl.engine.log.log import CLIENT, COORDINATOR, Log, LogConfig
from logctl.wire import records
from logctl.wire.compression import NAMES
from logctl.wire.errors import WireError, describe
from logctl.wire.records import HEADER_BYTES, NewRecord, build_batch

pytestmark = [pytest.mark.java, pytest.mark.xdist_group("log-oracle")]

PROGRAM = Path(__file__).parent / "java" / "ApacheLog.java"
CONFIG = LogConfig(segment_bytes=1 << 20, index_interval_bytes=300, segment_index_bytes=1000)
_SNAPSHOT_HEADER_BYTES = 10
_SNAPSHOT_ENTRY = struct.Struct(">qhiqiqiq")
RECORD_SETTINGS = ("message_timestamp_type", "message_timestamp_before_max_ms", "message_timestamp_after_max_ms")


@pytest.fixture(scope="module")
def java_log() -> Iterator[JavaProgram]:
    with JavaProgram("ApacheLog", compile_java([PROGRAM])) as program:
        yield program


Verdict = str | tuple[int, int]


class Both:
    """Two logs side by side."""

    def __init__(self, apache: JavaProgram, directory: Path, config: LogConfig = CONFIG) -> None:
        self.config = config
        self.theirs = directory / "theirs" / "orders-0"
        self.theirs.mkdir(parents=True)
        self.apache = apache
        self.log: Log = real_log(directory / "ours", config=config)
        self.tell({"do": "open", "directory": str(self.theirs), "config": settings(config), "now": NOW})

    def tell(self, question: dict[str, Any]) -> dict[str, Any]:
        return self.apache.ask(question)

    def append(self, view: memoryview, *, epoch: int = 0, now: int = NOW, origin: str = CLIENT) -> Verdict:
        """What both say: the name of the error, or (first offset, last offset)."""
        theirs = self.tell(
            {"do": "append", "hex": bytes(view).hex(), "epoch": epoch, "now": now, "origin": origin.upper()}
        )
        ours = self._append_ours(view, epoch, now, origin)
        expected = theirs.get("error") or (theirs["first"], theirs["last"])
        if expected == (-1, -1):
            expected = "INVALID_RECORD"  # no whole batch: the log has nothing to say, a Produce request is refused
        assert ours == expected, theirs.get("message")
        return ours

    def _append_ours(self, view: memoryview, epoch: int, now: int, origin: str) -> Verdict:
        try:
            appended = self.log.stage(view, epoch, now, origin)
        except WireError as refusal:
            return describe(refusal.code).name
        self.log.write()
        return appended.base_offset, appended.last_offset

    def compare_state(self) -> None:
        theirs = self.tell({"do": "state"})
        assert theirs["end"] == self.log.end_offset
        unstable = self.log.producers.first_undecided_offset(0)
        assert theirs["unstable"] == (-1 if unstable is None else unstable)
        ours = {
            str(producer): [
                state.epoch,
                state.batches[-1].last_sequence if state.batches else -1,
                state.last_timestamp,
                state.coordinator_epoch,
                state.transaction_start,
            ]
            for producer, state in self.log.producers.items()
        }
        assert theirs["producers"] == ours
        aborted = self.log.aborted_transactions(0, self.log.end_offset)
        assert theirs["aborted"] == [list(entry) for entry in aborted]

    def compare_files(self) -> None:
        """After both have stopped in order.

        Apache's indexes end in the zeros that it reserves ahead of time, and its last time index lacks the entry that
        sealing the segment would add, which ours has. In our producer snapshots a producer's last entry, the only one
        that Apache writes, comes after those of its batches before.
        """
        self.log.close(clean=True)
        self.tell({"do": "close"})
        theirs = {path.name: path.read_bytes() for path in self.theirs.iterdir()}
        ours = {path.name: path.read_bytes() for path in Path(self.log.path).iterdir()}
        del ours["partition.metadata"]
        assert ours.keys() == theirs.keys()
        for name, data in ours.items():
            if name.endswith(".timeindex") and name == max(each for each in ours if each.endswith(".timeindex")):
                assert data.startswith(theirs[name].rstrip(b"\0")), name
            elif name.endswith("index"):
                assert theirs[name].rstrip(b"\0") == data.rstrip(b"\0"), name
            elif name.endswith(".snapshot"):
                assert last_entries(theirs[name]) == last_entries(data), name
            else:
                assert theirs[name] == data, name


def last_entries(snapshot: bytes) -> dict[int, bytes]:
    """Of a producer snapshot: what a reader ends up with for each producer, as the file has it."""
    size = _SNAPSHOT_ENTRY.size
    places = range(_SNAPSHOT_HEADER_BYTES, len(snapshot), size)
    return {_SNAPSHOT_ENTRY.unpack_from(snapshot, at)[0]: snapshot[at : at + size] for at in places}


def settings(config: LogConfig) -> dict[str, object]:
    return {
        "internal.segment.bytes": config.segment_bytes,
        "segment.ms": config.segment_ms,
        "index.interval.bytes": config.index_interval_bytes,
        "segment.index.bytes": config.segment_index_bytes,
        "cleanup.policy": ",".join(sorted(config.cleanup_policy)),
        "max.message.bytes": config.max_message_bytes,
        **{name.replace("_", "."): getattr(config, name) for name in RECORD_SETTINGS},
    }


def changed(view: memoryview, at: int, value: int, size: int) -> memoryview:
    """A batch with another number in its header, and the checksum that goes with it."""
    data = bytearray(view)
    data[at : at + size] = value.to_bytes(size, "big", signed=True)
    data[17:21] = records.crc32c(memoryview(data)[21:]).to_bytes(4, "big")
    return memoryview(data)


REFUSALS = {
    "control batch of a client": lambda: marker(1, commit=True),
    "base offset": lambda: changed(batch(2), 0, 5, 8),
    "last offset delta": lambda: changed(batch(2), 23, 2, 4),
    "negative last offset delta": lambda: changed(batch(2), 23, -1, 4),
    "count": lambda: changed(batch(2), 57, 3, 4),
    "no sequence number": lambda: changed(numbered(1, 0), 53, -1, 4),
    "future timestamp": lambda: batch(2, timestamp=NOW + 3_600_001),
    "checksum": lambda: memoryview(bytearray(batch(1))[:-1] + b"!"),
    "too large": lambda: batch(1, size=1_048_588),
    "unknown magic": lambda: changed(batch(1), 16, 3, 1),
    "fine": lambda: batch(2),
    "no timestamp": lambda: batch(1, timestamp=-1),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_batch_gets_the_same_verdict(java_log: JavaProgram, tmp_path: Path, case: str) -> None:
    both = Both(java_log, tmp_path)
    both.append(REFUSALS[case]())
    both.compare_state()


def test_a_compacted_topic_wants_keys(java_log: JavaProgram, tmp_path: Path) -> None:
    both = Both(java_log, tmp_path, replace(CONFIG, cleanup_policy=frozenset({"compact"})))
    assert both.append(batch(2, key=None)) == "INVALID_RECORD"
    assert both.append(batch(2, key=None, compression="zstd")) == "INVALID_RECORD"
    assert both.append(batch(2)) == (0, 1)


def test_the_brokers_time(java_log: JavaProgram, tmp_path: Path) -> None:
    both = Both(java_log, tmp_path, replace(CONFIG, message_timestamp_type="LogAppendTime"))
    both.append(batch(3, timestamp=5), now=NOW + 1)
    both.append(batch(3, compression="lz4"), now=NOW + 2)
    both.append(memoryview(build_batch([NewRecord(b"k", b"v", (), NOW)], log_append_time=NOW)))
    both.compare_files()


def test_timestamps_too_far_away(java_log: JavaProgram, tmp_path: Path) -> None:
    config = replace(CONFIG, message_timestamp_before_max_ms=1000, message_timestamp_after_max_ms=1000)
    both = Both(java_log, tmp_path, config)
    for shift in (-1002, -1001, -1000, -999, 0, 998, 999, 1000, 1001):
        both.append(batch(2, timestamp=NOW + shift))
        both.append(batch(2, timestamp=NOW + shift, compression="gzip"))


def test_idempotent_producers(java_log: JavaProgram, tmp_path: Path) -> None:
    both = Both(java_log, tmp_path)
    top = (1 << 31) - 1
    for producer, epoch, sequence, count in [
        (1, 0, 5, 2), (1, 0, 7, 1), (1, 0, 7, 1), (1, 0, 5, 2), (1, 0, 9, 1), (1, 0, 6, 2), (1, 0, 8, 1), (1, 0, 9, 1),
        (1, 0, 10, 1), (1, 0, 11, 1), (1, 0, 12, 1), (1, 0, 5, 2), (1, 0, 9, 1), (1, 1, 3, 1), (1, 1, 0, 2),
        (1, 0, 13, 1), (1, 0, 12, 1), (1, 1, 0, 2), (2, 0, top - 1, 2), (2, 0, 0, 1), (3, 0, top, 3),
        (3, 0, 2, 1), (3, 0, top, 3), (3, 0, 3, 1), (4, 3, 9, 1), (4, 5, 1, 1), (4, 5, 0, 1),
    ]:  # fmt: skip
        both.append(numbered(producer, sequence, count, epoch=epoch))
    both.compare_state()
    both.compare_files()


def test_transactions(java_log: JavaProgram, tmp_path: Path) -> None:
    both = Both(java_log, tmp_path)
    both.append(numbered(1, 0, 2, transactional=True))
    both.append(numbered(2, 0, 1, transactional=True))
    both.append(numbered(1, 2, 1))
    both.append(batch(1))
    both.append(marker(1, commit=False, coordinator_epoch=3), origin=COORDINATOR)
    both.append(marker(1, commit=False, coordinator_epoch=2), origin=COORDINATOR)
    both.append(numbered(1, 2, 1))
    both.append(marker(1, commit=True, epoch=4, coordinator_epoch=3), origin=COORDINATOR)
    both.append(numbered(1, 3, 1, transactional=True))
    both.append(numbered(1, 0, 1, epoch=4, transactional=True))
    both.append(marker(2, commit=False, coordinator_epoch=0), origin=COORDINATOR)
    both.append(marker(9, commit=False), origin=COORDINATOR)
    both.compare_state()
    both.compare_files()


def test_leader_epochs(java_log: JavaProgram, tmp_path: Path) -> None:
    both = Both(java_log, tmp_path)
    for epoch in (2, 2, 5, 5, 7):
        both.append(batch(3), epoch=epoch)
    for epoch in range(-1, 10):
        theirs = both.tell({"do": "epoch", "epoch": epoch})
        assert both.log.end_offset_for_epoch(epoch) == (theirs["epoch"], theirs["offset"])


def random_batch(random: Random, sequences: dict[int, int], now: int) -> memoryview:
    count = random.choice((1, 1, 3, 10))
    options: dict[str, Any] = {
        "size": random.choice((0, 10, 400)),
        "timestamp": now + random.randint(-4000, 0),
        "compression": random.choice(NAMES),
    }
    producer = random.randint(0, 3)
    if producer == 0:
        return batch(count, **options)
    sequence = sequences.get(producer, 0) if random.random() < 0.9 else random.randint(0, 50)
    return numbered(producer, sequence, count, transactional=producer == 3, **options)


@pytest.mark.parametrize("seed", range(6))
def test_random_traffic_leaves_the_same_files(java_log: JavaProgram, tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    config = replace(
        CONFIG,
        segment_bytes=random.choice((20_000, 60_000)),
        segment_ms=random.choice((3000, 1 << 40)),
        index_interval_bytes=random.choice((0, 300, 4096)),
    )
    both = Both(java_log, tmp_path, config)
    sequences: dict[int, int] = {}
    now, epoch = NOW, 0
    for _ in range(150):
        now += random.randint(0, 200)
        epoch += random.random() < 0.05
        if random.random() < 0.1:
            end = marker(3, commit=random.random() < 0.5, timestamp=now)
            both.append(end, epoch=epoch, now=now, origin=COORDINATOR)
            continue
        view = random_batch(random, sequences, now)
        header = records.read_header(view)
        if not isinstance(both.append(view, epoch=epoch, now=now), str) and header.producer_id > 0:
            sequences[header.producer_id] = header.base_sequence + header.count
    both.compare_state()
    for _ in range(40):
        timestamp = random.randint(NOW - 5000, now + 10)
        theirs = both.tell({"do": "find", "timestamp": timestamp})
        ours = both.log.offset_for_timestamp(timestamp, both.log.end_offset)
        assert (theirs.get("offset"), theirs.get("timestamp"), theirs.get("epoch")) == (ours or (None, None, None))
    theirs = both.tell({"do": "find", "timestamp": -3})
    assert (theirs["offset"], theirs["timestamp"], theirs["epoch"]) == both.log.max_timestamp()
    both.compare_files()


def test_the_header_is_where_we_think(java_log: JavaProgram, tmp_path: Path) -> None:
    """Any single byte of a header changed: neither log takes what the other does not."""
    both = Both(java_log, tmp_path)
    original = bytes(batch(1, size=5))
    for at in (*range(8, 12), *range(16, HEADER_BYTES)):
        data = bytearray(original)
        data[at] ^= 0x41
        both.append(memoryview(data))
