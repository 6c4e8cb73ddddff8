"""One conversation over one byte stream, for either end, without the stream: bytes in, messages out, and the reverse.

Theory of operation
-------------------
A stream is frames, one after the other (`FrameBuffer`): an int32 length and that many bytes. A length that is negative
or above the ceiling ends the conversation; so do the first bytes of TLS, HTTP or SSH, all of which read as lengths far
above any sensible ceiling and are told apart to give the operator a useful sentence. Nothing is reserved for an
announced length: the buffer grows with what has arrived.

The client's end (`ClientConversation`) numbers its requests and keeps those still unanswered in a queue. Kafka answers
in the order it was asked, so an answer must carry the number at the head of the queue; any other one means that the two
ends no longer agree, and the conversation is over.

    negotiate() -> bytes        ApiVersions in the newest form we know; called again while `negotiated` is false
    send(request) -> bytes      in the newest version that both ends speak
    receive(data) -> answers    whole ones only, each with the request it belongs to
    room(), arrived(count)      the same without a copy, for bytes that are received into memory of the conversation's

Negotiation (KIP-35, KIP-511): a broker that does not know our form of ApiVersions answers error 35 in form 0, newer
ones naming the range they do know. The next `negotiate()` asks within it.

The server's end (`ServerConversation`) yields for each frame either `Received` (header and decoded body) or `Refused`
(header, error code, one sentence). A refusal is the caller's to act on: Apache answers an unknown form of ApiVersions
with `Refused.answer` and closes the connection on everything else, since nobody can answer in a form that he does not
speak. A gate, asked before a body is decoded, keeps peers that have not authenticated from being parsed at all.

Bytes behind the end of a body are ignored, as Apache Kafka does at both ends.

Not implemented: SaslHandshake 0, whose tokens follow as bare frames without a header (KIP-43). Its successor (KIP-152)
wraps them in SaslAuthenticate.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from logctl.errors import OperationFailed, Unreachable
from logctl.wire import errors
from logctl.wire.api import API, API_VERSIONS
from logctl.wire.frames import (
    LENGTH,
    RequestHeader,
    read_request_header,
    read_response_header,
    request_frame,
    response_parts,
)
from logctl.wire.primitives import Buffer, MalformedMessage
from logctl.wire.schema import Message, Versions

if TYPE_CHECKING:
    from logctl.wire.messages.api_versions import ApiVersionsResponse

RESPONSE_LIMIT_BYTES: Final = 128 << 20
"""No answer of a Kafka broker is larger; a larger announcement is another protocol talking."""

REQUEST_LIMIT_BYTES: Final = 100 << 20
"""Apache's default for socket.request.max.bytes."""

PRODUCE: Final = 0
BEFORE_AUTHENTICATION: Final = frozenset({17, API_VERSIONS, 36})
"""What a peer may ask before it has said who it is: SaslHandshake, ApiVersions, SaslAuthenticate."""


class PeerFault(Unreachable):
    """The peer does not speak Kafka, or broke its rules. The conversation is over; close the connection."""


class NotOffered(OperationFailed):
    """The peer does not serve an API, or no version of it that we speak. Some callers know another way."""


# Frames


class FrameBuffer:
    """Cuts a byte stream into frames. `who` names the other end in sentences."""

    def __init__(self, limit_bytes: int, who: str) -> None:
        self._limit = limit_bytes
        self._who = who
        self._held = bytearray()

    def feed(self, data: Buffer) -> list[memoryview]:
        """Take what arrived; answers the frames now complete, without their lengths. Raises PeerFault."""
        held = self._held
        held += data
        frames = []
        position = 0
        while (end := self._end_of_frame(position)) <= len(held):
            frames.append(memoryview(bytes(memoryview(held)[position + 4 : end])))
            position = end
        if position:
            del held[:position]
        return frames

    def _end_of_frame(self, position: int) -> int:
        if len(self._held) - position < 4:
            return len(self._held) + 1
        (length,) = LENGTH.unpack_from(self._held, position)
        if not 0 <= length <= self._limit:
            start = bytes(self._held[position : position + 4])
            raise PeerFault(*_impossible_length(start, length, self._limit, self._who))
        end: int = position + 4 + length
        return end


