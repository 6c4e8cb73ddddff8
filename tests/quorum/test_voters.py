"""Who votes changes while the quorum works: real logs, Kafka's messages, one change at a time (KIP-853)."""

from __future__ import annotations

import json

import pytest
from support.controller import CLUSTER_ID, numbered_id
from support.metadata_room import PATH, Room, address_of, directory_of, voter_of

from logctl.engine.broker import quorum_wire as wire
from logctl.engine.broker.metadata_snapshot_keeping import Options
from logctl.engine.quorum.messages import Vote
from logctl.engine.quorum.voters import Voter, VoterHistory, VoterSet
from logctl.wire import errors


def named(size: int = 1, **options: int) -> Room:
    """A room whose log names the voters, with a leader."""
    room = Room(size, options=Options(**options), named=True)
    room.elect()
    return room


def state_of(room: Room, node_id: int) -> dict[str, object]:
    said = json.loads(room.disks[node_id].read_file(f"{PATH}/__cluster_metadata-0/quorum-state"))
    assert isinstance(said, dict)
    return said


def test_one_voter_grows_to_three_and_any_two_go_on() -> None:
    room = named(1)
    room.create_topic()
    for node_id in (2, 3):
        room.come(node_id)
        room.pass_time(1_000)
        assert room.nodes[node_id].leader_id == 1, "it follows before it votes"
        assert room.add(node_id) == ""
    assert all(room.voters_known_to(node_id) == (1, 2, 3) for node_id in room.nodes)
    room.create_topic()
    room.crash(1)
    assert room.elect() in (2, 3)
    room.create_topic()
    room.start(1)
    room.pass_time(3_000)
    room.check_complete()
    assert room.acknowledged == ["topic-1", "topic-2", "topic-3"]


def test_voters_go_until_one_is_left_and_follow_on() -> None:
    room = named(3)
    room.create_topic()
    leader = room.elect()
    others = [voter for voter in room.voters if voter != leader]
    assert room.remove(others[0]) == ""
    room.crash(others[0])
    room.create_topic()
    room.start(others[0])
    room.pass_time(2_000)
    room.check_complete()
    assert room.remove(others[1]) == ""
    assert room.voters_known_to(leader) == (leader,)
    assert room.remove(leader) == f"INVALID_REQUEST: Node {leader} is the only voter; add another one first"
    room.create_topic()
    room.pass_time(2_000)
    room.check_complete()
    assert not room.nodes[others[0]].raft.is_voter


def test_a_leader_that_is_removed_leads_until_that_is_committed_and_then_follows() -> None:
    room = named(3)
    old = room.elect()
    room.create_topic()
    assert room.remove(old) == ""
    room.pass_time(3_000)
    successor = room.elect()
    assert successor != old
    room.create_topic()
    room.pass_time(2_000)
    assert room.nodes[old].leader_id == successor
    room.check_complete()
    room.pass_time(20_000)
    assert room.leader == successor, "who has no vote disturbs nobody"


def test_the_last_of_two_leads_when_the_other_is_removed() -> None:
    room = named(2)
    old = room.elect()
    assert room.remove(old) == ""
    assert room.elect() != old
    room.create_topic()
    room.pass_time(2_000)
    room.check_complete()


def test_a_set_that_was_never_committed_is_forgotten_with_its_record() -> None:
    room = named(3)
    room.come(4)
    room.pass_time(1_000)
    old = room.elect()
    rest = [voter for voter in room.voters if voter != old]
    room.cut |= {(old, voter) for voter in rest} | {(voter, old) for voter in rest}
    room.cut |= {(4, voter) for voter in rest} | {(voter, 4) for voter in rest}
    assert room.add(4, at=old) is None, "two of four have it: that is no majority"
    assert room.voters_known_to(old) == room.voters_known_to(4) == (1, 2, 3, 4)
    room.pass_time(6_000)
    successor = room.elect()
    assert successor in rest
    assert room.voters_known_to(successor) == (1, 2, 3)
    room.create_topic()
    room.heal()
    room.pass_time(5_000)
    assert room.voters_known_to(old) == room.voters_known_to(4) == (1, 2, 3), "its end was cut off"
    assert not room.nodes[4].raft.is_voter
    assert room.add(4) == ""


def test_one_change_at_a_time() -> None:
    room = named(3)
    leader = room.elect()
    room.come(4)
    room.come(5)
    room.pass_time(1_000)
    others = [voter for voter in room.voters if voter != leader]
    for other in others:
        room.cut |= {(other, leader)}
    room.cut |= {(4, leader)}
    assert room.remove(others[0], settle_ms=100) is None
    assert room.remove(others[1], settle_ms=100) == (
        "REQUEST_TIMED_OUT: Another change of the voters is under way; try again"
    )


