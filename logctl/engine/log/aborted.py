"""Aborted transactions of a segment, in Apache Kafka's `.txnindex` format.

An entry, written with the marker that ended the transaction (so in the segment that holds the marker):

    version h = 0 | producer id q | first offset q | last offset q (the marker's) | last stable offset then q

A consumer that reads only what was committed is told which producers' records to leave out, and from where.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from logctl.engine.log.disk import Disk

_ENTRY: Final = struct.Struct(">hqqqq")


class AbortedTransaction(NamedTuple):
    producer_id: int
    first_offset: int
    last_offset: int
    last_stable_offset: int


def append(disk: Disk, path: str, entries: list[AbortedTransaction]) -> None:
    """Raises DiskFault."""
    file = disk.open(path, create=True)
    whole = file.size() // _ENTRY.size * _ENTRY.size
    file.pwritev([b"".join(_ENTRY.pack(0, *entry) for entry in entries)], whole)
    file.close()


def load(disk: Disk, path: str) -> list[AbortedTransaction]:
    """Every entry in order; none when there is no file. Bytes that do not make an entry are ignored."""
    if not disk.exists(path):
        return []
    data = disk.read_file(path)
    whole = len(data) // _ENTRY.size * _ENTRY.size
    return [AbortedTransaction(*entry[1:]) for entry in _ENTRY.iter_unpack(data[:whole])]


def rewrite(disk: Disk, path: str, entries: list[AbortedTransaction]) -> None:
    """The file holds exactly these, durably; without entries there is no file. Raises DiskFault."""
    if entries:
        disk.write_file(path, b"".join(_ENTRY.pack(0, *entry) for entry in entries))
    else:
        disk.remove(path)


def cut(disk: Disk, path: str, end_offset: int) -> None:
    """The log ends at `end_offset` now: forget transactions that ended behind it. Raises DiskFault."""
    known = load(disk, path)
    kept = [entry for entry in known if entry.last_offset < end_offset]
    if kept != known:
        rewrite(disk, path, kept)
