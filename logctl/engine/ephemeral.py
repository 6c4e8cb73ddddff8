"""Data that goes with its node: a folder of its own in the temporary directory, removed when the node has ended.

Theory of operation
-------------------
Whoever makes the folder marks it: the file `.logctl-ephemeral` says which inode the folder has, and stays locked
(`flock`) as long as somebody holds its descriptor. A node in a process of its own inherits that descriptor, so the lock
lives exactly as long as the node, or the one who started it and still wants to read the diary.

A node that was killed leaves its folder behind. The next one to make such a folder sweeps: it removes what bears the
name, belongs to this user and to nobody else, carries a mark that names its own inode (a copy does not), holds nothing
but what a node puts there, and is locked by nobody. Anything less certain stays where it is.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Final

from logctl.engine.config_file import Entry
from logctl.engine.lifecycle import local_entries
from logctl.errors import OperationFailed
from logctl.local import lock_holder, log_dir_of

PREFIX: Final = "logctl-ephemeral-"
MARK: Final = ".logctl-ephemeral"
NODE_ID: Final = 1

SETTINGS: Final = {
    "log.flush.policy": "os",  # what goes with its process need not survive the machine
    "group.initial.rebalance.delay.ms": "0",  # a test has no fleet of consumers that come one by one
    "offsets.topic.num.partitions": "1",
    "log.segment.delete.delay.ms": "0",  # no other tool looks into these files
}
"""Where a node of this kind differs from others, unless it is told otherwise."""


def entries(scratch: Scratch, port: int, place: str) -> list[Entry]:
    """The settings of a node in that folder, on loopback; `place` is named when one of them is wrong."""
    own = [Entry(name, value, place) for name, value in SETTINGS.items()]
    return local_entries(scratch.log_dir, port, NODE_ID) + own


class Scratch:
    """One such folder, held by this process as long as `mark` is open."""

    def __init__(self, path: Path, mark: int) -> None:
        self.path = path
        self.mark = mark

    @classmethod
    def make(cls) -> Scratch:
        """A new folder, held. Raises OperationFailed."""
        try:
            path = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
            return cls(path, _write_mark(path))
        except OSError as error:
            raise OperationFailed(
                f"cannot make a folder in {tempfile.gettempdir()}: {error.strerror}", "name another one with TMPDIR"
            ) from error

    @classmethod
    def inherited(cls, text: str) -> Scratch:
        """The folder that `as_argument` spoke of, in the process that was given its mark."""
        mark, _, path = text.partition(":")
        os.set_inheritable(int(mark), False)
        return cls(Path(path), int(mark))

    def as_argument(self) -> str:
        return f"{self.mark}:{self.path}"

    @property
    def log_dir(self) -> Path:
        return log_dir_of(self.path, NODE_ID)

    @property
    def diary(self) -> Path:
        return self.path / f"{self.log_dir.name}.log"

    def hand_over(self) -> None:
        """Hold it no longer: another process does."""
        mark, self.mark = self.mark, -1
        if mark >= 0:
            os.close(mark)

    def remove(self) -> None:
        """Remove it with everything in it. What cannot be removed now is left for the next sweep."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.hand_over()


def _write_mark(path: Path) -> int:
    mark = os.open(path / MARK, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(mark, fcntl.LOCK_EX)
    text = {"inode": path.stat().st_ino, "pid": os.getpid(), "what": "data of a logctl node that goes with it"}
    os.write(mark, json.dumps(text).encode() + b"\n")
    return mark


# -- what killed nodes left ------------------------------------------------------------------------------------------


def sweep() -> list[Path]:
    """Remove the folders of nodes that were killed; answers which."""
    return [path for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*") if _sweep_one(path)]


def _sweep_one(path: Path) -> bool:
    try:
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            return False
        mark = os.open(path / MARK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if not _is_dead(path, found.st_ino, mark):
            return False
        shutil.rmtree(path, ignore_errors=True)
        return True
    except (OSError, ValueError):
        return False
    finally:
        os.close(mark)


def _is_dead(path: Path, inode: int, mark: int) -> bool:
    """Is it certainly the folder of a node, and is nobody there any more?"""
    fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
    said = json.loads(os.read(mark, 4096))
    ours = isinstance(said, dict) and said.get("inode") == inode and os.fstat(mark).st_nlink == 1
    known = {MARK, log_dir_of(path, NODE_ID).name, f"{log_dir_of(path, NODE_ID).name}.log"}
    return ours and known.issuperset(os.listdir(path)) and lock_holder(log_dir_of(path, NODE_ID)) is None