def test_sets_survive_crashes_in_the_log_and_in_snapshots() -> None:
    room = named(1, segment_bytes=1024, snapshot_interval_bytes=1500)
    room.come(2)
    room.pass_time(1_000)
    assert room.add(2) == ""
    for _ in range(60):
        room.create_topic()
    assert room.nodes[1].log.start_offset > 0, "the record itself has gone"
    room.crash(1)
    room.crash(2)
    for node_id in (1, 2):
        room.start(node_id)
        assert room.voters_known_to(node_id) == (1, 2)
    room.elect()
    room.come(3)
    room.pass_time(2_000)
    assert room.voters_known_to(3) == (1, 2), "a newcomer learns it from the snapshot"
    assert room.add(3) == ""
    room.check_complete()


def test_the_election_state_names_the_directory_that_was_voted_for() -> None:
    room = named(3)
    leader = room.elect()
    follower = next(voter for voter in room.voters if voter != leader)
    state = state_of(room, follower)
    assert state["data_version"] == 1
    assert "currentVoters" not in state
    assert state["leaderId"] == leader


@pytest.mark.parametrize(
    ("voter", "says"),
    [
        (voter_of(2), "DUPLICATE_VOTER: Node 2 votes already from directory"),
        (voter_of(2)._replace(directory_id=numbered_id(77)), "DUPLICATE_VOTER: Node 2 votes already from directory"),
        (voter_of(4)._replace(directory_id=bytes(16)), "INVALID_REQUEST: A voter is named by its node id and its log"),
        (voter_of(4)._replace(addresses=()), "INVALID_REQUEST: Node 4 names no listener CONTROLLER"),
        (voter_of(4)._replace(addresses=(address_of(9),)), "REQUEST_TIMED_OUT: Node 4 cannot be added: at room:9"),
        (voter_of(4)._replace(directory_id=numbered_id(77)), "INVALID_VOTER_KEY: Node 4 cannot be added: at room:4"),
        (voter_of(5)._replace(addresses=(address_of(4),)), "INVALID_VOTER_KEY: Node 5 cannot be added: at room:4"),
        (voter_of(6), "REQUEST_TIMED_OUT: Node 6 has not copied the metadata log up to its end"),
    ],
)
def test_who_cannot_vote_is_refused_in_a_sentence(voter: Voter, says: str) -> None:
    room = named(3)
    room.come(4)
    room.pass_time(1_000)
    before = room.voters_known_to(room.elect())
    room.come(6)
    said = room.ask_change(lambda changes, done: changes.add(CLUSTER_ID, voter, 0, False, done))
    assert said is not None
    assert said.startswith(says)
    assert room.voters_known_to(room.elect()) == before


def test_other_refusals() -> None:
    room = named(3)
    leader = room.elect()
    follower = next(voter for voter in room.voters if voter != leader)
    assert room.remove(7) == "VOTER_NOT_FOUND: Node 7 does not vote"
    said = room.ask_change(lambda changes, done: changes.remove(CLUSTER_ID, follower, numbered_id(5), done))
    assert said is not None
    assert said.startswith(f"VOTER_NOT_FOUND: Node {follower} does not vote from directory")
    assert room.add(4, at=follower) == "NOT_LEADER_OR_FOLLOWER: This node does not lead the metadata quorum"
    said = room.ask_change(lambda changes, done: changes.remove("elsewhere", follower, directory_of(follower), done))
    assert said == f"INCONSISTENT_CLUSTER_ID: This is cluster {CLUSTER_ID}, the request is for elsewhere"


def test_fixed_voters_become_named_ones_when_all_have_told_who_they_are() -> None:
    room = Room(3)
    leader = room.elect()
    refusal = room.add(4)
    assert refusal is not None
    assert refusal.startswith("UNSUPPORTED_VERSION: The voters of this cluster are fixed by the nodes' settings")

    def up(*, validate_only: bool = False) -> str | None:
        return room.ask_change(
            lambda changes, done: changes.raise_version(1, validate_only=validate_only, done=done)
        )

    refusal = up()
    assert refusal is not None
    assert "has not told its directory and addresses yet" in refusal
    for voter in room.voters:
        if voter != leader:
            own = voter_of(voter)
            epoch = room.nodes[leader].epoch
            said = room.ask_change(lambda changes, done: changes.update(CLUSTER_ID, epoch, own, done))  # noqa: B023
            assert said == ""
    assert up(validate_only=True) == ""
    assert not room.nodes[leader].voters.are_in_the_log
    assert up() == ""
    room.pass_time(1_000)
    for voter, node in room.nodes.items():
        assert node.voters.voters == VoterSet(map(voter_of, (1, 2, 3))), f"node {voter} knows the directories"
    room.crash(leader)
    room.elect()
    assert state_of(room, room.elect())["data_version"] == 1
    refusal = room.ask_change(lambda changes, done: changes.raise_version(0, validate_only=False, done=done))
    assert refusal == "INVALID_UPDATE_VERSION: kraft.version does not fall: the log names the voters"


