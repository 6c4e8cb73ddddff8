"""The five ways Kafka writes the records of a batch: none, gzip, snappy, lz4, zstd.

Theory of operation. A few hundred bytes may unpack to gigabytes, so nothing here trusts what it unpacks. Every codec
unpacks into a buffer we own. The buffer begins small and is enlarged, four times over, only as often as the data
overflows it, up to `limit_bytes` and never beyond; what an announced size claims is used only to begin smaller. The
work thrown away by starting over is at most a third of the work of the last attempt.

Two framings are Kafka's own habits:

- Snappy as the Java client writes it is a sequence of raw blocks behind a 16 byte header ("xerial" framing: magic,
  two version numbers, then length and block, repeated). The C client writes one raw block without any frame. Both
  are read; the Java form is written.
- Of the lz4 frame format, the Java client reads only frames with independent blocks, so those are written.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

import cramjam

from logctl.wire.errors import CORRUPT_MESSAGE, UNSUPPORTED_COMPRESSION_TYPE, WireError

Buffer = bytes | bytearray | memoryview

NONE: Final = 0
GZIP: Final = 1
SNAPPY: Final = 2
LZ4: Final = 3
ZSTD: Final = 4

NAMES: Final = ("none", "gzip", "snappy", "lz4", "zstd")
IDS: Final = {name: number for number, name in enumerate(NAMES)}

DEFAULT_LIMIT_BYTES: Final = 256 << 20
"""What one batch may unpack to when the caller names no limit."""

_XERIAL_MAGIC: Final = b"\x82SNAPPY\x00"
_XERIAL_HEADER: Final = _XERIAL_MAGIC + struct.pack(">ii", 1, 1)
_XERIAL_BLOCK_BYTES: Final = 32 << 10
_FIRST_BUFFER_BYTES: Final = 64 << 10
_INT32: Final = struct.Struct(">i")


class DecompressionFailed(WireError):
    """The data is not what the codec writes, or unpacks to more than the limit."""

    def __init__(self, message: str) -> None:
        super().__init__(CORRUPT_MESSAGE, message)


def codec_id(name: str) -> int:
    """The number of a codec; raises UNSUPPORTED_COMPRESSION_TYPE for a name that is none."""
    try:
        return IDS[name]
    except KeyError:
        message = f"There is no compression called {name!r}; use one of {', '.join(NAMES)}"
        raise WireError(UNSUPPORTED_COMPRESSION_TYPE, message) from None


def compress(name: str, data: Buffer, level: int | None = None) -> bytes:
    """`data` in the form the Java client reads. `level` is the codec's own scale; snappy has none."""
    codec = codec_id(name)
    if codec == NONE:
        return bytes(data)
    if codec == GZIP:
        return bytes(cramjam.gzip.compress(data, level))
    if codec == ZSTD:
        return bytes(cramjam.zstd.compress(data, level))
    if codec == LZ4:
        return _compress_lz4(data, level)
    return _compress_snappy(memoryview(data))


def decompress(codec: int, data: Buffer, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> memoryview:
    """The records behind a batch header whose attributes name `codec` (0-4).

    Raises DecompressionFailed when the data is malformed, cut short, or unpacks to more than `limit_bytes`, and
    UNSUPPORTED_COMPRESSION_TYPE for the codec numbers that nobody has assigned.
    """
    if codec == NONE:
        return memoryview(data)
    if codec == GZIP:
        return _grow_until_it_fits(cramjam.gzip.decompress_into, data, limit_bytes)
    if codec == SNAPPY:
        return _decompress_snappy(memoryview(data), limit_bytes)
    if codec == LZ4:
        return _grow_until_it_fits(cramjam.lz4.decompress_into, data, limit_bytes)
    if codec == ZSTD:
        return _grow_until_it_fits(cramjam.zstd.decompress_into, data, limit_bytes)
    raise WireError(UNSUPPORTED_COMPRESSION_TYPE, f"Compression number {codec} is not one of 0 to {len(NAMES) - 1}")


def _compress_lz4(data: Buffer, level: int | None) -> bytes:
    compressor = cramjam.lz4.Compressor(level, content_checksum=False, block_linked=False)
    compressor.compress(data)
    return bytes(compressor.finish())


def _compress_snappy(data: memoryview) -> bytes:
    parts: list[bytes] = [_XERIAL_HEADER]
    for start in range(0, len(data), _XERIAL_BLOCK_BYTES):
        block = bytes(cramjam.snappy.compress_raw(data[start : start + _XERIAL_BLOCK_BYTES]))
        parts += (_INT32.pack(len(block)), block)
    return b"".join(parts)


def _grow_until_it_fits(unpack: Callable[[Buffer, bytearray], int], data: Buffer, limit_bytes: int) -> memoryview:
    size = min(max(len(data) * 4, _FIRST_BUFFER_BYTES), limit_bytes)
    while True:
        target = bytearray(size)
        try:
            return memoryview(target)[: unpack(data, target)]
        except (cramjam.DecompressionError, OSError, ValueError, OverflowError) as error:
            if "write whole buffer" not in str(error):
                raise DecompressionFailed(f"The compressed records cannot be unpacked: {error}") from None
        if size >= limit_bytes:
            raise _too_large(limit_bytes)
        size = min(size * 4, limit_bytes)


def _decompress_snappy(data: memoryview, limit_bytes: int) -> memoryview:
    if not _xerial_header_at(data, 0):
        return _snappy_block(data, limit_bytes)
    blocks: list[memoryview] = []
    total = 0
    position = len(_XERIAL_HEADER)
    while position < len(data):
        if _xerial_header_at(data, position):  # streams may have been joined end to end
            position += len(_XERIAL_HEADER)
            continue
        if position + 4 > len(data):
            raise DecompressionFailed("A snappy stream ends inside the length of a block")
        (length,) = _INT32.unpack_from(data, position)
        position += 4
        if not 0 <= length <= len(data) - position:
            raise DecompressionFailed(f"A snappy block claims {length} bytes where {len(data) - position} are left")
        block = _snappy_block(data[position : position + length], limit_bytes)
        blocks.append(block)
        total += len(block)
        if total > limit_bytes:
            raise _too_large(limit_bytes)
        position += length
    return blocks[0] if len(blocks) == 1 else memoryview(b"".join(blocks))


def _xerial_header_at(data: memoryview, position: int) -> bool:
    return bytes(data[position : position + len(_XERIAL_MAGIC)]) == _XERIAL_MAGIC


def _snappy_block(block: memoryview, limit_bytes: int) -> memoryview:
    try:
        size = cramjam.snappy.decompress_raw_len(block)
        # No instruction of the format yields more than 64 bytes from 3: a claim far beyond that is a lie.
        if size > limit_bytes:
            raise _too_large(limit_bytes)
        if size > len(block) * 32:
            raise DecompressionFailed(f"A snappy block of {len(block)} bytes claims to hold {size}")
        target = bytearray(size)
        written = cramjam.snappy.decompress_raw_into(block, target)
    except (cramjam.DecompressionError, OSError, ValueError, OverflowError) as error:
        raise DecompressionFailed(f"The compressed records cannot be unpacked: {error}") from None
    return memoryview(target)[:written]


def _too_large(limit_bytes: int) -> DecompressionFailed:
    return DecompressionFailed(f"The records unpack to more than the limit of {limit_bytes} bytes")
