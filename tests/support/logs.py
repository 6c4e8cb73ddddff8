"""Batches to append, and logs to append them to, for the tests of the log room."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from logctl.engine.log.disk import Disk, RealDisk
from logctl.engine.log.log import COORDINATOR, Appended, Log, LogConfig
from logctl.wire.records import (
    BatchHeader,
    NewRecord,
    build_batch,
    end_txn_marker,
    iter_batches,
    iter_records,
    read_header,
)

TOPIC_ID = bytes(range(16))
NOW = 1_700_000_000_000


def batch(
    count: int = 1, *, size: int = 20, timestamp: int = NOW, key: bytes | None = b"k", **options: Any
) -> memoryview:
    """A batch as a producer sends it: `count` records with values of `size` bytes, timestamps one ms apart."""
    records = [NewRecord(key, b"%d" % index + b"." * size, (), timestamp + index) for index in range(count)]
    return memoryview(build_batch(records, **options))


def numbered(producer_id: int, sequence: int, count: int = 1, *, epoch: int = 0, **options: Any) -> memoryview:
    """A batch of an idempotent producer."""
    return batch(count, producer_id=producer_id, producer_epoch=epoch, base_sequence=sequence, **options)


def marker(
    producer_id: int, *, commit: bool, epoch: int = 0, coordinator_epoch: int = 0, timestamp: int = NOW
) -> memoryview:
    """The control batch that ends a transaction."""
    record = end_txn_marker(commit=commit, coordinator_epoch=coordinator_epoch, timestamp=timestamp)
    return memoryview(
        build_batch([record], producer_id=producer_id, producer_epoch=epoch, transactional=True, control=True)
    )


def open_log(
    disk: Disk, path: str | Path, *, clean: bool = True, config: LogConfig | None = None, **options: Any
) -> Log:
    return Log.open(
        disk,
        str(path),
        topic="orders",
        partition=0,
        topic_id=TOPIC_ID,
        config=config or LogConfig(),
        now_ms=options.pop("now_ms", NOW),
        clean=clean,
        **options,
    )


def real_log(path: Path, **options: Any) -> Log:
    return open_log(RealDisk(), path / "orders-0", **options)


def append(log: Log, *batches: memoryview, epoch: int = 0, now_ms: int = NOW) -> list[Appended]:
    """Stage each as a client's, and write them in one round."""
    appended = [log.stage(view, epoch, now_ms) for view in batches]
    log.write()
    return appended


def end_transaction(log: Log, producer_id: int, *, commit: bool, epoch: int = 0, **options: Any) -> Appended:
    appended = log.stage(marker(producer_id, commit=commit, **options), epoch, NOW, COORDINATOR)
    log.write()
    return appended


def stored(log: Log, start: int | None = None, max_bytes: int = 1 << 20) -> list[bytes]:
    """The batches from an offset to the end, fetched as a consumer does."""
    found: list[bytes] = []
    offset = log.start_offset if start is None else start
    while offset < log.written_end:
        part = log.read(offset, max_bytes, log.written_end)
        assert part.file is not None
        assert part.length > 0
        whole = [bytes(view) for view in iter_batches(part.file.pread(part.length, part.position))]
        found += whole
        offset = read_header(whole[-1]).last_offset + 1
    return found


def headers(log: Log, start: int | None = None) -> list[BatchHeader]:
    return [read_header(data) for data in stored(log, start)]


def offsets(batches: Sequence[bytes]) -> list[int]:
    """The offset of every record."""
    return [record.offset for data in batches for record in iter_records(data)]
