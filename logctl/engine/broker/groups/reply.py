"""Requests that are answered later, and answers that speak of several partitions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from logctl.engine.broker import dispatch
from logctl.engine.broker.groups.home import Home
from logctl.engine.broker.groups.turn import Caller, Reply
from logctl.engine.broker.request import Request
from logctl.wire.errors import WireError
from logctl.wire.schema import Message

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker


def caller_of(request: Request[Any]) -> Caller:
    """Who asks, as the coordinator remembers it: Apache writes hosts as Java prints an address."""
    return Caller(request.client_id or "", f"/{request.peer.host}", request.version)


def _as_it_is(response: Any) -> Any:
    return response


class Later:
    """A parked request. `form` fits a response to the request's version."""

    __slots__ = ("_broker", "_form", "_request")

    def __init__(self, broker: Broker, request: Request[Any], form: Callable[[Any], Any] = _as_it_is) -> None:
        self._broker = broker
        self._request = request
        self._form = form

    def __call__(self, response: Any) -> None:
        self._broker.reply(self._request, self._form(response))

    def fail(self, code: int) -> None:
        refused = dispatch.route(self._request.api_key).refused
        response = refused(self._request, WireError(code))
        assert response is not None, "every API of groups has a place for an error"
        self._broker.reply(self._request, response)


class _Gate:
    """Lets an answer out when the last of several partitions has secured what it speaks of."""

    __slots__ = ("_left", "_reply", "_response")

    def __init__(self, reply: Reply, response: Message, count: int) -> None:
        self._reply = reply
        self._response = response
        self._left = count

    def __call__(self, response: Any) -> None:
        """One partition is ready; what it passes on is not the answer."""
        self._left -= 1
        if self._left == 0:
            self._reply(self._response)

    def fail(self, code: int) -> None:
        if self._left > 0:
            self._left = -1
            self._reply.fail(code)


def answer_when_durable(homes: Iterable[Home], reply: Reply, response: Message, now_ms: int) -> None:
    """Answer once everything that these partitions have appended so far is durable."""
    waiting = [home for home in dict.fromkeys(homes) if not home.is_durable]
    if not waiting:
        reply(response)
        return
    gate = _Gate(reply, response, len(waiting))
    for home in waiting:
        home.when_durable(gate, None, now_ms)
