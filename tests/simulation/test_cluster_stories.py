"""What seeds of three nodes have found, told again by name."""

from __future__ import annotations

import errno

from support.metadata_room import PATH, Room

from logctl.engine.broker.metadata_store import DIRECTORY
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


def test_the_first_vote_of_a_voter_survives_a_power_cut() -> None:
    """Seeds 608 and 616: the folder of the metadata log was new, and its name was not on the disk yet."""
    room = Room(3)
    for disk in room.disks.values():
        survivors = [disk.crash() for _ in range(8)]
        assert all(one.exists(f"{PATH}/{DIRECTORY}") for one in survivors), "a vote would be lost with its folder"
