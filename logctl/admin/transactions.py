"""Ending transactions: one that hangs in a partition, and all that a transactional id has open.

Two kinds of resource are looked at. `transaction NAME` is a transactional id as its coordinator knows it. `open-
transaction TOPIC-PARTITION@OFFSET` is a transaction that a partition's leader holds open, named by the offset at which
it begins there; it does not exist once it has ended.

A hanging transaction is ended by writing the marker that its coordinator never will (WriteTxnMarkers), with the
producer's epoch and the coordinator's as the leader remembers them. A transactional id is made to let go by asking for
its producer id anew (InitProducerId): its coordinator fences the producer that has it, and aborts what that left open.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from logctl.admin.capabilities import need
from logctl.admin.deadline import Backoff, Deadline
from logctl.admin.observe import Resource, Seen, Snapshot, State, Wants
from logctl.admin.operation import Change, Plan, Risk, Step
from logctl.admin.positions import Place
from logctl.admin.routing import Cluster, refusal
from logctl.admin.topics import check_name
from logctl.admin.transaction_producers import ProducerState, holds, producers_of, transactions_of
from logctl.admin.transaction_states import describe_transactions, find_coordinators
from logctl.errors import LogctlError, OperationFailed, UsageError
from logctl.wire import errors

_OPEN_NAME: Final = re.compile(r"(.+)-(\d+)@(\d+)")


# -- one that hangs in a partition -----------------------------------------------------------------------------------


def open_name(place: Place, start_offset: int) -> str:
    return f"{place[0]}-{place[1]}@{start_offset}"


class AbortHanging(NamedTuple):
    """Write the abort marker of the transaction that begins at `start_offset` of a partition. `forced`: even though its
    coordinator still knows it, and would end it by itself."""

    topic: str
    partition: int
    start_offset: int
    forced: bool = False

    @property
    def resource(self) -> Resource:
        return Resource("open-transaction", open_name((self.topic, self.partition), self.start_offset))

    def check(self) -> None:
        check_name(self.topic)
        for what, number in (("--partition", self.partition), ("--start-offset", self.start_offset)):
            if number < 0:
                raise UsageError(f"{what} {number}: a number from 0 up was expected")

    def wants(self) -> Wants:
        return Wants(looks=(self.resource,))

    def plan(self, snapshot: Snapshot) -> Plan:
        self.check()
        where = f"partition {self.partition} of {self.topic}"
        title = f"abort the transaction that begins at offset {self.start_offset} of {where}"
        if self.resource.name in snapshot.failures:
            raise snapshot.failures[self.resource.name]
        before = snapshot.states.get(self.resource)
        if before is None:
            note = f"no transaction that begins at offset {self.start_offset} is open in {where}"
            return Plan(title, notes=(note,), cluster_id=snapshot.cluster_id, wants=self.wants())
        warnings = self._judge(before)
        arguments = {
            "topic": self.topic,
            "partition": self.partition,
            "start_offset": self.start_offset,
            "producer_id": before["producer_id"],
            "producer_epoch": before["producer_epoch"],
            "coordinator_epoch": max(0, before["coordinator_epoch"]),
        }
        producer = f"producer {before['producer_id']}, epoch {before['producer_epoch']}"
        step = Step("transaction.abort", f"{title} ({producer})", arguments, Risk.DESTRUCTIVE, (self.resource,))
        change = Change(self.resource, before, None)
        return Plan(title, (change,), (step,), (), warnings, snapshot.cluster_id, self.wants())

    def _judge(self, before: Mapping[str, Any]) -> tuple[str, ...]:
        """What to warn of. Raises OperationFailed for a transaction that does not hang."""
        if before["held_by"] is None:
            return ()
        known = f"its coordinator knows it: transactional id {before['held_by']} is {before['held_state']}"
        if not self.forced:
            raise OperationFailed(
                f"the transaction does not hang: {known}, and will end it when its timeout passes",
                f"end it now with `logctl txn terminate {before['held_by']}`, or insist with --force",
            )
        return (f"{known}; records of a transaction that commits later would be lost in this partition",)


def observe_open(cluster: Cluster, names: tuple[str, ...], deadline: Deadline) -> Seen:
    """The open transactions of these names, as leaders and coordinators see them."""
    seen = Seen({}, {})
    places = {name: _place_in(name) for name in names}
    found = cluster.refresh(deadline, {place[0] for place, _ in places.values()}).topics
    there = {(topic.name, one.partition_index) for topic in found for one in topic.partitions}
    told = producers_of(cluster, {place for place, _ in places.values() if place in there}, deadline)
    states = {(one.place, one.start_offset): one for one in told.states if one.is_open}
    for name, (place, offset) in places.items():
        if place not in there:
            seen.failures[name] = OperationFailed(f"topic {place[0]} has no partition {place[1]}, or does not exist")
        elif place in told.failures:
            seen.failures[name] = told.failures[place]
        elif (place, offset) in states:
            _see(cluster, name, states[place, offset], seen, deadline)
    return seen


def _place_in(name: str) -> tuple[Place, int]:
    found = _OPEN_NAME.fullmatch(name)
    if found is None:
        raise UsageError(f"{name!r} does not name an open transaction", "the form is TOPIC-PARTITION@OFFSET")
    return (found[1], int(found[2])), int(found[3])


def _see(cluster: Cluster, name: str, state: ProducerState, seen: Seen, deadline: Deadline) -> None:
    known, failures = transactions_of(cluster, (state.producer_id,), deadline)
    transaction = known.get(state.producer_id)
    held = transaction if transaction is not None and holds(transaction, state.place) else None
    if failures and held is None:
        seen.failures[name] = next(iter(failures.values()))
        return
    seen.states[name] = {
        "producer_id": state.producer_id,
        "producer_epoch": state.producer_epoch,
        "coordinator_epoch": state.coordinator_epoch,
        "start_offset": state.start_offset,
        "held_by": None if held is None else held.transactional_id,
        "held_state": None if held is None else held.state,
    }


def abort(cluster: Cluster, arguments: Mapping[str, Any], deadline: Deadline, dry: bool) -> dict[Any, Any]:
    """The action of an AbortHanging's step. Nothing checks it but doing it."""
    place = arguments["topic"], arguments["partition"]
    resource = Resource("open-transaction", open_name(place, arguments["start_offset"]))
    need(cluster, "WriteTxnMarkers", deadline)
    if dry:
        return {resource: None}
    return {resource: write_abort_marker(cluster, place, arguments, deadline)}


