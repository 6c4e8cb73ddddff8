"""Asking the controller on behalf of a client: the request waits until what was decided is committed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from logctl.engine.broker.request import PARKED, Answer, Request
from logctl.wire.errors import WireError

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker
    from logctl.engine.controller.decision import Controller, Decision
    from logctl.wire.schema import Message

Decide = Callable[["Controller"], "Decision[Any]"]
Complete = Callable[[Any], Any]
Refused = Callable[[Request[Any], WireError], "Message | None"]


def answer_decided(
    broker: Broker, request: Request[Any], decide: Decide, *, refused: Refused, complete: Complete = lambda _: None
) -> Answer:
    """Park the request until the decision is committed, then let `complete` add to its response and send that.

    `refused` words the answer when the decision is lost on its way. Raises WireError when it is refused at once.
    """

    def decided(decision: Decision[Any]) -> None:
        complete(decision.response)
        broker.reply(request, decision.response)

    def failed(error: WireError) -> None:
        answer = refused(request, error)
        if answer is not None:
            broker.reply(request, answer)

    broker.metadata.decide(decide, decided, failed)
    return PARKED
