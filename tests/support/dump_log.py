"""Apache's own kafka-dump-log as a judge of files.

The tool checks checksums and walks every record (`--deep-iteration`), compares each entry of an index with the batch it
points to, and parses transaction indexes, producer snapshots and, with a decoder, the records of internal topics. It
complains in prose and exits with 0, so the complaints are looked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from support.apache import classpath

from logctl.engine import apache

SMALL_FILES: Final = (".index", ".timeindex", ".txnindex", ".snapshot")
DECODERS: Final = {
    "__cluster_metadata": "--cluster-metadata-decoder",
    "__consumer_offsets": "--offsets-decoder",
    "__transaction_state": "--transaction-log-decoder",
    "__share_group_state": "--share-group-state-decoder",
}
_COMPLAINTS: Final = (
    "isvalid: false",
    "isvalid: null",
    "Mismatches in",
    "Found timestamp mismatch",
    "Found out of order timestamp",
    "offsets are not found",
    "invalid bytes",
    "Exception",
    "Could not",
    "unknown",
)


def dump(files: Iterable[Path], *how: str) -> str:
    """What the tool reads in the files; it must have nothing to complain of."""
    classpath()
    names = ",".join(map(str, files))
    result = apache.run_tool("org.apache.kafka.tools.DumpLogSegments", "--deep-iteration", *how, "--files", names)
    assert result.code == 0, result.stderr
    said = result.stdout + result.stderr
    wrong = [line for line in said.splitlines() if any(complaint in line for complaint in _COMPLAINTS)]
    assert not wrong, wrong[:20]
    return result.stdout


def dump_directory(data: Path) -> dict[str, str]:
    """Every file of a log directory; what the tool said by topic for internal ones, "" for all others, and by suffix
    for small files."""
    said = {}
    logs = sorted([*data.glob("*/*.log"), *data.glob("*/*.checkpoint"), *data.glob("*.checkpoint")])
    for topic, decoder in DECODERS.items():
        own = [path for path in logs if path.parent.name.startswith(f"{topic}-")]
        own += [path for path in logs if path.parent == data and topic == "__cluster_metadata"]
        logs = [path for path in logs if path not in own]
        if own:
            said[topic] = dump(own, decoder)
    said[""] = dump(logs, "--print-data-log")
    for suffix in SMALL_FILES:
        small = sorted(data.glob(f"*/*{suffix}"))
        if small:
            said[suffix] = dump(small)
    return said
