"""Elections of the metadata quorum, as plays. Who speaks is the number at the beginning of a line."""

from __future__ import annotations

from textwrap import dedent

import pytest
from support.quorum import Quorum

from logctl.engine.quorum.election_state import DamagedState, ElectionState, decode_state, encode_state
from logctl.engine.quorum.majority import Outcome, committed_offset, majority, outcome
from logctl.engine.quorum.messages import BeginEpoch, Envelope, Vote, VoteAnswer
from logctl.engine.quorum.roles import Follower, Leader, Resigned, Unattached


def play(text: str) -> str:
    return dedent(text).strip()


def elected(size: int = 3, logs: dict[int, list[int]] | None = None) -> Quorum:
    """A quorum in which node 1 has just been elected and everybody fetches."""
    quorum = Quorum(size, logs)
    quorum.pass_time(1500)
    quorum.told()
    return quorum


def test_a_single_voter_leads_at_once() -> None:
    quorum = Quorum(1)
    assert quorum.told() == play(
        """
        node 1 stands for election in epoch 1
        node 1 leads epoch 1 from offset 0
        node 1 knows everything below 1 as committed
        """
    )
    assert quorum.saved[1] == ElectionState(epoch=1, leader_id=1)
    assert quorum.nodes[1].deadline_ms is None
    quorum.start(1)
    assert quorum.nodes[1].epoch == 2, "each start is a new epoch"


def test_the_first_whose_time_comes_asks_stands_and_leads() -> None:
    quorum = Quorum(3)
    quorum.now_ms = 1150
    quorum.nodes[1].tick(quorum.now_ms)
    quorum.collect(1)
    quorum.deliver()
    assert quorum.told() == play(
        """
        node 1 asks whether it would be elected after epoch 0
        1 -> 2 would you vote for me after epoch 0? my log ends at 0 in epoch 0
        1 -> 3 would you vote for me after epoch 0? my log ends at 0 in epoch 0
        2 -> 1 yes, epoch 0
        node 1 stands for election in epoch 1
        3 -> 1 yes, epoch 0
        1 -> 2 vote for me in epoch 1? my log ends at 0 in epoch 0
        node 2 joins epoch 1, whose leader it does not know
        node 2 votes for node 1 in epoch 1
        1 -> 3 vote for me in epoch 1? my log ends at 0 in epoch 0
        node 3 joins epoch 1, whose leader it does not know
        node 3 votes for node 1 in epoch 1
        2 -> 1 yes, epoch 1
        node 1 leads epoch 1 from offset 0
        3 -> 1 yes, epoch 1
        1 -> 2 I lead epoch 1
        node 2 follows node 1 in epoch 1
        1 -> 3 I lead epoch 1
        node 3 follows node 1 in epoch 1
        2 -> 1 understood, 1 leads epoch 1
        3 -> 1 understood, 1 leads epoch 1
        """
    )
    assert [quorum.saved[voter].leader_id for voter in quorum.voters] == [1, 1, 1]
    assert quorum.saved[2].voted_id == 1, "the vote is remembered while its epoch lasts"


def test_nothing_is_committed_before_a_majority_has_it() -> None:
    quorum = elected()
    leader = quorum.nodes[1]
    before = leader.high_watermark
    assert before == 1
    quorum.logs[1].epochs += [1, 1]
    leader.flushed()
    quorum.collect(1)
    assert leader.high_watermark == before, "only the leader has it"
    quorum.fetch(3)
    assert leader.high_watermark == before, "node 3 has asked for it, but may not have it yet"
    quorum.fetch(3)
    assert leader.high_watermark == 3


def test_records_of_earlier_epochs_are_committed_by_one_of_the_leader_s_own() -> None:
    """Figure 8 of the Raft paper: an old record on a majority may still be lost, so it does not count alone."""
    quorum = Quorum(3, {1: [1, 2], 2: [1, 2], 3: [1]})
    quorum.pass_time(1200, fetching=False)
    assert quorum.leader == 1
    leader = quorum.nodes[1]
    leader.follower_fetched(2, 2, quorum.now_ms)
    assert leader.high_watermark is None, "offset 2 is on a majority, but the leader's own record is not"
    leader.follower_fetched(2, 3, quorum.now_ms)
    assert leader.high_watermark == 3


