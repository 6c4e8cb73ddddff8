"""The classic protocol as dialogues: joining, dividing, staying, leaving, and what liars are told."""

from __future__ import annotations

import pytest
from support.groups import Stage, Waiting, assignment


@pytest.fixture
def stage():
    stage = Stage()
    yield stage
    stage.check()


def test_two_members_meet_and_the_leader_divides(stage: Stage):
    first = stage.join()
    assert first.code == "MEMBER_ID_REQUIRED"
    assert first.answer.member_id.startswith("client-")
    first = stage.join(member=first.answer.member_id)
    stage.wait(2_000)
    second = stage.enter()
    assert first.code == second.code == "waiting", "the first round waits for more members"
    stage.wait(2_000)
    assert first.code == "waiting", "a newcomer prolongs it"
    stage.wait(3_000)
    assert (first.code, second.code) == ("NONE", "NONE")
    assert first.answer.generation_id == second.answer.generation_id == 1
    assert first.answer.leader == second.answer.leader == first.answer.member_id
    assert [one.member_id for one in first.answer.members] == [first.answer.member_id, second.answer.member_id]
    assert second.answer.members == []

    waiting = stage.sync(second)
    assert waiting.code == "waiting", "followers wait for the leader's division"
    shares = {first.answer.member_id: b"left", second.answer.member_id: b"right", "stranger": b"stolen"}
    led = stage.sync(first, shares)
    assert (led.answer.assignment, waiting.answer.assignment) == (b"left", b"right")
    assert stage.beat(second.answer.member_id, 1) == "NONE"


def test_old_clients_join_without_being_told_an_id_first(stage: Stage):
    join = stage.join(version=3)
    stage.wait(3_500)
    assert join.code == "NONE"
    assert join.answer.leader == join.answer.member_id


def test_a_newcomer_makes_everybody_join_again(stage: Stage):
    first, second = stage.stable(2)
    third = stage.enter()
    assert third.code == "waiting"
    assert stage.beat(first.answer.member_id, 1) == "REBALANCE_IN_PROGRESS"
    again = [stage.join(member=one.answer.member_id) for one in (first, second)]
    assert {join.code for join in (*again, third)} == {"NONE"}
    assert third.answer.generation_id == 2
    assert stage.beat(first.answer.member_id, 1) == "ILLEGAL_GENERATION"
    assert {sync.code for sync in stage.settle(*again, third)} == {"NONE"}


def test_who_does_not_join_again_in_time_is_out(stage: Stage):
    first, second = stage.stable(2, session_ms=60_000)
    third = stage.enter(session_ms=60_000)
    stage.join(member=first.answer.member_id)
    stage.wait(20_200)
    assert third.code == "NONE", "the rebalance timeout is over"
    assert stage.beat(second.answer.member_id, 1) == "UNKNOWN_MEMBER_ID"


def test_a_silent_member_loses_its_session_and_the_group_goes_on(stage: Stage):
    first, second = stage.stable(2)
    for _ in range(3):
        stage.wait(4_000)
        code = stage.beat(first.answer.member_id, 1)
    assert code == "REBALANCE_IN_PROGRESS", "second was silent for ten seconds"
    again = stage.join(member=first.answer.member_id)
    assert [one.member_id for one in again.answer.members] == [first.answer.member_id]
    assert stage.beat(second.answer.member_id, 1) == "UNKNOWN_MEMBER_ID"


def test_a_member_that_joins_and_never_syncs_is_out(stage: Stage):
    first = stage.enter(session_ms=60_000)
    second = stage.enter(session_ms=60_000)
    stage.wait(6_500)
    assert stage.sync(first, {first.answer.member_id: b"all"}).code == "NONE"
    stage.wait(20_200)
    assert stage.beat(first.answer.member_id, 1) == "REBALANCE_IN_PROGRESS"
    assert stage.beat(second.answer.member_id, 1) == "UNKNOWN_MEMBER_ID"


def test_the_last_member_leaves_an_empty_group_behind(stage: Stage):
    (only,) = stage.stable(1)
    assert stage.leave(only.answer.member_id) == ["NONE"]
    group = stage.shard.groups["g"]
    assert group.state.value == "Empty"
    assert group.generation == 2
    stage.restart()
    assert stage.shard.groups["g"].generation == 2


