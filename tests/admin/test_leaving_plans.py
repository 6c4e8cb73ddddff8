"""A node leaves for good: where its replicas go, in which order, and when it may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.scripted import ScriptedCluster

from logctl import seats
from logctl.admin.client import Client, parse_addresses
from logctl.admin.deadline import Deadline
from logctl.admin.draining import held_by, targets
from logctl.admin.leaving import Decommission, Here, forget_broker, set_aside
from logctl.admin.moves import MOVES
from logctl.admin.observe import Partition, Resource, Snapshot, Topic
from logctl.admin.routing import Broker, Cluster
from logctl.admin.voters import KRAFT_VERSION, QUORUM, voter
from logctl.errors import Declined, OperationFailed
from logctl.wire.messages.unregister_broker import UnregisterBrokerResponse

[WHERE] = parse_addresses("far:9092")


def partition(number: int, *replicas: int, leader: int | None = -1) -> Partition:
    return Partition(number, replicas[0] if leader == -1 else leader, 0, replicas, replicas, ())


def topic(name: str, *partitions: Partition) -> Topic:
    return Topic(name, bytes(16), False, partitions)


def snapshot(
    *topics: Topic,
    alive: dict[int, str | None] | None = None,
    votes: bool = False,
    here: bool | None = None,
    moving: dict[str, Any] | None = None,
    level: int = 1,
) -> Snapshot:
    """Node 4 is the one that leaves. `alive`: brokers with their racks; `here`: is its directory a node's?"""
    racks: dict[int, str | None] = dict.fromkeys((1, 2, 3, 4)) if alive is None else alive
    brokers = {node: Broker(node, WHERE, rack) for node, rack in racks.items()}
    voters = {str(node): {"directory_id": f"dir-{node}", "alive": True} for node in (1, 2, 3, *((4,) if votes else ()))}
    states: dict[Resource, Any] = {
        MOVES: moving or {},
        Resource("broker", "4"): {"host": "far", "port": 9092, "rack": None, "fenced": 4 not in brokers},
        QUORUM: {"leader": 1, "voters": voters, "observers": []},
        voter(4): {"directory_id": "dir-4", "listeners": ["CONTROLLER://far:9093"]} if votes else None,
        KRAFT_VERSION: {"level": level, "lowest": 0, "highest": 1},
    }
    if here is not None:
        states[Resource("node", "/data/node-4")] = {"in_use": here}
    return Snapshot("cluster", brokers, {one.name: one for one in topics}, states=states)


HERE = Here("/data/node-4", "/data")


def where(seen: Snapshot) -> dict[str, tuple[int, ...]]:
    found = targets(4, seen, seen.states[MOVES] or {})
    return {f"{one.place[0]}:{one.place[1]}": one.replicas for one in found}


# -- where replicas go -------------------------------------------------------------------------------------------------


def test_each_is_replaced_in_its_place_by_the_broker_that_holds_the_fewest() -> None:
    seen = snapshot(topic("a", partition(0, 4, 1), partition(1, 1, 4), partition(2, 1, 2), partition(3, 2, 4)))
    # before: 1 has three, 2 two, 3 none
    assert where(seen) == {"a:0": (3, 1), "a:1": (1, 3), "a:3": (2, 3)}


def test_what_the_plan_has_given_already_counts() -> None:
    seen = snapshot(topic("a", *(partition(number, 4) for number in range(6))))
    assert sorted(where(seen).values()) == [(1,), (1,), (2,), (2,), (3,), (3,)]


def test_a_rack_that_none_of_the_others_is_in_comes_first() -> None:
    racks: dict[int, str | None] = {1: "x", 2: "x", 3: "y", 4: "y"}
    busy = [partition(number, 3) for number in range(1, 9)]
    assert where(snapshot(topic("a", partition(0, 1, 4), *busy), alive=racks)) == {"a:0": (1, 3)}


def test_brokers_that_are_gone_get_nothing() -> None:
    assert where(snapshot(topic("a", partition(0, 4, 1)), alive={1: None, 2: None, 4: None})) == {"a:0": (2, 1)}


def test_too_few_brokers_for_a_topic_are_told_with_the_topic() -> None:
    seen = snapshot(topic("a", partition(0, 1, 2, 3, 4)), topic("b", partition(0, 4)))
    with pytest.raises(Declined, match=r"3 other brokers cannot hold what needs more: a \(4 replicas\)") as refused:
        where(seen)
    assert "lower the replication factor" in refused.value.hint


def test_a_partition_without_a_leader_cannot_be_copied() -> None:
    with pytest.raises(Declined, match="1 partition without a leader cannot be copied to other brokers: a:0"):
        where(snapshot(topic("a", partition(0, 4, leader=None))))


def test_moves_under_way_are_taken_as_they_will_end() -> None:
    leaving = {"a:0": {"adding": [3], "removing": [4]}}
    seen = snapshot(topic("a", partition(0, 1, 3, 4)), moving=leaving)
    assert where(seen) == {"a:0": (1, 3)}
    assert [one.settled for one in held_by(4, seen, leaving)] == [(1, 4)]
    coming = {"a:0": {"adding": [4], "removing": [3]}}
    assert where(snapshot(topic("a", partition(0, 1, 4, 3)), moving=coming)) == {"a:0": (1, 2)}


# -- the plan ----------------------------------------------------------------------------------------------------------


def test_what_holds_replicas_stays_unless_they_are_drained() -> None:
    seen = snapshot(topic("a", partition(0, 4), partition(1, 4)), topic("b", partition(0, 4)))
    with pytest.raises(Declined, match=r"node 4 holds 3 replicas of 2 topics: a \(2\), b \(1\)") as refused:
        Decommission(4).plan(seen)
    assert "--drain" in refused.value.hint