def write_abort_marker(
    cluster: Cluster, place: Place, producer: Mapping[str, Any], deadline: Deadline
) -> LogctlError | None:
    """Have the leader of a partition write the abort marker of a producer; None when it did."""
    from logctl.wire.messages.write_txn_markers import (
        WritableTxnMarker,
        WritableTxnMarkerTopic,
        WriteTxnMarkersRequest,
    )

    marker = WritableTxnMarker(
        producer_id=producer["producer_id"],
        producer_epoch=producer["producer_epoch"],
        transaction_result=False,
        topics=[WritableTxnMarkerTopic(name=place[0], partition_indexes=[place[1]])],
        coordinator_epoch=producer["coordinator_epoch"],
    )
    backoff = Backoff()
    while True:
        leader = cluster.leaders[place].node_id if place in cluster.leaders else -1
        code = errors.LEADER_NOT_AVAILABLE
        if leader in cluster.brokers:
            address = cluster.address(leader)
            answer = cluster.client.ask(address, WriteTxnMarkersRequest(markers=[marker]), deadline)
            code = answer.markers[0].topics[0].partitions[0].error_code
        if code == errors.NONE:
            return None
        if deadline.expired or not errors.describe(code).retriable:
            return refusal(f"partition {place[1]} of {place[0]}", code)
        backoff.pause(deadline)
        cluster.refresh(deadline, (place[0],))


# -- all that a transactional id has open ----------------------------------------------------------------------------


