"""Requests about groups through a whole node: every version, the offsets topic behind them, and the disk's part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.group_node import Asked, GroupNode

from logctl.engine.broker.groups.coordinator import Groups
from logctl.engine.broker.groups.home import REWRITE_WORTH_BYTES
from logctl.engine.broker.groups.shard import difference
from logctl.wire import errors
from logctl.wire.api import API
from logctl.wire.messages.consumer_group_describe import ConsumerGroupDescribeRequest
from logctl.wire.messages.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from logctl.wire.messages.create_topics import CreatableTopic, CreateTopicsRequest
from logctl.wire.messages.delete_groups import DeleteGroupsRequest
from logctl.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from logctl.wire.messages.describe_groups import DescribeGroupsRequest
from logctl.wire.messages.find_coordinator import FindCoordinatorRequest
from logctl.wire.messages.heartbeat import HeartbeatRequest
from logctl.wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from logctl.wire.messages.leave_group import LeaveGroupRequest, MemberIdentity
from logctl.wire.messages.list_groups import ListGroupsRequest
from logctl.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from logctl.wire.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from logctl.wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
)
from logctl.wire.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment

GROUP_APIS = (8, 9, 10, 11, 12, 13, 14, 15, 16, 42, 47, 68, 69)


@pytest.fixture
def node(tmp_path: Path) -> GroupNode:
    return GroupNode(tmp_path)


def every_version(api_key: int) -> list[int]:
    versions = API[api_key].versions
    return list(range(versions.lowest, versions.highest + 1))


def name(code: int) -> str:
    return errors.describe(code).name


def join(node: GroupNode, group: str = "g", member: str = "", version: int = 9, instance: str | None = None) -> Asked:
    protocols = [JoinGroupRequestProtocol("range", b"\0\1\0\0\0\1\0\6orders\xff\xff\xff\xff\0\0\0\0")]
    body = JoinGroupRequest(group, 10_000, 20_000, member, instance, "consumer", protocols)
    asked = node.send(body, version)
    node.settle()
    return asked


def member(node: GroupNode, group: str = "g", version: int = 9) -> str:
    """A group with one member, in its first generation; answers the member's id."""
    asked = join(node, group, version=version)
    if version >= 4:
        asked = join(node, group, asked.answer.member_id, version)
    node.pass_time(10)
    assert asked.answer.error_code == 0
    who = asked.answer.member_id
    shares = [SyncGroupRequestAssignment(who, b"share")]
    synced = node.say(SyncGroupRequest(group_id=group, generation_id=1, member_id=who, assignments=shares), 3)
    assert bytes(synced.assignment) == b"share"
    return who


def commit_request(
    offsets: dict[int, int], group: str = "g", who: str = "", epoch: int = -1, topic: str = "orders", id_: bytes = b""
) -> OffsetCommitRequest:
    parts = [OffsetCommitRequestPartition(number, offset, -1, "note") for number, offset in offsets.items()]
    topics = [OffsetCommitRequestTopic(topic, id_ or bytes(16), parts)]
    return OffsetCommitRequest(group_id=group, generation_id_or_member_epoch=epoch, member_id=who, topics=topics)


def commit(node: GroupNode, offsets: dict[int, int], **how: Any) -> dict[int, str]:
    answer = node.say(commit_request(offsets, **how), 9)
    return {one.partition_index: name(one.error_code) for topic in answer.topics for one in topic.partitions}


def committed(node: GroupNode, group: str = "g") -> dict[int, int]:
    asked = [OffsetFetchRequestGroup(group, topics=None)]
    (answer,) = node.say(OffsetFetchRequest(groups=asked), 9).groups
    assert answer.error_code == 0
    return {one.partition_index: one.committed_offset for topic in answer.topics for one in topic.partitions}