def test_a_longer_log_wins_and_a_shorter_one_is_refused() -> None:
    quorum = Quorum(3, {1: [1], 2: [1, 2], 3: [1, 2]})
    quorum.pass_time(4000)
    assert quorum.leader in (2, 3)
    assert quorum.logs[1].epochs == quorum.logs[2].epochs == quorum.logs[3].epochs
    assert "node 1 is not elected after epoch 0" in quorum.told()


def test_when_the_leader_dies_another_takes_over_and_the_old_one_follows_on_return() -> None:
    quorum = elected()
    quorum.crash(1)
    quorum.pass_time(5000)
    successor = quorum.leader
    assert successor in (2, 3)
    quorum.start(1)
    assert isinstance(quorum.nodes[1].role, Resigned), "it led when it died; it does not claim that epoch again"
    quorum.pass_time(3000)
    assert quorum.nodes[1].leader_id == successor
    assert quorum.leader == successor, "nobody was unseated by the return"


def test_a_leader_whose_process_is_gone_is_not_waited_for() -> None:
    quorum = elected()
    quorum.crash(1)
    for voter in (2, 3):
        quorum.nodes[voter].leader_is_gone(1, quorum.now_ms)
        quorum.nodes[voter].leader_is_gone(3, quorum.now_ms)
    quorum.pass_time(10, fetching=False)
    assert quorum.nodes[2].is_leader, "chance has given it the shortest wait"
    assert quorum.nodes[3].leader_id == 2


def test_a_voter_that_takes_a_working_leader_for_gone_unseats_nobody() -> None:
    quorum = elected()
    quorum.nodes[2].leader_is_gone(1, quorum.now_ms)
    quorum.pass_time(300)
    assert quorum.nodes[1].is_leader
    assert quorum.nodes[2].leader_id == 1, "the others still follow it, so it goes back"


def test_a_voter_that_was_cut_off_does_not_unseat_a_leader_that_works() -> None:
    quorum = elected()
    epoch = quorum.nodes[1].epoch
    quorum.isolate(3)
    quorum.pass_time(10_000)
    assert quorum.nodes[3].epoch == epoch, "it asks in vain and raises no epoch"
    quorum.heal()
    quorum.pass_time(5_000)
    assert quorum.leader == 1
    assert quorum.nodes[1].epoch == epoch
    assert quorum.nodes[3].leader_id == 1


def test_who_still_hears_the_leader_does_not_help_somebody_who_does_not() -> None:
    """A partial cut: 3 reaches 2 but not the leader. 2 refuses, because it has fetched from a leader that works."""
    quorum = elected()
    quorum.cut = {(1, 3), (3, 1)}
    quorum.pass_time(10_000)
    assert quorum.leader == 1
    assert quorum.nodes[1].epoch == 1
    quorum.nodes[2].step(Envelope(3, 2, Vote(1, 1, 1, pre_vote=True)), quorum.now_ms)
    quorum.collect(2)
    assert quorum.wire.pop().message == VoteAnswer(1, leader_id=1, granted=False, pre_vote=True)


def test_a_leader_that_was_cut_off_resigns_and_follows_the_one_that_came_after_it() -> None:
    quorum = elected()
    quorum.isolate(1)
    quorum.pass_time(4_500)
    assert "node 1 resigns epoch 1: 2 of 3 voters have not fetched for 3000 ms" in quorum.told()
    quorum.pass_time(3_000)
    assert quorum.leader in (2, 3)
    quorum.heal()
    quorum.pass_time(3_000)
    assert quorum.nodes[1].leader_id == quorum.leader


def test_a_leader_that_was_held_up_itself_holds_that_against_nobody() -> None:
    quorum = elected()
    leader = quorum.nodes[1]
    leader.tick(quorum.now_ms + 5000)
    assert leader.is_leader, "it has not listened for so long; what the others have asked is still to be read"
    leader.tick(quorum.now_ms + 6000)
    assert not leader.is_leader, "now it has, and there was nothing"


def test_an_orderly_stop_hands_over_to_the_voter_that_is_furthest() -> None:
    quorum = elected()
    quorum.logs[1].epochs += [1]
    quorum.fetch(3)
    quorum.fetch(3)
    quorum.nodes[1].resign(quorum.now_ms)
    quorum.collect(1)
    quorum.deliver()
    assert quorum.leader == 3
    lines = quorum.told().splitlines()
    assert "1 -> 3 I lead epoch 1 no longer; successors 3, 2" in lines
    assert "node 3 leads epoch 2 from offset 2" in lines


