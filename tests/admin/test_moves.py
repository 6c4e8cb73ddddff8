"""Waiting for replicas that move: what is told meanwhile, and what a cluster that stands still costs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from support.scripted import ScriptedBroker

from logctl.admin.client import Client, parse_addresses
from logctl.admin.deadline import Deadline
from logctl.admin.executor import Progressed
from logctl.admin.moves import held, move, observe_moves, observe_replicas
from logctl.admin.observe import Resource
from logctl.admin.routing import Cluster
from logctl.errors import DeadlineExceeded, LogctlError, OperationFailed
from logctl.wire import errors
from logctl.wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsResponse,
    ReassignablePartitionResponse,
    ReassignableTopicResponse,
)
from logctl.wire.messages.list_partition_reassignments import (
    ListPartitionReassignmentsResponse,
    OngoingPartitionReassignment,
    OngoingTopicReassignment,
)
from logctl.wire.messages.metadata import (
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)


class Moving:
    """A broker that moves `a:0` from broker 1 to broker 2, at the word of the test."""

    def __init__(self, broker: ScriptedBroker) -> None:
        self.over = False
        self.code = errors.NONE
        self._broker = broker
        broker.answer("Metadata", self._metadata)
        broker.answer("ListPartitionReassignments", self._list)
        broker.answer("AlterPartitionReassignments", self._alter)

    def _metadata(self, request: Any, version: int) -> MetadataResponse:
        replicas = [2] if self.over else [2, 1]
        partition = MetadataResponsePartition(partition_index=0, leader_id=1, replica_nodes=replicas, isr_nodes=[1])
        return MetadataResponse(
            cluster_id="scripted",
            controller_id=1,
            brokers=[MetadataResponseBroker(node_id=1, host="127.0.0.1", port=self._broker.port)],
            topics=[MetadataResponseTopic(name="a", topic_id=b"a" * 16, partitions=[partition])],
        )

    def _list(self, request: Any, version: int) -> ListPartitionReassignmentsResponse:
        if self.over:
            return ListPartitionReassignmentsResponse()
        one = OngoingPartitionReassignment(replicas=[2, 1], adding_replicas=[2], removing_replicas=[1])
        return ListPartitionReassignmentsResponse(topics=[OngoingTopicReassignment("a", [one])])

    def _alter(self, request: Any, version: int) -> AlterPartitionReassignmentsResponse:
        one = ReassignablePartitionResponse(error_code=self.code)
        return AlterPartitionReassignmentsResponse(responses=[ReassignableTopicResponse("a", [one])])


@pytest.fixture
def cluster() -> Iterator[tuple[Cluster, Moving]]:
    with ScriptedBroker() as broker, Client(parse_addresses(broker.bootstrap)) as client:
        yield Cluster(client), Moving(broker)


Outcome = dict[Resource, LogctlError | None]


def begun(cluster: Cluster, deadline: Deadline) -> Generator[Any, None, Any]:
    found = move(cluster, {"partitions": [["a", 0, [2]]]}, deadline, False)
    assert isinstance(found, Generator)
    return found


def ended(steps: Generator[Any, None, Any], each: Callable[[Any], None]) -> Any:
    while True:
        try:
            each(next(steps))
        except StopIteration as end:
            return end.value


def test_a_partition_is_where_it_was_until_the_move_is_over(cluster: tuple[Cluster, Moving]) -> None:
    client, moving = cluster
    assert observe_replicas(client, ("a:0",), Deadline(5)).states == {"a:0": {"brokers": [1]}}
    seen = observe_moves(client, ("all",), Deadline(5)).states["all"]
    assert seen == {"a:0": {"adding": [2], "removing": [1]}}
    moving.over = True
    assert observe_replicas(client, ("a:0", "a:7"), Deadline(5)).states == {"a:0": {"brokers": [2]}}


def test_the_step_waits_until_the_replica_has_arrived_and_tells_how_far_it_is(cluster: tuple[Cluster, Moving]) -> None:
    client, moving = cluster
    told: list[Progressed] = []

    def each(event: Progressed) -> None:
        told.append(event)
        moving.over = len(told) == 3

    assert ended(begun(client, Deadline(30)), each) == {held(("a", 0)): None}
    assert [(event.done, event.total) for event in told] == [(0, 1), (0, 1), (0, 1), (1, 1)]


def test_when_nothing_gets_on_the_time_runs_out_and_the_cluster_goes_on(cluster: tuple[Cluster, Moving]) -> None:
    with pytest.raises(DeadlineExceeded, match="1 partition of 1 still moved") as late:
        ended(begun(cluster[0], Deadline(0.5)), lambda event: None)
    assert "goes on moving them" in late.value.hint


def test_what_gets_on_has_all_the_time_again() -> None:
    now = [0.0]
    deadline = Deadline(10.0, clock=lambda: now[0])
    now[0] = 9.0
    deadline.renew()
    now[0] = 18.0
    assert not deadline.expired


def test_what_the_cluster_refuses_is_told_of_its_partition(cluster: tuple[Cluster, Moving]) -> None:
    client, moving = cluster
    moving.code = errors.INVALID_REPLICA_ASSIGNMENT
    [(resource, error)] = ended(begun(client, Deadline(5)), lambda event: None).items()
    assert str(resource) == "replicas a:0"
    assert isinstance(error, OperationFailed)
    assert "cannot move a:0: INVALID_REPLICA_ASSIGNMENT" in str(error)
