"""Reading what lies on disk from end to end, to learn of bytes that rotted and of pieces that are gone.

Recovery trusts what was flushed before. `look_over` does not: it reads every batch of a log's folder and computes its
checksum, a piece at a time, beside a log that is in use; what was written after it began is not looked at. What it
finds is a suspicion: the log may have been cut or shortened meanwhile, so ask the log itself (`Log.damage_at`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from logctl.engine.log.disk import Disk, DiskFault
from logctl.engine.log.scan import Scanner

_SUFFIX: Final = ".log"


class Suspicion(NamedTuple):
    """Something wrong at `position` of the segment that begins at offset `base`."""

    base: int
    position: int


def look_over(disk: Disk, path: str, *, compacts: bool, end_offset: int = 0) -> Iterator[Suspicion | None]:
    """None after each piece (about 1 MiB) that is sound; ends with the first suspicion. Raises DiskFault.

    `end_offset`: the log had everything below.
    """
    bases = sorted(int(name[: -len(_SUFFIX)]) for name in disk.listdir(path) if _is_segment(name))
    sizes = {base: disk.file_size(_name(path, base)) for base in bases}
    for base, following in zip(bases, [*bases[1:], end_offset], strict=True):
        try:
            file = disk.open(_name(path, base))
        except DiskFault:
            continue  # retention has removed it meanwhile
        try:
            scanner = Scanner(file, 0, sizes[base], next_offset=base)
            for _ in scanner.chunks():
                yield None
        finally:
            file.close()
        gap = following > scanner.next_offset and not compacts
        if scanner.damage or gap:
            yield Suspicion(base, scanner.position)
            return


def _is_segment(name: str) -> bool:
    return name.endswith(_SUFFIX) and name[: -len(_SUFFIX)].isdigit()


def _name(path: str, base: int) -> str:
    return f"{path}/{base:020d}{_SUFFIX}"
