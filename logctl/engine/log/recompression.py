"""A topic's `compression.type`: batches of another codec are compressed anew before they are written.

The records of a batch are the same bytes under every codec, so only they are unpacked and packed again, and the header
gets another codec, length and checksum. As in Apache Kafka the records are looked at on the way, since what was not
read when the producer's codec was kept would be vouched for now. Costs memory and time in proportion to the batch;
with `producer`, the default, nothing of this happens.
"""

from __future__ import annotations

from typing import Final

from logctl.engine.log.config import LogConfig
from logctl.wire import compression, records
from logctl.wire.checksum import crc32c
from logctl.wire.records import BatchHeader, InvalidRecord

AS_PRODUCED: Final = "producer"
_NAMES: Final = {"uncompressed": "none"}
_LENGTH: Final = slice(8, 12)
_CRC: Final = slice(17, 21)
_CODEC_AT: Final = 22


def target_codec(config: LogConfig) -> int | None:
    """The codec number that the topic's batches have; None when each keeps its own."""
    name = config.compression_type
    return None if name == AS_PRODUCED else compression.IDS[_NAMES.get(name, name)]


def recompressed(batch: memoryview, header: BatchHeader, codec: int, config: LogConfig) -> memoryview:
    """The batch with `codec`. `header` is its checked header. Raises WireError when its records make no sense."""
    plain = compression.decompress(header.compression, batch[records.HEADER_BYTES : header.length])
    for place, record in enumerate(records.iter_records(batch)):
        if record.offset != header.base_offset + place:
            raise InvalidRecord(f"Record {place} of the batch has the offset {record.offset - header.base_offset}")
    payload = compression.compress(compression.NAMES[codec], bytes(plain), _level(codec, config))
    made = bytearray(batch[: records.HEADER_BYTES])
    made += payload
    made[_LENGTH] = (len(made) - records.LENGTH_PREFIX_BYTES).to_bytes(4, "big")
    made[_CODEC_AT] = made[_CODEC_AT] & ~records.COMPRESSION_MASK | codec
    made[_CRC] = crc32c(memoryview(made)[records.CRC_START :]).to_bytes(4, "big")
    return memoryview(made)


def _level(codec: int, config: LogConfig) -> int | None:
    """None is the codec's own default."""
    if codec == compression.GZIP:
        return None if config.compression_gzip_level == -1 else config.compression_gzip_level
    return {compression.LZ4: config.compression_lz4_level, compression.ZSTD: config.compression_zstd_level}.get(codec)
