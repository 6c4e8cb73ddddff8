"""A live group changes its protocol: upward with its first new member, downward with its last."""

from __future__ import annotations

import pytest
from support.groups import Stage, Waiting, assignment, given, subscription

from logctl.engine.broker.groups.subscription import read_assignment
from logctl.engine.broker.groups.turn import Caller
from logctl.wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol


@pytest.fixture
def stage():
    stage = Stage({"t": 4})
    yield stage
    stage.check()


def owns(sync) -> list[int]:
    parts = read_assignment(bytes(sync.answer.assignment)).assigned_partitions
    return [partition for entry in parts for partition in entry.partitions]


def classic_pair(stage: Stage):
    joins = [stage.enter(), stage.enter()]
    stage.wait(6_500)
    halves = [assignment({"t": [0, 1]}), assignment({"t": [2, 3]})]
    shares = {join.answer.member_id: half for join, half in zip(joins, halves, strict=True)}
    for join in joins:
        stage.sync(join, shares)
    return [join.answer.member_id for join in joins]


def test_a_classic_group_is_taken_over_while_it_works(stage: Stage):
    first, second = classic_pair(stage)
    stage.commit({0: 5}, member=first, epoch=1)
    new = stage.consume("new")
    assert (new.member_epoch, given(new)) == (2, {}), "the classic members still hold everything"
    group = stage.shard.groups["g"]
    assert len(group.classic_members()) == 2
    assert stage.committed() == {"t": {0: 5}}

    # The classic members are told to join again and say what they own. One may keep all, and is up to date at once.
    assert {stage.beat(first, 1), stage.beat(second, 1)} == {"REBALANCE_IN_PROGRESS"}
    joined = stage.join(member=first, owned={"t": [0, 1]})
    assert (joined.code, joined.answer.generation_id, joined.answer.leader) == ("NONE", 2, "")
    assert owns(stage.sync(joined)) == [0, 1]
    assert stage.beat(first, 2) == "NONE"

    # The other has to give one up: it learns that from its sync, and joins once more when it has.
    joined = stage.join(member=second, owned={"t": [2, 3]})
    assert joined.answer.generation_id == 1
    kept = owns(stage.sync(joined))
    assert len(kept) == 1
    assert given(stage.consume("new", 2)) is None, "it is not free yet"
    assert stage.beat(second, 1) == "REBALANCE_IN_PROGRESS", "there is something to give up"
    joined = stage.join(member=second, owned={"t": kept})
    assert joined.answer.generation_id == 2
    assert owns(stage.sync(joined)) == kept
    assert stage.beat(second, 2) == "NONE"
    assert given(stage.consume("new", 2)) == {"t": [5 - kept[0]]}


def test_a_round_under_way_is_broken_off_by_an_upgrade(stage: Stage):
    first, _ = classic_pair(stage)
    waiting = stage.enter()
    assert stage.consume("new").member_epoch == 2
    assert waiting.code == "REBALANCE_IN_PROGRESS"
    assert stage.join(member=first, owned={"t": [0, 1]}).code == "NONE"


def test_when_the_last_new_member_leaves_the_group_is_classic_again(stage: Stage):
    first, second = classic_pair(stage)
    stage.consume("new")
    assert stage.consume("new", -1).member_epoch == -1
    group = stage.shard.groups["g"]
    assert (group.state.value, group.generation, list(group.members)) == ("PreparingRebalance", 2, [first, second])
    assert stage.beat(first, 2) == "REBALANCE_IN_PROGRESS"
    again = [stage.join(member=first), stage.join(member=second)]
    assert {join.code for join in again} == {"NONE"}
    assert {sync.code for sync in stage.settle(*again)} == {"NONE"}
    assert "client-" not in str(stage.shard.groups["g"].static)


def test_when_the_last_new_member_is_silent_the_group_is_classic_again(stage: Stage):
    first, second = classic_pair(stage)
    stage.consume("new")
    for _ in range(12):
        stage.wait(4_000)
        codes = {stage.beat(first, 1), stage.beat(second, 1)}
        for member in (first, second):
            if "REBALANCE_IN_PROGRESS" in codes and stage.shard.groups["g"].__class__.__name__ == "ConsumerGroup":
                stage.sync(stage.join(member=member, owned={"t": [0, 1] if member == first else [2, 3]}))
    assert stage.shard.groups["g"].__class__.__name__ == "ClassicGroup"


