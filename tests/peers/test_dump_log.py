"""Apache's own kafka-dump-log reads every file of a log, and finds in it what was written.

The tool checks checksums and walks every record (`--deep-iteration`), compares each entry of an index with the batch it
points to, and parses the transaction index and the producer snapshots. It complains in prose and exits with 0, so the
complaints are looked for.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.apache import classpath
from support.logs import NOW, append, batch, end_transaction, numbered, real_log

from logctl.engine import apache
from logctl.engine.log.log import Log, LogConfig
from logctl.wire.compression import NAMES

pytestmark = pytest.mark.java

CONFIG = LogConfig(segment_bytes=12_000, index_interval_bytes=500)
COMPLAINTS = (
    "isvalid: false",
    "isvalid: null",
    "Mismatches in",
    "Found timestamp mismatch",
    "Found out of order timestamp",
    "offsets are not found",
    "invalid bytes",
    "Exception",
    "Could not",
)


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


def dump(directory: Path) -> str:
    classpath()
    files = [path for path in sorted(directory.iterdir()) if path.suffix in LOG_FILES]
    assert {path.suffix for path in files} == LOG_FILES
    result = apache.run_tool(
        "org.apache.kafka.tools.DumpLogSegments",
        "--deep-iteration",
        "--print-data-log",
        "--files",
        ",".join(map(str, files)),
    )
    assert result.code == 0, result.stderr
    said = result.stdout + result.stderr
    found = [complaint for complaint in COMPLAINTS if complaint in said]
    assert not found, said[-2000:]
    return result.stdout


LOG_FILES = {".log", ".index", ".timeindex", ".txnindex", ".snapshot"}


def records_in(text: str) -> list[int]:
    return sorted(int(offset) for offset in re.findall(r"^\| offset: (\d+) ", text, re.MULTILINE))


def test_after_an_orderly_stop(tmp_path: Path) -> None:
    log = busy_log(tmp_path)
    assert len(log.segments) > 2
    log.close(clean=True)
    text = dump(Path(log.path))
    assert records_in(text) == list(range(log.end_offset))
    assert text.count("endTxnMarker: ABORT") == 1
    assert re.search(r"producerId: 2 .*currentTxnFirstOffset: OptionalLong\[\d+\]", text)
    assert "version: 0 producerId: 2 firstOffset: 600 lastOffset: 603 lastStableOffset: 602" in text
    assert {name for name in NAMES if f"compresscodec: {name} " not in text} == set()


def test_after_a_crash_with_every_small_file_lost(tmp_path: Path) -> None:
    log = busy_log(tmp_path)
    log.close(clean=True)
    directory = Path(log.path)
    before = dump(directory)
    for path in directory.iterdir():
        if path.suffix in LOG_FILES - {".log"} or path.name == "leader-epoch-checkpoint":
            path.unlink()
    rebuilt = real_log(tmp_path, config=CONFIG, clean=False)
    rebuilt.close(clean=True)
    after = dump(directory)
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