class Terminate(NamedTuple):
    """Fence the producer that has a transactional id, and abort the transaction that it has open."""

    transactional_id: str

    @property
    def resource(self) -> Resource:
        return Resource("transaction", self.transactional_id)

    def check(self) -> None:
        if not self.transactional_id:
            raise UsageError("no transactional id was named", "see `logctl txn list`")

    def wants(self) -> Wants:
        return Wants(looks=(self.resource,))

    def plan(self, snapshot: Snapshot) -> Plan:
        self.check()
        title = f"terminate the transaction of {self.transactional_id}"
        if self.resource.name in snapshot.failures:
            raise snapshot.failures[self.resource.name]
        before = snapshot.states.get(self.resource)
        if before is None:
            raise OperationFailed(
                f"no coordinator knows the transactional id {self.transactional_id}", "see `logctl txn list`"
            )
        if not before["open"]:
            note = f"transactional id {self.transactional_id} has no transaction open: it is {before['state']}"
            return Plan(title, notes=(note,), cluster_id=snapshot.cluster_id, wants=self.wants())
        count = len(before["partitions"])
        sentence = (
            f"{title}: fence its producer ({before['producer_id']}, epoch {before['producer_epoch']}) and abort what "
            f"it has written to {count} {'partition' if count == 1 else 'partitions'}"
        )
        step = Step(
            "transaction.terminate",
            sentence,
            {"transactional_id": self.transactional_id, "timeout_ms": before["timeout_ms"]},
            Risk.DESTRUCTIVE,
            (self.resource,),
        )
        change = Change(self.resource, {"producer_id": before["producer_id"], "open": True}, {"open": False})
        return Plan(title, (change,), (step,), (), (), snapshot.cluster_id, self.wants())


def observe_transactions(cluster: Cluster, names: tuple[str, ...], deadline: Deadline) -> Seen:
    """Transactional ids as their coordinators know them."""
    found = describe_transactions(cluster, names, deadline)
    gone = errors.describe(errors.TRANSACTIONAL_ID_NOT_FOUND).name
    states: dict[str, State] = {
        one.transactional_id: {
            "state": one.state,
            "open": one.is_open,
            "producer_id": one.producer_id,
            "producer_epoch": one.producer_epoch,
            "timeout_ms": one.timeout_ms,
            "partitions": [f"{topic}-{number}" for topic, number in one.places],
        }
        for one in found.transactions
    }
    return Seen(states, {name: error for name, error in found.failures.items() if error.kafka_name != gone})


def terminate(cluster: Cluster, arguments: Mapping[str, Any], deadline: Deadline, dry: bool) -> dict[Any, Any]:
    """The action of a Terminate's step."""
    name = arguments["transactional_id"]
    resource = Resource("transaction", name)
    return {resource: None if dry else _terminate(cluster, name, arguments["timeout_ms"], deadline)}


def _terminate(cluster: Cluster, name: str, timeout_ms: int, deadline: Deadline) -> LogctlError | None:
    """Ask for the producer id until the coordinator has begun to abort, which it says by CONCURRENT_TRANSACTIONS. None
    when it has."""
    from logctl.wire.messages.init_producer_id import InitProducerIdRequest

    request = InitProducerIdRequest(transactional_id=name, transaction_timeout_ms=timeout_ms)
    backoff = Backoff()
    while True:
        trouble: dict[str, LogctlError] = {}
        failures: dict[str, LogctlError] = {}
        where = find_coordinators(cluster, (name,), trouble, failures, deadline)
        if failures:
            return failures[name]
        if name in where:
            answer = cluster.client.ask(where[name].address, request, deadline)
            if answer.error_code in (errors.NONE, errors.CONCURRENT_TRANSACTIONS):
                return None
            error = refusal(f"transactional id {name}", answer.error_code)
            if not errors.describe(answer.error_code).retriable:
                return error
            trouble[name] = error
        if deadline.expired:
            return trouble[name]
        backoff.pause(deadline)


ACTIONS: Final = {"abort": abort, "terminate": terminate}
