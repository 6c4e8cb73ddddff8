"""Input of `record produce`: lines of files or stdin, with the moments in which nothing is waiting, and Ctrl-C.

A pipe that is silent for a moment must not keep records back: before a read that would block, `lines` yields None, and
the caller sends what it has. Ctrl-C ends the reading at once; while records are being handed over it only raises a
flag, so that none is half taken. A second Ctrl-C interrupts whatever goes on.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from logctl.errors import UsageError

_CHUNK_BYTES: Final = 1 << 20
LINE_LIMIT_BYTES: Final = 64 << 20


class Interrupts:
    """Ctrl-C as a flag. Use as a context; `pending` says that it was pressed."""

    def __init__(self) -> None:
        self.pending = False
        self._may_raise = False

    def __enter__(self) -> Interrupts:
        self._before = signal.signal(signal.SIGINT, self._pressed)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _pressed(self, *_: object) -> None:
        again, self.pending = self.pending, True
        if again or self._may_raise:
            raise KeyboardInterrupt

    def read(self, descriptor: int) -> bytes:
        """What there is to read, waiting for it; nothing at the end of the input, and when Ctrl-C was pressed before or
        while waiting."""
        self._may_raise = True
        try:
            return b"" if self.pending else os.read(descriptor, _CHUNK_BYTES)
        except KeyboardInterrupt:
            return b""
        finally:
            self._may_raise = False


class Meter:
    """How much of the input was read. `total_bytes` is None where the input is not files alone."""

    def __init__(self, names: Iterable[str]) -> None:
        self.read_bytes = 0
        self.total_bytes: int | None = None
        sizes = [os.stat(name).st_size if name != "-" and os.path.isfile(name) else None for name in names]
        if None not in sizes:
            self.total_bytes = sum(size for size in sizes if size is not None)

    @property
    def share(self) -> float | None:
        """From 0 to 1; None where it cannot be told."""
        return min(1.0, self.read_bytes / self.total_bytes) if self.total_bytes else None


def chunks(descriptor: int, interrupts: Interrupts) -> Iterator[bytes | None]:
    """What can be read, as it comes; None before a read that may block. Ends with the input or with Ctrl-C."""
    while not interrupts.pending:
        if not select.select([descriptor], [], [], 0)[0]:
            yield None
        chunk = interrupts.read(descriptor)
        if not chunk:
            return
        yield chunk


def lines(descriptor: int, interrupts: Interrupts) -> Iterator[list[bytes] | None]:
    """Whole lines without their ends, in lists; None when nothing is waiting. A last line needs no end, unless it was
    Ctrl-C that cut it off. Raises UsageError for a line beyond any record's size."""
    parts: list[bytes] = []
    size_bytes = 0
    for chunk in chunks(descriptor, interrupts):
        if chunk is None:
            yield None
            continue
        *whole, rest = chunk.split(b"\n")
        if whole:
            whole[0] = b"".join([*parts, whole[0]])
            parts, size_bytes = [], 0
            yield whole
        parts.append(rest)
        size_bytes += len(rest)
        if size_bytes > LINE_LIMIT_BYTES:
            raise UsageError(
                f"a line of the input is longer than {LINE_LIMIT_BYTES >> 20} MiB",
                "use --raw to send a whole input as one value",
            )
    last = b"".join(parts)
    if last and not interrupts.pending:
        yield [last]


@contextmanager
def opened(name: str) -> Iterator[int]:
    """A file's descriptor; '-' is stdin. Raises UsageError when it cannot be read."""
    if name == "-":
        yield sys.stdin.fileno()
        return
    try:
        descriptor = os.open(name, os.O_RDONLY)
        os.read(descriptor, 0)
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror}") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def check(names: Iterable[str]) -> None:
    """Can all of them be opened? Raises UsageError before anything is sent."""
    for name in names:
        with opened(name):
            pass


def whole(descriptor: int, interrupts: Interrupts) -> bytes:
    """All of the input; nothing when Ctrl-C came first."""
    read = b"".join(chunk for chunk in chunks(descriptor, interrupts) if chunk)
    return b"" if interrupts.pending else read
