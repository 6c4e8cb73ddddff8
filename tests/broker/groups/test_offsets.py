"""Committed offsets: who may write them, how long they stay, and what transactions do to them."""

from __future__ import annotations

import pytest
from support.groups import Stage, topic_id

from logctl.engine.broker.groups import records
from logctl.engine.broker.groups.offsets import Committed
from logctl.engine.broker.groups.turn import Entry, Turn
from logctl.wire.errors import WireError
from logctl.wire.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from logctl.wire.stored.legacy_offset_commit import LegacyOffsetCommitKey
from logctl.wire.stored.offset_commit import OffsetCommitKey, OffsetCommitValue

DAY_MS = 86_400_000


@pytest.fixture
def stage():
    stage = Stage()
    yield stage
    stage.check()


def expire(stage: Stage) -> None:
    stage.do(stage.shard.expire_offsets)


def delete(stage: Stage, *partitions: int, group: str = "g", topic: str = "t") -> object:
    asked = [OffsetDeleteRequestTopic(topic, [OffsetDeleteRequestPartition(number) for number in partitions])]
    try:
        return [
            one.error_code
            for one in stage.do(stage.shard.delete_offsets, OffsetDeleteRequest(group, asked)).topics[0].partitions
        ]
    except WireError as error:
        return error.code


def test_anybody_may_commit_into_a_group_without_members(stage: Stage):
    assert stage.commit({0: 10, 1: 20}, "simple") == {0: "NONE", 1: "NONE"}
    assert stage.commit({0: 11}, "simple", metadata="note") == {0: "NONE"}
    assert stage.committed("simple") == {"t": {0: 11, 1: 20}}
    assert stage.fetched(0, "simple").metadata == "note"
    assert stage.fetched(3, "simple").committed_offset == -1
    assert stage.committed("nobody") == {}
    stage.restart()
    assert stage.committed("simple") == {"t": {0: 11, 1: 20}}


def test_members_commit_in_their_generation(stage: Stage):
    (member,) = [join.answer.member_id for join in stage.stable(1)]
    assert stage.commit({0: 5}, member=member, epoch=1) == {0: "NONE"}
    assert stage.commit({0: 6}, member=member, epoch=2) == "ILLEGAL_GENERATION"
    assert stage.commit({0: 6}, member="other", epoch=1) == "UNKNOWN_MEMBER_ID"
    assert stage.commit({0: 6}) == "UNKNOWN_MEMBER_ID", "a group with members is not anybody's"
    assert stage.commit({0: 6}, "new", member, 1) == "GROUP_ID_NOT_FOUND"
    assert stage.commit({0: 6}, "new", member, 1, version=8) == "ILLEGAL_GENERATION"
    assert stage.committed() == {"t": {0: 5}}


def test_a_commit_keeps_a_session_alive(stage: Stage):
    (member,) = [join.answer.member_id for join in stage.stable(1)]
    for offset in range(4):
        stage.wait(4_000)
        assert stage.commit({0: offset}, member=member, epoch=1) == {0: "NONE"}


def test_nobody_commits_between_join_and_sync(stage: Stage):
    join = stage.enter()
    stage.wait(3_500)
    assert stage.commit({0: 1}, member=join.answer.member_id, epoch=1) == "REBALANCE_IN_PROGRESS"


def test_members_of_consumer_groups_commit_in_their_epoch(stage: Stage):
    stage.consume("a")
    assert stage.commit({0: 1}, member="a", epoch=2) == {0: "NONE"}
    assert stage.commit({0: 2}, member="a", epoch=2, version=8) == "UNSUPPORTED_VERSION"
    assert stage.commit({0: 2}, member="a", epoch=3) == "STALE_MEMBER_EPOCH"
    assert stage.commit({0: 2}, member="b", epoch=2) == "UNKNOWN_MEMBER_ID"
    assert stage.commit({0: 2}) == "UNKNOWN_MEMBER_ID"
    assert stage.committed(member_id="a", member_epoch=2) == {"t": {0: 1}}
    assert stage.committed(member_id="a", member_epoch=1) == "STALE_MEMBER_EPOCH"
    assert stage.committed(member_id="b", member_epoch=2) == "UNKNOWN_MEMBER_ID"