class TestFindCoordinator:
    @pytest.mark.parametrize("version", every_version(10))
    def test_the_first_question_makes_the_topic(self, tmp_path: Path, version: int):
        node = GroupNode(tmp_path, ready=False)
        answer = node.say(FindCoordinatorRequest(key="g", coordinator_keys=["g", "h"]), version)
        found = answer.coordinators if version >= 4 else [answer]
        assert [(one.error_code, one.node_id, one.host, one.port) for one in found] == [
            (0, 1, "127.0.0.1", 9092)
        ] * len(found)
        topic = node.parts.metadata.image.topics["__consumer_offsets"]
        assert len(topic.partitions) == 3
        assert node.parts.metadata.image.topic_configs("__consumer_offsets")["cleanup.policy"] == "compact"

    def test_transactions_have_coordinators_too_and_share_groups_have_none(self, node: GroupNode):
        assert node.say(FindCoordinatorRequest(key_type=1, coordinator_keys=["t"]), 6).coordinators[0].error_code == 0
        assert "__transaction_state" in node.parts.metadata.image.topics
        answer = node.say(FindCoordinatorRequest(key_type=2, coordinator_keys=["s"]), 6)
        assert name(answer.coordinators[0].error_code) == "INVALID_REQUEST"
        assert name(node.say(FindCoordinatorRequest(key="s", key_type=2), 3).error_code) == "INVALID_REQUEST"

    def test_a_client_on_another_listener_finds_nobody(self, node: GroupNode):
        node.peer.listener = "ELSEWHERE"
        assert name(node.find("g").error_code) == "COORDINATOR_NOT_AVAILABLE"


class TestWithoutACoordinator:
    """Before the topic exists, and while it is loading: every API in every version has a place for the error."""

    bodies = {  # noqa: RUF012
        8: commit_request({0: 1}),
        9: OffsetFetchRequest(
            group_id="g",
            topics=[OffsetFetchRequestTopic("orders", [0])],
            groups=[OffsetFetchRequestGroup("g", topics=[OffsetFetchRequestTopics("orders", bytes(16), [0])])],
        ),
        11: JoinGroupRequest("g", 10_000, 20_000, "m", None, "consumer", [JoinGroupRequestProtocol("range", b"")]),
        12: HeartbeatRequest("g", 1, "m"),
        13: LeaveGroupRequest("g", "m", [MemberIdentity("m")]),
        14: SyncGroupRequest("g", 1, "m", None, "consumer", "range"),
        15: DescribeGroupsRequest(["g"]),
        42: DeleteGroupsRequest(["g"]),
        47: OffsetDeleteRequest("g", [OffsetDeleteRequestTopic("orders", [OffsetDeleteRequestPartition(0)])]),
        68: ConsumerGroupHeartbeatRequest("g", "m", 0, None, None, 1000, ["orders"], None, None, []),
        69: ConsumerGroupDescribeRequest(["g"]),
    }

    @pytest.mark.parametrize(("key", "version"), [(key, v) for key in bodies for v in every_version(key)])
    def test_it_says_so(self, tmp_path: Path, key: int, version: int):
        node = GroupNode(tmp_path, ready=False)
        body = self.bodies[key]
        if key == 8 and version == 10:
            topic_id = node.parts.metadata.image.topics["orders"].topic_id
            body = commit_request({0: 1}, id_=topic_id)
        answer = node.say(body, version)
        assert name(errors.NOT_COORDINATOR) in found_errors(answer)

    def test_a_partition_that_is_loading_asks_for_patience(self, node: GroupNode):
        commit(node, {0: 5})
        node.restart()
        assert set(commit(node, {0: 6}).values()) == {"COORDINATOR_LOAD_IN_PROGRESS"}
        node.load()
        assert committed(node) == {0: 5}
        node.restart()
        assert name(node.say(ListGroupsRequest(), 5).error_code) == "COORDINATOR_LOAD_IN_PROGRESS"


def found_errors(value: Any) -> set[str]:
    """Every error code anywhere in a response."""
    found = set()
    for entry in type(value).fields:
        part = getattr(value, entry.name)
        if entry.name == "error_code":
            found.add(name(part))
        elif isinstance(part, list):
            for one in part:
                if hasattr(type(one), "fields"):
                    found |= found_errors(one)
    return found


