"""What seeds of three nodes have found, told again by name."""

from __future__ import annotations

import errno

from support.metadata_room import Room

from logctl.engine.quorum.election_state import NOBODY
from logctl.engine.quorum.messages import Envelope, Vote


def test_a_vote_that_could_not_be_written_down_is_never_given() -> None:
    """Seeds 3 and 6: the vote was remembered, and given when it was asked for again, without being on the disk."""
    room = Room(3)
    leader = room.elect()
    voter, candidate = (node for node in room.voters if node != leader)
    node = room.nodes[voter]
    room.disks[voter].fail("write", errno.EIO, path_part="quorum-state")
    vote = Vote(node.epoch + 1, 1 << 20, 1 << 20)
    for _ in range(2):
        node.deliver(Envelope(candidate, voter, vote))
        assert node.outbox == []
    assert node.has_failed
    assert (node.is_leader, node.leader_id, node.question()) == (False, NOBODY, None)