def test_a_member_behind_its_epoch_may_commit_what_it_already_held(stage: Stage):
    stage.consume("a")
    stage.wait(1_000)
    stage.consume("b")
    stage.consume("a", 2, owned={"t": [0, 1]})
    stage.consume("b", 3)
    assert stage.commit({0: 3}, member="a", epoch=2) == {0: "NONE"}
    assert stage.commit({0: 4, 2: 3}, member="a", epoch=2) == "STALE_MEMBER_EPOCH"
    assert stage.committed() == {"t": {0: 3}}, "all of a request or nothing"
    assert stage.commit({2: 3}, member="b", epoch=2) == "STALE_MEMBER_EPOCH"


def test_metadata_has_a_limit_for_each_partition(stage: Stage):
    assert stage.commit({0: 1}, metadata="x" * 4_097) == {0: "OFFSET_METADATA_TOO_LARGE"}
    assert stage.shard.groups == {}
    assert stage.commit({0: 1}, metadata="x" * 4_096) == {0: "NONE"}
    assert stage.commit({0: 2}, metadata=None) == {0: "NONE"}
    assert stage.fetched(0).metadata == ""


class TestRetention:
    def test_a_simple_group_loses_each_offset_a_week_after_its_commit_and_then_itself(self, stage: Stage):
        stage.commit({0: 1})
        stage.wait(3 * DAY_MS)
        stage.commit({1: 1})
        stage.wait(4 * DAY_MS)
        expire(stage)
        assert stage.committed() == {"t": {1: 1}}
        stage.wait(3 * DAY_MS)
        expire(stage)
        assert stage.shard.groups == {}
        stage.restart()
        assert stage.shard.groups == {}

    def test_a_group_with_members_loses_only_what_nobody_reads(self, stage: Stage):
        (member,) = [join.answer.member_id for join in stage.stable(1, session_ms=1_800_000)]
        stage.commit({0: 1}, member=member, epoch=1)
        stage.commit({0: 1}, member=member, epoch=1, topic="old")
        for _ in range(7 * 48):
            stage.wait(1_800_000)
            stage.beat(member, 1)
        expire(stage)
        assert stage.committed() == {"t": {0: 1}}

    def test_a_group_that_rebalances_loses_nothing(self, stage: Stage):
        (member,) = [join.answer.member_id for join in stage.stable(1)]
        stage.commit({0: 1}, member=member, epoch=1, topic="old")
        stage.enter()
        stage.now_ms += 8 * DAY_MS
        expire(stage)
        assert stage.shard.groups["g"].state.value == "PreparingRebalance"
        assert stage.committed() == {"old": {0: 1}}

    def test_an_empty_group_counts_from_when_it_emptied(self, stage: Stage):
        (member,) = [join.answer.member_id for join in stage.stable(1)]
        stage.commit({0: 1}, member=member, epoch=1)
        stage.now_ms += 6 * DAY_MS
        stage.leave(member)
        stage.now_ms += 2 * DAY_MS
        expire(stage)
        assert stage.committed() == {"t": {0: 1}}
        stage.now_ms += 5 * DAY_MS
        expire(stage)
        assert stage.shard.groups == {}

    def test_old_clients_may_say_how_long(self, stage: Stage):
        stage.commit({0: 1}, version=4, retention_ms=1_000)
        stage.restart()
        stage.wait(1_000)
        expire(stage)
        assert stage.committed() == {}

    def test_a_consumer_group_keeps_what_it_reads(self, stage: Stage):
        stage.consume("a")
        stage.commit({0: 1}, member="a", epoch=2)
        stage.commit({0: 1}, member="a", epoch=2, topic="old")
        stage.now_ms += 8 * DAY_MS
        expire(stage)
        assert stage.committed() == {"t": {0: 1}}