class TestClassicGroups:
    @pytest.mark.parametrize("version", every_version(11))
    def test_a_member_joins_in_every_version(self, node: GroupNode, version: int):
        assert member(node, version=version)

    @pytest.mark.parametrize("version", every_version(14))
    def test_and_syncs(self, node: GroupNode, version: int):
        who = member(node)
        answer = node.say(SyncGroupRequest("g", 1, who, None, "consumer", "range"), version)
        assert (answer.error_code, bytes(answer.assignment)) == (0, b"share")

    @pytest.mark.parametrize("version", every_version(12))
    def test_and_beats(self, node: GroupNode, version: int):
        who = member(node)
        assert name(node.say(HeartbeatRequest("g", 1, who), version).error_code) == "NONE"
        assert name(node.say(HeartbeatRequest("g", 2, who), version).error_code) == "ILLEGAL_GENERATION"
        assert name(node.say(HeartbeatRequest("", 1, who), version).error_code) == "INVALID_GROUP_ID"

    @pytest.mark.parametrize("version", every_version(13))
    def test_and_leaves(self, node: GroupNode, version: int):
        who = member(node)
        answer = node.say(LeaveGroupRequest("g", who, [MemberIdentity(who)]), version)
        assert found_errors(answer) == {"NONE"}
        stranger = node.say(LeaveGroupRequest("g", "x", [MemberIdentity("x")]), version)
        assert "UNKNOWN_MEMBER_ID" in found_errors(stranger)

    @pytest.mark.parametrize("version", every_version(15))
    def test_and_is_described(self, node: GroupNode, version: int):
        who = member(node)
        answer = node.say(DescribeGroupsRequest(["g", "nobody"], include_authorized_operations=True), version)
        group, missing = answer.groups
        assert (group.group_state, group.protocol_type, group.protocol_data) == ("Stable", "consumer", "range")
        assert [(one.member_id, one.client_id, one.client_host) for one in group.members] == [
            (who, "test", "/127.0.0.1")
        ]
        assert bytes(group.members[0].member_assignment) == b"share"
        assert (missing.group_state, name(missing.error_code)) == (
            "Dead",
            "GROUP_ID_NOT_FOUND" if version >= 6 else "NONE",
        )

    @pytest.mark.parametrize("version", every_version(16))
    def test_and_is_listed(self, node: GroupNode, version: int):
        member(node)
        commit(node, {0: 1}, group="simple")
        answer = node.say(ListGroupsRequest(), version)
        assert {(one.group_id, one.protocol_type) for one in answer.groups} == {("g", "consumer"), ("simple", "")}

    def test_lists_are_filtered(self, node: GroupNode):
        member(node)
        commit(node, {0: 1}, group="simple")
        beat(node, "new", "m", 0)

        def listed(states: list[str], types: list[str]) -> set[tuple[str, str, str]]:
            answer = node.say(ListGroupsRequest(states, types), 5)
            return {(one.group_id, one.group_state, one.group_type) for one in answer.groups}

        stable, empty, new = ("g", "Stable", "classic"), ("simple", "Empty", "classic"), ("new", "Stable", "consumer")
        assert listed([], []) == {stable, empty, new}
        assert listed(["stable"], []) == {stable, new}
        assert listed(["STABLE"], ["Consumer"]) == {new}
        assert listed(["nonsense"], []) == listed([], ["share"]) == set()


def beat(node: GroupNode, group: str, who: str, epoch: int, version: int = 1) -> Any:
    body = ConsumerGroupHeartbeatRequest(group, who, epoch)
    if epoch == 0:
        body = ConsumerGroupHeartbeatRequest(group, who, 0, None, None, 60_000, ["orders"], None, None, [])
    return node.say(body, version)


