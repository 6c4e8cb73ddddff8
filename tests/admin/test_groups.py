"""Groups of a cluster of several brokers: who is asked what, how often, and what is told when one is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support.scripted import SILENCE, ScriptedCluster, topic_id

from logctl.admin.client import Client, parse_addresses
from logctl.admin.coordinators import Coordinators
from logctl.admin.deadline import Deadline
from logctl.admin.group_lag import lag_of_groups
from logctl.admin.groups import Selection, describe_groups, list_groups
from logctl.admin.routing import Cluster
from logctl.errors import AccessDenied, OperationFailed
from logctl.wire import errors
from logctl.wire.messages.consumer_group_describe import ConsumerGroupDescribeResponse
from logctl.wire.messages.consumer_group_describe import DescribedGroup as DescribedConsumerGroup
from logctl.wire.messages.describe_groups import DescribedGroup, DescribedGroupMember, DescribeGroupsResponse
from logctl.wire.messages.find_coordinator import Coordinator, FindCoordinatorResponse
from logctl.wire.messages.list_groups import ListedGroup, ListGroupsResponse
from logctl.wire.messages.list_offsets import (
    ListOffsetsPartitionResponse,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)
from logctl.wire.messages.offset_fetch import (
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
)
from logctl.wire.messages.share_group_describe import DescribedGroup as DescribedShareGroup
from logctl.wire.messages.share_group_describe import ShareGroupDescribeResponse

END = 10
COMMITTED = 4


class Groups(ScriptedCluster):
    """Brokers with groups, each on its coordinator; every group has committed 4 in partition 0 of every topic, and
    every partition ends at 10."""

    def __init__(self, groups: dict[str, int], topics: dict[str, list[int]] | None = None) -> None:
        super().__init__(1, 2, 3, topics=topics)
        self.groups = groups
        self.new_protocol: set[str] = set()
        self.answer("FindCoordinator", self.find)
        for node_id, broker in self.brokers.items():
            broker.answer("ListGroups", lambda request, version, node_id=node_id: self.listed(node_id))
        self.answer("ConsumerGroupDescribe", self.describe_new)
        self.answer("DescribeGroups", self.describe_old)
        self.answer("OffsetFetch", self.offsets)
        self.answer("ListOffsets", self.ends)

    def find(self, request: Any, version: int) -> Any:
        if version < 4:
            return FindCoordinatorResponse(**self.place(request.key))
        return FindCoordinatorResponse(
            coordinators=[Coordinator(key=key, **self.place(key)) for key in request.coordinator_keys]
        )

    def place(self, group: str) -> dict[str, Any]:
        node_id = self.groups.get(group, 1)
        return {"node_id": node_id, "host": "127.0.0.1", "port": self.brokers[node_id].port}

    def listed(self, node_id: int) -> Any:
        here = [name for name, home in self.groups.items() if home == node_id]
        return ListGroupsResponse(groups=[ListedGroup(name, "consumer", "Empty", self.kind(name)) for name in here])

    def kind(self, name: str) -> str:
        return "consumer" if name in self.new_protocol else "classic"

    def describe_new(self, request: Any, version: int) -> Any:
        return ConsumerGroupDescribeResponse(
            groups=[
                DescribedConsumerGroup(
                    group_id=name,
                    group_state="Empty",
                    error_code=errors.NONE if name in self.new_protocol else errors.GROUP_ID_NOT_FOUND,
                )
                for name in request.group_ids
            ]
        )

    def describe_old(self, request: Any, version: int) -> Any:
        return DescribeGroupsResponse(
            groups=[
                DescribedGroup(group_id=name, group_state="Empty", protocol_type="consumer")
                if name in self.groups
                else DescribedGroup(
                    group_id=name,
                    group_state="Dead",
                    error_code=errors.GROUP_ID_NOT_FOUND if version >= 6 else errors.NONE,
                )
                for name in request.groups
            ]
        )

    def offsets(self, request: Any, version: int) -> Any:
        if version < 8:
            entry = OffsetFetchResponsePartition(partition_index=0, committed_offset=COMMITTED)
            return OffsetFetchResponse(topics=[OffsetFetchResponseTopic(name, [entry]) for name in self.topics])
        now = OffsetFetchResponsePartitions(partition_index=0, committed_offset=COMMITTED)
        told = [OffsetFetchResponseTopics(name=name, topic_id=topic_id(name), partitions=[now]) for name in self.topics]
        return OffsetFetchResponse(
            groups=[OffsetFetchResponseGroup(group_id=group.group_id, topics=told) for group in request.groups]
        )

    def ends(self, request: Any, version: int) -> Any:
        return ListOffsetsResponse(
            topics=[
                ListOffsetsTopicResponse(
                    name=topic.name,
                    partitions=[
                        ListOffsetsPartitionResponse(partition_index=entry.partition_index, offset=END)
                        for entry in topic.partitions
                    ],
                )
                for topic in request.topics
            ]
        )

    def asked(self, name: str) -> list[int]:
        return [broker.count(name) for broker in self.brokers.values()]


THREE = {"a": 1, "b": 2, "c": 3, "d": 3}


@contextmanager
def connected(scripted: ScriptedCluster) -> Iterator[Cluster]:
    with Client(parse_addresses(scripted.bootstrap)) as client:
        yield Cluster(client)


def described(cluster: Cluster, *names: str) -> Any:
    return describe_groups(Coordinators(cluster), Selection(names), Deadline(10.0))


# -- how often is asked ----------------------------------------------------------------------------------------------


def test_each_coordinator_is_asked_once_and_each_leader_once() -> None:
    with Groups(THREE, {"t": [1], "u": [2], "v": [2]}) as scripted, connected(scripted) as cluster:
        found = lag_of_groups(cluster, Selection(tuple(THREE)), Deadline(10.0))
        assert [(one.group.name, one.total) for one in found.groups] == [(name, 18) for name in "abcd"]
        assert found.failures == {}
        assert sum(scripted.asked("FindCoordinator")) == 1
        assert scripted.asked("ListGroups") == [0, 0, 0]
        assert scripted.asked("OffsetFetch") == [1, 1, 1]
        assert scripted.asked("ListOffsets") == [3, 3, 0], "start, last stable offset and end, in one go"


def test_a_cluster_of_old_brokers_is_asked_for_one_group_at_a_time() -> None:
    with Groups(THREE, {"t": [1]}) as scripted, connected(scripted) as cluster:
        for broker in scripted.brokers.values():
            broker.forget("ConsumerGroupDescribe")
            broker.versions |= {
                "FindCoordinator": (0, 2), "DescribeGroups": (0, 3), "OffsetFetch": (1, 5), "ListGroups": (0, 2),
            }  # fmt: skip
        found = lag_of_groups(cluster, Selection(tuple(THREE)), Deadline(10.0))
        assert [(one.group.name, one.total) for one in found.groups] == [(name, 6) for name in "abcd"]
        assert scripted.asked("OffsetFetch") == [1, 1, 2]
        with pytest.raises(OperationFailed, match="group nobody does not exist"):
            described(cluster, "nobody")


def test_groups_of_both_protocols_are_told_apart() -> None:
    with Groups(THREE) as scripted, connected(scripted) as cluster:
        scripted.new_protocol = {"b", "d"}
        assert [(group.name, group.kind) for group in described(cluster).groups] == [
            ("a", "classic"), ("b", "consumer"), ("c", "classic"), ("d", "consumer")
        ]  # fmt: skip
        assert scripted.asked("DescribeGroups") == [1, 0, 1]


# -- who is missing --------------------------------------------------------------------------------------------------


def test_a_broker_that_is_gone_costs_its_own_groups_and_no_others() -> None:
    with Groups(THREE, {"t": [1]}) as scripted, connected(scripted) as cluster:
        scripted.brokers[3].close()
        listed = list_groups(cluster, Selection(), Deadline(10.0))
        assert [group.name for group in listed.groups] == ["a", "b"]
        assert list(listed.failures) == ["broker 3"]
        found = lag_of_groups(cluster, Selection(tuple(THREE)), Deadline(10.0))
        assert [(one.group.name, one.total) for one in found.groups] == [("a", 6), ("b", 6)]
        assert list(found.failures) == ["c", "d"]
        assert str(found.failures["c"]).startswith("group c: its coordinator: ")


def test_a_broker_that_is_silent_does_not_use_up_everybodys_time() -> None:
    with Groups(THREE, {"t": [1]}) as scripted, connected(scripted) as cluster:
        scripted.brokers[3].answer("ConsumerGroupDescribe", lambda request, version: SILENCE)
        found = lag_of_groups(cluster, Selection(tuple(THREE)), Deadline(4.0))
        assert [(one.group.name, one.total) for one in found.groups] == [("a", 6), ("b", 6)]
        assert set(found.failures) == {"c", "d"}


def test_a_partition_whose_leader_is_gone_has_a_commit_and_no_lag() -> None:
    with Groups({"a": 1}, {"t": [1], "u": [3], "v": [-1]}) as scripted, connected(scripted) as cluster:
        scripted.brokers[3].close()
        found = lag_of_groups(cluster, Selection(("a",)), Deadline(10.0))
        [group] = found.groups
        assert [(entry.topic, entry.end, entry.lag) for entry in group.partitions] == [
            ("t", END, 6), ("u", None, None), ("v", None, None)
        ]  # fmt: skip
        assert group.total == 6
        assert set(found.failures) == {"broker 3", "v-0"}
        assert str(found.failures["v-0"]) == "partition 0 of v has no leader"


def test_a_coordinator_that_is_loading_or_has_moved_is_asked_again() -> None:
    with Groups({"a": 1}) as scripted, connected(scripted) as cluster:
        codes = [errors.COORDINATOR_LOAD_IN_PROGRESS, errors.NOT_COORDINATOR]

        def first_not(request: Any, version: int) -> Any:
            if not codes:
                return scripted.describe_old(request, version)
            scripted.groups["a"] = 2
            return DescribeGroupsResponse(groups=[DescribedGroup(group_id="a", error_code=codes.pop(0))])

        scripted.answer("DescribeGroups", first_not)
        assert [group.coordinator.node_id for group in described(cluster, "a").groups] == [2]


def test_a_refusal_is_told_by_group() -> None:
    with Groups({"a": 1, "b": 1}) as scripted, connected(scripted) as cluster:

        def refuse_b(request: Any, version: int) -> Any:
            response = scripted.describe_old(request, version)
            for group in response.groups:
                if group.group_id == "b":
                    group.error_code = errors.GROUP_AUTHORIZATION_FAILED
            return response

        scripted.answer("DescribeGroups", refuse_b)
        found = described(cluster)
        assert [group.name for group in found.groups] == ["a"]
        assert isinstance(found.failures["b"], AccessDenied)


def test_what_is_forbidden_leaves_the_rest_standing() -> None:
    with Groups({"a": 1, "b": 1}, {"t": [1], "u": [2]}) as scripted, connected(scripted) as cluster:

        def forbid(request: Any, version: int) -> Any:
            response = scripted.offsets(request, version)
            for group in response.groups:
                if group.group_id == "b":
                    group.error_code = errors.GROUP_AUTHORIZATION_FAILED
            return response

        def forbid_u(request: Any, version: int) -> Any:
            response = scripted.ends(request, version)
            for topic in response.topics:
                if topic.name == "u":
                    topic.partitions[0].error_code = errors.TOPIC_AUTHORIZATION_FAILED
            return response

        scripted.answer("OffsetFetch", forbid)
        scripted.answer("ListOffsets", forbid_u)
        found = lag_of_groups(cluster, Selection(), Deadline(10.0))
        [group] = found.groups
        assert [(entry.topic, entry.lag) for entry in group.partitions] == [("t", 6), ("u", None)]
        assert {name: type(error) for name, error in found.failures.items()} == {"b": AccessDenied, "u-0": AccessDenied}
        assert scripted.asked("ListOffsets") == [3, 3, 0], "what is refused is not asked again"


def test_a_topic_that_has_gone_has_no_end_and_that_is_no_failure() -> None:
    with Groups({"a": 1}, {"t": [1], "gone": [1]}) as scripted, connected(scripted) as cluster:
        for broker in scripted.brokers.values():
            broker.versions["OffsetFetch"] = (1, 9)
        answer = scripted.offsets

        def offsets(request: Any, version: int) -> Any:
            response = answer(request, version)
            scripted.topics.pop("gone", None)
            return response

        scripted.answer("OffsetFetch", offsets)
        found = lag_of_groups(cluster, Selection(("a",)), Deadline(10.0))
        [group] = found.groups
        assert [(entry.topic, entry.committed, entry.lag) for entry in group.partitions] == [
            ("gone", COMMITTED, None), ("t", COMMITTED, 6)
        ]  # fmt: skip
        assert found.failures == {}


# -- what members say ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("garbage", [b"\x00", b"\xff\xff\x00\x00", b"\x00\x03\xff\xff\xff\xf0", b"\x00\x00\x7f\xff"])
def test_an_assignment_that_cannot_be_read_is_not_guessed_at(garbage: bytes) -> None:
    with Groups({"a": 1}) as scripted, connected(scripted) as cluster:
        liar = DescribedGroupMember(member_id="liar", member_assignment=garbage)
        told = DescribedGroup(group_id="a", group_state="Stable", protocol_type="consumer", members=[liar])
        scripted.answer("DescribeGroups", lambda request, version: DescribeGroupsResponse(groups=[told]))
        [group] = described(cluster, "a").groups
        assert group.members[0].assignment is None


def test_a_type_that_the_cluster_s_features_are_too_old_for_has_no_groups() -> None:
    """Apache Kafka offers the request, and refuses it until share.version is finalized."""
    with Groups(THREE) as scripted, connected(scripted) as cluster:
        scripted.answer(
            "ShareGroupDescribe",
            lambda request, version: ShareGroupDescribeResponse(
                groups=[
                    DescribedShareGroup(group_id=name, error_code=errors.UNSUPPORTED_VERSION)
                    for name in request.group_ids
                ]
            ),
        )
        with pytest.raises(OperationFailed, match="group e does not exist"):
            describe_groups(Coordinators(cluster), Selection(("e",)), Deadline(5))
