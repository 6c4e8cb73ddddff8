"""Answering requests that change who votes: they are parked until the change is committed or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from logctl.engine.broker.dispatch import route
from logctl.engine.broker.request import PARKED, Answer, Request
from logctl.wire import errors
from logctl.wire.api import API
from logctl.wire.errors import WireError

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker
    from logctl.engine.broker.voter_changes import Done, VoterChanges
    from logctl.wire.schema import Message

Change = Callable[["VoterChanges", "Done"], None]


def answer_change(
    broker: Broker, request: Request[Any], change: Change, granted: Callable[[], Message] | None = None
) -> Answer:
    """`granted` words the answer to a change that was made; without it, it is one without an error. Raises WireError
    when the change is refused at once."""
    if broker.voter_changes is None:
        raise WireError(
            errors.UNSUPPORTED_VERSION,
            "This node is its whole quorum, by its settings: give it a listener for other nodes first "
            "(controller.listener.names), and voters in its log (kraft.version 1)",
        )

    def done(refusal: WireError | None) -> None:
        if refusal is None:
            answer: Message | None = granted() if granted is not None else _granted(request)
        else:
            answer = route(request.api_key).refused(request, refusal)
        if answer is not None:
            broker.reply(request, answer)

    change(broker.voter_changes, done)
    return PARKED


def _granted(request: Request[Any]) -> Message:
    response = API[request.api_key].response()
    if hasattr(response, "error_message"):
        response.error_message = None
    return response