class TestConsumerGroups:
    @pytest.mark.parametrize("version", every_version(68))
    def test_a_member_joins_and_stays(self, node: GroupNode, version: int):
        told = beat(node, "g", "m", 0, version)
        assert (told.error_code, told.member_epoch) == (0, 2)
        assert list(told.assignment.topic_partitions[0].partitions) == [0, 1, 2, 3]
        assert beat(node, "g", "m", 2, version).assignment is None
        assert name(beat(node, "g", "m", 7, version).error_code) == "FENCED_MEMBER_EPOCH"

    @pytest.mark.parametrize("version", every_version(69))
    def test_and_is_described(self, node: GroupNode, version: int):
        beat(node, "g", "m", 0)
        member(node, "classic")
        body = ConsumerGroupDescribeRequest(["g", "nobody", "classic", ""], include_authorized_operations=True)
        group, missing, other, nameless = node.say(body, version).groups
        assert (group.group_state, group.group_epoch, group.assignment_epoch, group.assignor_name) == (
            *("Stable", 2, 2),
            "uniform",
        )
        (one,) = group.members
        assert (one.member_id, one.member_epoch, one.subscribed_topic_names) == ("m", 2, ["orders"])
        assert one.assignment.topic_partitions[0].topic_name == "orders"
        assert one.assignment == one.target_assignment
        assert one.member_type == (1 if version >= 1 else -1)
        assert group.authorized_operations > 0
        assert [name(one.error_code) for one in (missing, other, nameless)] == [
            *["GROUP_ID_NOT_FOUND"] * 2,
            "INVALID_GROUP_ID",
        ]

    def test_the_operator_may_leave_the_protocol_out(self, tmp_path: Path):
        node = GroupNode(tmp_path, group_coordinator_rebalance_protocols="classic")
        assert name(beat(node, "g", "m", 0).error_code) == "UNSUPPORTED_VERSION"

    def test_a_topic_that_grows_is_seen_at_the_next_heartbeat(self, node: GroupNode):
        beat(node, "g", "m", 0)
        from logctl.wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic

        node.pass_time(1_000)
        node.ask(CreatePartitionsRequest([CreatePartitionsTopic("orders", 6, None)], 1_000, False), 3)
        told = beat(node, "g", "m", 2)
        assert list(told.assignment.topic_partitions[0].partitions) == [0, 1, 2, 3, 4, 5]


class TestOffsets:
    @pytest.mark.parametrize("version", every_version(8))
    def test_offsets_are_committed_in_every_version(self, node: GroupNode, version: int):
        topic_id = node.parts.metadata.image.topics["orders"].topic_id
        answer = node.say(commit_request({0: 7, 9: 1}, id_=topic_id if version >= 10 else b""), version)
        (topic,) = answer.topics
        assert {one.partition_index: name(one.error_code) for one in topic.partitions} == {
            0: "NONE",
            9: "UNKNOWN_TOPIC_OR_PARTITION",
        }
        assert (topic.topic_id if version >= 10 else topic.name) == (topic_id if version >= 10 else "orders")
        assert committed(node) == {0: 7}

    @pytest.mark.parametrize("version", every_version(9))
    def test_and_fetched(self, node: GroupNode, version: int):
        commit(node, {0: 7})
        topic_id = node.parts.metadata.image.topics["orders"].topic_id
        named = bytes(16) if version < 10 else topic_id
        body = OffsetFetchRequest(
            group_id="g",
            topics=[OffsetFetchRequestTopic("orders", [0, 1])],
            groups=[OffsetFetchRequestGroup("g", topics=[OffsetFetchRequestTopics("orders", named, [0, 1])])],
            require_stable=True,
        )
        answer = node.say(body, version)
        topics = answer.groups[0].topics if version >= 8 else answer.topics
        assert [(one.partition_index, one.committed_offset, one.metadata) for one in topics[0].partitions] == [
            (0, 7, "note"),
            (1, -1, ""),
        ]
        if version >= 10:
            assert topics[0].topic_id == topic_id

    def test_topics_that_do_not_exist_have_their_own_errors(self, node: GroupNode):
        assert commit(node, {0: 1}, topic="nothing") == {0: "UNKNOWN_TOPIC_OR_PARTITION"}
        answer = node.say(commit_request({0: 1}, id_=b"x" * 16), 10)
        assert found_errors(answer) == {"UNKNOWN_TOPIC_ID"}
        asked = [OffsetFetchRequestGroup("g", topics=[OffsetFetchRequestTopics("", b"x" * 16, [0])])]
        assert "UNKNOWN_TOPIC_ID" in found_errors(node.say(OffsetFetchRequest(groups=asked), 10))
        assert committed(node) == {}

    def test_several_groups_are_fetched_at_once(self, node: GroupNode):
        for number, group in enumerate("abcdef"):
            commit(node, {0: number}, group=group)
        asked = [OffsetFetchRequestGroup(group, topics=None) for group in "abcdef"]
        answer = node.say(OffsetFetchRequest(groups=asked), 8)
        assert [one.topics[0].partitions[0].committed_offset for one in answer.groups] == [0, 1, 2, 3, 4, 5]

    def test_and_deleted(self, node: GroupNode):
        commit(node, {0: 1, 1: 2})
        topics = [
            OffsetDeleteRequestTopic("orders", [OffsetDeleteRequestPartition(0)]),
            OffsetDeleteRequestTopic("nothing", [OffsetDeleteRequestPartition(0)]),
        ]
        answer = node.say(OffsetDeleteRequest("g", topics), 0)
        assert {topic.name: name(topic.partitions[0].error_code) for topic in answer.topics} == {
            "orders": "NONE",
            "nothing": "UNKNOWN_TOPIC_OR_PARTITION",
        }
        assert committed(node) == {1: 2}
        assert name(node.say(OffsetDeleteRequest("nobody", []), 0).error_code) == "GROUP_ID_NOT_FOUND"
        assert name(node.say(OffsetDeleteRequest("", []), 0).error_code) == "INVALID_GROUP_ID"

    @pytest.mark.parametrize("version", every_version(42))
    def test_groups_are_deleted_one_by_one(self, node: GroupNode, version: int):
        commit(node, {0: 1})
        member(node, "busy")
        answer = node.say(DeleteGroupsRequest(["g", "busy", "nobody", ""]), version)
        assert {one.group_id: name(one.error_code) for one in answer.results} == {
            "g": "NONE",
            "busy": "NON_EMPTY_GROUP",
            "nobody": "GROUP_ID_NOT_FOUND",
            "": "INVALID_GROUP_ID",
        }
        assert committed(node) == {}

    def test_a_topic_that_is_deleted_and_made_anew_begins_without_offsets(self, node: GroupNode):
        commit(node, {0: 9})
        delete = DeleteTopicsRequest([DeleteTopicState("orders")], [], 1_000)
        assert found_errors(node.ask(delete, 6)) == {"NONE"}
        node.create("orders", 4)
        node.settle()
        assert committed(node) == {}
        node.restart()
        node.load()
        assert committed(node) == {}

    def test_also_when_the_node_died_before_it_had_said_so(self, node: GroupNode):
        commit(node, {0: 9})
        groups, node.broker.groups.apply = node.broker.groups.apply, lambda *_: None  # type: ignore[method-assign]
        node.ask(DeleteTopicsRequest([DeleteTopicState("orders")], [], 1_000), 6)
        node.create("orders", 4)
        del groups
        node.crash()
        node.load()
        assert committed(node) == {}


