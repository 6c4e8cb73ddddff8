"""Electing leaders: who leads, who should, and the plan that follows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from logctl.admin.client import parse_addresses
from logctl.admin.elections import Elect, Kind, read_places
from logctl.admin.observe import Partition, Snapshot, Topic
from logctl.admin.operation import Risk
from logctl.admin.routing import Broker
from logctl.errors import OperationFailed, UsageError

[WHERE] = parse_addresses("localhost:9092")


def partition(number: int, leader: int | None, replicas: tuple[int, ...], isr: tuple[int, ...]) -> Partition:
    return Partition(number, leader, 0, replicas, isr, ())


def snapshot(*partitions: Partition, alive: tuple[int, ...] = (1, 2, 3)) -> Snapshot:
    brokers = {node: Broker(node, WHERE, None) for node in alive}
    return Snapshot("cluster", brokers, {"a": Topic("a", bytes(16), False, partitions)}, {}, ("a",))


LED_BY_PREFERRED = partition(0, 1, (1, 2), (1, 2))
LED_BY_OTHER = partition(1, 1, (2, 1), (1, 2))
PREFERRED_OUT_OF_SYNC = partition(2, 1, (3, 1), (1,))
LEADERLESS = partition(3, None, (2, 3), (2,))


def test_the_preferred_replica_becomes_leader_where_it_is_not() -> None:
    plan = Elect(Kind.PREFERRED, {"a": (0, 1)}).plan(snapshot(LED_BY_PREFERRED, LED_BY_OTHER))
    assert [(str(one.resource), one.before, one.after) for one in plan.changes] == [
        ("partition a:1", {"leader": 1}, {"leader": 2})
    ]
    [step] = plan.steps
    assert (step.sentence, step.risk, step.undo) == (
        "make the preferred replica leader of partition a:1",
        Risk.SAFE,
        None,
    )
    assert step.arguments == {"kind": "preferred", "partitions": [["a", 1]]}


def test_where_the_preferred_replica_leads_there_is_nothing_to_do() -> None:
    plan = Elect(Kind.PREFERRED, {"a": None}).plan(snapshot(LED_BY_PREFERRED))
    assert (plan.steps, plan.notes) == ((), ("a:0 is led by the preferred replica already",))


def test_of_the_whole_cluster_those_without_a_candidate_are_left_with_a_warning() -> None:
    plan = Elect(Kind.PREFERRED).plan(snapshot(LED_BY_OTHER, PREFERRED_OUT_OF_SYNC))
    assert plan.warnings == ("a:2: its preferred leader, broker 3, is not in sync",)
    assert plan.steps[0].arguments["partitions"] == [["a", 1]]


def test_of_those_named_the_cluster_refuses_what_it_cannot_do() -> None:
    plan = Elect(Kind.PREFERRED, {"a": None}).plan(snapshot(LED_BY_OTHER, PREFERRED_OUT_OF_SYNC))
    assert plan.steps[0].arguments["partitions"] == [["a", 1], ["a", 2]]


@pytest.mark.parametrize("places", [None, {"a": None}])
def test_when_there_is_no_candidate_at_all_that_is_a_failure(places: Any) -> None:
    with pytest.raises(OperationFailed, match="broker 3, is not there"):
        Elect(Kind.PREFERRED, places).plan(snapshot(PREFERRED_OUT_OF_SYNC, alive=(1,)))


def test_an_unclean_election_says_what_it_costs() -> None:
    plan = Elect(Kind.UNCLEAN, {"a": None}).plan(snapshot(LED_BY_PREFERRED, LEADERLESS, alive=(3,)))
    assert plan.risk is Risk.DESTRUCTIVE
    assert plan.steps[0].sentence == "make any live replica leader of partition a:3, losing the records it lacks"
    assert "can be lost for good" in plan.warnings[0]
    assert (plan.changes[0].before, plan.changes[0].after) == ({"has_leader": False}, {"has_leader": True})


def test_an_unclean_election_touches_no_partition_that_has_a_leader() -> None:
    plan = Elect(Kind.UNCLEAN).plan(snapshot(LED_BY_PREFERRED, LED_BY_OTHER))
    assert (plan.steps, plan.notes) == ((), ("a:0 is led by somebody already", "a:1 is led by somebody already"))


def test_an_unclean_election_needs_somebody_alive() -> None:
    with pytest.raises(OperationFailed, match="a:3: none of its replicas is alive"):
        Elect(Kind.UNCLEAN, {"a": (3,)}).plan(snapshot(LEADERLESS, alive=(1,)))


def test_what_does_not_exist_is_refused() -> None:
    with pytest.raises(OperationFailed, match="topic a has no partition 9"):
        Elect(Kind.PREFERRED, {"a": (9,)}).plan(snapshot(LED_BY_OTHER))
    with pytest.raises(OperationFailed, match="topic b does not exist"):
        Elect(Kind.PREFERRED, {"b": None}).plan(snapshot(LED_BY_OTHER))


def test_a_file_of_kafka_leader_election_is_read() -> None:
    wanted = [("a", 1), ("b", 0), ("a", 0)]
    text = json.dumps({"partitions": [{"topic": topic, "partition": number} for topic, number in wanted]})
    assert read_places(text, "f") == {"a": (1, 0), "b": (0,)}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{\n[", "f, line 2: this is not JSON"),
        ("[]", "an object with a list `partitions`"),
        ('{"partitions": [{"partition": 0}]}', r"f, partitions\[0\]: `topic` is missing"),
        ('{"partitions": [{"topic": "a", "partition": true}]}', r"f, partitions\[0\]: `partition`"),
        ('{"partitions": [{"topic": "a", "partition": 0}, {"topic": "a", "partition": 0}]}', "a:0 is there twice"),
        ('{"partitions": [7]}', r"f, partitions\[0\]: an object was expected"),
    ],
)
def test_a_file_that_is_wrong_is_told_where(text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        read_places(text, "f")
