"""Who votes: plans from what the leader tells, and the guards that keep a majority alive."""

from __future__ import annotations

from typing import Any

import pytest
from support.scripted import ScriptedCluster

from logctl.admin.client import Client, parse_addresses
from logctl.admin.deadline import Deadline
from logctl.admin.observe import Snapshot
from logctl.admin.operation import Plan, Risk
from logctl.admin.routing import Cluster
from logctl.admin.voters import (
    KRAFT_VERSION,
    QUORUM,
    AddVoter,
    RemoveVoter,
    add_voter,
    observe_voters,
    remove_voter,
    voter,
)
from logctl.errors import Declined, LogctlError, OperationFailed, UsageError
from logctl.wire import errors
from logctl.wire.messages.add_raft_voter import AddRaftVoterResponse
from logctl.wire.messages.describe_quorum import (
    DescribeQuorumResponse,
    DescribeQuorumResponsePartitionData,
    DescribeQuorumResponseTopicData,
    Listener,
    Node,
    ReplicaState,
)
from logctl.wire.messages.remove_raft_voter import RemoveRaftVoterResponse
from logctl.wire.primitives import uuid_text

HERE = "CONTROLLER://10.0.0.4:9093"


def directory(node: int) -> str:
    return uuid_text(bytes([node]) * 16)


def one(node: int, *, alive: bool = True, behind: int = 0, at: str | None = None) -> dict[str, Any]:
    return {"node_id": node, "directory_id": at or directory(node), "alive": alive, "behind_records": behind}


def snapshot(
    *voters: dict[str, Any], observers: tuple[dict[str, Any], ...] = (), leader: int | None = 1, level: int = 1
) -> Snapshot:
    quorum = {"leader": leader, "voters": {str(each["node_id"]): each for each in voters}, "observers": [*observers]}
    known = {each["node_id"]: each for each in voters}
    states: dict[Any, Any] = {QUORUM: quorum, KRAFT_VERSION: {"level": level, "lowest": 0, "highest": 1}}
    for node in range(1, 10):
        told = known.get(node)
        states[voter(node)] = told and {"directory_id": told["directory_id"], "listeners": [HERE]}
    return Snapshot("cluster", states=states)


def add(seen: Snapshot, directory_id: str | None = None) -> Plan:
    return AddVoter(4, (HERE,), directory_id).plan(seen)


THREE = one(1), one(2), one(3)


def test_a_node_that_follows_gets_a_vote_and_the_way_back_takes_it_away() -> None:
    plan = add(snapshot(*THREE, observers=(one(4),)))
    [change], [step] = plan.changes, plan.steps
    assert (str(change.resource), change.before, change.after) == ("voter 4", None, {"directory_id": directory(4)})
    assert step.sentence == "let node 4 vote, heard at CONTROLLER://10.0.0.4:9093"
    assert step.arguments == {"node_id": 4, "directory_id": directory(4), "listeners": [HERE]}
    assert step.undo is not None
    assert (step.undo.action, step.undo.arguments) == ("voter.remove", step.arguments)
    assert plan.warnings == ("of 4 voters 3 must be alive: 1 of them may fail, no more than of 3",)


def test_what_has_a_vote_already_is_left_alone() -> None:
    assert add(snapshot(*THREE, one(4))).notes == ("node 4 has a vote already",)


@pytest.mark.parametrize(
    ("seen", "complaint"),
    [
        (snapshot(*THREE), "node 4 does not follow the metadata log"),
        (snapshot(*THREE, observers=(one(4, alive=False),)), "has not been level with the leader for 10 s"),
        (snapshot(*THREE, observers=(one(4), one(4, at=directory(9)))), "several directories"),
        (snapshot(*THREE, one(4, at=directory(9))), "votes with another directory"),
        (snapshot(*THREE, one(4, alive=False, at=directory(9)), observers=(one(4),)), "votes with another"),
        (snapshot(*THREE, observers=(one(4),), level=0), r"fixed by controller.quorum.voters \(kraft.version 0\)"),
    ],
)
def test_who_cannot_get_a_vote(seen: Snapshot, complaint: str) -> None:
    with pytest.raises(OperationFailed, match=complaint):
        AddVoter(4, (HERE,), directory(4) if complaint.endswith("another directory") else None).plan(seen)


def test_of_two_directories_the_one_that_is_named_votes() -> None:
    plan = add(snapshot(*THREE, observers=(one(4), one(4, at=directory(9)))), directory(9))
    assert plan.steps[0].arguments["directory_id"] == directory(9)


def test_where_it_listens_must_be_said_and_be_an_address() -> None:
    with pytest.raises(UsageError, match="not said where node 4 hears"):
        AddVoter(4, ()).check()
    for wrong in ("10.0.0.4:9093", "CONTROLLER://:9093", "CONTROLLER://a:0", "CONTROLLER://a:b"):
        with pytest.raises(UsageError, match="is not NAME://HOST:PORT"):
            AddVoter(4, (wrong,)).check()
    with pytest.raises(UsageError, match="is not an identifier"):
        AddVoter(4, (HERE,), "short").check()


