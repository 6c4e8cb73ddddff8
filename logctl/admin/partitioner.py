"""Which partition a record goes to: murmur2 of the key as the Java client places it, or the sticky one without a key.

Same key, same partition, whichever client wrote it: that is what keeps the order of a key. Records without a key stay
with one partition until a batch is full (KIP-480), which makes few large batches instead of many small ones.
"""

from __future__ import annotations

from typing import Final

_M: Final = 0x5BD1E995
_SEED: Final = 0x9747B28C
_MASK: Final = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """MurmurHash2, 32 bits, with the seed that Kafka's clients use; unsigned."""
    length = len(data)
    h = _SEED ^ length
    whole = length & ~3
    for k in memoryview(data)[:whole].cast("I") if _LITTLE else _words(data, whole):
        k = k * _M & _MASK
        k ^= k >> 24
        h = (h * _M & _MASK) ^ (k * _M & _MASK)
    rest = data[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * _M & _MASK
    h ^= h >> 13
    h = h * _M & _MASK
    return h ^ (h >> 15)


def _words(data: bytes, end: int) -> list[int]:
    return [int.from_bytes(data[at : at + 4], "little") for at in range(0, end, 4)]


_LITTLE: Final = memoryview(b"\1\0\0\0").cast("I")[0] == 1


def partition_for(key: bytes, count: int) -> int:
    """The partition of a key among `count` partitions."""
    return (murmur2(key) & 0x7FFFFFFF) % count


class Sticky:
    """The partition for records without a key: the same until `move_on`, then the next one that is available."""

    __slots__ = ("_current",)

    def __init__(self, start: int) -> None:
        self._current = start

    def current(self, available: list[int]) -> int:
        return available[self._current % len(available)]

    def move_on(self) -> None:
        self._current += 1
