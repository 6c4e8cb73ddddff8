"""Requests that only the controller can answer, passed on to it: a client may ask any node (KIP-590).

Theory of operation
-------------------
A node that does not lead the quorum parks such a request and asks the leader the same, in the same version. While
nobody leads, or the one who was asked is gone or says that it does not lead, it is asked again a moment later, for as
long as the client is likely to wait. As in Apache a line that breaks behind a question has it asked twice: a topic that
was created by the first is then said to exist.

Here the leader takes the sender's word for who asks; Apache wraps requests in an Envelope with the client's principal,
which comes with authentication.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from logctl.wire import errors
from logctl.wire.errors import WireError

if TYPE_CHECKING:
    from logctl.engine.broker.quorum_talk import Transport
    from logctl.engine.broker.request import Request
    from logctl.wire.schema import Message

FORWARDED: Final = frozenset((19, 20, 33, 37, 43, 44, 45, 46, 55, 57, 64, 80, 81))
"""CreateTopics, DeleteTopics, AlterConfigs, CreatePartitions, ElectLeaders, IncrementalAlterConfigs,
AlterPartitionReassignments, ListPartitionReassignments, DescribeQuorum, UpdateFeatures, UnregisterBroker, AddRaftVoter,
RemoveRaftVoter."""

_PATIENCE_MS: Final = 5_000
_AGAIN_MS: Final = 50


class _Pending(NamedTuple):
    request: Request[Any]
    due_ms: int
    deadline_ms: int


class Forwarding:
    """`leader()` answers who leads the quorum (-1: nobody known), `refuse(request, error)` answers a request that came
    to nothing, `reply` one that was answered."""

    def __init__(
        self,
        transport: Transport,
        *,
        leader: Callable[[], int],
        clock: Callable[[], int],
        reply: Callable[[Request[Any], Message], None],
        refuse: Callable[[Request[Any], WireError], None],
    ) -> None:
        self._transport = transport
        self._leader = leader
        self._clock = clock
        self._reply = reply
        self._refuse = refuse
        self._pending: list[_Pending] = []

    def forward(self, request: Request[Any], now_ms: int) -> None:
        """The request is parked; it is answered later, come what may."""
        self._ask(_Pending(request, now_ms, now_ms + _PATIENCE_MS))

    def tick(self, now_ms: int) -> None:
        """Ask again what is due."""
        due = [one for one in self._pending if one.due_ms <= now_ms]
        self._pending = [one for one in self._pending if one.due_ms > now_ms]
        for one in due:
            self._ask(one)

    def next_deadline_ms(self) -> int | None:
        return min((one.due_ms for one in self._pending), default=None)

    def _ask(self, pending: _Pending) -> None:
        leader = self._leader()
        if leader < 0:
            self._later(pending)
            return
        request = pending.request
        self._transport.ask(
            leader, "forward", request.body, lambda response: self._told(pending, response), request.version
        )

    def _told(self, pending: _Pending, response: Any) -> None:
        if response is None or says_not_controller(response):
            self._later(pending)
        else:
            self._reply(pending.request, response)

    def _later(self, pending: _Pending) -> None:
        now_ms = self._clock()
        if now_ms >= pending.deadline_ms:
            self._refuse(pending.request, WireError(errors.REQUEST_TIMED_OUT, "No leader of the quorum has answered"))
        else:
            self._pending.append(pending._replace(due_ms=now_ms + _AGAIN_MS))


def says_not_controller(response: Any) -> bool:
    """Whether a response says that another node leads the quorum, as a whole or of each thing that was asked."""
    if getattr(response, "error_code", errors.NONE) in (errors.NOT_CONTROLLER, errors.NOT_LEADER_OR_FOLLOWER):
        return True
    lists = [value for entry in type(response).fields if isinstance(value := getattr(response, entry.name), list)]
    codes = [one.error_code for items in lists for one in items if hasattr(one, "error_code")]
    return bool(codes) and all(code == errors.NOT_CONTROLLER for code in codes)