class FrameRoom:
    """Cuts a byte stream into frames where it is received: `room()` is where the next bytes go, `arrived` is told how
    many came.

    Only the beginning of a frame whose end did not fit is ever moved. The frames lie in memory that is used again as
    soon as nobody looks at them any more, and not before: memory that is looked at cannot be made smaller.
    """

    _LEAST_BYTES: Final = 256 << 10
    _AT_ONCE_BYTES: Final = 4 << 20
    """What is reserved for an announced frame before as much has come, and what is kept between frames."""

    def __init__(self, limit_bytes: int, who: str) -> None:
        self._limit = limit_bytes
        self._who = who
        self._memory = bytearray(self._LEAST_BYTES)
        self._begin = 0
        """Behind the frames that were handed out."""
        self._end = 0

    def room(self) -> memoryview:
        """Never empty."""
        size = self._frame_bytes(self._begin)
        if self._begin:
            rest = bytes(memoryview(self._memory)[self._begin : self._end])
            if not self._is_free(size):
                self._memory = bytearray(max(size, self._LEAST_BYTES))
            self._begin, self._end = 0, len(rest)
            self._memory[: len(rest)] = rest
        elif size > len(self._memory):
            larger = bytearray(min(size, max(self._AT_ONCE_BYTES, 2 * self._end)))
            larger[: self._end] = memoryview(self._memory)[: self._end]
            self._memory = larger
        return memoryview(self._memory)[self._end :]

    def _is_free(self, size: int) -> bool:
        """Whether the memory can hold so much, is not too much, and nobody looks at it."""
        if not size <= len(self._memory) <= self._AT_ONCE_BYTES:
            return False
        try:
            self._memory.pop()
        except BufferError:
            return False
        self._memory.append(0)
        return True

    def arrived(self, count: int) -> list[memoryview]:
        """`count` bytes are in the room; answers the frames now complete, without their lengths. Raises PeerFault."""
        self._end += count
        view = memoryview(self._memory)
        frames = []
        while (end := self._begin + self._frame_bytes(self._begin)) <= self._end:
            frames.append(view[self._begin + 4 : end])
            self._begin = end
        return frames

    def _frame_bytes(self, position: int) -> int:
        """Of the frame at `position`, its length included; more than there is while that is not known."""
        if self._end - position < 4:
            return 8
        (length,) = LENGTH.unpack_from(self._memory, position)
        if not 0 <= length <= self._limit:
            start = bytes(memoryview(self._memory)[position : position + 4])
            raise PeerFault(*_impossible_length(start, length, self._limit, self._who))
        return 4 + int(length)


_HTTP: Final = (b"HTTP", b"GET ", b"POST", b"PUT ", b"HEAD", b"DELE", b"OPTI", b"PATC", b"PRI ", b"<htm", b"<!DO")
_OPENINGS: Final = (
    ("TLS", (b"\x16\x03", b"\x15\x03", b"\x14\x03")),
    ("HTTP", _HTTP),
    ("SSH", (b"SSH-",)),
)


def foreign_protocol(start: bytes) -> str | None:
    """TLS, HTTP or SSH, judged by the four bytes that should have been a length; None for anything else."""
    for name, openings in _OPENINGS:
        if start.startswith(openings):
            return name
    return None


def _impossible_length(start: bytes, length: int, limit: int, who: str) -> tuple[str, str]:
    name = foreign_protocol(start)
    if name == "TLS":
        return f"{who} speaks TLS on a connection that is plaintext here", "use TLS at both ends or at neither"
    if name is not None:
        return f"{who} speaks {name}, not the Kafka protocol", "check the address and the port"
    if length < 0:
        return f"{who} announced a frame of {length} bytes: it does not speak the Kafka protocol", "check the port"
    return (
        f"{who} announced a frame of {length} bytes, above the limit of {limit}",
        "either it does not speak the Kafka protocol, or the limit must be raised",
    )


# The client's end


class Answer(NamedTuple):
    """A response with the request it answers and the version both were written in."""

    correlation_id: int
    version: int
    request: Message
    response: Any


