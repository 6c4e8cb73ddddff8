"""Members that lie, offsets for what is not there, topics deleted in use: over the wire, to both engines.

Each lie is told to our node and to Apache Kafka, and both must answer with the same errors. Afterwards the honest
group beside it still has its members, its generation and its offsets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
from support.engines import ENGINES, started
from support.live_server import Client
from support.waiting import wait_until

from logctl.wire import errors
from logctl.wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatRequestTopicPartitions,
)
from logctl.wire.messages.create_topics import CreatableTopic, CreateTopicsRequest
from logctl.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from logctl.wire.messages.describe_groups import DescribeGroupsRequest
from logctl.wire.messages.find_coordinator import FindCoordinatorRequest
from logctl.wire.messages.heartbeat import HeartbeatRequest
from logctl.wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from logctl.wire.messages.leave_group import LeaveGroupRequest, MemberIdentity
from logctl.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from logctl.wire.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup
from logctl.wire.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from logctl.wire.schema import Message

pytestmark = [pytest.mark.java, pytest.mark.xdist_group("group-liars")]

SETTINGS = {"group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "1"}
SUBSCRIPTION = b"\0\1\0\0\0\1\0\6orders\xff\xff\xff\xff\0\0\0\0"


class Liar:
    """A connection to one engine, and the honest group that lives there: one member, generation 1."""

    def __init__(self, port: int) -> None:
        self.client = Client(port)
        self.create("orders")
        self.ask(FindCoordinatorRequest(coordinator_keys=["honest"]), 6)
        wait_until(lambda: self.beat(0, "m", "nowhere") == "UNKNOWN_MEMBER_ID", "the coordinator")
        self.member = self.join("honest")
        shares = [SyncGroupRequestAssignment(self.member, b"mine")]
        self.ask(SyncGroupRequest("honest", 1, self.member, assignments=shares), 4)
        assert self.commit({0: 3}, 1, self.member) == {0: "NONE"}

    def ask(self, body: Message, version: int) -> Any:
        return self.client.ask(body, version)

    def create(self, name: str) -> None:
        made = self.ask(CreateTopicsRequest([CreatableTopic(name, 2, 1)], 20_000), 7)
        assert {one.error_code for one in made.topics} == {errors.NONE}

    def join(self, group: str, member: str = "", metadata: bytes = SUBSCRIPTION, kind: str = "consumer") -> str:
        """The member id, or the error."""
        protocols = [JoinGroupRequestProtocol("range", metadata)]
        answer = self.ask(JoinGroupRequest(group, 60_000, 60_000, member, None, kind, protocols), 9)
        if answer.error_code == errors.MEMBER_ID_REQUIRED:
            return self.join(group, answer.member_id, metadata, kind)
        return str(answer.member_id) if answer.error_code == errors.NONE else name(answer.error_code)

    def commit(
        self,
        offsets: dict[int, int],
        epoch: int,
        who: str,
        group: str = "honest",
        *,
        topic: str = "orders",
        note: str = "",
    ) -> dict[int, str]:
        parts = [OffsetCommitRequestPartition(partition, offset, -1, note) for partition, offset in offsets.items()]
        topics = [OffsetCommitRequestTopic(topic, partitions=parts)]
        answer = self.ask(OffsetCommitRequest(group, epoch, who, topics=topics), 9)
        return {one.partition_index: name(one.error_code) for told in answer.topics for one in told.partitions}

    def committed(self, group: str) -> dict[tuple[str, int], int]:
        (answer,) = self.ask(OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group, topics=None)]), 9).groups
        found = [(topic.name, one) for topic in answer.topics for one in topic.partitions]
        return {(topic, one.partition_index): one.committed_offset for topic, one in found}

    def beat(self, generation: int, who: str, group: str = "honest", instance: str | None = None) -> str:
        return name(self.ask(HeartbeatRequest(group, generation, who, instance), 4).error_code)

    def sync(self, generation: int, who: str, group: str = "honest") -> tuple[str, bytes]:
        """With an assignment of everything for the honest member."""
        shares = [SyncGroupRequestAssignment(self.member, b"all")]
        answer = self.ask(SyncGroupRequest(group, generation, who, assignments=shares), 4)
        return name(answer.error_code), bytes(answer.assignment)

    def honest(self) -> tuple[Any, ...]:
        """All that a lie could have changed."""
        (group,) = self.ask(DescribeGroupsRequest(["honest"]), 6).groups
        members = [(one.member_id == self.member, bytes(one.member_assignment)) for one in group.members]
        return self.beat(1, self.member), group.group_state, members, self.committed("honest")

    def modern(self, member: str, epoch: int, group: str = "modern", owned: bytes | None = None) -> str:
        """A heartbeat of the new protocol; `owned` is the id of a topic whose partition 0 it claims to own."""
        joins = epoch == 0
        claims = [ConsumerGroupHeartbeatRequestTopicPartitions(owned, [0])] if owned else []
        body = ConsumerGroupHeartbeatRequest(
            group,
            member,
            epoch,
            rebalance_timeout_ms=30_000 if joins else -1,
            subscribed_topic_names=["orders"] if joins else None,
            topic_partitions=claims if joins or owned else None,
        )
        return name(self.ask(body, 1).error_code)


def name(code: int) -> str:
    return errors.describe(code).name


@pytest.fixture(scope="module")
def liars(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Liar]]:
    with ExitStack() as stack:
        nodes = [stack.enter_context(started(engine, tmp_path_factory.mktemp(engine), SETTINGS)) for engine in ENGINES]
        told = [Liar(int(node.address.rpartition(":")[2])) for node in nodes]
        for liar in told:
            stack.callback(liar.client.close)
        yield told


LIES: dict[str, tuple[Callable[[Liar], Any], Any]] = {}
"""By name: the lie, and what everybody answers to it."""


def answered(expected: Any) -> Callable[[Callable[[Liar], Any]], Callable[[Liar], Any]]:
    def note(lie: Callable[[Liar], Any]) -> Callable[[Liar], Any]:
        LIES[lie.__name__.replace("_", " ")] = lie, expected
        return lie

    return note


@answered(["ILLEGAL_GENERATION"] * 3)
def an_unknown_generation(liar: Liar) -> Any:
    return [liar.beat(generation, liar.member) for generation in (0, 2, -1)]


@answered(({0: "ILLEGAL_GENERATION"}, ("ILLEGAL_GENERATION", b"")))
def an_unknown_generation_that_wants_something(liar: Liar) -> Any:
    return liar.commit({0: 9}, 2, liar.member), liar.sync(7, liar.member)


@answered(("UNKNOWN_MEMBER_ID", ("UNKNOWN_MEMBER_ID", b""), "UNKNOWN_MEMBER_ID", {0: "UNKNOWN_MEMBER_ID"}))
def a_foreign_member_id(liar: Liar) -> Any:
    foreign = "somebody"
    return liar.beat(1, foreign), liar.sync(1, foreign), liar.join("honest", foreign), liar.commit({0: 9}, 1, foreign)


@answered({0: "UNKNOWN_MEMBER_ID"})
def a_commit_of_nobody_into_a_group_with_members(liar: Liar) -> Any:
    return liar.commit({0: 9}, -1, "")


@answered("UNKNOWN_MEMBER_ID")
def an_instance_that_is_somebody_else_s(liar: Liar) -> Any:
    return liar.beat(1, liar.member, instance="i")


@answered(("NONE", b"mine"))
def an_assignment_after_the_fact(liar: Liar) -> Any:
    return liar.sync(1, liar.member)


@answered(("UNKNOWN_MEMBER_ID", ("UNKNOWN_MEMBER_ID", b""), {0: "GROUP_ID_NOT_FOUND"}))
def a_group_that_is_not_there(liar: Liar) -> Any:
    return liar.beat(1, "m", "nowhere"), liar.sync(1, "m", "nowhere"), liar.commit({0: 1}, 1, "m", "nowhere")


@answered(["UNKNOWN_MEMBER_ID"])
def a_stranger_that_leaves(liar: Liar) -> Any:
    answer = liar.ask(LeaveGroupRequest("honest", members=[MemberIdentity("stranger")]), 5)
    return [name(one.error_code) for one in answer.members]


@answered({0: "OFFSET_METADATA_TOO_LARGE"})
def a_note_that_is_too_long(liar: Liar) -> Any:
    return liar.commit({0: 1}, -1, "", "simple", note="x" * 4097)


@answered(({0: "UNKNOWN_TOPIC_OR_PARTITION"}, {1: "NONE", 99: "UNKNOWN_TOPIC_OR_PARTITION"}, {("orders", 1): 1}))
def offsets_for_what_is_not_there(liar: Liar) -> Any:
    topic = liar.commit({0: 1}, -1, "", "simple", topic="nothing")
    partition = liar.commit({1: 1, 99: 1}, -1, "", "simple")
    return topic, partition, liar.committed("simple")


@answered("INCONSISTENT_GROUP_PROTOCOL")
def a_member_of_another_kind(liar: Liar) -> Any:
    return liar.join("honest", kind="connect")


@answered(("GROUP_ID_NOT_FOUND", "GROUP_ID_NOT_FOUND"))
def a_member_of_the_new_protocol_where_there_is_none(liar: Liar) -> Any:
    return liar.modern("m", 5, "honest"), liar.modern("m", 5, "nowhere")


@answered(("NONE", "FENCED_MEMBER_EPOCH", "UNKNOWN_MEMBER_ID", "INVALID_REQUEST"))
def epochs_of_the_new_protocol(liar: Liar) -> Any:
    return liar.modern("m", 0), liar.modern("m", 7), liar.modern("stranger", 1), liar.modern("m", -5)


@answered(("NONE", "FENCED_MEMBER_EPOCH"))
def partitions_of_a_topic_that_nobody_knows(liar: Liar) -> Any:
    return liar.modern("owner", 0, "modern-2"), liar.modern("owner", 1, "modern-2", b"x" * 16)


@answered({0: "UNKNOWN_MEMBER_ID"})
def a_commit_of_a_stranger_to_the_new_protocol(liar: Liar) -> Any:
    liar.modern("m", 0, "modern-3")
    return liar.commit({0: 1}, 1, "stranger", "modern-3")


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_answered_as_apache_does_and_changes_nothing(liars: list[Liar], lie: str) -> None:
    tell, expected = LIES[lie]
    before = [liar.honest() for liar in liars]
    ours, theirs = (tell(liar) for liar in liars)
    assert ours == theirs
    assert ours == expected
    assert [liar.honest() for liar in liars] == before
    assert before[0] == before[1]


def test_metadata_larger_than_a_record_is_refused_and_the_neighbours_in_the_partition_go_on(liars: list[Liar]) -> None:
    """Apache lets such a member join and fails when it writes the group down; we say it at once."""
    ours, theirs = liars
    before = [liar.honest() for liar in liars]
    assert ours.join("huge", metadata=SUBSCRIPTION + bytes(2_000_000)) == "UNKNOWN_SERVER_ERROR"
    member = theirs.join("huge", metadata=SUBSCRIPTION + bytes(2_000_000))
    assert theirs.sync(1, member, "huge") == ("UNKNOWN_SERVER_ERROR", b"")
    assert [liar.honest() for liar in liars] == before


def test_a_topic_deleted_in_use_takes_its_offsets_along_and_leaves_the_group(liars: list[Liar]) -> None:
    told = []
    for liar in liars:
        liar.create("doomed")
        use = partial(liar.commit, {0: 5}, 1, liar.member, topic="doomed")
        wait_until(lambda: use() == {0: "NONE"}, "the topic")  # noqa: B023
        kept = {key: offset for key, offset in liar.committed("honest").items() if key[0] == "orders"}
        gone = liar.ask(DeleteTopicsRequest([DeleteTopicState("doomed")], [], 20_000), 6)
        assert [name(one.error_code) for one in gone.responses] == ["NONE"]
        wait_until(lambda: liar.committed("honest") == kept, "the offsets to go")  # noqa: B023
        told.append((liar.honest(), use()))
    assert told[0] == told[1]
    assert told[0][1] == {0: "UNKNOWN_TOPIC_OR_PARTITION"}
