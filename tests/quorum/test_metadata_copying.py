"""The metadata log on several nodes: copied, committed by a majority, cut where a lone leader went its own way."""

from __future__ import annotations

import pytest
from support.metadata_room import Room

from logctl.engine.broker.metadata_copying import DivergedBelowCommit, Parting, Question, Reply
from logctl.engine.broker.metadata_snapshot_keeping import Options
from logctl.wire import errors
from logctl.wire.stored.framing import UnknownRecord


def test_what_the_leader_decides_everybody_comes_to_know() -> None:
    room = Room()
    room.elect()
    room.create_topic()
    assert room.acknowledged == ["topic-1"]
    room.check_complete()
    ends = {node.log.end_offset for node in room.nodes.values()}
    assert len(ends) == 1


def test_nothing_is_answered_without_a_majority_and_what_was_not_is_forgotten() -> None:
    room = Room()
    old = room.elect()
    room.create_topic()
    room.isolate(old)
    lonely = room.create_topic(old)
    assert lonely not in room.acknowledged
    room.pass_time(6_000)
    successor = room.elect()
    assert successor != old
    room.create_topic()
    room.heal()
    room.pass_time(5_000)
    assert room.acknowledged == ["topic-1", "topic-3"]
    room.check_complete()
    assert lonely not in room.nodes[old].image.topics, "its end was cut off"


def test_what_a_majority_holds_survives_its_leader_even_unanswered() -> None:
    room = Room()
    old = room.elect()
    room.create_topic()
    name = room.create_topic(old, settle=False)
    room.nodes[old].flush()
    room.talks[old].advance(room.now_ms)
    for voter in room.voters:
        room.nodes[voter].flush()
    room.crash(old)
    assert name not in room.acknowledged, "the leader died before it knew that the others have it"
    successor = room.elect()
    room.pass_time(2_000)
    assert name in room.nodes[successor].image.topics
    room.check_complete()


def test_a_node_that_was_away_catches_up_from_a_snapshot_when_the_log_has_gone() -> None:
    room = Room(options=Options(segment_bytes=1024, snapshot_interval_bytes=1500))
    leader = room.elect()
    away = next(voter for voter in room.voters if voter != leader)
    room.crash(away)
    for _ in range(60):
        room.create_topic()
    assert room.nodes[room.elect()].log.start_offset > 0, "the log does not reach back to the beginning any more"
    room.start(away)
    room.pass_time(5_000)
    room.check_complete()


def test_who_is_behind_or_ahead_of_the_epoch_is_told_so() -> None:
    room = Room()
    leader = room.elect()
    node = room.nodes[leader]
    end = node.log.end_offset
    behind = node.answer(Question(9, node.epoch - 1, end, node.epoch))
    assert (behind.error, behind.leader_id) == (errors.FENCED_LEADER_EPOCH, leader)
    ahead = node.answer(Question(9, node.epoch + 1, end, node.epoch))
    assert ahead.error == errors.UNKNOWN_LEADER_EPOCH
    follower = next(one for voter, one in room.nodes.items() if voter != leader)
    assert follower.answer(Question(9, node.epoch, end, node.epoch)) == Reply(
        errors.NOT_LEADER_OR_FOLLOWER, leader, node.epoch
    )


def test_a_leader_that_contradicts_what_was_committed_is_not_followed() -> None:
    room = Room()
    leader = room.elect()
    room.create_topic()
    follower = next(one for voter, one in room.nodes.items() if voter != leader)
    with pytest.raises(DivergedBelowCommit, match="which was committed"):
        follower.take(leader, Reply(errors.NONE, leader, follower.epoch, parting=Parting(1, 1)))
    assert follower.log.end_offset == room.nodes[leader].log.end_offset, "nothing was cut"


def test_what_is_for_a_newer_version_is_not_followed() -> None:
    room = Room()
    leader = room.elect()
    room.create_topic()
    before = room.nodes[leader].image
    room.nodes[leader]._append([UnknownRecord(99, 0, b"?")])
    room.pass_time(10_000)
    stopped = [node for node in room.nodes.values() if node.has_failed]
    assert len(stopped) >= 2, "whoever knows that it is committed takes part no more, and so nobody leads"
    assert all("of type 99, which this version does not know" in node.incomprehensible for node in stopped)
    assert all(node.image == before for node in room.nodes.values())
    assert room.leader is None


@pytest.mark.parametrize("seed", range(25))
def test_through_crashes_and_cuts_nothing_acknowledged_is_lost(seed: int) -> None:
    room = Room(seed=seed, options=Options(segment_bytes=4096, snapshot_interval_bytes=3000))
    chance = room.random
    for _ in range(40):
        happening = chance.choice(("work", "work", "work", "crash", "kill", "start", "cut", "heal", "wait"))
        down = [voter for voter in room.voters if voter not in room.nodes]
        if happening == "work" and room.leader is not None and room.nodes[room.leader].image.metadata_version:
            room.create_topic(settle=chance.random() < 0.5)
        elif happening in ("crash", "kill") and not down:
            room.crash(chance.choice(room.voters), power=happening == "crash")
        elif happening == "start" and down:
            room.start(down[0])
        elif happening == "cut":
            room.cut.add((chance.choice(room.voters), chance.choice(room.voters)))
        elif happening == "heal":
            room.heal()
        room.pass_time(chance.randrange(50, 1500))
    room.heal()
    for voter in room.voters:
        if voter not in room.nodes:
            room.start(voter)
    room.elect()
    room.create_topic()
    room.pass_time(5_000)
    room.check_complete()
    assert room.acknowledged, "something was done"