def test_two_candidates_may_split_the_votes_and_somebody_leads_in_the_end() -> None:
    quorum = Quorum(4)
    quorum.now_ms = 2000
    for voter in (1, 2):
        quorum.nodes[voter].tick(quorum.now_ms)
        quorum.collect(voter)
    quorum.pass_time(6_000)
    assert quorum.leader is not None
    assert all(quorum.nodes[voter].leader_id == quorum.leader for voter in quorum.voters)


def test_a_voter_votes_once_per_epoch_also_after_a_restart() -> None:
    quorum = Quorum(3)
    node = quorum.nodes[3]
    node.step(Envelope(1, 3, Vote(5, 0, 0)), 0)
    quorum.collect(3)
    assert quorum.wire.pop().message == VoteAnswer(5, -1, granted=True)
    quorum.start(3)
    again = quorum.nodes[3]
    again.step(Envelope(2, 3, Vote(5, 0, 0)), 0)
    quorum.collect(3)
    assert quorum.wire.pop().message == VoteAnswer(5, -1, granted=False)
    again.step(Envelope(1, 3, Vote(5, 0, 0)), 0)
    quorum.collect(3)
    assert quorum.wire.pop().message == VoteAnswer(5, -1, granted=True), "the same candidate may ask again"


def test_a_vote_was_for_a_node_and_its_directory() -> None:
    """The same id from a directory that was formatted anew is another voter, also after a restart."""
    quorum = Quorum(3)
    first, second = b"a" * 16, b"b" * 16
    for directory, granted in ((first, True), (second, False), (first, True)):
        quorum.nodes[3].step(Envelope(1, 3, Vote(5, 0, 0, False, directory)), 0)
        quorum.collect(3)
        answer = quorum.wire.pop().message
        assert isinstance(answer, VoteAnswer)
        assert answer.granted == granted
        assert quorum.saved[3].voted_directory_id == first
        quorum.start(3)


def test_messages_of_the_past_change_nothing() -> None:
    quorum = elected()
    leader = quorum.nodes[1]
    follower = quorum.nodes[2]
    for stale in (BeginEpoch(0), Vote(0, 9, 9), VoteAnswer(0, -1, granted=True)):
        follower.step(Envelope(3, 2, stale), quorum.now_ms)
        leader.step(Envelope(3, 1, stale), quorum.now_ms)
    assert isinstance(leader.role, Leader)
    assert isinstance(follower.role, Follower)
    assert follower.leader_id == 1


def test_a_stranger_gets_no_vote_and_its_vote_does_not_count() -> None:
    quorum = Quorum(3)
    node = quorum.nodes[1]
    node.step(Envelope(9, 1, Vote(3, 9, 9)), 0)
    quorum.collect(1)
    assert quorum.wire.pop().message == VoteAnswer(3, -1, granted=False)
    assert isinstance(node.role, Unattached)


def test_a_voter_that_missed_the_announcement_is_told_again() -> None:
    quorum = Quorum(3)
    quorum.cut = {(1, 3)}
    quorum.pass_time(1_200)
    assert quorum.leader == 1
    assert quorum.nodes[3].leader_id == -1
    quorum.heal()
    quorum.pass_time(1_200)
    assert quorum.nodes[3].leader_id == 1


# ---- who votes, and who does not ----


def with_a_guest() -> Quorum:
    """Three voters, led by node 1, and node 4 without a vote, which has been told of it."""
    quorum = Quorum(3, guests=1)
    quorum.pass_time(1_500)
    quorum.nodes[4].told(1, 1, quorum.now_ms)
    quorum.collect(4)
    quorum.pass_time(500)
    quorum.told()
    return quorum


def test_an_observer_follows_whom_it_is_told_of_and_counts_for_nothing() -> None:
    quorum = with_a_guest()
    assert quorum.nodes[4].leader_id == 1
    quorum.cut = {(1, 2), (2, 1), (1, 3), (3, 1)}
    quorum.logs[1].epochs += [1]
    quorum.nodes[1].flushed()
    quorum.pass_time(1_000)
    assert quorum.nodes[1].high_watermark == 1, "the observer has it, and no voter but the leader"
    assert quorum.logs[4].end_offset == 2
    quorum.pass_time(3_000)
    assert "node 1 resigns epoch 1: 2 of 3 voters have not fetched for 3000 ms" in quorum.told()