def test_a_vote_is_taken_away_and_can_be_given_back() -> None:
    plan = RemoveVoter(3).plan(snapshot(*THREE))
    [step] = plan.steps
    assert plan.changes[0].after is None
    assert (step.risk, step.undo and step.undo.action) == (Risk.DISRUPTIVE, "voter.add")
    assert step.undo is not None
    assert step.undo.arguments["listeners"] == [HERE]
    assert plan.warnings == ("of 2 voters 2 must be alive: none of them may fail, no more than of 1",)


def test_one_that_is_gone_may_always_lose_its_vote() -> None:
    assert RemoveVoter(3).plan(snapshot(one(1), one(2), one(3, alive=False))).steps


def test_a_vote_stays_where_the_rest_would_have_no_majority() -> None:
    with pytest.raises(Declined, match="would have 2 voters, of which 2 must be alive, and 1 are: 3") as refused:
        RemoveVoter(2).plan(snapshot(one(1), one(2), one(3, alive=False)))
    assert refused.value.hint == "start node 3 first, or take its vote away instead"
    with pytest.raises(Declined, match="is the only voter"):
        RemoveVoter(1).plan(snapshot(one(1)))
    with pytest.raises(OperationFailed, match="has no leader"):
        RemoveVoter(1).plan(snapshot(*THREE, leader=None))


def test_fixed_voters_stay_and_the_way_out_is_told() -> None:
    with pytest.raises(OperationFailed) as refused:
        RemoveVoter(1).plan(snapshot(*THREE, level=0))
    assert "feature-upgrade kraft.version=1" in refused.value.hint


def test_without_a_vote_there_is_none_to_take_away() -> None:
    assert RemoveVoter(4).plan(snapshot(*THREE)).notes == ("node 4 has no vote",)
    assert "does not vote with that directory" in RemoveVoter(1, directory(9)).plan(snapshot(*THREE)).notes[0]


# -- on the wire -------------------------------------------------------------------------------------------------------


def response(*late: int) -> DescribeQuorumResponse:
    """Three voters that node 1 leads; those that are `late` were last level a minute ago."""
    voters = [
        ReplicaState(
            replica_id=node,
            replica_directory_id=bytes([node]) * 16,
            log_end_offset=9,
            last_fetch_timestamp=100_000,
            last_caught_up_timestamp=100_000 - (60_000 if node in late else 0),
        )
        for node in (1, 2, 3)
    ]
    partition = DescribeQuorumResponsePartitionData(leader_id=1, leader_epoch=1, current_voters=voters)
    topics = [DescribeQuorumResponseTopicData(topic_name="__cluster_metadata", partitions=[partition])]
    nodes = [Node(node_id=2, listeners=[Listener(name="CONTROLLER", host="two", port=9093)])]
    return DescribeQuorumResponse(topics=topics, nodes=nodes)


def test_a_voter_is_looked_at_with_its_directory_and_where_it_listens() -> None:
    with ScriptedCluster(1) as scripted, Client(parse_addresses(scripted.bootstrap)) as client:
        scripted.answer("DescribeQuorum", lambda request, version: response())
        seen = observe_voters(Cluster(client), ("2", "4"), Deadline(5))
    assert seen.states == {"2": {"directory_id": directory(2), "listeners": ["CONTROLLER://two:9093"]}}


def test_the_guard_looks_again_before_the_vote_goes() -> None:
    with ScriptedCluster(1) as scripted, Client(parse_addresses(scripted.bootstrap)) as client:
        scripted.answer("DescribeQuorum", lambda request, version: response(3))
        scripted.answer("RemoveRaftVoter", lambda request, version: RemoveRaftVoterResponse())
        arguments = {"node_id": 2, "directory_id": directory(2), "listeners": []}
        with pytest.raises(Declined, match="2 must be alive, and 1 are"):
            remove_voter(Cluster(client), arguments, Deadline(5), False)
        assert scripted.brokers[1].count("RemoveRaftVoter") == 0
        arguments = {"node_id": 3, "directory_id": directory(3), "listeners": []}
        assert remove_voter(Cluster(client), arguments, Deadline(5), False) == {voter(3): None}


@pytest.mark.parametrize(
    ("code", "outcome"),
    [(errors.NONE, None), (errors.DUPLICATE_VOTER, None), (errors.UNSUPPORTED_VERSION, OperationFailed)],
)
def test_what_the_leader_says_of_a_new_voter(code: int, outcome: type[LogctlError] | None) -> None:
    with ScriptedCluster(1) as scripted, Client(parse_addresses(scripted.bootstrap)) as client:
        scripted.answer("AddRaftVoter", lambda request, version: AddRaftVoterResponse(error_code=code))
        arguments = {"node_id": 4, "directory_id": directory(4), "listeners": [HERE]}
        [error] = add_voter(Cluster(client), arguments, Deadline(5), False).values()
        assert error is None if outcome is None else isinstance(error, outcome)
        [(_, _, request)] = [asked for asked in scripted.brokers[1].asked if asked[0] == "AddRaftVoter"]
        assert [(each.name, each.host, each.port) for each in request.listeners] == [("CONTROLLER", "10.0.0.4", 9093)]
        assert request.voter_directory_id == bytes([4]) * 16
