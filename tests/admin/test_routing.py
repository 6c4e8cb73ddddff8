"""The right broker for a request, and a second try when it was the wrong one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support.scripted import SILENCE, ScriptedCluster

from logctl.admin.client import Client, parse_addresses
from logctl.admin.deadline import Deadline
from logctl.admin.executor import ItemDone, PlanBegun, StepStarted, Verified, execute
from logctl.admin.observe import observe
from logctl.admin.routing import DESTINATION, Cluster, refusal
from logctl.admin.topic_changes import CreateTopic, DeleteTopics
from logctl.errors import AccessDenied, DeadlineExceeded, OperationFailed, PartialFailure, StalePlan, Unreachable
from logctl.wire import errors
from logctl.wire.api import BY_NAME
from logctl.wire.messages.create_topics import CreatableTopicResult, CreateTopicsResponse
from logctl.wire.messages.delete_topics import DeletableTopicResult, DeleteTopicsResponse
from logctl.wire.messages.describe_configs import DescribeConfigsResponse, DescribeConfigsResult


@contextmanager
def connected(scripted: ScriptedCluster) -> Iterator[Cluster]:
    with Client(parse_addresses(scripted.bootstrap)) as client:
        yield Cluster(client)


def creating(scripted: ScriptedCluster, code: int = errors.NONE) -> Any:
    """The answer to CreateTopics that creates the topic, or refuses it."""

    def answer(request: Any, version: int) -> Any:
        name = request.topics[0].name
        if code == errors.NONE and not request.validate_only:
            scripted.topics[name] = [1]
        return CreateTopicsResponse(topics=[CreatableTopicResult(name=name, error_code=code)])

    return answer


def no_configs(request: Any, version: int) -> Any:
    names = [resource.resource_name for resource in request.resources]
    return DescribeConfigsResponse(results=[DescribeConfigsResult(resource_name=name) for name in names])


def run(cluster: Cluster, operation: Any, timeout_s: float = 10.0) -> list[Any]:
    deadline = Deadline(timeout_s)
    return list(execute(operation.plan(observe(cluster, operation.wants(), deadline)), cluster, deadline))


def test_every_destination_names_an_api() -> None:
    assert DESTINATION.keys() <= BY_NAME.keys()


def test_a_change_goes_to_the_controller() -> None:
    with ScriptedCluster(1, 2) as scripted, connected(scripted) as cluster:
        scripted.controller_id = 2
        scripted.answer("DescribeConfigs", no_configs)
        scripted.answer("CreateTopics", creating(scripted))
        events = run(cluster, CreateTopic("t"))
        assert [type(event) for event in events] == [PlanBegun, StepStarted, ItemDone, Verified]
        assert [broker.count("CreateTopics") for broker in scripted.brokers.values()] == [0, 1]


def test_when_the_controller_has_moved_the_new_one_is_asked() -> None:
    with ScriptedCluster(1, 2) as scripted, connected(scripted) as cluster:

        def refuse_and_move(request: Any, version: int) -> Any:
            scripted.controller_id = 2
            return creating(scripted, errors.NOT_CONTROLLER)(request, version)

        scripted.answer("DescribeConfigs", no_configs)
        scripted.brokers[1].answer("CreateTopics", refuse_and_move)
        scripted.brokers[2].answer("CreateTopics", creating(scripted))
        assert isinstance(run(cluster, CreateTopic("t"))[-1], Verified)


def test_a_refusal_carries_kafkas_name_and_a_sentence() -> None:
    with ScriptedCluster() as scripted, connected(scripted) as cluster:
        scripted.answer("CreateTopics", creating(scripted, errors.INVALID_REPLICATION_FACTOR))
        with pytest.raises(OperationFailed, match="cannot create topic t: INVALID_REPLICATION_FACTOR: "):
            run(cluster, CreateTopic("t"))
    assert isinstance(refusal("x", errors.TOPIC_AUTHORIZATION_FAILED), AccessDenied)
    assert isinstance(refusal("x", errors.CLUSTER_AUTHORIZATION_FAILED), AccessDenied)
    assert isinstance(refusal("x", errors.REQUEST_TIMED_OUT), DeadlineExceeded)


def test_a_change_whose_answer_is_lost_counts_as_done_when_it_is_seen() -> None:
    with ScriptedCluster() as scripted, connected(scripted) as cluster:

        def create_and_hang_up(request: Any, version: int) -> Any:
            creating(scripted)(request, version)

        scripted.answer("DescribeConfigs", no_configs)
        scripted.answer("CreateTopics", create_and_hang_up)
        assert isinstance(run(cluster, CreateTopic("t"))[-1], Verified)
        assert scripted.brokers[1].count("CreateTopics") == 1, "a change is not sent twice"


def test_a_change_whose_answer_is_lost_and_that_is_never_seen_has_an_unknown_outcome() -> None:
    with ScriptedCluster() as scripted, connected(scripted) as cluster:
        scripted.answer("CreateTopics", lambda request, version: None)
        with pytest.raises(DeadlineExceeded, match="whether it was carried out is unknown"):
            run(cluster, CreateTopic("t"), timeout_s=0.5)


def test_what_was_accepted_and_is_not_seen_is_still_under_way() -> None:
    with ScriptedCluster() as scripted, connected(scripted) as cluster:
        result = CreatableTopicResult(name="t")
        scripted.answer("CreateTopics", lambda request, version: CreateTopicsResponse(topics=[result]))
        with pytest.raises(DeadlineExceeded, match="accepted, but not yet seen") as caught:
            run(cluster, CreateTopic("t"), timeout_s=0.5)
    assert "logctl topic describe" in caught.value.hint


def test_a_plan_is_not_carried_out_in_a_world_that_has_moved() -> None:
    with ScriptedCluster(topics={"t": [1]}) as scripted, connected(scripted) as cluster:
        operation = DeleteTopics(("t",))
        plan = operation.plan(observe(cluster, operation.wants(), Deadline(10)))
        scripted.topics["t"] = [1, 1]
        with pytest.raises(StalePlan, match="topic t is no longer as it was"):
            list(execute(plan, cluster, Deadline(10)))
        assert scripted.brokers[1].count("DeleteTopics") == 0


def test_of_several_topics_each_has_its_own_outcome() -> None:
    def answer(request: Any, version: int) -> Any:
        name = request.topics[0].name
        if name == "b":
            return DeleteTopicsResponse(responses=[DeletableTopicResult(name=name, error_code=errors.POLICY_VIOLATION)])
        del scripted.topics[name]
        return DeleteTopicsResponse(responses=[DeletableTopicResult(name=name)])

    with ScriptedCluster(topics={"a": [1], "b": [1]}) as scripted, connected(scripted) as cluster:
        scripted.answer("DeleteTopics", answer)
        with pytest.raises(PartialFailure, match="1 of 2 failed") as caught:
            run(cluster, DeleteTopics(("a", "b")))
        assert caught.value.failures[0].startswith("cannot delete topic b: POLICY_VIOLATION")
        assert list(scripted.topics) == ["b"]


def test_a_read_is_asked_of_another_broker_when_the_first_goes_away() -> None:
    with ScriptedCluster(1, 2, topics={"t": [1]}) as scripted, connected(scripted) as cluster:
        cluster.refresh(Deadline(10))
        scripted.brokers[1].close()
        assert cluster.refresh(Deadline(10), None).topics[0].name == "t"


def test_a_controllers_listener_is_told_from_a_brokers() -> None:
    with ScriptedCluster() as scripted, connected(scripted) as cluster:
        scripted.brokers[1].forget("Metadata")
        with pytest.raises(OperationFailed, match="is not a broker") as caught:
            cluster.refresh(Deadline(10))
    assert "controller's listener" in caught.value.hint


def test_a_broker_that_is_silent_is_named_when_the_time_is_over() -> None:
    with ScriptedCluster() as scripted, connected(scripted) as cluster:
        scripted.answer("Metadata", lambda request, version: SILENCE)
        with pytest.raises((Unreachable, DeadlineExceeded), match=scripted.bootstrap):
            cluster.refresh(Deadline(0.3))