def test_a_voter_that_moved_says_where_it_is_now() -> None:
    room = named(3)
    leader = room.elect()
    voter = next(voter for voter in room.voters if voter != leader)
    moved = voter_of(voter)._replace(addresses=(address_of(voter), address_of(voter)._replace(name="SECOND")))
    epoch = room.nodes[leader].epoch
    assert room.ask_change(lambda changes, done: changes.update(CLUSTER_ID, epoch, moved, done)) == ""
    assert all(node.voters.voters.get(voter) == moved for node in room.nodes.values())
    said = room.ask_change(lambda changes, done: changes.update(CLUSTER_ID, epoch - 1, moved, done))
    assert said is not None
    assert said.startswith("FENCED_LEADER_EPOCH")


def test_voters_that_disagree_about_who_votes_say_so_and_give_each_other_no_vote() -> None:
    room = Room(3)
    leader = room.elect()
    body = wire.vote_request(CLUSTER_ID, 9, leader, Vote(50, 50, 50))
    answer = room.talks[leader].vote(body)
    told = answer.topics[0].partitions[0]  # type: ignore[attr-defined]
    assert (told.error_code, told.vote_granted) == (errors.INCONSISTENT_VOTER_SET, False)
    assert room.nodes[leader].is_leader, "a stranger raises no epoch"
    assert any("disagree about who votes" in line for line in room.diary)


@pytest.mark.parametrize("seed", range(12))
def test_through_crashes_cuts_and_changes_nothing_acknowledged_is_lost(seed: int) -> None:
    room = Room(3, seed=seed, options=Options(segment_bytes=4096, snapshot_interval_bytes=3000), named=True)
    room.elect()
    for node_id in (4, 5):
        room.come(node_id)
    chance = room.random
    changed = 0
    for _ in range(45):
        everybody = list(room.disks)
        happening = chance.choice(("work", "work", "add", "remove", "crash", "kill", "start", "cut", "heal", "wait"))
        down = [node_id for node_id in everybody if node_id not in room.nodes]
        leader = room.leader
        if happening == "work" and leader is not None and room.nodes[leader].image.metadata_version:
            room.create_topic(settle=chance.random() < 0.5)
        elif happening == "add" and leader is not None:
            changed += room.add(chance.choice(everybody), settle_ms=chance.choice((0, 500))) == ""
        elif happening == "remove" and leader is not None and len(room.voters_known_to(leader)) > 2:
            changed += room.remove(chance.choice(everybody), settle_ms=chance.choice((0, 500))) == ""
        elif happening in ("crash", "kill") and not down:
            room.crash(chance.choice(everybody), power=happening == "crash")
        elif happening == "start" and down:
            room.start(down[0])
        elif happening == "cut":
            room.cut.add((chance.choice(everybody), chance.choice(everybody)))
        elif happening == "heal":
            room.heal()
        room.pass_time(chance.randrange(50, 1500))
    room.heal()
    for node_id in room.disks:
        if node_id not in room.nodes:
            room.start(node_id)
    room.elect()
    room.create_topic()
    room.pass_time(8_000)
    room.check_complete()
    assert len({room.voters_known_to(node_id) for node_id in room.nodes}) == 1
    assert room.acknowledged, "something was done"


# ---- sets and their history ----


def test_a_directory_counts_where_it_is_known() -> None:
    voters = VoterSet((Voter(1, b"a" * 16), Voter(2)))
    assert voters.has(1, b"a" * 16)
    assert not voters.has(1, b"b" * 16)
    assert voters.has(1), "not told"
    assert voters.has(2, b"b" * 16), "not known"
    assert not voters.has(3)


def test_what_the_log_says_is_taken_back_with_its_record() -> None:
    fixed, first, second = (VoterSet.of_ids(ids) for ids in ((1,), (1, 2), (1, 2, 3)))
    history = VoterHistory(fixed)
    history.add(7, voters=first)
    assert history.voters == fixed, "kraft.version 0: the settings count"
    history.add(8, kraft_version=1)
    assert history.voters == first
    history.add(20, voters=second)
    assert (history.voters, history.at(20).voters, history.at(21).voters) == (second, first, second)
    assert history.truncate(20)
    assert history.voters == first
    assert not history.truncate(9)
    history.truncate(8)
    assert history.voters == fixed
