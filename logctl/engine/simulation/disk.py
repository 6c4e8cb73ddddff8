"""A disk that forgets: the protocol of `log/disk.py` over a seeded model of what a power failure leaves.

Theory of operation. Every file has two contents: what processes see, and what is safe. Between them lies a list of
writes and truncations that were not synced. Names have the same two layers: creations, renames and removals are
pending until the directory is synced. `crash` decides, by the seed alone, what of the pending was on its way:

- of each file's writes any may be lost, whole or in sectors, also when later ones survive (holes read as zeros);
- of the names' changes a prefix survives, as a journal would have it.

`kill` is the end of a process only: what it wrote stays. `fail` plants the errors a kernel may answer, `capacity_bytes`
fills the disk, with a short write just before it is full. `end_after` ends the process in the middle of its work: with
the power, or alone.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from logctl.engine.log.disk import Buffer, DiskFault, File

_SECTOR_BYTES = 512
_CHANGES = frozenset({"write", "sync", "rename", "remove", "truncate"})


class ProcessEnds(BaseException):
    """The process that used the disk is gone; nothing may catch this but who plays its world."""


@dataclass(slots=True)
class _Write:
    position: int
    data: bytes


@dataclass(slots=True)
class _Truncate:
    length: int


@dataclass(slots=True, eq=False)
class _Inode:
    seen: bytearray = field(default_factory=bytearray)
    safe: bytes = b""
    pending: list[_Write | _Truncate] = field(default_factory=list)
    modified_ms: int = 0

    def apply(self, change: _Write | _Truncate) -> None:
        _apply(self.seen, change)
        self.pending.append(change)

    def sync(self) -> None:
        self.safe = bytes(self.seen)
        self.pending.clear()


@dataclass(slots=True)
class _NameChange:
    """`inode` None: the name is gone. A directory is a name whose inode is `_DIRECTORY`."""

    path: str
    inode: _Inode | None

    def apply(self, names: dict[str, _Inode]) -> None:
        if self.inode is None:
            names.pop(self.path, None)
        else:
            names[self.path] = self.inode

    def follow(self, moved: _Rename) -> None:
        """A directory above this name has got another name."""
        self.path = moved.new(self.path)


@dataclass(slots=True)
class _Rename:
    """One step, of a file or of a directory with all that is in it. `path` is the new name."""

    source: str
    path: str

    def new(self, path: str) -> str:
        inside = path == self.source or path.startswith(self.source + "/")
        return self.path + path[len(self.source) :] if inside else path

    def apply(self, names: dict[str, _Inode]) -> None:
        for path in [path for path in names if self.new(path) != path]:
            names[self.new(path)] = names.pop(path)

    def touches(self, path: str) -> bool:
        """Whether it gave another meaning to this name: what lay there before must move before the new may come."""
        return any(path == name or path.startswith(name + "/") for name in (self.source, self.path))

    def follow(self, moved: _Rename) -> None:
        self.source, self.path = moved.new(self.source), moved.new(self.path)


_DIRECTORY = _Inode()


@dataclass(slots=True)
class _Failure:
    operation: str
    code: int
    path_part: str
    after: int


class SimulatedDisk:
    """One disk, and the processes' view of it. `now_ms` is the time that files are marked with."""

    def __init__(self, random: Random, capacity_bytes: int | None = None) -> None:
        self.random = random
        self.capacity_bytes = capacity_bytes
        self.now_ms = 0
        self.sync_count = 0
        self._names: dict[str, _Inode] = {}
        self._safe_names: dict[str, _Inode] = {}
        self._pending_names: list[_NameChange | _Rename] = []
        self._failures: list[_Failure] = []
        self._changes_left: int | None = None
        self._power_goes = False
        self._found: SimulatedDisk | None = None

    # ---- what may go wrong ----

    def fail(self, operation: str, code: int = errno.EIO, *, path_part: str = "", after: int = 0) -> None:
        """The next `operation` (write, sync, read, open, rename) on such a path fails, once `after` have passed."""
        self._failures.append(_Failure(operation, code, path_part, after))

    def heal(self) -> None:
        """Planted failures that have not happened will not."""
        self._failures.clear()

    def end_after(self, changes: int, *, power: bool) -> None:
        """So many changes to the disk from now on succeed; at the next one the process ends."""
        self._changes_left = changes
        self._power_goes = power

    def end_after_all(self) -> None:
        """The process may live on."""
        self._changes_left = None

    @property
    def has_ended(self) -> bool:
        """Whether the process that used it is gone."""
        return self._found is not None

    def _count_down(self) -> None:
        if self._changes_left is None:
            return
        if not self._changes_left:
            if self._found is None:
                self._found = self.crash() if self._power_goes else self
            raise ProcessEnds
        self._changes_left -= 1

    def survivor(self) -> SimulatedDisk:
        """What the next process finds after `ProcessEnds`."""
        assert self._found is not None
        return self._found.kill()

    def crash(self) -> SimulatedDisk:
        """What is found after a power failure, as a new disk."""
        survivor = SimulatedDisk(self.random, self.capacity_bytes)
        survivor.now_ms = self.now_ms
        names = dict(self._safe_names)
        for change in self._pending_names[: self.random.randint(0, len(self._pending_names))]:
            change.apply(names)
        leniency = self.random.choice((0.0, 0.5, 0.9, 1.0))
        for path, inode in names.items():
            if all(parent in names for parent in _parents(path)):
                survivor._put_safe(path, _DIRECTORY if inode is _DIRECTORY else self._survivor(inode, leniency))
        return survivor

    def kill(self) -> SimulatedDisk:
        """What the next process finds after the end of this one: everything, as safe or unsafe as it was."""
        self.heal()
        self._changes_left = self._found = None
        return self

    def _put_safe(self, path: str, inode: _Inode) -> None:
        self._names[path] = self._safe_names[path] = inode

    def _survivor(self, inode: _Inode, leniency: float) -> _Inode:
        content = bytearray(inode.safe)
        for change in inode.pending:
            if self.random.random() < leniency:
                _apply(content, change)
            elif isinstance(change, _Write) and self.random.random() < 0.5:
                self._tear(content, change)
        return _Inode(bytearray(content), bytes(content), [], inode.modified_ms)

    def _tear(self, content: bytearray, change: _Write) -> None:
        """Some sectors arrived: a beginning, or any."""
        sectors = range(0, len(change.data), _SECTOR_BYTES)
        kept = self.random.randint(0, len(sectors))
        arrived = sectors[:kept] if self.random.random() < 0.5 else sorted(self.random.sample(sectors, kept))
        for at in arrived:
            _apply(content, _Write(change.position + at, change.data[at : at + _SECTOR_BYTES]))

    def lose(self, path: str) -> None:
        """A file, or a directory with all that is in it, was never there."""
        for names in (self._names, self._safe_names):
            for name in [name for name in names if name == path or name.startswith(path + "/")]:
                del names[name]

    def check(self, operation: str, path: str) -> None:
        """Raise the failure that was planted for this operation, if its turn has come."""
        if operation in _CHANGES:
            self._count_down()
        for failure in self._failures:
            if failure.operation == operation and failure.path_part in path:
                if failure.after:
                    failure.after -= 1
                    return
                self._failures.remove(failure)
                raise DiskFault(operation.capitalize(), path, failure.code)

    def room(self) -> int:
        """Bytes that can still be written."""
        if self.capacity_bytes is None:
            return 1 << 60
        return max(self.capacity_bytes - self.used_bytes(), 0)

    def used_bytes(self) -> int:
        return sum(len(inode.seen) for inode in self._names.values())

    # ---- the protocol ----

    def open(self, path: str, create: bool = False) -> File:
        self.check("open", path)
        inode = self._names.get(path)
        if inode is None:
            if not create:
                raise DiskFault("Opening", path, errno.ENOENT)
            inode = _Inode(modified_ms=self.now_ms)
            self._change_name(path, inode)
        return SimulatedFile(self, path, inode)

    def mkdirs(self, path: str) -> None:
        for directory in [*_parents(path), path]:
            if directory not in self._names:
                self._change_name(directory, _DIRECTORY)

    def listdir(self, path: str) -> list[str]:
        prefix = path + "/"
        return sorted(name[len(prefix) :] for name in self._names if _parent(name) == path)

    def rename(self, source: str, target: str) -> None:
        self.check("rename", source)
        if source not in self._names:
            raise DiskFault("Renaming", source, errno.ENOENT)
        self._change(_Rename(source, target))

    def remove(self, path: str) -> None:
        self.check("remove", path)
        if path in self._names:
            self._change_name(path, None)

    def remove_dir(self, path: str) -> None:
        if self.listdir(path):
            raise DiskFault("Removing the directory", path, errno.ENOTEMPTY)
        self._change_name(path, None)

    def exists(self, path: str) -> bool:
        return path in self._names

    def file_size(self, path: str) -> int:
        return len(self._inode(path).seen)

    def modified_ms(self, path: str) -> int:
        return self._inode(path).modified_ms

    def space(self, path: str) -> tuple[int, int]:
        size = 1 << 60 if self.capacity_bytes is None else self.capacity_bytes
        return size, min(self.room(), size)

    def read_file(self, path: str) -> bytes:
        self.check("read", path)
        return bytes(self._inode(path).seen)

    def write_file(self, path: str, data: bytes, durable: bool = True) -> None:
        temporary = self.open(path + ".tmp", create=True)
        temporary.truncate(0)
        temporary.pwritev([data], 0)
        if durable:
            temporary.sync()
        self.rename(path + ".tmp", path)
        if durable:
            self.sync_dir(_parent(path))

    def sync_dir(self, path: str) -> None:
        self.check("sync", path)
        left: list[_NameChange | _Rename] = []
        for change in self._pending_names:
            above = isinstance(change, _Rename) and change.touches(path)
            if _parent(change.path) != path and not above:
                left.append(change)
                continue
            change.apply(self._safe_names)
            if isinstance(change, _Rename):
                for earlier in left:
                    earlier.follow(change)
        self._pending_names = left

    def lock(self, path: str) -> File | None:
        return self.open(path, create=True)

    def _inode(self, path: str) -> _Inode:
        inode = self._names.get(path)
        if inode is None:
            raise DiskFault("Looking at", path, errno.ENOENT)
        return inode

    def _change_name(self, path: str, inode: _Inode | None) -> None:
        self._change(_NameChange(path, inode))

    def _change(self, change: _NameChange | _Rename) -> None:
        change.apply(self._names)
        self._pending_names.append(change)