class TestTheDisk:
    def test_a_commit_is_answered_when_it_is_on_disk_and_not_before(self, node: GroupNode):
        asked = node.send(commit_request({0: 7}), 9)
        node.deliver()
        assert asked.answer is None
        node.parts.appends.write(node.now_ms)
        node.broker.waiting.settle(node.now_ms)
        node.deliver()
        assert asked.answer is None, "written is not flushed"
        node.settle()
        assert found_errors(asked.answer) == {"NONE"}

    def test_nobody_is_told_an_offset_that_a_crash_could_take_back(self, node: GroupNode):
        node.send(commit_request({0: 7}), 9)
        read = node.send(OffsetFetchRequest(groups=[OffsetFetchRequestGroup("g", topics=None)]), 9)
        node.deliver()
        assert read.answer is None
        node.settle()
        assert read.answer.groups[0].topics[0].partitions[0].committed_offset == 7

    def test_what_was_answered_survives_a_crash(self, node: GroupNode):
        commit(node, {0: 7})
        who = member(node, "classic")
        beat(node, "new", "m", 0)
        before = {home.partition: home.shard for home in node.broker.groups.homes()}
        node.crash()
        node.load()
        for home in node.broker.groups.homes():
            assert difference(before[home.partition], home.shard) == []
        assert name(node.say(HeartbeatRequest("classic", 1, who), 4).error_code) == "NONE"
        assert beat(node, "new", "m", 2).member_epoch == 2

    def test_with_flush_left_to_the_system_answers_leave_after_the_write(self, tmp_path: Path):
        node = GroupNode(tmp_path, log_flush_policy="os")
        asked = node.send(commit_request({0: 7}), 9)
        node.parts.appends.write(node.now_ms)
        node.broker.waiting.settle(node.now_ms)
        node.deliver()
        assert found_errors(asked.answer) == {"NONE"}

    def test_a_write_that_the_log_refuses_is_undone(self, node: GroupNode):
        commit(node, {0: 7})
        home = node.broker.groups.home("g")
        home.replica.short_of_isr = True
        assert set(commit(node, {0: 8}).values()) == {"COORDINATOR_NOT_AVAILABLE"}
        home.replica.short_of_isr = False
        node.load()
        assert committed(node) == {0: 7}

    def test_a_flush_that_takes_too_long_is_confessed(self, node: GroupNode):
        asked = node.send(commit_request({0: 7}), 9)
        node.parts.appends.write(node.now_ms)
        node.now_ms += 5_000
        later = node.send(commit_request({1: 7}), 9)
        node.broker.waiting.expire(node.now_ms)
        node.deliver()
        assert found_errors(asked.answer) == {"COORDINATOR_NOT_AVAILABLE"}
        assert later.answer is None, "its time is not up"
        node.settle()
        assert found_errors(later.answer) == {"NONE"}

    def test_a_disk_that_fails_sends_everybody_away(self, node: GroupNode):
        asked = node.send(commit_request({0: 7}), 9)
        node.broker.groups.home("g").replica.fence()
        node.broker.waiting.settle(node.now_ms)
        node.deliver()
        assert found_errors(asked.answer) == {"NOT_COORDINATOR"}
        assert set(commit(node, {0: 8}).values()) == {"NOT_COORDINATOR"}