def test_a_group_survives_a_restart_and_its_members_go_on_in_their_generation(stage: Stage):
    first, second = stage.stable(2)
    stage.restart()
    assert stage.beat(first.answer.member_id, 1) == "NONE"
    assert stage.sync(second).answer.assignment == assignment({"t": [1]})
    stage.wait(10_300)
    assert stage.beat(first.answer.member_id, 1) == "UNKNOWN_MEMBER_ID", "sessions began anew, and are over"
    assert stage.shard.groups["g"].is_empty


def test_a_restart_in_the_middle_of_a_round_goes_back_to_the_generation_before(stage: Stage):
    first, _ = stage.stable(2)
    stage.enter()
    stage.restart()
    assert stage.beat(first.answer.member_id, 1) == "NONE"


def test_the_protocol_most_members_prefer_wins(stage: Stage):
    joins = [
        stage.enter(protocols=("range", "sticky")),
        stage.enter(protocols=("sticky", "range")),
        stage.enter(protocols=("sticky", "range", "other")),
    ]
    stage.wait(6_500)
    assert {join.answer.protocol_name for join in joins} == {"sticky"}
    assert stage.join(protocols=("other",)).code == "INCONSISTENT_GROUP_PROTOCOL"
    assert stage.join(protocol_type="connect").code == "INCONSISTENT_GROUP_PROTOCOL"
    assert stage.sync(joins[0], protocol_name="range").code == "INCONSISTENT_GROUP_PROTOCOL"


def test_a_member_whose_answer_was_lost_gets_it_again(stage: Stage):
    first, second = stage.enter(), stage.enter()
    stage.wait(6_500)
    again = stage.join(member=first.answer.member_id)
    assert (again.code, again.answer.generation_id, len(again.answer.members)) == ("NONE", 1, 2)
    stage.settle(again, second)
    follower = stage.join(member=second.answer.member_id)
    assert (follower.code, follower.answer.generation_id) == ("NONE", 1)
    leader = stage.join(member=first.answer.member_id)
    assert leader.code == "waiting", "a leader that joins again wants a new division"


def test_groups_do_not_grow_beyond_their_limit():
    stage = Stage(classic_max_size=2)
    stage.stable(2)
    assert stage.join().code == "GROUP_MAX_SIZE_REACHED"
    stage.check()


def test_pending_members_do_not_hold_a_group_up_for_ever(stage: Stage):
    stage.stable(1, session_ms=60_000)
    told = stage.join(session_ms=6_000)
    newcomer = stage.enter(session_ms=60_000)
    first = stage.join(member=next(iter(stage.shard.groups["g"].members)), session_ms=60_000)
    assert (first.code, newcomer.code) == ("waiting", "waiting"), "one that was told its id may still come"
    stage.wait(6_300)
    assert (first.code, newcomer.code) == ("NONE", "NONE")
    assert stage.join(member=told.answer.member_id).code == "UNKNOWN_MEMBER_ID"


class TestStaticMembers:
    """group.instance.id (KIP-345)."""

    def pair(self, stage: Stage) -> tuple[Waiting, Waiting]:
        joins = stage.join(instance="a"), stage.join(instance="b")
        stage.wait(6_500)
        stage.settle(*joins)
        return joins

    def test_one_that_comes_back_finds_its_place_without_a_round(self, stage: Stage):
        _, second = self.pair(stage)
        back = stage.join(instance="b")
        assert (back.code, back.answer.generation_id) == ("NONE", 1)
        assert back.answer.member_id != second.answer.member_id
        assert stage.sync(back).answer.assignment == assignment({"t": [1]})
        assert stage.beat(second.answer.member_id, 1, instance="b") == "FENCED_INSTANCE_ID"
        assert stage.join(member=second.answer.member_id, instance="b").code == "FENCED_INSTANCE_ID"
        assert stage.commit({0: 1}, member=second.answer.member_id, epoch=1, instance="b") == "FENCED_INSTANCE_ID"
        stage.restart()
        assert stage.beat(back.answer.member_id, 1, instance="b") == "NONE"

    def test_a_leader_that_comes_back_is_told_to_skip_the_division(self, stage: Stage):
        self.pair(stage)
        back = stage.join(instance="a")
        assert back.answer.skip_assignment
        assert back.answer.leader == back.answer.member_id
        assert len(back.answer.members) == 2

    def test_an_old_leader_that_comes_back_does_not_learn_that_it_leads(self, stage: Stage):
        first, _ = self.pair(stage)
        back = stage.join(instance="a", version=8)
        assert back.answer.leader == first.answer.member_id
        assert back.answer.members == []

    def test_one_that_reads_other_topics_now_starts_a_round_only_if_the_protocol_changes(self, stage: Stage):
        self.pair(stage)
        assert stage.join(instance="b", protocols=("sticky", "range")).code == "NONE"
        assert stage.join(instance="b", protocols=("range", "sticky"), topics=("u",)).code == "NONE"

    def test_one_that_is_away_keeps_its_place_until_its_session_ends(self, stage: Stage):
        first, second = self.pair(stage)
        stage.join(member=first.answer.member_id, instance="a")
        stage.wait(5_000)
        assert second.answer.member_id in stage.shard.groups["g"].members
        stage.wait(5_300)
        assert second.answer.member_id not in stage.shard.groups["g"].members

    def test_an_administrator_removes_one_by_its_name_alone(self, stage: Stage):
        first, second = self.pair(stage)
        assert stage.leave("", instance="b") == ["NONE"]
        assert stage.leave("", instance="nobody") == ["UNKNOWN_MEMBER_ID"]
        assert stage.beat(first.answer.member_id, 1, instance="a") == "REBALANCE_IN_PROGRESS"
        assert stage.beat(second.answer.member_id, 1, instance="b") == "UNKNOWN_MEMBER_ID"

    def test_two_that_wait_under_one_name_are_not_both_served(self, stage: Stage):
        older = stage.join(instance="x")
        newer = stage.join(instance="x")
        assert older.code == "FENCED_INSTANCE_ID"
        stage.wait(3_500)
        assert newer.code == "NONE"


