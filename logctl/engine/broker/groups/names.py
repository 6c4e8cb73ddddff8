"""Where a group lives, and fresh names for its members."""

from __future__ import annotations

from functools import lru_cache

from logctl.wire.primitives import uuid_text

OFFSETS_TOPIC = "__consumer_offsets"


@lru_cache(maxsize=65536)
def partition_for(group_id: str, partition_count: int) -> int:
    """The partition of `__consumer_offsets` that holds the group: the absolute value of Java's String.hashCode, modulo
    their number (and 0 for the one hash whose absolute value Java cannot express)."""
    code = 0
    units = group_id.encode("utf-16-be", "surrogatepass")
    for place in range(0, len(units), 2):
        code = (31 * code + (units[place] << 8 | units[place + 1])) & 0xFFFFFFFF
    return (min(code, (1 << 32) - code) & 0x7FFFFFFF) % partition_count


def classic_member_id(prefix: str, fresh: bytes) -> str:
    """A member id of the classic protocol: the client or instance id, and an RFC 4122 identifier in hexadecimal."""
    raw = bytearray(fresh)
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{prefix}-{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def consumer_member_id(fresh: bytes) -> str:
    """A member id that the coordinator makes up in the consumer protocol."""
    return uuid_text(fresh)
