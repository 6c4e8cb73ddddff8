"""The only door of the log to the operating system.

`Disk` and `File` say what the log asks of a disk; `RealDisk` asks it of the kernel, `simulation/disk.py` of a seeded
model that loses and tears what was not synced. Whatever fails is a DiskFault that carries the path.

What the log relies on, and nothing more: bytes written to a file are safe after `sync` of that file returned; a file
created, renamed or removed is safe after `sync_dir` of its directory returned; `write_file` with `durable` replaces a
file as a whole or not at all. A file stays readable through an open `File` after it was renamed or removed, and its
descriptor is closed when the last reference to the `File` is gone: slices handed to senders and flushes under way in
another thread keep what they use.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Protocol

from logctl.errors import LogctlError

Buffer = bytes | bytearray | memoryview

_BUFFERS_PER_CALL = 1000  # the kernel takes 1,024 at once


class DiskFault(LogctlError):
    """The disk refused. `code` is an errno value, `path` the file or directory that was asked for."""

    def __init__(self, operation: str, path: str, code: int, hint: str = "") -> None:
        super().__init__(f"{operation} {path} failed: {os.strerror(code)}", hint or _HINTS.get(code, ""))
        self.operation = operation
        self.path = path
        self.code = code

    @property
    def is_full(self) -> bool:
        return self.code in (errno.ENOSPC, errno.EDQUOT)


_HINTS = {
    errno.ENOSPC: "Free space on this file system, or shorten the retention of its topics",
    errno.EDQUOT: "Raise the quota of this user, or shorten the retention of its topics",
    errno.EIO: "The device reports errors: look at the kernel's messages, and copy the data while it can be read",
    errno.EACCES: "The user that runs the node needs to read and write this path",
    errno.EROFS: "The file system is mounted read-only, often after an error: look at the kernel's messages",
    errno.EMFILE: "Raise the limit of open files (ulimit -n)",
}


class File(Protocol):
    """An open file. Positions and lengths in bytes."""

    @property
    def path(self) -> str: ...
    def pread(self, length: int, position: int) -> bytes: ...
    def pread_into(self, buffer: bytearray | memoryview, position: int) -> int: ...
    def pwritev(self, buffers: Sequence[Buffer], position: int) -> None:
        """Write all of it, or raise; after a DiskFault any prefix may have been written."""

    def sync(self) -> None: ...
    def truncate(self, length: int) -> None: ...
    def size(self) -> int: ...
    def fileno(self) -> int: ...
    def send_to(self, sock: Any, position: int, length: int) -> int:
        """Send at most so much of it to a socket; how much it took. Raises OSError, BlockingIOError."""

    def close(self) -> None: ...


class Disk(Protocol):
    """A tree of directories and files. Paths are strings with `/` between the parts."""

    def open(self, path: str, create: bool = False) -> File: ...
    def mkdirs(self, path: str) -> None: ...
    def listdir(self, path: str) -> list[str]: ...
    def rename(self, source: str, target: str) -> None: ...
    def remove(self, path: str) -> None: ...
    def remove_dir(self, path: str) -> None: ...
    def exists(self, path: str) -> bool: ...
    def file_size(self, path: str) -> int: ...
    def modified_ms(self, path: str) -> int: ...
    def space(self, path: str) -> tuple[int, int]:
        """(size, free) of the volume that a path lies on, in bytes."""

    def read_file(self, path: str) -> bytes: ...
    def write_file(self, path: str, data: bytes, durable: bool = True) -> None:
        """Replace the file as a whole. Without `durable` a power failure may leave it old, new, empty or torn."""

    def sync_dir(self, path: str) -> None: ...
    def lock(self, path: str) -> File | None:
        """Hold `path` for this process alone until the File is closed; None when another process holds it."""


class RealFile:
    """A descriptor, closed when nobody refers to the object any more."""

    __slots__ = ("_fd", "path")

    def __init__(self, fd: int, path: str) -> None:
        self._fd = fd
        self.path = path

    def pread(self, length: int, position: int) -> bytes:
        try:
            return os.pread(self._fd, length, position)
        except OSError as error:
            raise _fault("Reading", self.path, error) from None

    def pread_into(self, buffer: bytearray | memoryview, position: int) -> int:
        try:
            return os.preadv(self._fd, (buffer,), position)
        except OSError as error:
            raise _fault("Reading", self.path, error) from None

    def pwritev(self, buffers: Sequence[Buffer], position: int) -> None:
        try:
            if len(buffers) == 1:
                written = os.pwrite(self._fd, buffers[0], position)
                if written == len(buffers[0]):
                    return
            elif len(buffers) <= _BUFFERS_PER_CALL:
                written = os.pwritev(self._fd, buffers, position)
                if written == sum(map(len, buffers)):
                    return
            else:
                written = 0
            self._write_rest(buffers, position, written)
        except OSError as error:
            raise _fault("Writing to", self.path, error) from None

    def _write_rest(self, buffers: Sequence[Buffer], position: int, written: int) -> None:
        """Go on after a short write: the kernel writes the rest, or says why it cannot."""
        for buffer in buffers:
            if written >= len(buffer):
                written -= len(buffer)
                position += len(buffer)
                continue
            rest = memoryview(buffer)[written:]
            position += written
            written = 0
            while rest:
                count = os.pwrite(self._fd, rest, position)
                if count == 0:
                    raise OSError(errno.EIO, "nothing was written")
                position += count
                rest = rest[count:]

    def sync(self) -> None:
        try:
            os.fdatasync(self._fd)
        except OSError as error:
            raise _fault("Flushing", self.path, error) from None

    def truncate(self, length: int) -> None:
        try:
            os.ftruncate(self._fd, length)
        except OSError as error:
            raise _fault("Truncating", self.path, error) from None

    def size(self) -> int:
        return os.fstat(self._fd).st_size

    def fileno(self) -> int:
        return self._fd

    def send_to(self, sock: Any, position: int, length: int) -> int:
        return os.sendfile(sock.fileno(), self._fd, position, length)

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.close()


class RealDisk:
    """The file systems of this machine."""

    def open(self, path: str, create: bool = False) -> File:
        try:
            return RealFile(os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o644), path)
        except OSError as error:
            raise _fault("Opening", path, error) from None

    def mkdirs(self, path: str) -> None:
        try:
            os.makedirs(path, exist_ok=True)
        except OSError as error:
            raise _fault("Creating the directory", path, error) from None

    def listdir(self, path: str) -> list[str]:
        """Names in a fixed order: nothing may depend on how the file system happens to keep them."""
        try:
            return sorted(os.listdir(path))
        except OSError as error:
            raise _fault("Listing", path, error) from None

    def rename(self, source: str, target: str) -> None:
        try:
            os.rename(source, target)
        except OSError as error:
            raise _fault("Renaming", source, error) from None

    def remove(self, path: str) -> None:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise _fault("Removing", path, error) from None

    def remove_dir(self, path: str) -> None:
        """Remove an empty directory."""
        try:
            os.rmdir(path)
        except OSError as error:
            raise _fault("Removing the directory", path, error) from None

    def exists(self, path: str) -> bool:
        return os.path.exists(path)

    def file_size(self, path: str) -> int:
        try:
            return os.stat(path).st_size
        except OSError as error:
            raise _fault("Looking at", path, error) from None

    def modified_ms(self, path: str) -> int:
        try:
            return os.stat(path).st_mtime_ns // 1_000_000
        except OSError as error:
            raise _fault("Looking at", path, error) from None

    def space(self, path: str) -> tuple[int, int]:
        try:
            volume = os.statvfs(path)
        except OSError as error:
            raise _fault("Looking at", path, error) from None
        return volume.f_blocks * volume.f_frsize, volume.f_bavail * volume.f_frsize

    def read_file(self, path: str) -> bytes:
        try:
            with open(path, "rb") as file:
                return file.read()
        except OSError as error:
            raise _fault("Reading", path, error) from None

    def write_file(self, path: str, data: bytes, durable: bool = True) -> None:
        temporary = path + ".tmp"
        try:
            with open(temporary, "wb") as file:
                file.write(data)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            os.rename(temporary, path)
        except OSError as error:
            raise _fault("Writing", path, error) from None
        if durable:
            self.sync_dir(os.path.dirname(path))

    def sync_dir(self, path: str) -> None:
        try:
            fd = os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        except OSError as error:
            raise _fault("Flushing the directory", path, error) from None

    def lock(self, path: str) -> File | None:
        file = self.open(path, create=True)
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        except OSError as error:
            raise _fault("Locking", path, error) from None
        return file


def sync_volume(disk: Disk, path: str) -> bool:
    """Make all durable that was written so far to the file system that the directory `path` lies on.

    Of thousands of files each `sync` makes the device flush its cache, this does so once. False where it cannot be had,
    or would not tell of a failure (Linux before 5.8): sync one by one then. Raises DiskFault.
    """
    sync = _syncfs() if isinstance(disk, RealDisk) else None
    if sync is None:
        return False
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            sync(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise _fault("Flushing the file system of", path, error) from None
    return True


class Volume:
    """The file system that a directory lies on, to be synced as a whole again and again.

    It is held open, so that no failure since the last `sync` goes untold, whoever else syncs it.
    """

    def __init__(self, path: str) -> None:
        """Raises DiskFault."""
        self._path = path
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise _fault("Opening", path, error) from None

    def sync(self) -> bool:
        """All that was written is durable. False where that cannot be had; see `sync_volume`. Raises DiskFault."""
        sync = _syncfs()
        if sync is None:
            return False
        try:
            sync(self._fd)
        except OSError as error:
            raise _fault("Flushing the file system of", self._path, error) from None
        return True

    def close(self) -> None:
        os.close(self._fd)


@cache
def _syncfs() -> Callable[[int], None] | None:
    """The system call syncfs, which Python does not offer; it raises OSError."""
    system = os.uname()
    release = re.match(r"(\d+)\.(\d+)", system.release)
    if system.sysname != "Linux" or release is None or (int(release[1]), int(release[2])) < (5, 8):
        return None
    try:
        import ctypes

        call = ctypes.CDLL(None, use_errno=True).syncfs
    except (ImportError, OSError, AttributeError):
        return None

    def sync(fd: int) -> None:
        if call(fd) != 0:
            raise OSError(ctypes.get_errno(), "syncfs")

    return sync


def _fault(operation: str, path: str, error: OSError) -> DiskFault:
    return DiskFault(operation, path, error.errno or errno.EIO)
