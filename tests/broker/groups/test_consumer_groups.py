"""The consumer protocol (KIP-848) as dialogues: each member is told in its own heartbeats what to have."""

from __future__ import annotations

import pytest
from support.groups import Stage, given, topic_id


@pytest.fixture
def stage():
    stage = Stage({"t": 4, "u": 2})
    yield stage
    stage.check()


def states(stage: Stage) -> str:
    return stage.shard.groups["g"].state


def test_one_member_gets_everything_at_once(stage: Stage):
    told = stage.consume("a")
    assert (told.member_id, told.member_epoch, given(told)) == ("a", 2, {"t": [0, 1, 2, 3]})
    assert told.heartbeat_interval_ms == 5_000
    assert states(stage) == "Stable"
    steady = stage.consume("a", 2)
    assert (steady.member_epoch, given(steady)) == (2, None)


def test_a_newcomer_gets_what_the_other_has_given_up(stage: Stage):
    stage.consume("a")
    stage.wait(1_000)
    second = stage.consume("b")
    assert (second.member_epoch, given(second)) == (3, {}), "nothing is free yet"
    assert states(stage) == "Reconciling"

    asked = stage.consume("a", 2)
    assert (asked.member_epoch, given(asked)) == (2, {"t": [0, 1]}), "give up two, in your epoch"
    assert given(stage.consume("b", 3)) is None, "they are still held"
    still = stage.consume("a", 2, owned={"t": [0, 1, 2, 3]})
    assert (still.member_epoch, given(still)) == (2, None), "it says that it still has them"
    done = stage.consume("a", 2, owned={"t": [0, 1]})
    assert (done.member_epoch, given(done)) == (3, None)
    assert given(stage.consume("b", 3)) == {"t": [2, 3]}
    assert states(stage) == "Stable"


