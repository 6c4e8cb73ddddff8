"""UpdateRaftVoter (82), version 0: a voter tells where it is reached and which kraft.version it can run (KIP-853).

Served on the listener between controllers alone. Where voters are fixed the leader keeps it in mind, for the day on
which kraft.version is raised; else it becomes a new set of voters, and is answered when that is committed.

Not implemented: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctl.engine.broker.request import Answer, Request
from logctl.engine.broker.voter_answers import answer_change
from logctl.engine.quorum.voters import Address, Voter
from logctl.wire.messages.update_raft_voter import UpdateRaftVoterRequest

if TYPE_CHECKING:
    from logctl.engine.broker.broker import Broker

API_KEY = 82
VERSIONS = (0, 0)


def handle(broker: Broker, request: Request[UpdateRaftVoterRequest], now_ms: int) -> Answer:
    body = request.body
    feature = body.kraft_version_feature
    voter = Voter(
        body.voter_id,
        body.voter_directory_id,
        tuple(Address(one.name, one.host, one.port) for one in body.listeners),
        feature.min_supported_version,
        feature.max_supported_version,
    )
    return answer_change(
        broker,
        request,
        lambda changes, done: changes.update(body.cluster_id, body.current_leader_epoch, voter, done),
    )