class ClientConversation:
    """The end that asks; see the module's theory of operation. `who` names the broker in sentences."""

    def __init__(
        self,
        client_id: str | None = "logctl",
        *,
        software: tuple[str, str] = ("logctl", "unknown"),
        who: str = "the broker",
        limit_bytes: int = RESPONSE_LIMIT_BYTES,
    ) -> None:
        self.offer: ApiVersionsResponse | None = None
        """What the broker said it serves, features included; None until it has."""
        self._client_id = client_id
        self._software = software
        self._who = who
        self._frames = FrameBuffer(limit_bytes, who)
        self._room: FrameRoom | None = None
        self._limit = limit_bytes
        self._unanswered: deque[tuple[int, int, Message]] = deque()
        self._last_number = 0
        self._offered: dict[int, Versions] = {}
        self._form = API[API_VERSIONS].versions.highest

    @property
    def negotiated(self) -> bool:
        return self.offer is not None

    @property
    def unanswered(self) -> list[Message]:
        """The requests still waiting, in the order they were asked."""
        return [request for _, _, request in self._unanswered]

    def negotiate(self) -> bytes:
        """Ask what the broker serves, in the newest form that it may know."""
        name, version = self._software
        question = API[API_VERSIONS].request(client_software_name=name, client_software_version=version)
        return self.send(question, self._form)

    def version_for(self, key: int) -> int:
        """The newest version of an API that both ends speak. Raises NotOffered."""
        api = API[key]
        theirs = self._offered.get(key)
        if theirs is None:
            raise NotOffered(f"{self._who} does not serve {api.name} (key {key})")
        ours = Versions(api.request.versions.lowest, min(api.versions.highest, api.request.versions.highest))
        newest = min(ours.highest, theirs.highest)
        if newest < max(ours.lowest, theirs.lowest):
            raise NotOffered(f"{self._who} serves {api.name} in versions {theirs}, logctl speaks {ours}")
        return newest

    def send(self, request: Message, version: int | None = None) -> bytes:
        """The frame that asks `request`, in the newest common version unless one is given. Raises NotOffered."""
        key = request.api_key
        if version is None:
            version = self.version_for(key)
        number = self._last_number = (self._last_number + 1) & 0x7FFFFFFF
        frame = request_frame(key, version, number, self._client_id, request)
        if expects_answer(request):
            self._unanswered.append((number, version, request))
        return frame

    def receive(self, data: Buffer) -> list[Answer]:
        """Take what arrived; answers what is now complete, in order. Raises PeerFault."""
        return [self._answer(frame) for frame in self._frames.feed(data)]

    def room(self) -> memoryview:
        """Where to receive, for who gives no bytes to `receive`: see FrameRoom."""
        if self._room is None:
            self._room = FrameRoom(self._limit, self._who)
        return self._room.room()

    def arrived(self, count: int) -> list[Answer]:
        """So many bytes were received into the room; as `receive`. Records in the answers lie where they came in."""
        assert self._room is not None
        return [self._answer(frame) for frame in self._room.arrived(count)]

    def _answer(self, frame: memoryview) -> Answer:
        if len(frame) < 4:
            raise PeerFault(f"{self._who} sent an answer of {len(frame)} bytes, shorter than its header")
        (number,) = LENGTH.unpack_from(frame, 0)
        if not self._unanswered or self._unanswered[0][0] != number:
            raise PeerFault(f"{self._who} answered request {number}, {self._awaited()}")
        _, version, request = self._unanswered.popleft()
        try:
            response = decode_answer(frame, request.api_key, version)
        except MalformedMessage as problem:
            name = API[request.api_key].name
            raise PeerFault(f"{self._who} sent a {name} answer that cannot be read: {problem}") from None
        if request.api_key == API_VERSIONS:
            self._learn(response, version)
        return Answer(number, version, request, response)

    def _awaited(self) -> str:
        return f"but {self._unanswered[0][0]} is the next one waiting" if self._unanswered else "but none is waiting"

    def _learn(self, offer: ApiVersionsResponse, asked_in: int) -> None:
        """Keep what is offered, or choose an older form to ask in. Only an error may leave `negotiated` false."""
        offered = {entry.api_key: Versions(entry.min_version, entry.max_version) for entry in offer.api_keys}
        if offer.error_code == errors.UNSUPPORTED_VERSION:
            if asked_in == 0:
                raise PeerFault(f"{self._who} refuses every form of ApiVersions")
            known = offered.get(API_VERSIONS, Versions(0, 0)).highest
            self._form = max(0, min(known, asked_in - 1))
        elif offer.error_code == errors.NONE:
            self.offer = offer
            self._offered = offered


def expects_answer(request: Message) -> bool:
    """Every request is answered except a Produce with acks=0."""
    return request.api_key != PRODUCE or getattr(request, "acks", -1) != 0


