"""Record batches as a place in a log file: how a fetch answers without reading them."""

from __future__ import annotations

from typing import Any, Protocol


class RangeFile(Protocol):
    """What is asked of the file: that it goes to a socket, or its bytes into a buffer."""

    def send_to(self, sock: Any, position: int, length: int) -> int: ...

    def pread_into(self, buffer: bytearray | memoryview, position: int) -> int: ...


class Range:
    """`length` bytes from `position` on. Holding it holds the file open, whatever becomes of the log meanwhile.

    Its len() is `length`, so that the codec can announce it like bytes.
    """

    __slots__ = ("file", "length", "position")

    def __init__(self, file: RangeFile, position: int, length: int) -> None:
        self.file = file
        self.position = position
        self.length = length

    def __len__(self) -> int:
        return self.length

    def after(self, sent: int) -> Range:
        """What is left of it."""
        return Range(self.file, self.position + sent, self.length - sent)