class TestDeleting:
    def test_offsets_of_topics_nobody_reads_may_be_deleted(self, stage: Stage):
        (member,) = [join.answer.member_id for join in stage.stable(1)]
        stage.commit({0: 1}, member=member, epoch=1)
        stage.commit({0: 1, 1: 1}, member=member, epoch=1, topic="old")
        assert delete(stage, 0) == [86], "GROUP_SUBSCRIBED_TO_TOPIC"
        assert delete(stage, 0, 9, topic="old") == [0, 0]
        assert stage.committed() == {"t": {0: 1}, "old": {1: 1}}
        assert delete(stage, 0, group="nobody") == 69, "GROUP_ID_NOT_FOUND"

    def test_groups_of_other_kinds_must_be_empty(self, stage: Stage):
        stage.stable(1, protocol_type="connect")
        assert delete(stage, 0) == 68, "NON_EMPTY_GROUP"

    def test_a_deleted_topic_takes_its_offsets_along(self, stage: Stage):
        stage.commit({0: 1})
        stage.commit({0: 1}, topic="gone")
        stage.do(stage.shard.forget_topics, frozenset({"gone"}))
        assert stage.committed() == {"t": {0: 1}}

    def test_a_group_goes_with_its_offsets_unless_it_has_members(self, stage: Stage):
        stage.commit({0: 1})
        stage.do(stage.shard.delete_group, "g")
        assert stage.committed() == {}
        stage.stable(1)
        with pytest.raises(WireError, match="NON_EMPTY_GROUP"):
            stage.do(stage.shard.delete_group, "g")
        with pytest.raises(WireError, match="GROUP_ID_NOT_FOUND"):
            stage.do(stage.shard.delete_group, "nobody")


class TestTransactions:
    """Offsets that a transaction wrote, as they stand in a log (TxnOffsetCommit itself is not served yet)."""

    def write(self, stage: Stage, offset: int, producer: int = 7, partition: int = 0) -> None:
        value = Committed(offset, -1, "", stage.now_ms).value()
        stage.shard.replay(Entry(OffsetCommitKey("g", "t", partition), value), stage.now_ms, producer)

    def test_they_count_when_the_marker_says_so(self):
        stage = Stage()
        stage.commit({0: 1})
        self.write(stage, 2)
        assert stage.fetched(0).committed_offset == 1
        assert stage.fetched(0, stable=True).error_code == 88, "UNSTABLE_OFFSET_COMMIT"
        assert stage.fetched(1, stable=True).error_code == 0
        stage.shard.replay_marker(7, commit=True)
        assert stage.fetched(0, stable=True).committed_offset == 2

    def test_they_never_count_after_an_abort(self):
        stage = Stage()
        self.write(stage, 2)
        stage.shard.replay_marker(7, commit=False)
        assert stage.fetched(0, stable=True).committed_offset == -1
        assert stage.shard.offsets.pending == {}

    def test_a_marker_does_not_bring_back_what_was_overwritten(self):
        stage = Stage()
        self.write(stage, 2)
        stage.commit({0: 3})
        self.write(stage, 4, producer=8)
        stage.shard.replay_marker(7, commit=True)
        assert stage.fetched(0).committed_offset == 3
        stage.shard.replay_marker(8, commit=True)
        assert stage.fetched(0).committed_offset == 4

    def test_undecided_offsets_do_not_expire(self):
        stage = Stage()
        stage.commit({0: 1})
        self.write(stage, 2)
        stage.now_ms += 8 * DAY_MS
        stage.do(stage.shard.expire_offsets)
        assert stage.fetched(0).committed_offset == 1


class TestRecords:
    def test_records_look_as_apache_writes_them(self, stage: Stage):
        stage.commit({3: 7})
        key, value = stage.log[0]
        assert key == b"\0\1" + b"\0\1g" + b"\0\1t" + (3).to_bytes(4)
        assert value[:2] == b"\0\4"
        assert topic_id("t") in value

    def test_offsets_of_the_oldest_form_are_read(self, stage: Stage):
        key = b"\0\0" + LegacyOffsetCommitKey("g", "t", 0).encode(0)
        value = b"\0\0" + OffsetCommitValue(5, -1, "m", 1).encode(0)
        entry = records.decode(key, value)
        stage.shard.replay(entry, stage.now_ms)
        stage.log.append((key, value))
        assert stage.committed() == {"t": {0: 5}}

    def test_records_of_other_kinds_are_kept_and_their_tombstones_honoured(self, stage: Stage):
        for key, value in ((b"\0\x0bshare", b"one"), (b"\0\x0bother", b"two"), (b"\0\x0bother", None)):
            stage.shard.replay_record(key, value, stage.now_ms)
            stage.log.append((key, value))
        assert stage.shard.kept == {b"\0\x0bshare": b"one"}


def test_a_turn_that_is_refused_leaves_no_records(stage: Stage):
    turn = Turn(stage.now_ms)
    with pytest.raises(WireError):
        stage.shard.delete_group(turn, "nobody")
    assert turn.entries == []