def test_a_node_of_this_machine_goes_in_order() -> None:
    plan = Decommission(4, True, HERE).plan(snapshot(topic("a", partition(0, 1, 4)), votes=True, here=True))
    assert [step.action for step in plan.steps] == [
        "replicas.move", "voter.remove", "node.stop", "broker.forget", "node.set-aside"
    ]  # fmt: skip
    assert plan.steps[0].sentence == "move 1 replica of 1 topic from node 4 to the others (1, 2)"
    assert {str(one.resource): one.after for one in plan.changes} == {
        "replicas a:0": {"brokers": [1, 2]},
        "voter 4": None,
        "broker 4": None,
        "node /data/node-4": {"in_use": False},
    }
    undo = plan.steps[0].undo
    assert undo is not None
    assert undo.arguments == {"partitions": [["a", 0, [1, 4]]]}


def test_one_that_runs_elsewhere_is_drained_and_must_then_be_stopped_there() -> None:
    plan = Decommission(4, True).plan(snapshot(topic("a", partition(0, 1, 4)), votes=True))
    assert [step.action for step in plan.steps] == ["replicas.move", "voter.remove"]
    assert plan.warnings == ("node 4 runs on far and is not stopped from here: stop it there, then repeat this",)
    with pytest.raises(Declined, match="holds nothing any more, but it runs on far"):
        Decommission(4).plan(snapshot())


def test_one_that_was_stopped_is_struck_off_the_list() -> None:
    plan = Decommission(4).plan(snapshot(alive=dict.fromkeys((1, 2, 3))))
    assert [(step.action, step.undo) for step in plan.steps] == [("broker.forget", None)]


def test_what_is_done_already_is_no_step_any_more() -> None:
    seen = snapshot(alive=dict.fromkeys((1, 2, 3)), here=True)
    states = {**seen.states, Resource("broker", "4"): None}
    plan = Decommission(4, False, HERE).plan(seen._replace(states=states))
    assert [step.action for step in plan.steps] == ["node.stop", "node.set-aside"]
    states[Resource("node", "/data/node-4")] = {"in_use": False}
    with pytest.raises(OperationFailed, match="node 4 is not in the cluster"):
        Decommission(4, False, HERE).plan(seen._replace(states=states))


def test_a_vote_that_is_fixed_or_needed_keeps_the_node() -> None:
    with pytest.raises(OperationFailed, match=r"fixed by controller\.quorum\.voters"):
        Decommission(4).plan(snapshot(votes=True, level=0))
    seen = snapshot(votes=True)
    gone = {**(seen.states[QUORUM] or {})["voters"], "2": {"alive": False}, "3": {"alive": False}}
    states = {**seen.states, QUORUM: {"leader": 1, "voters": gone, "observers": []}}
    with pytest.raises(Declined, match="would have 3 voters, of which 2 must be alive, and 1 are: 2, 3 did not"):
        Decommission(4).plan(seen._replace(states=states))


def test_draining_alone_keeps_the_node() -> None:
    drain = Decommission(4, drain=True, only_drain=True)
    assert QUORUM not in drain.wants().looks
    plan = drain.plan(snapshot(topic("a", partition(0, 1, 4)), votes=True))
    assert [step.action for step in plan.steps] == ["replicas.move"]
    assert drain.plan(snapshot()).notes == ("node 4 holds no replicas",)


# -- on this machine ---------------------------------------------------------------------------------------------------


def test_the_directory_of_a_node_that_left_is_kept_and_the_folder_forgets_the_node(tmp_path: Path) -> None:
    table = seats.Table("scripted", tuple(seats.Seat(node, 0, 0) for node in (1, 4)))
    seats.write(tmp_path, table)
    log_dir = tmp_path / "node-4"
    arguments = {"node_id": 4, "log_dir": str(log_dir), "folder": str(tmp_path)}
    with ScriptedCluster(1) as scripted, Client(parse_addresses(scripted.bootstrap)) as client:
        cluster = Cluster(client)
        cluster.refresh(Deadline(5))
        for count in (1, 2):
            log_dir.mkdir()
            (log_dir / "meta.properties").write_text("cluster.id=scripted\nnode.id=4\n")
            assert set_aside(cluster, arguments, Deadline(5), False) == {Resource("node", str(log_dir)): None}
            assert len(list(tmp_path.glob("removed-node-4*/meta.properties"))) == count
        left = seats.remembered(tmp_path)
        assert left is not None
        assert [seat.node_id for seat in left.seats] == [1]
        log_dir.mkdir()
        (log_dir / "meta.properties").write_text("cluster.id=another\nnode.id=4\n")
        with pytest.raises(OperationFailed, match="belongs to node 4 of cluster another"):
            set_aside(cluster, arguments, Deadline(5), False)
        assert log_dir.exists()


def test_a_broker_that_was_given_replicas_meanwhile_is_not_struck_off() -> None:
    with ScriptedCluster(1, topics={"new": [1]}) as scripted, Client(parse_addresses(scripted.bootstrap)) as client:
        scripted.answer("UnregisterBroker", lambda request, version: UnregisterBrokerResponse())
        with pytest.raises(Declined, match=r"was given replicas meanwhile: 1 replica of 1 topic: new \(1\)"):
            forget_broker(Cluster(client), {"node_id": 1}, Deadline(5), False)
        assert scripted.brokers[1].count("UnregisterBroker") == 0
        assert forget_broker(Cluster(client), {"node_id": 4}, Deadline(5), False) == {Resource("broker", "4"): None}
