"""Small text files of a log directory, in Apache Kafka's format.

    0                       the version
    2                       how many lines follow
    orders 0 1500           topic, partition, offset
    orders 1 900

`recovery-point-offset-checkpoint`: below these offsets everything was flushed, so recovery begins there.
`log-start-offset-checkpoint`: where logs begin, if later than their first segment (DeleteRecords).
`replication-offset-checkpoint`: high watermarks.
`.kafka_cleanshutdown` exists only between an orderly stop and the next start, and says that nothing needs recovery.

Losing one of these files costs time, not data. A damaged one is set aside and treated as missing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from logctl.engine.log.disk import Disk, DiskFault

RECOVERY_POINTS = "recovery-point-offset-checkpoint"
LOG_START_OFFSETS = "log-start-offset-checkpoint"
HIGH_WATERMARKS = "replication-offset-checkpoint"
CLEAN_SHUTDOWN = ".kafka_cleanshutdown"

Offsets = dict[tuple[str, int], int]


def read_offsets(disk: Disk, path: str, notes: list[str]) -> Offsets:
    """(topic, partition) -> offset; empty when the file is missing, was damaged (then `notes` says so), or has nothing
    in it, as Apache Kafka leaves it when it is killed before its first checkpoint.
    """
    data = disk.read_file(path) if disk.exists(path) else b""
    if not data:
        return {}
    try:
        rows = parse_lines(data, 3)
        return {(topic, int(partition)): int(offset) for topic, partition, offset in rows}
    except ValueError as problem:
        set_aside(disk, path, f"The checkpoint cannot be read ({problem})", notes)
        return {}


def write_offsets(disk: Disk, path: str, offsets: Mapping[tuple[str, int], int]) -> None:
    """Replace the file as a whole, durably. Raises DiskFault."""
    lines = [f"{topic} {partition} {offset}" for (topic, partition), offset in sorted(offsets.items())]
    disk.write_file(path, format_lines(lines))


def parse_lines(data: bytes, fields: int) -> list[list[str]]:
    """The lines behind version and count, split into `fields` words each. Raises ValueError with the reason."""
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise ValueError("it is not text") from None
    if not lines or lines[0].strip() != "0":
        raise ValueError("its version is not 0")
    if len(lines) < 2 or not lines[1].strip().isdigit():
        raise ValueError("it does not say how many lines follow")
    rows = [line.split() for line in lines[2:] if line.strip()]
    if len(rows) != int(lines[1]):
        raise ValueError(f"{lines[1].strip()} lines are announced, {len(rows)} are there")
    if any(len(row) != fields for row in rows):
        raise ValueError(f"a line does not have {fields} fields")
    return rows


def format_lines(lines: list[str]) -> bytes:
    return "\n".join(["0", str(len(lines)), *lines, ""]).encode()


def mark_clean_shutdown(disk: Disk, directory: str, broker_epoch: int) -> None:
    """Say that every log was closed in order. Raises DiskFault."""
    data = json.dumps({"version": 0, "brokerEpoch": broker_epoch}, separators=(",", ":"))
    disk.write_file(f"{directory}/{CLEAN_SHUTDOWN}", data.encode())


def was_clean_shutdown(disk: Disk, directory: str) -> bool:
    """Whether the last stop was orderly."""
    return disk.exists(f"{directory}/{CLEAN_SHUTDOWN}")


def remove_clean_shutdown(disk: Disk, directory: str) -> None:
    """Remove the mark, durably, before anything changes: it speaks of one stop only. Raises DiskFault."""
    disk.remove(f"{directory}/{CLEAN_SHUTDOWN}")
    disk.sync_dir(directory)


def set_aside(disk: Disk, path: str, reason: str, notes: list[str]) -> None:
    """Rename a damaged file so that nobody uses it and nothing is lost; `notes` gets the sentence for the diary."""
    target = f"{path}.damaged"
    number = 1
    while disk.exists(target):
        number += 1
        target = f"{path}.damaged.{number}"
    try:
        disk.rename(path, target)
    except DiskFault as fault:
        notes.append(f"{path}: {reason}; it could not be set aside: {fault.message}")
        return
    notes.append(f"{path}: {reason}; it was set aside as {target}")