def decode_answer(frame: Buffer, key: int, version: int) -> Any:
    """The response inside a frame. An ApiVersions answer with error 35 has form 0 whatever was asked."""
    _, position = read_response_header(frame, key, version)
    if key == API_VERSIONS and bytes(frame[position : position + 2]) == _UNSUPPORTED_VERSION:
        version = 0
    return API[key].response.decode(frame, version, position)[0]


_UNSUPPORTED_VERSION: Final = errors.UNSUPPORTED_VERSION.to_bytes(2, "big")


# The server's end


@dataclass(frozen=True, slots=True)
class Received:
    """A request to be answered."""

    header: RequestHeader
    body: Any


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that will not be served: Apache's error code and one sentence.

    `answer` is set for the one refusal that has an agreed form; without it the connection is closed.
    """

    header: RequestHeader
    code: int
    reason: str
    answer: Message | None = None


Gate = Callable[[RequestHeader], bool]
"""May this request pass before its body is looked at?"""


def everyone(header: RequestHeader) -> bool:
    """The gate of a listener without authentication."""
    return True


def before_authentication(header: RequestHeader) -> bool:
    """The gate in front of a peer that has not said who it is."""
    return header.api_key in BEFORE_AUTHENTICATION


class ServerConversation:
    """The end that answers; see the module's theory of operation.

    `served` maps the keys served here to their versions. `gate` may be replaced at any time, e.g. once a peer has
    authenticated. `who` names the client in sentences.
    """

    def __init__(
        self,
        served: Mapping[int, Versions],
        *,
        gate: Gate = everyone,
        who: str = "the client",
        limit_bytes: int = REQUEST_LIMIT_BYTES,
    ) -> None:
        self.gate = gate
        self._served = served
        self._who = who
        self._frames = FrameBuffer(limit_bytes, who)

    def receive(self, data: Buffer) -> list[Received | Refused]:
        """Take what arrived; answers what is now complete, in order. Raises PeerFault for a frame without a header."""
        return [self._judge(frame) for frame in self._frames.feed(data)]

    def answer(self, header: RequestHeader, response: Message) -> bytes:
        """The frame that answers the request with this header."""
        version = header.version
        if header.api_key == API_VERSIONS and getattr(response, "error_code", 0) == errors.UNSUPPORTED_VERSION:
            version = 0
        return b"".join(response_parts(header.api_key, version, header.correlation_id, response))

    def _judge(self, frame: memoryview) -> Received | Refused:
        try:
            header, position = read_request_header(frame)
        except MalformedMessage as problem:
            raise PeerFault(f"{self._who} sent a request without a readable header: {problem}") from None
        served = self._served.get(header.api_key)
        if served is None or header.version not in served:
            return self._unsupported(header, served)
        api = API[header.api_key]
        if not self.gate(header):
            return Refused(header, errors.ILLEGAL_SASL_STATE, f"{self._who} asked {api.name} before authenticating")
        if header.version not in api.request.versions:
            return self._unsupported(header, api.request.versions)
        try:
            body, _ = api.request.decode(frame, header.version, position)
        except MalformedMessage as problem:
            reason = f"{self._who} sent a {api.name} that cannot be read: {problem}"
            return Refused(header, errors.INVALID_REQUEST, reason)
        return Received(header, body)

    def _unsupported(self, header: RequestHeader, served: Versions | None) -> Refused:
        api = API.get(header.api_key)
        name = api.name if api else "an unknown API"
        spoken = f"served here: {served}" if served else "not served here"
        reason = f"{self._who} asked {name} (key {header.api_key}) in version {header.version}; {spoken}"
        return Refused(header, errors.UNSUPPORTED_VERSION, reason, self._agreed_answer(header, served))

    def _agreed_answer(self, header: RequestHeader, served: Versions | None) -> Message | None:
        """Error 35 in form 0, naming the forms of ApiVersions that are known (KIP-511)."""
        if header.api_key != API_VERSIONS or served is None:
            return None
        from logctl.wire.messages.api_versions import ApiVersion, ApiVersionsResponse

        known = ApiVersion(api_key=API_VERSIONS, min_version=served.lowest, max_version=served.highest)
        return ApiVersionsResponse(error_code=errors.UNSUPPORTED_VERSION, api_keys=[known])
