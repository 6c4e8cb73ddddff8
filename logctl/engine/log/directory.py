"""The directory of one log: which topic it belongs to, and how it ends.

`partition.metadata` is Apache Kafka's: a version, and the topic's id in base64 without padding. A deleted topic's
directories are renamed to `<topic>-<partition>.<id>-delete`, at once, and removed later.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from logctl.engine.log.checkpoints import set_aside
from logctl.engine.log.disk import Disk
from logctl.wire.errors import INCONSISTENT_TOPIC_ID, WireError

METADATA_FILE: Final = "partition.metadata"
RETIRED_SUFFIX: Final = "-delete"
_LONGEST_NAME: Final = 255


def encode_id(topic_id: bytes) -> str:
    """16 bytes in the 22 characters that Apache Kafka writes."""
    return base64.urlsafe_b64encode(topic_id).rstrip(b"=").decode()


def decode_id(text: str) -> bytes:
    """Raises ValueError for anything but 22 characters of base64."""
    try:
        topic_id = base64.b64decode(text + "==", altchars=b"-_", validate=True)
    except binascii.Error as problem:
        raise ValueError(f"{text!r} is not a topic id: {problem}") from None
    if len(topic_id) != 16:
        raise ValueError(f"{text!r} is not a topic id")
    return topic_id


def prepare(disk: Disk, path: str, topic_id: bytes, notes: list[str]) -> bool:
    """Make the directory and its metadata if they are missing; whether the directory was new.

    Raises WireError INCONSISTENT_TOPIC_ID when it belongs to another topic, DiskFault when it cannot be made.
    """
    new = not disk.exists(path)
    if new:
        disk.mkdirs(path)
    if new or not _belongs_to(disk, path, topic_id, notes):
        data = f"version: 0\ntopic_id: {encode_id(topic_id)}\n".encode()
        disk.write_file(f"{path}/{METADATA_FILE}", data, durable=False)
    return new


def _belongs_to(disk: Disk, path: str, topic_id: bytes, notes: list[str]) -> bool:
    found = read_topic_id(disk, path, notes)
    if found is not None and found != topic_id:
        message = f"{path} belongs to the topic with id {encode_id(found)}, not {encode_id(topic_id)}"
        raise WireError(INCONSISTENT_TOPIC_ID, message)
    return found is not None


def read_topic_id(disk: Disk, path: str, notes: list[str]) -> bytes | None:
    """The topic id (16 bytes) a log directory carries; None if it carries none that can be read."""
    file = f"{path}/{METADATA_FILE}"
    if not disk.exists(file):
        return None
    try:
        return _parse(disk.read_file(file))
    except ValueError as problem:
        set_aside(disk, file, f"It cannot be read ({problem})", notes)
        return None


def _parse(data: bytes) -> bytes:
    fields = dict(line.split(": ", 1) for line in data.decode("utf-8").splitlines() if ": " in line)
    if fields.get("version") != "0":
        raise ValueError("its version is not 0")
    return decode_id(fields.get("topic_id", ""))


def retire_directory(disk: Disk, path: str, fresh_id: str) -> str:
    """Rename a deleted topic's directory; returns the new path. `fresh_id`: never used before. Raises DiskFault.

    Sync the directory it lies in afterwards: once for all partitions of a topic.
    """
    parent, _, name = path.rpartition("/")
    ending = f".{fresh_id}{RETIRED_SUFFIX}"
    target = f"{parent}/{name[: _LONGEST_NAME - len(ending)]}{ending}"
    disk.rename(path, target)
    return target


def is_retired(name: str) -> bool:
    """Whether a directory's name says that its topic was deleted."""
    return name.endswith(RETIRED_SUFFIX) and "." in name


def remove_tree(disk: Disk, path: str) -> None:
    """Remove a retired directory and the files in it. Raises DiskFault."""
    for name in disk.listdir(path):
        disk.remove(f"{path}/{name}")
    disk.remove_dir(path)