class SimulatedFile:
    """An open file: it outlives its name."""

    def __init__(self, disk: SimulatedDisk, path: str, inode: _Inode) -> None:
        self.path = path
        self._disk = disk
        self._inode = inode

    def pread(self, length: int, position: int) -> bytes:
        self._disk.check("read", self.path)
        return bytes(self._inode.seen[position : position + length])

    def pread_into(self, buffer: bytearray | memoryview, position: int) -> int:
        data = self.pread(len(buffer), position)
        buffer[: len(data)] = data
        return len(data)

    def pwritev(self, buffers: Sequence[Buffer], position: int) -> None:
        data = b"".join(buffers)
        try:
            self._disk.check("write", self.path)
        except DiskFault:
            self._write(data[: self._disk.random.randint(0, len(data))], position)
            raise
        room = self._disk.room() + max(len(self._inode.seen) - position, 0)
        self._write(data[:room], position)
        if room < len(data):
            raise DiskFault("Writing to", self.path, errno.ENOSPC)

    def _write(self, data: bytes, position: int) -> None:
        self._inode.modified_ms = self._disk.now_ms
        if data:
            self._inode.apply(_Write(position, data))

    def sync(self) -> None:
        self._disk.check("sync", self.path)
        self._disk.sync_count += 1
        self._inode.sync()

    def truncate(self, length: int) -> None:
        self._disk.check("truncate", self.path)
        self._inode.apply(_Truncate(length))

    def size(self) -> int:
        return len(self._inode.seen)

    def fileno(self) -> int:
        raise AssertionError("a simulated file has no descriptor: read it with pread")

    def send_to(self, sock: Any, position: int, length: int) -> int:
        sent: int = sock.send(self.pread(length, position))
        return sent

    def close(self) -> None:
        pass


def _apply(content: bytearray, change: _Write | _Truncate) -> None:
    if isinstance(change, _Truncate):
        if change.length < len(content):
            del content[change.length :]
        else:
            content.extend(bytes(change.length - len(content)))
        return
    if len(content) < change.position:
        content.extend(bytes(change.position - len(content)))
    content[change.position : change.position + len(change.data)] = change.data


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return [joined for joined in ("/".join(parts[:count]) for count in range(1, len(parts))) if joined]
