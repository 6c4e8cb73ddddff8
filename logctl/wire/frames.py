"""Length-prefixed frames and the headers inside them.

    frame    = int32 length, then that many bytes
    request  = int16 api key, int16 version, int32 correlation id, nullable client id, [tagged fields], body
    response = int32 correlation id, [tagged fields], body

The client id keeps its int16 length even in flexible versions (KIP-482). Tagged header fields are
skipped: none is defined. Bytes behind the end of a body are ignored by both ends, as Apache Kafka does.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from logctl.wire.api import API
from logctl.wire.primitives import Buffer, MalformedMessage, uvarint
from logctl.wire.schema import Message

LENGTH: Final = struct.Struct(">i")
_REQUEST: Final = struct.Struct(">hhih")
_RESPONSE: Final = struct.Struct(">ii")


@dataclass(frozen=True, slots=True)
class RequestHeader:
    api_key: int
    version: int
    correlation_id: int
    client_id: str | None


def read_request_header(buffer: Buffer, position: int = 0) -> tuple[RequestHeader, int]:
    """The header of a request frame (without its length) and where the body begins.

    For an API or version we do not know the tagged fields are left unread: the caller refuses it by key and version.
    Raises MalformedMessage.
    """
    try:
        key, version, correlation_id, length = _REQUEST.unpack_from(buffer, position)
        position += _REQUEST.size
        client_id = None
        if length >= 0:
            end = position + length
            if end > len(buffer):
                raise MalformedMessage("client id is longer than its frame")
            client_id = str(buffer[position:end], "utf-8")
            position = end
    except (struct.error, UnicodeDecodeError) as problem:
        raise MalformedMessage(f"request header: {problem}") from None
    api = API.get(key)
    if api is not None and version in api.flexible and version in api.request.versions:
        position = _skip_tagged_fields(buffer, position)
    return RequestHeader(key, version, correlation_id, client_id), position


def _skip_tagged_fields(buffer: Buffer, position: int) -> int:
    count, position = uvarint(buffer, position)
    for _ in range(count):
        _, position = uvarint(buffer, position)
        length, position = uvarint(buffer, position)
        position += length
        if position > len(buffer):
            raise MalformedMessage("tagged field of the header is longer than its frame")
    return position


def request_frame(key: int, version: int, correlation_id: int, client_id: str | None, body: Message) -> bytes:
    """A whole request, length and header included."""
    name = b"" if client_id is None else client_id.encode()
    head = _REQUEST.pack(key, version, correlation_id, -1 if client_id is None else len(name)) + name
    if version in API[key].flexible:
        head += b"\0"
    payload = body.encode(version)
    return LENGTH.pack(len(head) + len(payload)) + head + payload


def response_parts(key: int, version: int, correlation_id: int, body: Message) -> list[Any]:
    """A whole response as a list of parts in sending order; `records` values inside are passed through uncopied."""
    tail = b"\0" if API[key].response_header_is_flexible(version) else b""
    return framed(correlation_id, tail, body.encode_parts(version))


def framed(correlation_id: int, header_tail: bytes, parts: Sequence[Any]) -> list[Any]:
    """Length and response header in front of an encoded body; neighbouring bytes are joined."""
    size = 4 + len(header_tail) + sum(map(len, parts))
    out: list[Any] = []
    plain = [_RESPONSE.pack(size, correlation_id) + header_tail]
    for part in parts:
        if type(part) is bytes:
            plain.append(part)
        else:
            out.append(b"".join(plain))
            out.append(part)
            plain = []
    if plain:
        out.append(b"".join(plain))
    return out


def read_response_header(buffer: Buffer, key: int, version: int) -> tuple[int, int]:
    """The correlation id of a response frame (without length) and where the body begins. Raises MalformedMessage."""
    if len(buffer) < 4:
        raise MalformedMessage("response is shorter than its header")
    correlation_id: int = LENGTH.unpack_from(buffer, 0)[0]
    position = 4
    if API[key].response_header_is_flexible(version):
        position = _skip_tagged_fields(buffer, position)
    return correlation_id, position
