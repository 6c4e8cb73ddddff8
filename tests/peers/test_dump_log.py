"""Apache's own kafka-dump-log reads every file that we write, and finds in it what was written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.busy import CLASSIC, MODERN, live_through
from support.dump_log import SMALL_FILES, dump, dump_directory
from support.logs import NOW, append, batch, end_transaction, numbered, real_log
from support.node import running_node

from logctl.engine.log.log import Log, LogConfig
from logctl.wire.compression import NAMES

pytestmark = pytest.mark.java

CONFIG = LogConfig(segment_bytes=12_000, index_interval_bytes=500)
LOG_FILES = {".log", *SMALL_FILES}


def busy_log(path: Path, **options: object) -> Log:
    """Every codec, idempotent and transactional producers, an aborted and an open transaction, several segments."""
    log = real_log(path, config=CONFIG, **options)
    for round_number in range(60):
        codec = NAMES[round_number % len(NAMES)]
        append(log, numbered(1, round_number * 7, 7, compression=codec, size=200, timestamp=NOW + round_number * 100))
        append(log, batch(3, compression=codec, timestamp=NOW - 50), epoch=round_number // 20)
    append(log, numbered(2, 0, 2, transactional=True), numbered(3, 0, 1, transactional=True), epoch=2)
    end_transaction(log, 2, commit=False, epoch=2)
    append(log, numbered(2, 2, 1, transactional=True), epoch=2)
    return log


def dump_log(directory: Path) -> str:
    files = [path for path in sorted(directory.iterdir()) if path.suffix in LOG_FILES]
    assert {path.suffix for path in files} == LOG_FILES
    return dump(files, "--print-data-log")


def records_in(text: str) -> list[int]:
    return sorted(int(offset) for offset in re.findall(r"^\| offset: (\d+) ", text, re.MULTILINE))


def test_after_an_orderly_stop(tmp_path: Path) -> None:
    log = busy_log(tmp_path)
    assert len(log.segments) > 2
    log.close(clean=True)
    text = dump_log(Path(log.path))
    assert records_in(text) == list(range(log.end_offset))
    assert text.count("endTxnMarker: ABORT") == 1
    assert re.search(r"producerId: 2 .*currentTxnFirstOffset: OptionalLong\[\d+\]", text)
    assert "version: 0 producerId: 2 firstOffset: 600 lastOffset: 603 lastStableOffset: 602" in text
    assert {name for name in NAMES if f"compresscodec: {name} " not in text} == set()


def test_after_a_crash_with_every_small_file_lost(tmp_path: Path) -> None:
    log = busy_log(tmp_path)
    log.close(clean=True)
    directory = Path(log.path)
    before = dump_log(directory)
    for path in directory.iterdir():
        if path.suffix in LOG_FILES - {".log"} or path.name == "leader-epoch-checkpoint":
            path.unlink()
    rebuilt = real_log(tmp_path, config=CONFIG, clean=False)
    rebuilt.close(clean=True)
    after = dump_log(directory)
    assert records_in(after) == records_in(before)
    assert section(after, ".txnindex") == section(before, ".txnindex")
    assert section(after, ".timeindex") == section(before, ".timeindex")
    assert section(after, ".index") == section(before, ".index")


def section(text: str, suffix: str) -> list[str]:
    """The lines of all files with this suffix."""
    lines: list[str] = []
    inside = False
    for line in text.splitlines():
        if line.startswith("Dumping "):
            inside = line.endswith(suffix)
        elif inside:
            lines.append(line)
    return lines


def test_a_whole_directory_of_our_node(tmp_path: Path) -> None:
    """Topics, groups and the metadata log with its snapshots, after an orderly restart and after `kill -9`."""
    often = {"metadata.log.max.record.bytes.between.snapshots": "2000", "offsets.topic.num.partitions": "3"}
    with running_node(tmp_path, often) as node:
        live_through(node.address, "first")
        node.stop()
        node.start()
        live_through(node.address, "second")
        node.kill()
        node.start()
        node.stop()
    said = dump_directory(node.log_dir)
    for group in (CLASSIC, MODERN):
        assert f'"group":"{group}","topic":"second.orders"' in said["__consumer_offsets"]
    assert '"type":"1","data"' in said["__consumer_offsets"]
    for kind in ("TOPIC", "PARTITION", "PARTITION_CHANGE", "CONFIG", "REMOVE_TOPIC", "BROKER_REGISTRATION_CHANGE"):
        assert f'"type":"{kind}_RECORD"' in said["__cluster_metadata"], kind
    assert "SnapshotFooter" in said["__cluster_metadata"]
    assert "| offset: 999 " in said[""]
    assert said.keys() >= {".index", ".timeindex", ".snapshot"}
