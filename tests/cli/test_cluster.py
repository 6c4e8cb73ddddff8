"""logctl cluster and node where something is wrong: a silent broker, no controller, a cluster that changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from cli.conftest import Done, run
from support.scripted import SILENCE, ScriptedCluster

from logctl.wire import errors
from logctl.wire.messages.describe_quorum import (
    DescribeQuorumResponse,
    DescribeQuorumResponsePartitionData,
    DescribeQuorumResponseTopicData,
)


@pytest.fixture
def scripted() -> Iterator[ScriptedCluster]:
    with ScriptedCluster(1, 2, topics={"orders": [1, 2]}) as cluster:
        yield cluster


def logctl(scripted: ScriptedCluster, *arguments: str) -> Done:
    return run(*arguments, bootstrap=scripted.bootstrap)


def document(done: Done) -> Any:
    return json.loads(done.out)


def quorum(code: int) -> Any:
    partition = DescribeQuorumResponsePartitionData(error_code=code, leader_id=1, leader_epoch=2)
    topics = [DescribeQuorumResponseTopicData(topic_name="__cluster_metadata", partitions=[partition])]
    return lambda request, version: DescribeQuorumResponse(topics=topics)


def test_a_partition_without_a_leader_makes_a_cluster_critical(scripted: ScriptedCluster) -> None:
    scripted.topics["orders"] = [1, -1]
    done = logctl(scripted, "cluster", "health")
    assert done.code == 1
    assert done.out.startswith("cluster scripted is critical: 2 brokers, 1 topic, ")
    assert "1 of 2 partitions without a leader: 1" in done.out


def test_waiting_ends_when_the_fault_has_gone(scripted: ScriptedCluster) -> None:
    whole = scripted._metadata
    scripted.topics["orders"] = [1, -1]

    def mend(request: Any, version: int) -> Any:
        answer = whole(request, version)
        scripted.topics["orders"] = [1, 2]
        return answer

    for broker in scripted.brokers.values():
        broker.answer("Metadata", mend)
    done = logctl(scripted, "cluster", "health", "offline-partitions", "--wait")
    assert (done.code, done.err) == (0, "")
    assert sum(broker.count("Metadata") for broker in scripted.brokers.values()) > 1


def test_waiting_ends_with_a_code_of_its_own_when_the_fault_stays(scripted: ScriptedCluster) -> None:
    scripted.topics["orders"] = [1, -1]
    done = logctl(scripted, "cluster", "health", "--wait", "--timeout", "300ms")
    assert done.code == 6
    assert "without a leader" in done.out, "what is still wrong is shown"


def test_a_cluster_that_nobody_leads_is_told_by_both_commands(scripted: ScriptedCluster) -> None:
    scripted.answer("DescribeQuorum", quorum(errors.LEADER_NOT_AVAILABLE))
    health = logctl(scripted, "cluster", "health", "controller", "--timeout", "1s")
    assert health.code == 1
    assert "no controller answers" in health.out
    told = logctl(scripted, "cluster", "quorum", "--timeout", "500ms")
    assert told.code == 1
    assert "a majority of the controllers must be running" in told.err


def test_without_the_api_the_quorum_is_one_sentence(scripted: ScriptedCluster) -> None:
    done = logctl(scripted, "cluster", "quorum")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(
        "error: this cluster does not offer DescribeQuorum (key 55); Apache Kafka does since 2.8\n"
    )


def test_a_silent_broker_leaves_the_others_standing(scripted: ScriptedCluster) -> None:
    scripted.brokers[2].answer("ApiVersions", lambda request, version: SILENCE)
    listed = logctl(scripted, "node", "list", "--timeout", "1s", "-o", "json")
    assert listed.code == 4
    assert [node["id"] for node in document(listed)["nodes"]] == [1, 2]
    assert [one["name"] for one in document(listed)["errors"]] == ["broker 2"]
    assert document(listed)["complete"] is False
    versions = logctl(scripted, "cluster", "api-versions", "--timeout", "1s", "-o", "json")
    assert versions.code == 4
    assert {one["broker"] for api in document(versions)["apis"] for one in api["brokers"]} == {1}
    info = logctl(scripted, "cluster", "info", "--timeout", "2s", "-o", "json")
    assert (info.code, document(info)["clusters"][0]["partitions"]) == (4, 2)


def test_brokers_that_differ_are_shown(scripted: ScriptedCluster) -> None:
    scripted.brokers[2].versions["Metadata"] = (0, 9)
    done = logctl(scripted, "cluster", "api-versions", "--differences", "--no-headers")
    assert done.code == 0
    [row] = done.out.splitlines()
    assert row.split() == ["Metadata", "3", "0-9", "9", "1:", "0-13,", "2:", "0-9"]
    scripted.brokers[2].versions["DeleteTopics"] = (1, 6)
    found = document(logctl(scripted, "cluster", "capabilities", "-o", "json"))["capabilities"]
    [deletes] = [one for one in found if one["name"] == "DeleteTopics"]
    assert (deletes["offered"], deletes["lacked_by"]) == ("partly", [1])
    assert deletes["sentence"] == "offers DeleteTopics to delete topics, but not on broker 1"
