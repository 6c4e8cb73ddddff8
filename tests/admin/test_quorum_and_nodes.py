"""Quorum and nodes of clusters that are not simple: controllers apart, brokers silent or fenced, old versions."""

from __future__ import annotations

from typing import Any

import pytest
from support.scripted import SILENCE, ScriptedCluster

from logctl.admin.client import Client, parse_addresses
from logctl.admin.deadline import Deadline
from logctl.admin.link import NotOffered
from logctl.admin.nodes import Node, list_nodes, observe_brokers
from logctl.admin.quorum import Quorum, describe_quorum, quorum_from
from logctl.admin.routing import Cluster
from logctl.errors import AccessDenied, OperationFailed
from logctl.wire import errors
from logctl.wire.messages.describe_cluster import DescribeClusterBroker, DescribeClusterResponse
from logctl.wire.messages.describe_log_dirs import (
    DescribeLogDirsPartition,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)
from logctl.wire.messages.describe_quorum import (
    DescribeQuorumResponse,
    DescribeQuorumResponsePartitionData,
    DescribeQuorumResponseTopicData,
    Listener,
    ReplicaState,
)
from logctl.wire.messages.describe_quorum import Node as Voter


def replica(node: int, end: int, caught_up_ms: int, directory: bytes = b"\0" * 16) -> ReplicaState:
    return ReplicaState(
        replica_id=node,
        replica_directory_id=directory,
        log_end_offset=end,
        last_fetch_timestamp=caught_up_ms,
        last_caught_up_timestamp=caught_up_ms,
    )


def response(leader: int = 100, code: int = errors.NONE, said: str | None = None) -> DescribeQuorumResponse:
    partition = DescribeQuorumResponsePartitionData(
        error_code=code,
        error_message=said,
        leader_id=leader,
        leader_epoch=7,
        high_watermark=90,
        current_voters=[replica(100, 100, 50_000, b"d" * 16), replica(101, 95, 49_000), replica(102, -1, -1)],
        observers=[replica(1, 100, 50_000)],
    )
    topics = [DescribeQuorumResponseTopicData(topic_name="__cluster_metadata", partitions=[partition])]
    voters = [Voter(node_id=100, listeners=[Listener(name="CONTROLLER", host="ctl", port=9093)])]
    return DescribeQuorumResponse(topics=topics, nodes=voters)


def test_how_far_a_replica_is_behind_is_measured_from_the_leader() -> None:
    quorum = quorum_from(response())
    assert (quorum.leader_id, quorum.leader_epoch, quorum.high_watermark) == (100, 7, 90)
    told = {one.node_id: (one.behind_records, one.behind_ms) for one in (*quorum.voters, *quorum.observers)}
    assert told == {100: (0, 0), 101: (5, 1000), 102: (None, None), 1: (0, 0)}
    assert [one.directory_id is not None for one in quorum.voters] == [True, False, False]
    assert quorum.addresses == {100: "CONTROLLER://ctl:9093"}


def test_while_nobody_leads_nothing_is_measured() -> None:
    quorum = quorum_from(response(leader=-1))
    assert quorum.leader_id is None
    assert {one.behind_records for one in quorum.voters} == {None}


def asked(scripted: ScriptedCluster, timeout_s: float = 5.0) -> Quorum:
    with Client(parse_addresses(scripted.bootstrap)) as client:
        return describe_quorum(Cluster(client), Deadline(timeout_s))


def test_what_the_leader_refuses_is_told_in_its_words() -> None:
    with ScriptedCluster(1) as scripted:
        denied = response(code=errors.CLUSTER_AUTHORIZATION_FAILED, said="not for you")
        scripted.answer("DescribeQuorum", lambda request, version: denied)
        with pytest.raises(AccessDenied, match="CLUSTER_AUTHORIZATION_FAILED: not for you"):
            asked(scripted)
        assert scripted.brokers[1].count("DescribeQuorum") == 1, "it will not change its mind"


def test_when_nobody_takes_the_lead_in_time_that_is_told() -> None:
    with ScriptedCluster(1) as scripted:
        scripted.answer("DescribeQuorum", lambda request, version: response(code=errors.NOT_LEADER_OR_FOLLOWER))
        with pytest.raises(OperationFailed, match="NOT_LEADER_OR_FOLLOWER") as refused:
            asked(scripted, timeout_s=0.5)
        assert refused.value.hint == "a majority of the controllers must be running"
        assert scripted.brokers[1].count("DescribeQuorum") > 1


