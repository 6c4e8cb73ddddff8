"""A client's connection: requests out as bytes of the protocol, answers back to callbacks, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from logctl.engine.simulation.promises import Broken
from logctl.wire.api import API
from logctl.wire.connection import FrameBuffer
from logctl.wire.frames import read_response_header, request_frame
from logctl.wire.schema import Message

if TYPE_CHECKING:
    from logctl.engine.simulation.network import ClientEnd

_LIMIT_BYTES = 64 << 20
_PATIENCE_S = 3.0
_SETTLING_S = 0.02
"""Longer than anything travels: what a client sent before it hung up cannot overtake what it sends afterwards."""


class Asked(NamedTuple):
    api_key: int
    version: int
    correlation_id: int
    asked_s: float
    answered: Callable[[Any], None]


class Network(Protocol):
    """What a session needs of its world."""

    def time(self) -> float: ...
    def connect(self, received: Callable[[bytes], None], ended: Callable[[], None]) -> ClientEnd | None: ...


class Way(Protocol):
    """A client's way to whoever answers: one connection, or one to each node it deals with (`routes.py`)."""

    @property
    def connected(self) -> bool: ...
    @property
    def owed(self) -> int: ...
    def open(self) -> bool: ...
    def ask(self, body: Message, version: int, answered: Callable[[Any], None]) -> None: ...
    def ask_leader(
        self, partition: tuple[bytes, int], body: Message, version: int, answered: Callable[[Any], None]
    ) -> None:
        """What goes to the leader of a partition, which `leads_to` has found."""

    def impatient(self) -> bool: ...
    def hang_up(self) -> None: ...

    def leads_to(self, partition: tuple[bytes, int], also: int | None = None) -> bool:
        """Whether requests about a partition reach its leader; and the one of partition `also` of the same topic."""

    @property
    def has_coordinator(self) -> bool: ...

    def reaches(self, node_id: int) -> bool:
        """From now on this node is asked about groups; whether it can be."""

    def astray(self, code: int) -> bool:
        """An answer had this error: whether another node must be looked for."""


class Session:
    """`lost` is called when the connection ends while it is wanted; answers still owed never come then."""

    def __init__(self, world: Network, name: str, lost: Callable[[], None], *, abrupt: bool = False) -> None:
        """`abrupt`: who hangs up takes back what has not arrived yet."""
        self._abrupt = abrupt
        self._world = world
        self._name = name
        self._lost = lost
        self._end: ClientEnd | None = None
        self._asked: deque[Asked] = deque()
        self._frames = FrameBuffer(_LIMIT_BYTES, "the node")
        self._correlation = 0
        self._not_before_s = 0.0

    @property
    def connected(self) -> bool:
        return self._end is not None and self._end.open

    @property
    def owed(self) -> int:
        return len(self._asked)

    def open(self) -> bool:
        """Connect; False when nobody listens."""
        if self._world.time() < self._not_before_s:
            return False
        self._frames = FrameBuffer(_LIMIT_BYTES, "the node")
        self._asked.clear()
        self._end = self._world.connect(self._received, self._ended)
        return self._end is not None

    def ask(self, body: Message, version: int, answered: Callable[[Any], None]) -> None:
        assert self._end is not None
        self._correlation += 1
        key = type(body).api_key
        self._asked.append(Asked(key, version, self._correlation, self._world.time(), answered))
        self._end.send(request_frame(key, version, self._correlation, self._name, body))

    def ask_leader(
        self, partition: tuple[bytes, int], body: Message, version: int, answered: Callable[[Any], None]
    ) -> None:
        self.ask(body, version, answered)

    def impatient(self) -> bool:
        """Whether an answer has been owed for too long."""
        return bool(self._asked) and self._world.time() - self._asked[0].asked_s > _PATIENCE_S

    def hang_up(self) -> None:
        if self._end is not None and self._end.open:
            (self._end.abort if self._abrupt else self._end.close)()
            self._ended()

    def leads_to(self, partition: tuple[bytes, int], also: int | None = None) -> bool:
        return True

    @property
    def has_coordinator(self) -> bool:
        return True

    def reaches(self, node_id: int) -> bool:
        return True

    def astray(self, code: int) -> bool:
        return False

    def _received(self, data: bytes) -> None:
        for frame in self._frames.feed(data):
            asked = self._asked.popleft()
            correlation_id, position = read_response_header(frame, asked.api_key, asked.version)
            if correlation_id != asked.correlation_id:
                raise Broken(f"order: {self._name} asked {asked.correlation_id} and was answered {correlation_id}")
            response, _ = API[asked.api_key].response.decode(frame, asked.version, position)
            asked.answered(response)

    def _ended(self) -> None:
        self._asked.clear()
        self._not_before_s = self._world.time() + _SETTLING_S
        self._lost()
