"""From a request's bytes to a `Request`, and from its answer to bytes: pure, for any shell."""

from __future__ import annotations

from typing import Any

from logctl.engine.broker.request import Peer, Request
from logctl.wire import errors
from logctl.wire.api import API
from logctl.wire.frames import framed, read_request_header
from logctl.wire.schema import Message


def read_request(frame: memoryview, peer: Peer, now_ms: int) -> Request[Any]:
    """Decode a frame (without its length). `body` is None for an API or a version that has no message here.

    Raises MalformedMessage. The body may hold slices of `frame`.
    """
    header, position = read_request_header(frame)
    api = API.get(header.api_key)
    body = None
    if api is not None and header.version in api.request.versions:
        body, _ = api.request.decode(frame, header.version, position)
    return Request(header.api_key, header.version, header.correlation_id, header.client_id, body, peer, now_ms)


def answer_parts(request: Request[Any], response: Message) -> list[Any]:
    """The whole response frame: bytes, and ranges of log files where it carries records.

    A version that the response does not have is answered in the oldest form; only ApiVersions and Produce come to that.
    """
    versions = type(response).versions
    version = request.version
    if not versions.lowest <= version <= versions.highest:
        version = versions.lowest
    tail = b"\0" if API[request.api_key].response_header_is_flexible(version) else b""
    return [own(part) for part in framed(request.correlation_id, tail, response.encode_parts(version))]


def own(part: Any) -> Any:
    """Bytes that nobody else changes: a slice of the receive buffer must not be kept beyond the tick."""
    return bytes(part) if isinstance(part, memoryview | bytearray) else part


def server_error(request: Request[Any]) -> Message | None:
    """UNKNOWN_SERVER_ERROR in the form of this API, or None where the answer has no place for an error of its own."""
    api = API.get(request.api_key)
    if api is None:
        return None
    names = {entry.name for entry in api.response.fields if request.version in entry.versions}
    if "error_code" not in names:
        return None
    return api.response(error_code=errors.UNKNOWN_SERVER_ERROR)


def said(request: Request[Any]) -> str:
    """A request in a diary's words."""
    api = API.get(request.api_key)
    return f"{api.name if api else f'API {request.api_key}'}, version {request.version}"