def test_a_cluster_without_such_a_quorum_says_so() -> None:
    with ScriptedCluster(1) as scripted, pytest.raises(NotOffered, match="does not offer DescribeQuorum"):
        asked(scripted)


# -- nodes -------------------------------------------------------------------------------------------------------------


def directories(request: Any, version: int) -> DescribeLogDirsResponse:
    topics = [DescribeLogDirsTopic(name="t", partitions=[DescribeLogDirsPartition(partition_size=7)])]
    return DescribeLogDirsResponse(results=[DescribeLogDirsResult(log_dir="/data", topics=topics)])


def with_fenced(request: Any, version: int) -> DescribeClusterResponse:
    assert request.include_fenced_brokers
    fenced = DescribeClusterBroker(broker_id=3, host="gone", port=9, rack="r3", is_fenced=True)
    return DescribeClusterResponse(cluster_id="scripted", controller_id=1, brokers=[fenced])


def nodes(scripted: ScriptedCluster, timeout_s: float = 5.0) -> tuple[dict[int, Node], list[str]]:
    with Client(parse_addresses(scripted.bootstrap)) as client:
        found = list_nodes(Cluster(client), Deadline(timeout_s))
    return {node.node_id: node for node in found.found}, sorted(found.failures)


def test_controllers_apart_and_fenced_brokers_are_nodes_too() -> None:
    with ScriptedCluster(1, 2, topics={"t": [1, 2, 1]}) as scripted:
        scripted.answer("DescribeQuorum", lambda request, version: response())
        scripted.answer("DescribeLogDirs", directories)
        scripted.answer("DescribeCluster", with_fenced)
        found, failures = nodes(scripted)
    assert failures == []
    assert {node: one.roles for node, one in found.items()} == {
        1: ("broker",),
        2: ("broker",),
        3: ("broker",),
        100: ("controller",),
        101: ("controller",),
        102: ("controller",),
    }
    assert [node for node, one in found.items() if one.controller] == [100]
    assert [node for node, one in found.items() if one.fenced] == [3]
    assert (found[100].host, found[100].port) == ("ctl", 9093)
    assert (found[101].host, found[101].port) == (None, None)
    assert (found[1].leaders, found[2].leaders, found[1].replicas) == (2, 1, 3)
    assert (found[1].size_bytes, found[3].size_bytes) == (7, None)
    assert (found[3].host, found[3].rack) == ("gone", "r3")


def test_a_cluster_that_tells_little_still_lists_its_brokers() -> None:
    with ScriptedCluster(1, 2) as scripted:
        found, failures = nodes(scripted)
    assert failures == [], "what is not offered is unknown, and no failure"
    assert [(one.controller, one.fenced, one.log_dirs, one.release) for one in found.values()] == [
        (True, None, None, None),
        (False, None, None, None),
    ]


def test_a_silent_broker_is_listed_with_what_others_know_of_it() -> None:
    with ScriptedCluster(1, 2, topics={"t": [2]}) as scripted:
        scripted.answer("DescribeLogDirs", directories)
        scripted.brokers[2].answer("DescribeLogDirs", lambda request, version: SILENCE)
        found, failures = nodes(scripted, timeout_s=1.5)
    assert failures == ["broker 2"]
    assert (found[1].size_bytes, found[2].size_bytes, found[2].leaders) == (7, None, 1)


def test_the_state_of_a_broker_is_where_it_is_and_whether_it_is_fenced() -> None:
    with ScriptedCluster(1) as scripted, Client(parse_addresses(scripted.bootstrap)) as client:
        cluster = Cluster(client)
        port = scripted.brokers[1].port
        seen = observe_brokers(cluster, ("1", "9", "x"), Deadline(5))
        assert seen.states == {"1": {"host": "127.0.0.1", "port": port, "rack": None, "fenced": None}}
    with ScriptedCluster(1) as scripted, Client(parse_addresses(scripted.bootstrap)) as client:
        scripted.answer("DescribeCluster", with_fenced)
        seen = observe_brokers(Cluster(client), ("1", "3"), Deadline(5))
        assert {name: (state or {})["fenced"] for name, state in seen.states.items()} == {"1": False, "3": True}
