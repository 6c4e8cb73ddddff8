"""The scalars of the Kafka protocol that Python's struct module does not know, and the one error of the codec.

Readers are functions (buffer, position) -> (value, next position). Buffers are bytes or memoryview.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

Buffer = bytes | bytearray | memoryview

ZERO_UUID: Final = bytes(16)
"""Absent identifier: sixteen zero bytes, as org.apache.kafka.common.Uuid.ZERO_UUID."""


class MalformedMessage(ValueError):
    """Bytes that are not the message they claim to be: too short, too long, or with impossible lengths."""


def uvarint(buffer: Buffer, position: int) -> tuple[int, int]:
    """An unsigned varint of at most five bytes (KIP-482). Raises MalformedMessage."""
    try:
        byte = buffer[position]
        if byte < 0x80:
            return byte, position + 1
        value = byte & 0x7F
        for shift in (7, 14, 21, 28):
            position += 1
            byte = buffer[position]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value > 0xFFFFFFFF:
                    break
                return value, position + 1
    except IndexError:
        pass
    raise MalformedMessage("varint runs past its five bytes or the end of the message")


_SMALL_UVARINTS: Final = tuple(bytes([n]) for n in range(128))


def uvarint_bytes(value: int) -> bytes:
    """The unsigned varint of a value from 0 to 2**32 - 1."""
    if value < 128:
        return _SMALL_UVARINTS[value]
    out = bytearray()
    while value >= 128:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def uuid_text(uuid: bytes) -> str:
    """Kafka's way to write an identifier: URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(uuid).rstrip(b"=").decode()


def uuid_from_text(text: str) -> bytes:
    """The sixteen bytes of an identifier as Kafka writes it. Raises ValueError."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raw = b""
    if len(raw) != 16:
        raise ValueError(f"{text!r} is not an identifier: 22 characters of URL-safe base64 were expected")
    return raw