def test_an_observer_that_loses_sight_of_the_leader_does_not_stand() -> None:
    quorum = with_a_guest()
    quorum.isolate(4)
    quorum.pass_time(20_000)
    assert quorum.told() == "node 4 does not hear of a leader after epoch 1"
    assert isinstance(quorum.nodes[4].role, Unattached)
    quorum.heal()
    quorum.nodes[4].told(-1, 1, quorum.now_ms)
    assert quorum.nodes[4].leader_id == -1, "who was asked does not know either"
    quorum.nodes[4].told(1, 1, quorum.now_ms)
    assert quorum.nodes[4].leader_id == 1


def test_a_new_voter_counts_from_the_record_on() -> None:
    quorum = with_a_guest()
    quorum.change(1, 2, 3, 4)
    assert quorum.nodes[1].high_watermark == 1, "three of four are needed"
    quorum.fetch(4)
    quorum.fetch(4)
    assert quorum.nodes[1].high_watermark == 1
    quorum.fetch(2)
    quorum.fetch(2)
    assert quorum.nodes[1].high_watermark == 2
    assert quorum.nodes[4].is_voter


def test_who_does_not_know_yet_that_it_votes_gives_its_vote_all_the_same() -> None:
    """Four votes stand in the logs of 1 and 2; then 1 dies. Three are needed, and 3 has not heard of the fourth."""
    quorum = with_a_guest()
    quorum.cut = {(1, 3), (3, 1), (1, 4), (4, 1)}
    quorum.change(1, 2, 3, 4)
    quorum.fetch(2)
    quorum.fetch(2)
    quorum.crash(1)
    assert not quorum.nodes[4].is_voter
    quorum.pass_time(8_000)
    assert quorum.leader == 2
    assert "4 -> 2 yes, epoch 2" not in quorum.told(), "fixed voters are known by id alone, and 2 is one of them"
    assert quorum.nodes[4].is_voter


def test_a_leader_without_a_vote_leads_until_that_is_committed() -> None:
    quorum = with_a_guest()
    quorum.change(2, 3)
    leader = quorum.nodes[1]
    assert leader.is_leader
    for voter in (2, 2):
        quorum.fetch(voter)
    assert leader.high_watermark == 1, "its own disk does not count"
    for voter in (3, 3):
        quorum.fetch(voter)
    assert leader.high_watermark == 2
    leader.resign(quorum.now_ms)
    quorum.collect(1)
    quorum.told()
    quorum.deliver()
    assert "node 2 leads epoch 2 from offset 2" in quorum.told()
    quorum.pass_time(10_000)
    assert quorum.leader == 2
    assert (leader.epoch, leader.leader_id) == (1, -1), "it does not stand any more"
    leader.told(2, 2, quorum.now_ms)
    assert leader.leader_id == 2, "whom it asked has told it"


def test_votes_of_those_who_are_not_in_the_set_do_not_count() -> None:
    quorum = with_a_guest()
    node = quorum.nodes[2]
    quorum.crash(1)
    quorum.crash(3)
    quorum.now_ms += 5_000
    node.tick(quorum.now_ms)
    quorum.collect(2)
    node.step(Envelope(4, 2, VoteAnswer(1, -1, granted=True, pre_vote=True)), quorum.now_ms)
    assert node.epoch == 1, "it would be elected by itself and a guest: that is no majority"


@pytest.mark.parametrize("seed", range(25))
def test_whatever_happens_there_is_one_leader_per_epoch_and_nothing_committed_is_lost(seed: int) -> None:
    """Crashes, cuts and healing at random. The harness asserts at every step; here somebody leads in the end."""
    quorum = Quorum(3 if seed % 2 else 5, seed=seed)
    chance = quorum.random
    assert chance is not None
    committed: list[int] = []
    for _ in range(60):
        match chance.randrange(6):
            case 0:
                quorum.isolate(chance.choice(quorum.voters))
            case 1:
                quorum.heal()
            case 2 if not quorum.down:
                quorum.crash(chance.choice(quorum.voters))
            case 3:
                for voter in sorted(quorum.down):
                    quorum.start(voter)
            case _:
                if quorum.leader is not None:
                    quorum.logs[quorum.leader].epochs.append(quorum.nodes[quorum.leader].epoch)
                    quorum.nodes[quorum.leader].flushed()
                    quorum.collect(quorum.leader)
        quorum.pass_time(chance.randrange(100, 3_000))
        for voter in quorum.voters:
            known = quorum.nodes[voter].high_watermark or 0
            mine = quorum.logs[voter].epochs[:known]
            shorter = min(len(mine), len(committed))
            assert mine[:shorter] == committed[:shorter], "committed records are the same everywhere"
            committed = mine if len(mine) > len(committed) else committed
    quorum.heal()
    for voter in sorted(quorum.down):
        quorum.start(voter)
    quorum.pass_time(20_000)
    assert quorum.leader is not None
    leader_log = quorum.logs[quorum.leader].epochs
    assert leader_log[: len(committed)] == committed
    assert all(quorum.logs[voter].epochs == leader_log for voter in quorum.voters)


