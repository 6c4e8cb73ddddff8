"""AddRaftVoter (80), versions 0 to 1: a node that has copied the metadata log is to vote (KIP-853).

Answered when the new set of voters is committed, from version 1 on also at once if that is asked for. Errors:
UNSUPPORTED_VERSION while voters are fixed (kraft.version 0), DUPLICATE_VOTER for an id that votes, INVALID_REQUEST
without a listener of the voters, INCONSISTENT_CLUSTER_ID and INVALID_VOTER_KEY when somebody else answers at the
address, REQUEST_TIMED_OUT for what may be tried again: nobody answers there, the log is not copied yet, another change
is under way.

Not implemented: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.request import Answer, Request
from logctl.engine.broker.voter_answers import answer_change
from logctl.engine.quorum.voters import Address, Voter
from logctl.wire.messages.add_raft_voter import AddRaftVoterRequest

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 80
VERSIONS = (0, 1)


def handle(broker: Broker, request: Request[AddRaftVoterRequest], now_ms: int) -> Answer:
    body = request.body
    addresses = tuple(Address(one.name, one.host, one.port) for one in body.listeners)
    voter = Voter(body.voter_id, body.voter_directory_id, addresses)
    at_once = not body.ack_when_committed
    return answer_change(
        broker, request, lambda changes, done: changes.add(body.cluster_id, voter, body.timeout_ms, at_once, done)
    )
