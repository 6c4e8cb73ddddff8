"""What a node that wants to join is told, and when it is turned away."""

from __future__ import annotations

from typing import Any

import pytest
from support.scripted import ScriptedCluster

from logctl.admin.client import Client, parse_addresses
from logctl.admin.deadline import Deadline
from logctl.admin.joining import Welcome, ask_to_join, wait_until_in
from logctl.admin.routing import Cluster
from logctl.errors import DeadlineExceeded, Declined, OperationFailed
from logctl.wire.messages.describe_quorum import (
    DescribeQuorumResponse,
    DescribeQuorumResponsePartitionData,
    DescribeQuorumResponseTopicData,
    Listener,
    Node,
    ReplicaState,
)


def answer(leader: int = 1, observers: tuple[tuple[int, int], ...] = (), hosts: tuple[str, ...] = ("a", "::1")) -> Any:
    """Voters 1 and 2 that listen at these hosts; `observers`: node -> how late, in ms."""

    def late(node: int, ms: int) -> ReplicaState:
        return ReplicaState(replica_id=node, log_end_offset=9, last_caught_up_timestamp=100_000 - ms)

    partition = DescribeQuorumResponsePartitionData(
        leader_id=leader,
        leader_epoch=1,
        current_voters=[late(1, 0), late(2, 0)],
        observers=[late(*one) for one in observers],
    )
    nodes = [Node(node, [Listener("CONTROLLER", host, 9093)]) for node, host in enumerate(hosts, 1)]
    topics = [DescribeQuorumResponseTopicData(topic_name="__cluster_metadata", partitions=[partition])]
    return lambda request, version: DescribeQuorumResponse(topics=topics, nodes=nodes)


def asked(scripted: ScriptedCluster) -> Welcome:
    with Client(parse_addresses(scripted.bootstrap)) as client:
        return ask_to_join(Cluster(client), Deadline(5))


def welcome(**parts: Any) -> Welcome:
    told: dict[str, Any] = {
        "cluster_id": "c",
        "seeds": ("a:9093",),
        "listener": "CONTROLLER",
        "voters": frozenset({1, 2}),
        "alive": frozenset({1, 2, 4}),
        "fenced": frozenset({7}),
        "kraft_version": 1,
        "kraft_highest": 1,
        "levels": {},
    }
    return Welcome(**{**told, **parts})


def test_the_cluster_tells_its_id_who_is_there_and_where_its_voters_listen() -> None:
    with ScriptedCluster(1, 3) as scripted:
        scripted.answer("DescribeQuorum", answer())
        found = asked(scripted)
    assert (found.cluster_id, found.seeds, found.listener) == ("scripted", ("a:9093", "[::1]:9093"), "CONTROLLER")
    assert (found.voters, found.alive, found.free_id()) == ({1, 2}, {1, 3}, 4)


def test_without_a_leader_nobody_is_let_in() -> None:
    with ScriptedCluster(1) as scripted:
        scripted.answer("DescribeQuorum", answer(leader=-1))
        with pytest.raises(OperationFailed, match="no leader"):
            asked(scripted)
        scripted.answer("DescribeQuorum", answer(hosts=()))
        with pytest.raises(OperationFailed, match="does not tell where its voters listen"):
            asked(scripted)


def test_ids_in_use_are_refused_and_that_of_a_broker_that_has_gone_is_not() -> None:
    for node, who in ((2, "a voter"), (4, "a broker that is alive")):
        with pytest.raises(Declined, match=f"node {node} is {who}") as refused:
            welcome().refuse_taken(node)
        assert refused.value.hint.endswith("a free one: 8")
    welcome().refuse_taken(7)
    welcome().refuse_taken(9)


def test_fixed_voters_take_no_more() -> None:
    welcome().refuse_fixed_voters()
    with pytest.raises(OperationFailed) as refused:
        welcome(kraft_version=0).refuse_fixed_voters()
    assert "feature-upgrade kraft.version=1" in refused.value.hint


def test_a_node_does_not_join_what_it_would_not_understand() -> None:
    able = {"metadata.version": (7, 30), "kraft.version": (0, 1)}
    welcome(levels={"metadata.version": 30, "kraft.version": 1}).refuse_unable(able)
    with pytest.raises(Declined, match=r"runs transaction\.version at level 2, and a node .* cannot run it"):
        welcome(levels={"transaction.version": 2}).refuse_unable(able)
    with pytest.raises(Declined, match="at level 31, and a node of the bundled engine can run 7 to 30"):
        welcome(levels={"metadata.version": 31}).refuse_unable(able)


def test_it_is_in_when_it_is_listed_and_has_caught_up_whatever_an_earlier_directory_had() -> None:
    with ScriptedCluster(1, 4) as scripted, Client(parse_addresses(scripted.bootstrap)) as client:
        scripted.answer("DescribeQuorum", answer(observers=((4, 60_000), (4, 100))))
        wait_until_in(Cluster(client), 4, Deadline(5))
        scripted.answer("DescribeQuorum", answer(observers=((4, 60_000),)))
        with pytest.raises(DeadlineExceeded, match=r"node 4 has not caught up yet after 0\.3 s"):
            wait_until_in(Cluster(client), 4, Deadline(0.3))
        with pytest.raises(DeadlineExceeded, match="node 5 is not let in yet"):
            wait_until_in(Cluster(client), 5, Deadline(0.3))