# ---- the arithmetic ----


@pytest.mark.parametrize(
    ("ends", "committed"),
    [([7], 7), ([10, 6], 6), ([10, 6, 3], 6), ([10, 0, 0], 0), ([9, 8, 7, 6], 7), ([9, 8, 7, 6, 5], 7)],
)
def test_what_a_majority_has_reached(ends: list[int], committed: int) -> None:
    assert committed_offset(ends) == committed
    assert sum(end >= committed for end in ends) >= majority(len(ends))


@pytest.mark.parametrize(
    ("voters", "granted", "rejected", "expected"),
    [
        (1, 1, 0, Outcome.WON),
        (3, 1, 0, Outcome.PENDING),
        (3, 2, 0, Outcome.WON),
        (3, 1, 1, Outcome.PENDING),
        (3, 1, 2, Outcome.LOST),
        (4, 2, 1, Outcome.PENDING),
        (4, 2, 2, Outcome.LOST),
        (4, 3, 1, Outcome.WON),
    ],
)
def test_where_an_election_stands(voters: int, granted: int, rejected: int, expected: Outcome) -> None:
    assert outcome(voters, granted, rejected) is expected


# ---- the file ----


def test_the_election_state_survives_its_file() -> None:
    state = ElectionState(epoch=7, leader_id=2, voted_id=3)
    assert decode_state(encode_state(state, (1, 2, 3))) == state


def test_the_state_of_a_quorum_with_changing_voters_is_read_too() -> None:
    data = b'{"leaderId":-1,"leaderEpoch":4,"votedId":2,"votedDirectoryId":"2nQu0lCJxNH_W5Hr5U2xbg","data_version":1}'
    state = decode_state(data)
    assert (state.epoch, state.leader_id, state.voted_id, len(state.voted_directory_id)) == (4, -1, 2, 16)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"{}",
        b'{"data_version":2}',
        b'{"data_version":0,"leaderId":1,"leaderEpoch":-1,"votedId":-1}',
        b'{"data_version":0,"leaderId":1,"leaderEpoch":true,"votedId":-1}',
        b'{"data_version":0,"leaderId":1,"leaderEpoch":99999999999,"votedId":-1}',
        b'{"data_version":1,"leaderId":1,"leaderEpoch":1,"votedId":1,"votedDirectoryId":"x"}',
    ],
)
def test_a_state_that_makes_no_sense_is_told_apart(content: bytes) -> None:
    with pytest.raises(DamagedState):
        decode_state(content)


def test_the_leader_knows_how_far_its_voters_are_and_when_they_had_everything() -> None:
    quorum = elected()
    leader = quorum.nodes[1]
    end = quorum.logs[1].end_offset
    leader.follower_fetched(2, end, 2_000)
    known = leader.progress_of(2)
    assert known is not None
    assert (known.offset, known.fetched_ms, known.caught_up_ms) == (end, 2_000, 2_000)
    quorum.logs[1].epochs.append(leader.epoch)
    leader.follower_fetched(2, end, 3_000)
    known = leader.progress_of(2)
    assert known is not None
    assert (known.fetched_ms, known.caught_up_ms) == (3_000, 2_000), "what it had at 2000 was all there was then"
    quorum.logs[1].epochs.append(leader.epoch)
    leader.follower_fetched(2, end + 1, 4_000)
    known = leader.progress_of(2)
    assert known is not None
    assert known.caught_up_ms == 3_000, "it has got what there was when it last asked"
    assert quorum.nodes[2].progress_of(3) is None, "a follower knows nothing of others"