def test_no_partition_is_ever_held_twice_however_the_heartbeats_fall(stage: Stage):
    epochs, owns = {}, {}
    for step in range(60):
        name = "abcd"[(step * step + step // 7) % (1 + step // 12 if step < 36 else 4)]
        answer = stage.consume(name, epochs.get(name, 0), owned=owns.get(name, {}))
        epochs[name] = answer.member_epoch
        if given(answer) is not None:
            owns[name] = given(answer)
        held = [place for parts in owns.values() for place in parts.get("t", [])]
        assert len(held) == len(set(held))
        stage.wait(1_000)
    assert states(stage) == "Stable"
    assert sorted(held) == [0, 1, 2, 3]


def test_many_joins_within_a_second_cost_one_division(stage: Stage):
    for name in "abcd":
        stage.consume(name)
    group = stage.shard.groups["g"]
    assert (group.epoch, group.assignment_epoch, states(stage)) == (5, 2, "Assigning")
    stage.wait(1_000)
    stage.consume("a", 2)
    assert group.assignment_epoch == 5


def test_a_member_that_leaves_leaves_its_partitions(stage: Stage):
    stage.consume("a")
    stage.wait(1_000)
    stage.consume("b")
    stage.consume("a", 2, owned={"t": [0, 1]})
    stage.consume("b", 3)
    gone = stage.consume("b", -1)
    assert (gone.member_id, gone.member_epoch) == ("b", -1)
    stage.wait(1_000)
    assert given(stage.consume("a", 3)) == {"t": [0, 1, 2, 3]}
    assert stage.consume("b", 3) == "UNKNOWN_MEMBER_ID"
    assert stage.consume("a", -1).member_epoch == -1
    assert states(stage) == "Empty"


def test_a_silent_member_is_fenced_and_may_start_anew(stage: Stage):
    stage.consume("a")
    stage.wait(45_200)
    assert states(stage) == "Empty"
    assert stage.consume("a", 2) == "UNKNOWN_MEMBER_ID"
    assert given(stage.consume("a")) == {"t": [0, 1, 2, 3]}


def test_a_member_that_does_not_give_up_in_time_is_fenced(stage: Stage):
    stage.consume("a", rebalance_timeout_ms=10_000)
    stage.wait(1_000)
    stage.consume("b")
    stage.consume("a", 2)
    for _ in range(3):
        stage.wait(4_000)
        stage.consume("a", 2)
        last = stage.consume("b", 3)
    assert stage.consume("a", 2) == "UNKNOWN_MEMBER_ID"
    stage.wait(1_000)
    assert given(stage.consume("b", last.member_epoch)) in ({"t": [0, 1, 2, 3]}, None)
    assert sorted(stage.shard.groups["g"].members["b"].assigned[topic_id("t")]) == [0, 1, 2, 3]


class TestEpochs:
    def test_a_lost_answer_is_given_again(self, stage: Stage):
        stage.consume("a")
        stage.wait(1_000)
        stage.consume("b")
        stage.consume("a", 2, owned={"t": [0, 1]})
        again = stage.consume("a", 2, owned={"t": [0, 1]})
        assert again.member_epoch == 3

    def test_an_epoch_from_the_future_or_the_past_is_fenced(self, stage: Stage):
        stage.consume("a")
        assert stage.consume("a", 3) == "FENCED_MEMBER_EPOCH"
        stage.wait(1_000)
        stage.consume("b")
        stage.consume("a", 2, owned={"t": [0, 1]})
        assert stage.consume("a", 2, owned={"t": [0, 1, 2]}) == "FENCED_MEMBER_EPOCH", "it owns what is not its own"
        assert stage.consume("a", 2) == "FENCED_MEMBER_EPOCH"
        assert given(stage.consume("a")) == {"t": [0, 1]}, "epoch 0 starts anew"

    @pytest.mark.parametrize(
        "wrong",
        [
            {"epoch": 0, "rebalance_timeout_ms": -1},
            {"epoch": 0, "owned": {"t": [0]}},
            {"epoch": 0, "member": ""},
            {"epoch": 1, "member": ""},
            {"epoch": -2},
            {"epoch": -3},
            {"epoch": 0, "instance_id": ""},
            {"epoch": 0, "rack_id": " "},
            {"epoch": 0, "group": ""},
        ],
        ids=str,
    )
    def test_requests_that_make_no_sense_are_invalid(self, stage: Stage, wrong):
        member = wrong.pop("member", "a")
        assert stage.consume(member, wrong.pop("epoch"), **wrong) == "INVALID_REQUEST"
        assert stage.shard.groups == {}

    def test_other_lies(self, stage: Stage):
        assert stage.consume("a", server_assignor="mine") == "UNSUPPORTED_ASSIGNOR"
        assert stage.consume("a", 6) == "GROUP_ID_NOT_FOUND"
        assert stage.consume("a", -1) == "GROUP_ID_NOT_FOUND"
        assert stage.consume("a", topics=tuple("x" * 240 + str(n) for n in range(5_000))) == "UNKNOWN_SERVER_ERROR"
        assert stage.shard.groups == {}
        assert stage.log == []

    def test_in_version_0_the_coordinator_names_the_member(self, stage: Stage):
        told = stage.consume("", version=0)
        assert len(told.member_id) == 22
        assert stage.consume(told.member_id, 2, version=0).member_epoch == 2

    def test_groups_do_not_grow_beyond_their_limit(self):
        stage = Stage(consumer_max_size=1)
        stage.consume("a")
        assert stage.consume("b") == "GROUP_MAX_SIZE_REACHED"
        assert stage.consume("a", 2).member_epoch == 2


class TestSubscriptions:
    def test_other_topics_are_read_at_once(self, stage: Stage):
        stage.consume("a")
        stage.wait(1_000)
        told = stage.consume("a", 2, topics=("u",), owned={"t": [0, 1, 2, 3]})
        assert (told.member_epoch, given(told)) == (2, {}), "what it no longer reads goes first"
        assert given(stage.consume("a", 2, owned={})) == {"u": [0, 1]}

    def test_topics_that_come_grow_and_go(self, stage: Stage):
        assert given(stage.consume("a", topics=("t", "new"))) == {"t": [0, 1, 2, 3]}
        stage.wait(1_000)
        stage.topics({"t": 5, "new": 1})
        assert given(stage.consume("a", 2)) == {"t": [0, 1, 2, 3, 4], "new": [0]}
        stage.wait(1_000)
        stage.topics({"t": 5})
        stage.consume("a", 3)
        assert given(stage.consume("a", 3, owned={"t": [0, 1, 2, 3, 4]})) is None
        assert stage.consume("a", 4).member_epoch == 4

    def test_members_may_ask_for_ranges(self, stage: Stage):
        stage.topics({"t": 4, "u": 4})
        for name in "ab":
            stage.consume(name, topics=("t", "u"), server_assignor="range")
            stage.wait(1_000)
        stage.consume("a", 2)
        assert given(stage.consume("a", 2, owned={"t": [0, 1], "u": [0, 1]})) is None
        assert given(stage.consume("b", 3)) == {"t": [2, 3], "u": [2, 3]}


class TestPatterns:
    def test_a_pattern_reads_what_it_matches_and_new_topics_later(self, stage: Stage):
        stage.topics({"logs-a": 1, "logs-b": 1, "t": 1})
        told = stage.consume("a", subscribed_topic_regex="logs-.*")
        assert given(told) == {"logs-a": [0], "logs-b": [0]}
        stage.wait(11_000)
        stage.topics({"logs-a": 1, "logs-b": 1, "logs-c": 1, "t": 1})
        assert given(stage.consume("a", 2)) == {"logs-a": [0], "logs-b": [0], "logs-c": [0]}

    def test_a_pattern_that_is_none_is_refused(self, stage: Stage):
        assert stage.consume("a", subscribed_topic_regex="(") == "INVALID_REGULAR_EXPRESSION"
        assert stage.shard.groups == {}
        stage.consume("a")
        assert stage.consume("a", 2, subscribed_topic_regex="(") == "INVALID_REGULAR_EXPRESSION"

    def test_a_pattern_nobody_uses_is_forgotten(self, stage: Stage):
        stage.consume("a", subscribed_topic_regex="t|u")
        stage.consume("b", subscribed_topic_regex="t|u")
        group = stage.shard.groups["g"]
        stage.consume("a", -1)
        assert list(group.regexes) == ["t|u"]
        stage.consume("b", 0, subscribed_topic_regex="", topics=("t",))
        assert group.regexes == {}


class TestStaticMembers:
    def test_one_that_says_it_will_be_back_finds_its_place(self, stage: Stage):
        stage.consume("a", instance_id="i")
        stage.wait(1_000)
        stage.consume("b")
        assert stage.consume("a", -2, instance_id="i").member_epoch == -2
        stage.wait(1_000)
        back = stage.consume("a2", instance_id="i")
        assert (back.member_epoch, given(back)) == (3, {"t": [0, 1]})
        assert stage.consume("a", 2, instance_id="i") == "FENCED_INSTANCE_ID"
        assert stage.consume("a", -1, instance_id="i") == "FENCED_INSTANCE_ID"

    def test_its_name_is_not_free_while_it_is_there(self, stage: Stage):
        stage.consume("a", instance_id="i")
        assert stage.consume("b", instance_id="i") == "UNRELEASED_INSTANCE_ID"
        assert stage.consume("b", 2, instance_id="other") == "UNKNOWN_MEMBER_ID"

    def test_one_that_does_not_come_back_is_out_when_its_session_ends(self, stage: Stage):
        stage.consume("a", instance_id="i")
        stage.consume("a", -2, instance_id="i")
        stage.wait(45_200)
        assert states(stage) == "Empty"

    def test_an_unused_name_is_remembered_over_a_restart(self, stage: Stage):
        stage.consume("a", instance_id="i")
        stage.restart()
        assert stage.consume("b", instance_id="i") == "UNRELEASED_INSTANCE_ID"


def test_a_restart_in_the_middle_of_a_division_goes_on_where_it_was(stage: Stage):
    stage.consume("a", rebalance_timeout_ms=10_000)
    stage.wait(1_000)
    stage.consume("b")
    stage.consume("a", 2)
    stage.restart()
    assert stage.consume("a", 2, owned={"t": [0, 1]}).member_epoch == 3
    assert given(stage.consume("b", 3)) == {"t": [2, 3]}
    stage.restart()
    stage.wait(45_300)
    assert states(stage) == "Empty", "sessions began anew, and are over"


def test_a_revocation_that_was_due_is_due_again_after_a_restart(stage: Stage):
    stage.consume("a", rebalance_timeout_ms=10_000)
    stage.wait(1_000)
    stage.consume("b")
    stage.consume("a", 2)
    stage.restart()
    stage.wait(10_300)
    assert stage.consume("a", 2) == "UNKNOWN_MEMBER_ID"


def test_a_configuration_of_the_group_comes_before_that_of_the_node():
    own = {"consumer.session.timeout.ms": "50000", "consumer.heartbeat.interval.ms": "7000"}
    stage = Stage(overrides=lambda group: own if group == "g" else {})
    assert stage.consume("a").heartbeat_interval_ms == 7_000
    stage.wait(46_000)
    assert stage.consume("a", 2).member_epoch == 2
    assert stage.consume("a", group="h").heartbeat_interval_ms == 5_000