class TestLiars:
    """What is not true is told so, and changes nothing."""

    @pytest.mark.parametrize("group", ["g", "no-such-group"])
    def test_strangers_are_unknown_everywhere(self, stage: Stage, group: str):
        stage.stable(1)
        before = list(stage.log)
        assert stage.join(group, "stranger").code == "UNKNOWN_MEMBER_ID"
        assert stage.beat("stranger", 1, group) == "UNKNOWN_MEMBER_ID"
        assert stage.commit({0: 7}, group, "stranger", 1) in ("UNKNOWN_MEMBER_ID", "GROUP_ID_NOT_FOUND")
        if group == "g":
            assert stage.leave("stranger") == ["UNKNOWN_MEMBER_ID"]
            assert stage.beat("stranger", 1, instance="nobody") == "UNKNOWN_MEMBER_ID"
        assert stage.log == before

    def test_a_wrong_generation_is_illegal(self, stage: Stage):
        (only,) = stage.stable(1)
        for generation in (0, 2, -1):
            assert stage.beat(only.answer.member_id, generation) == "ILLEGAL_GENERATION"
        only.answer.generation_id = 2
        assert stage.sync(only).code == "ILLEGAL_GENERATION"

    def test_a_follower_that_brings_a_division_is_ignored(self, stage: Stage):
        joins = [stage.enter(), stage.enter()]
        stage.wait(6_500)
        lying = stage.sync(joins[1], {joins[1].answer.member_id: b"everything"})
        assert lying.code == "waiting"
        stage.sync(joins[0], {})
        assert lying.answer.assignment == b"", "whom the leader forgets gets nothing"

    def test_metadata_too_large_for_a_record_is_refused_and_the_neighbours_are_left_alone(self, stage: Stage):
        stage.stable(1, group="neighbour")
        huge = tuple("x" * 200 + str(n) for n in range(6_000))
        assert stage.join(topics=huge).code == "UNKNOWN_SERVER_ERROR"
        (only,) = stage.stable(1)
        again = stage.join(member=only.answer.member_id)
        assert stage.sync(again, {only.answer.member_id: bytes(2_000_000)}).code == "UNKNOWN_SERVER_ERROR"
        assert stage.shard.groups["neighbour"].state.value == "Stable"

    @pytest.mark.parametrize("session_ms", [0, 5_999, 1_800_001])
    def test_session_timeouts_have_bounds(self, stage: Stage, session_ms: int):
        assert stage.join(session_ms=session_ms).code == "INVALID_SESSION_TIMEOUT"
        assert stage.shard.groups == {}

    def test_groups_have_names(self, stage: Stage):
        assert stage.join("").code == "INVALID_GROUP_ID"
        assert stage.beat("m", 1, "") == "INVALID_GROUP_ID"

    def test_a_group_is_not_made_by_somebody_without_protocols(self, stage: Stage):
        assert stage.join(protocols=()).code == "INCONSISTENT_GROUP_PROTOCOL"
        assert stage.join(protocol_type="").code == "INCONSISTENT_GROUP_PROTOCOL"
        assert stage.shard.groups == {}
        assert stage.log == []
