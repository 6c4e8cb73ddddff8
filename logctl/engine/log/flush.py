"""One flush of a log, as data: made by the owner's thread, run by any thread, reported back to the owner's."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from logctl.engine.log.disk import Disk, DiskFault, File


@dataclass(slots=True, frozen=True)
class Flush:
    """`end_offset` is durable once `run` has returned. It holds its files open, whatever happens to the log meanwhile.

    `paths`: further files to sync, which may have been renamed since. `replacement`: a file to replace as a whole.
    `recovery_point`: up to where the index files are durable then, too.
    """

    disk: Disk
    files: dict[str, File]
    paths: set[str]
    replacement: tuple[str, bytes] | None
    directories: list[str]
    end_offset: int
    recovery_point: int
    cut_count: int

    def write(self) -> None:
        """Write what is not written yet, and leave syncing to whoever syncs the whole volume next (`Volume.sync`).
        Raises DiskFault as `run` does."""
        if self.replacement is not None:
            self._unless_gone(self.replacement[0].rpartition("/")[0], partial(self._replace, durable=False))

    def run(self) -> None:
        """Raises DiskFault: then nothing may be promised, and the flush may not be tried again."""
        for file in self.files.values():
            file.sync()
        for path in sorted(self.paths):
            self._sync_if_there(path)
        if self.replacement is not None:
            self._unless_gone(self.replacement[0].rpartition("/")[0], self._replace)
        for directory in self.directories:
            self._unless_gone(directory, partial(self.disk.sync_dir, directory))

    def _replace(self, *, durable: bool = True) -> None:
        assert self.replacement is not None
        self.disk.write_file(*self.replacement, durable)

    def _unless_gone(self, directory: str, act: Callable[[], None]) -> None:
        """A log whose topic is deleted, or that moved to another disk, meanwhile: its directory has another name."""
        try:
            act()
        except DiskFault as fault:
            if fault.code != errno.ENOENT or self.disk.exists(directory):
                raise

    def _sync_if_there(self, path: str) -> None:
        try:
            file = self.disk.open(path)
        except DiskFault as fault:
            if fault.code == errno.ENOENT:
                return
            raise
        file.sync()
