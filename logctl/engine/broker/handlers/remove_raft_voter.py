"""RemoveRaftVoter (81), version 0: a node is to vote no more (KIP-853). It goes on copying the metadata log.

Answered when the new set of voters is committed; a leader that is removed resigns then. Errors: UNSUPPORTED_VERSION
while voters are fixed (kraft.version 0), VOTER_NOT_FOUND for an id and directory that do not vote, INVALID_REQUEST for
the last voter, REQUEST_TIMED_OUT while another change is under way.

Not implemented: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.request import Answer, Request
from logctl.engine.broker.voter_answers import answer_change
from logctl.wire.messages.remove_raft_voter import RemoveRaftVoterRequest

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 81
VERSIONS = (0, 0)


def handle(broker: Broker, request: Request[RemoveRaftVoterRequest], now_ms: int) -> Answer:
    body = request.body
    return answer_change(
        broker,
        request,
        lambda changes, done: changes.remove(body.cluster_id, body.voter_id, body.voter_directory_id, done),
    )