def test_a_classic_member_that_does_not_join_when_told_to_is_out(stage: Stage):
    first, _ = classic_pair(stage)
    stage.consume("new")
    for _ in range(6):
        stage.beat(first, 1)
        stage.consume("new", stage.shard.groups["g"].members["new"].epoch)
        stage.wait(4_000)
    assert stage.beat(first, 1) == "UNKNOWN_MEMBER_ID"


def test_a_classic_member_may_leave_and_a_new_one_may_come(stage: Stage):
    first, _ = classic_pair(stage)
    stage.consume("new")
    assert stage.leave(first) == ["NONE"]
    assert stage.leave(first) == ["UNKNOWN_MEMBER_ID"]
    joined = stage.enter()
    assert joined.code == "NONE"
    assert stage.join(protocol_type="connect").code == "INCONSISTENT_GROUP_PROTOCOL"
    assert stage.sync(joined, protocol_name="other").code == "INCONSISTENT_GROUP_PROTOCOL"


def test_a_static_member_may_change_protocols_under_its_name(stage: Stage):
    joins = [stage.join(instance="a"), stage.join(instance="b")]
    stage.wait(6_500)
    halves = [assignment({"t": [0, 1]}), assignment({"t": [2, 3]})]
    shares = {join.answer.member_id: half for join, half in zip(joins, halves, strict=True)}
    for join in joins:
        stage.sync(join, shares)
    up = stage.consume("new-b", instance_id="b")
    assert (up.member_epoch, given(up)) == (1, {"t": [2, 3]}), "it takes over what it had"
    down = stage.join(instance="b")
    assert down.code == "NONE"
    group = stage.shard.groups["g"]
    assert group.__class__.__name__ == "ClassicGroup"
    assert set(group.static) == {"a", "b"}


def test_the_log_tells_the_whole_story(stage: Stage):
    first, _ = classic_pair(stage)
    stage.consume("new")
    stage.restart()
    assert stage.beat(first, 1) == "REBALANCE_IN_PROGRESS"
    stage.consume("new", -1)
    stage.restart()
    assert stage.shard.groups["g"].state.value == "Stable"


@pytest.mark.parametrize("policy", ["disabled", "downgrade"])
def test_the_operator_may_forbid_upgrades(policy: str):
    stage = Stage(migration_policy=policy)
    classic_pair(stage)
    assert stage.consume("new") == "GROUP_ID_NOT_FOUND"
    assert stage.shard.groups["g"].state.value == "Stable"
    stage.check()


def test_the_operator_may_forbid_downgrades():
    stage = Stage(migration_policy="upgrade")
    classic_pair(stage)
    stage.consume("new")
    stage.consume("new", -1)
    assert stage.shard.groups["g"].__class__.__name__ == "ConsumerGroup"
    stage.check()


def test_what_is_not_a_consumer_is_not_taken_over(stage: Stage):
    joins = [stage.enter(protocol_type="connect")]
    stage.wait(3_500)
    stage.settle(*joins)
    assert stage.consume("new") == "GROUP_ID_NOT_FOUND"


def test_an_empty_group_changes_its_kind_freely_and_keeps_its_offsets(stage: Stage):
    stage.commit({0: 9})
    assert stage.consume("a").member_epoch == 2
    stage.consume("a", -1)
    joined = stage.enter()
    stage.wait(3_500)
    assert joined.code == "NONE"
    assert stage.committed() == {"t": {0: 9}}


def test_metadata_that_cannot_be_read_is_refused(stage: Stage):
    stage.consume("a")
    assert subscription(("t",), {})[:2] == b"\0\3"
    for broken in (b"", b"\0", b"\0\1\xff\xff\xff\xff\x7f"):
        reply = Waiting()
        request = JoinGroupRequest(
            "g", 10_000, 20_000, "", None, "consumer", [JoinGroupRequestProtocol("range", broken)]
        )
        stage.do(stage.shard.join, Caller("c", "/h", 9), request, reply)
        assert reply.code == "INCONSISTENT_GROUP_PROTOCOL"
