"""Topics, sizes, trims and elections on a cluster where something is wrong: the rest stands, and what is missing is
named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support.scripted import SILENCE, ScriptedCluster

from logctl.admin.client import Client, parse_addresses
from logctl.admin.deadline import Deadline
from logctl.admin.elections import Elect, Kind, elect
from logctl.admin.executor import ItemDone, ItemFailed, Verified, execute
from logctl.admin.logdirs import describe_log_dirs
from logctl.admin.observe import Resource, observe
from logctl.admin.positions import END
from logctl.admin.routing import Cluster
from logctl.admin.sizes import topic_sizes
from logctl.admin.topic_changes import CreateTopic, DeleteTopics, Together
from logctl.admin.topics import Selection, describe_topics, pages
from logctl.admin.trims import Trim, intend, trim
from logctl.errors import LogctlError, OperationFailed, PartialFailure, Unreachable
from logctl.wire import errors
from logctl.wire.messages.create_topics import CreatableTopicResult, CreateTopicsResponse
from logctl.wire.messages.delete_records import (
    DeleteRecordsPartitionResult,
    DeleteRecordsResponse,
    DeleteRecordsTopicResult,
)
from logctl.wire.messages.delete_topics import DeletableTopicResult, DeleteTopicsResponse
from logctl.wire.messages.describe_configs import DescribeConfigsResponse, DescribeConfigsResult
from logctl.wire.messages.describe_log_dirs import (
    DescribeLogDirsPartition,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)
from logctl.wire.messages.describe_topic_partitions import (
    DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponseCursor,
    DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
)
from logctl.wire.messages.elect_leaders import ElectLeadersResponse, PartitionResult, ReplicaElectionResult
from logctl.wire.messages.list_offsets import (
    ListOffsetsPartitionResponse,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)


@contextmanager
def connected(scripted: ScriptedCluster) -> Iterator[Cluster]:
    with Client(parse_addresses(scripted.bootstrap)) as client:
        yield Cluster(client)


def carried_out(cluster: Cluster, operation: Any, kinds: tuple[type, ...] = (ItemDone, ItemFailed, Verified)) -> Any:
    """What happened, one (kind, resource) after the other, and what it ended with."""
    deadline = Deadline(10.0)
    plan = operation.plan(observe(cluster, operation.wants(), deadline))
    seen: list[tuple[str, str]] = []
    try:
        for event in execute(plan, cluster, deadline):
            if isinstance(event, kinds):
                resource = event.change.resource if isinstance(event, Verified) else event.resource
                seen.append((type(event).__name__, str(resource)))
    except LogctlError as error:
        return seen, error
    return seen, None


# -- three of which one is refused -------------------------------------------------------------------------------------


def test_of_three_topics_one_that_is_refused_leaves_the_other_two_created() -> None:
    def creating(request: Any, version: int) -> Any:
        name = request.topics[0].name
        code = errors.POLICY_VIOLATION if name == "b" else errors.NONE
        if code == errors.NONE:
            scripted.topics[name] = [1]
        return CreateTopicsResponse(topics=[CreatableTopicResult(name=name, error_code=code)])

    with ScriptedCluster(1) as scripted, connected(scripted) as cluster:
        scripted.answer("CreateTopics", creating)
        scripted.answer("DescribeConfigs", no_settings)
        seen, error = carried_out(cluster, Together("create", tuple(CreateTopic(name) for name in "abc")))
        assert [kind for kind, resource in seen if resource == "topic b"] == ["ItemFailed"]
        assert [kind for kind, resource in seen if resource == "topic c"] == ["ItemDone", "Verified"]
        assert isinstance(error, PartialFailure)
        assert "cannot create topic b: POLICY_VIOLATION" in error.failures[0]


def no_settings(request: Any, version: int) -> Any:
    names = [resource.resource_name for resource in request.resources]
    return DescribeConfigsResponse(results=[DescribeConfigsResult(resource_name=name) for name in names])


def test_of_three_topics_one_that_may_not_go_leaves_the_other_two_deleted() -> None:
    def deleting(request: Any, version: int) -> Any:
        name = request.topics[0].name or request.topic_names[0]
        code = errors.TOPIC_AUTHORIZATION_FAILED if name == "t-2" else errors.NONE
        if code == errors.NONE:
            del scripted.topics[name]
        return DeleteTopicsResponse(responses=[DeletableTopicResult(name=name, error_code=code)])

    with ScriptedCluster(1, topics={"t-1": [1], "t-2": [1], "t-3": [1]}) as scripted, connected(scripted) as cluster:
        scripted.answer("DeleteTopics", deleting)
        _, error = carried_out(cluster, DeleteTopics(("t-*",)))
        assert isinstance(error, PartialFailure)
        assert ["cannot delete topic t-2" in sentence for sentence in error.failures] == [True]
        assert list(scripted.topics) == ["t-2"]


# -- a broker that is down ---------------------------------------------------------------------------------------------


def holding(size_bytes: int, error: int = errors.NONE) -> Any:
    """The answer of a broker that has partition 0 of t in its directory; or of one whose directory has failed."""
    held = [DescribeLogDirsTopic("t", [DescribeLogDirsPartition(0, size_bytes, 0, False)])] if not error else []
    result = DescribeLogDirsResult(error_code=error, log_dir="/data", topics=held)
    return lambda request, version: DescribeLogDirsResponse(results=[result])


def test_a_broker_that_hangs_up_leaves_the_sizes_of_the_others() -> None:
    with ScriptedCluster(1, 2, topics={"t": [1]}) as scripted, connected(scripted) as cluster:
        scripted.brokers[1].answer("DescribeLogDirs", holding(70))
        scripted.brokers[2].answer("DescribeLogDirs", lambda request, version: None)
        found = describe_log_dirs(cluster, Deadline(10.0))
        assert [(one.broker, one.size_bytes) for one in found.found] == [(1, 70)]
        assert list(found.failures) == ["broker 2"]
        assert isinstance(found.failures["broker 2"], Unreachable)
        assert found.silent() == {2}


def test_a_broker_that_is_silent_costs_the_deadline_and_no_more() -> None:
    with ScriptedCluster(1, 2, topics={"t": [1]}) as scripted, connected(scripted) as cluster:
        scripted.brokers[1].answer("DescribeLogDirs", holding(70))
        scripted.brokers[2].answer("DescribeLogDirs", lambda request, version: SILENCE)
        found = topic_sizes(cluster, Selection(), Deadline(0.7))
        assert [(one.leader_bytes, one.all_bytes) for one in found.topics] == [(70, 70)]
        assert list(found.failures) == ["broker 2"]


def test_a_size_without_its_leader_is_unknown_and_not_small() -> None:
    with ScriptedCluster(1, 2, topics={"t": [1, 2]}) as scripted, connected(scripted) as cluster:
        scripted.brokers[1].answer("DescribeLogDirs", holding(70))
        scripted.brokers[2].answer("DescribeLogDirs", holding(0, errors.KAFKA_STORAGE_ERROR))
        [size] = topic_sizes(cluster, Selection(), Deadline(10.0)).topics
        assert (size.leader_bytes, size.all_bytes) == (None, 70)
        failed = describe_log_dirs(cluster, Deadline(10.0))
        assert list(failed.failures) == ["broker 2 /data"]
        assert failed.failures["broker 2 /data"].kafka_name == "KAFKA_STORAGE_ERROR"


def test_a_broker_that_is_gone_is_missing_from_the_sizes_of_what_it_holds_alone() -> None:
    with ScriptedCluster(1, topics={"t": [1]}) as scripted, connected(scripted) as cluster:
        scripted.brokers[1].answer("DescribeLogDirs", holding(70))
        assert topic_sizes(cluster, Selection(), Deadline(10.0)).failures == {}
        scripted.brokers[7] = scripted.brokers.pop(1)
        found = topic_sizes(cluster, Selection(), Deadline(10.0))
        assert list(found.failures) == ["broker 1"]
        assert [one.complete for one in found.topics] == [False]


def test_who_may_not_look_is_told_so_and_not_that_there_is_nothing() -> None:
    with ScriptedCluster(1) as scripted, connected(scripted) as cluster:
        scripted.answer("DescribeLogDirs", lambda request, version: DescribeLogDirsResponse())
        with pytest.raises(LogctlError, match="CLUSTER_AUTHORIZATION_FAILED"):
            describe_log_dirs(cluster, Deadline(10.0))


# -- trims -------------------------------------------------------------------------------------------------------------


class Logs:
    """The partitions of a scripted cluster: where each starts and ends, and what DeleteRecords answers for it."""

    def __init__(self, scripted: ScriptedCluster, end: int = 100) -> None:
        self.starts: dict[tuple[str, int], int] = {}
        self.codes: dict[tuple[str, int], list[int]] = {}
        self.end = end
        scripted.answer("ListOffsets", self._offsets)
        scripted.answer("DeleteRecords", self._delete)

    def _offsets(self, request: Any, version: int) -> Any:
        topics = []
        for topic in request.topics:
            rows = []
            for entry in topic.partitions:
                start = self.starts.get((topic.name, entry.partition_index), 0)
                offset = start if entry.timestamp == -2 else self.end
                rows.append(ListOffsetsPartitionResponse(partition_index=entry.partition_index, offset=offset))
            topics.append(ListOffsetsTopicResponse(name=topic.name, partitions=rows))
        return ListOffsetsResponse(topics=topics)

    def _delete(self, request: Any, version: int) -> Any:
        topics = []
        for topic in request.topics:
            rows = []
            for entry in topic.partitions:
                place = topic.name, entry.partition_index
                code = self.codes.get(place, [errors.NONE]).pop(0) if self.codes.get(place) else errors.NONE
                if code == errors.NONE:
                    self.starts[place] = entry.offset
                rows.append(DeleteRecordsPartitionResult(place[1], entry.offset, code))
            topics.append(DeleteRecordsTopicResult(topic.name, rows))
        return DeleteRecordsResponse(topics=topics)


def test_a_leader_that_has_moved_is_followed() -> None:
    with ScriptedCluster(1, 2, topics={"t": [1, 2]}) as scripted, connected(scripted) as cluster:
        logs = Logs(scripted)
        logs.codes["t", 1] = [errors.NOT_LEADER_OR_FOLLOWER]
        operation = intend(cluster, {"t": None}, END, Deadline(10.0))
        assert operation.cuts == {("t", 0): 100, ("t", 1): 100}
        seen, error = carried_out(cluster, operation, (Verified,))
        assert (sorted(seen), error) == ([("Verified", "log t:0"), ("Verified", "log t:1")], None)
        assert logs.starts == {("t", 0): 100, ("t", 1): 100}


def test_each_leader_is_asked_once() -> None:
    with ScriptedCluster(1, 2, topics={"t": [1, 2, 1, 2]}) as scripted, connected(scripted) as cluster:
        Logs(scripted)
        arguments = {"cuts": [["t", number, 5] for number in range(4)]}
        outcomes = trim(cluster, arguments, Deadline(10.0), False)
        assert set(outcomes.values()) == {None}
        assert [broker.count("DeleteRecords") for broker in scripted.brokers.values()] == [1, 1]


def test_of_three_topics_one_that_is_refused_leaves_the_other_two_trimmed() -> None:
    with ScriptedCluster(1, topics={"a": [1], "b": [1], "c": [1]}) as scripted, connected(scripted) as cluster:
        logs = Logs(scripted)
        logs.codes["b", 0] = [errors.POLICY_VIOLATION]
        _, error = carried_out(cluster, Trim({(name, 0): 10 for name in "abc"}))
        assert isinstance(error, PartialFailure)
        assert "cannot trim b:0: POLICY_VIOLATION" in error.failures[0]
        assert logs.starts == {("a", 0): 10, ("c", 0): 10}


def test_an_answer_that_was_lost_is_settled_by_looking() -> None:
    with ScriptedCluster(1, topics={"t": [1]}) as scripted, connected(scripted) as cluster:
        logs = Logs(scripted)

        def deleting_and_hanging_up(request: Any, version: int) -> Any:
            logs.starts["t", 0] = 7

        scripted.answer("DeleteRecords", deleting_and_hanging_up)
        assert carried_out(cluster, Trim({("t", 0): 7}), (Verified,)) == ([("Verified", "log t:0")], None)


def test_a_partition_without_a_leader_is_refused_at_once() -> None:
    with ScriptedCluster(1, topics={"t": [1, -1]}) as scripted, connected(scripted) as cluster:
        Logs(scripted)
        with pytest.raises(OperationFailed, match="t:1 has no leader"):
            intend(cluster, {"t": None}, END, Deadline(60.0))
        operation = Trim({("t", 1): 5})
        with pytest.raises(OperationFailed, match="t:1 has no leader"):
            operation.plan(observe(cluster, operation.wants(), Deadline(60.0)))


# -- elections ---------------------------------------------------------------------------------------------------------


def electing(code: int, top: int = errors.NONE) -> Any:
    def answer(request: Any, version: int) -> Any:
        rows = [
            ReplicaElectionResult(one.topic, [PartitionResult(number, code) for number in one.partitions])
            for one in request.topic_partitions
        ]
        return ElectLeadersResponse(error_code=top, replica_election_results=[] if top else rows)

    return answer


@pytest.mark.parametrize(
    ("code", "top", "said"),
    [
        (errors.ELECTION_NOT_NEEDED, errors.NONE, None),
        (errors.PREFERRED_LEADER_NOT_AVAILABLE, errors.NONE, "leader of t:0: PREFERRED_LEADER_NOT_AVAILABLE"),
        (errors.NONE, errors.CLUSTER_AUTHORIZATION_FAILED, "cannot elect leaders: CLUSTER_AUTHORIZATION_FAILED"),
    ],
)
def test_what_an_election_came_to_is_told(code: int, top: int, said: str | None) -> None:
    with ScriptedCluster(1, topics={"t": [1]}) as scripted, connected(scripted) as cluster:
        scripted.answer("ElectLeaders", electing(code, top))
        arguments = {"kind": "preferred", "partitions": [["t", 0]]}
        outcome = elect(cluster, arguments, Deadline(10.0), False)[Resource("partition", "t:0")]
        assert (outcome is None) == (said is None)
        assert said is None or said in str(outcome)


def test_an_election_goes_to_the_controller_even_after_it_moved() -> None:
    with ScriptedCluster(1, 2, topics={"t": [2]}) as scripted, connected(scripted) as cluster:
        scripted.brokers[1].answer("ElectLeaders", electing(errors.NOT_CONTROLLER))

        def becoming(request: Any, version: int) -> Any:
            scripted.topics["t"] = [1]
            return electing(errors.NONE)(request, version)

        scripted.brokers[2].answer("ElectLeaders", becoming)
        operation = Elect(Kind.PREFERRED, {"t": None})
        plan = operation.plan(observe(cluster, operation.wants(), Deadline(10.0)))
        scripted.controller_id = 2
        assert [type(event) for event in execute(plan, cluster, Deadline(10.0))][-1] is not None
        assert scripted.topics["t"] == [1]


# -- descriptions, page by page ----------------------------------------------------------------------------------------


def test_a_topic_that_spans_pages_is_told_whole_and_pages_come_one_by_one() -> None:
    everything = [("a", number) for number in range(3)] + [("b", number) for number in range(2)]

    def describing(request: Any, version: int) -> Any:
        """Two partitions a page."""
        cursor = request.cursor
        first = everything.index((cursor.topic_name, cursor.partition_index)) if cursor else 0
        page, after = everything[first : first + 2], everything[first + 2 : first + 3]
        topics = [
            DescribeTopicPartitionsResponseTopic(
                name=name,
                partitions=[
                    DescribeTopicPartitionsResponsePartition(partition_index=number, leader_id=1)
                    for topic, number in page
                    if topic == name
                ],
            )
            for name in dict.fromkeys(topic for topic, _ in page)
        ]
        following = DescribeTopicPartitionsResponseCursor(*after[0]) if after else None
        return DescribeTopicPartitionsResponse(topics=topics, next_cursor=following)

    with ScriptedCluster(1, topics={"a": [1] * 3, "b": [1] * 2}) as scripted, connected(scripted) as cluster:
        scripted.answer("DescribeTopicPartitions", describing)
        scripted.answer("DescribeConfigs", no_settings)
        told = [
            [(topic.name, len(topic.partitions)) for topic in page.topics]
            for page in pages(cluster, Selection(), Deadline(10.0))
        ]
        assert told == [[], [("a", 3)], [("b", 2)]]
        found = describe_topics(cluster, Selection(("b*",)), Deadline(10.0))
        assert [topic.name for topic in found.topics] == ["b"]


def test_settings_that_are_kept_from_us_leave_the_topic_standing() -> None:
    def refusing(request: Any, version: int) -> Any:
        codes = {"a": errors.TOPIC_AUTHORIZATION_FAILED, "b": errors.NONE, "c": errors.UNKNOWN_TOPIC_OR_PARTITION}
        names = [resource.resource_name for resource in request.resources]
        return DescribeConfigsResponse(
            results=[DescribeConfigsResult(resource_name=name, error_code=codes[name]) for name in names]
        )

    with ScriptedCluster(1, topics={"a": [1], "b": [1], "c": [1]}) as scripted, connected(scripted) as cluster:
        scripted.answer("DescribeConfigs", refusing)
        found = describe_topics(cluster, Selection(), Deadline(10.0))
        assert [(topic.name, topic.configs) for topic in found.topics] == [("a", None), ("b", {})]
        assert list(found.failures) == ["a"], "c went while we looked, which is no failure"
