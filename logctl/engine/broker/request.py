"""One request on its way through the broker, and the four kinds of answer a handler may give.

A handler is a plain call, `handle(broker, request, now_ms)`, that returns one of

- a response message: it is encoded and sent;
- `NO_RESPONSE`: the client asked for none (Produce with acks=0);
- `PARKED`: the handler has kept the request and will give the answer later through `broker.reply`;
- `AfterFlush`: the answer is known but may leave only once the appends of this tick are on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from logctl.wire.schema import Message

Body = TypeVar("Body", bound="Message")


class Signal(Enum):
    PARKED = "the answer comes later through broker.reply"
    NO_RESPONSE = "the client asked for no answer"


PARKED: Final = Signal.PARKED
NO_RESPONSE: Final = Signal.NO_RESPONSE


@dataclass(frozen=True, slots=True)
class AfterFlush:
    """`response` leaves once the tick's appends are flushed; if the flush fails, `failure()` is sent instead."""

    response: Message
    failure: Callable[[], Message]


Answer = Any
"""A response message, `Signal` or `AfterFlush`; a union of every response class would say no more."""


@dataclass(slots=True)
class Peer:
    """Who is at the other end of a connection. `is_node`: came in by the listener that nodes use among themselves."""

    connection_id: int
    host: str
    port: int
    listener: str = "PLAINTEXT"
    principal: str = "User:ANONYMOUS"
    client_software_name: str = "unknown"
    client_software_version: str = "unknown"
    is_node: bool = False


@dataclass(slots=True, eq=False)
class Request(Generic[Body]):
    """A decoded request. Identity, not equality, tells two requests apart."""

    api_key: int
    version: int
    correlation_id: int
    client_id: str | None
    body: Body
    peer: Peer
    received_ms: int