class TestHousekeeping:
    def test_offsets_expire_and_groups_with_them(self, node: GroupNode):
        commit(node, {0: 7})
        node.pass_time(7 * 86_400_000)
        node.load()
        assert node.say(ListGroupsRequest(), 5).groups == []

    def test_sessions_end_while_nobody_asks(self, node: GroupNode):
        who = member(node)
        node.pass_time(10_200)
        node.settle()
        assert name(node.say(HeartbeatRequest("g", 1, who), 4).error_code) == "UNKNOWN_MEMBER_ID"
        assert node.say(ListGroupsRequest(["Empty"]), 5).groups[0].group_id == "g"

    def test_a_log_that_has_grown_is_written_anew(self, node: GroupNode):
        note = "x" * 4_000
        home = node.broker.groups.home("g")
        number = 0
        while home.replica.log.size_bytes <= REWRITE_WORTH_BYTES:
            parts = [OffsetCommitRequestPartition(part, number, -1, note) for part in range(4)]
            topics = [OffsetCommitRequestTopic("orders", bytes(16), parts)]
            for _ in range(50):
                node.send(OffsetCommitRequest(group_id="g", topics=topics), 9)
            node.settle()
            number += 1
        node.asked.clear()
        before = home.shard
        node.pass_time(600_000)
        node.load()
        log = home.replica.log
        assert log.start_offset > 0
        node.pass_time(600_000)
        assert log.size_bytes < 100_000
        node.restart()
        node.load()
        assert difference(before, node.broker.groups.home("g").shard) == []
        assert committed(node) == dict.fromkeys(range(4), number - 1)

    def test_a_node_without_groups_has_nothing_to_do(self, tmp_path: Path):
        node = GroupNode(tmp_path, ready=False)
        assert isinstance(node.broker.groups, Groups)
        assert node.broker.groups.next_deadline_ms() is None

    def test_deleting_the_offsets_topic_forgets_all_groups(self, node: GroupNode):
        commit(node, {0: 7})
        node.ask(DeleteTopicsRequest([DeleteTopicState("__consumer_offsets")], [], 1_000), 6)
        assert set(commit(node, {0: 8}).values()) == {"NOT_COORDINATOR"}
        node.find("g")
        assert committed(node) == {}

    def test_the_diary_does_not_ask_for_a_cleaner_where_the_coordinator_keeps_house(self, node: GroupNode):
        assert "cleanup.policy" in node.broker.metadata.image.topic_configs("__consumer_offsets")
        assert node.said("settings") == []


def test_every_group_api_is_advertised(node: GroupNode):
    from logctl.engine.broker.dispatch import SERVED

    assert set(GROUP_APIS) <= set(SERVED)
    assert CreateTopicsRequest(topics=[CreatableTopic("x")])
