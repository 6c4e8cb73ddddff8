"""Transactions: what hangs and what does not, and the plans that end them."""

from __future__ import annotations

from typing import Any

import pytest

from logctl.admin.observe import Resource, Snapshot
from logctl.admin.operation import Risk
from logctl.admin.transaction_producers import ProducerState, hanging_among
from logctl.admin.transaction_states import Described, Wanted
from logctl.admin.transactions import AbortHanging, Terminate
from logctl.errors import OperationFailed, UsageError


def state(partition: int = 0, producer_id: int = 7) -> ProducerState:
    return ProducerState(("orders", partition), producer_id, 3, 41, 1000, -1, 20)


def known(name: str = "Ongoing", *partitions: int) -> dict[int, Described]:
    places = tuple(("orders", number) for number in partitions)
    return {7: Described("pay", 1, 7, 3, name, 60_000, 900, places)}


# -- what hangs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Ongoing", "PrepareCommit", "PrepareAbort", "PrepareEpochFence"])
def test_what_its_coordinator_will_end_does_not_hang(name: str) -> None:
    assert hanging_among([state()], known(name, 0, 1)) == []


def test_what_no_coordinator_knows_hangs() -> None:
    [found] = hanging_among([state()], {})
    assert (found.state.start_offset, found.transactional_id) == (20, None)


@pytest.mark.parametrize("name", ["Empty", "CompleteCommit", "CompleteAbort", "Dead"])
def test_what_is_over_for_its_coordinator_hangs(name: str) -> None:
    assert [one.transactional_id for one in hanging_among([state()], known(name, 0))] == ["pay"]


def test_what_is_open_elsewhere_hangs_here() -> None:
    assert [one.state.place for one in hanging_among([state(0), state(1)], known("Ongoing", 1))] == [("orders", 0)]


# -- aborting --------------------------------------------------------------------------------------------------------

ABORT = AbortHanging("orders", 0, 20)
OPEN: dict[str, Any] = {
    "producer_id": 7,
    "producer_epoch": 3,
    "coordinator_epoch": -1,
    "start_offset": 20,
    "held_by": None,
    "held_state": None,
}


def seen(resource: Resource, found: dict[str, Any] | None) -> Snapshot:
    return Snapshot("c", states={resource: found})


def test_a_hanging_transaction_is_aborted_with_the_epochs_of_its_producer() -> None:
    plan = ABORT.plan(seen(ABORT.resource, OPEN))
    [step], [change] = plan.steps, plan.changes
    assert (step.action, plan.risk) == ("transaction.abort", Risk.DESTRUCTIVE)
    assert step.arguments == {
        "topic": "orders",
        "partition": 0,
        "start_offset": 20,
        "producer_id": 7,
        "producer_epoch": 3,
        "coordinator_epoch": 0,
    }
    assert step.undo is None
    assert (change.resource.name, change.before, change.after) == ("orders-0@20", OPEN, None)


def test_one_that_is_over_needs_nothing() -> None:
    plan = ABORT.plan(seen(ABORT.resource, None))
    assert plan.steps == ()
    assert plan.notes == ("no transaction that begins at offset 20 is open in partition 0 of orders",)


def test_one_that_does_not_hang_is_left_to_its_coordinator() -> None:
    held = seen(ABORT.resource, {**OPEN, "held_by": "pay", "held_state": "Ongoing"})
    with pytest.raises(OperationFailed, match=r"does not hang: its coordinator knows it: .* pay") as refused:
        ABORT.plan(held)
    assert "logctl txn terminate pay" in refused.value.hint
    forced = ABORT._replace(forced=True).plan(held)
    assert len(forced.steps) == len(forced.warnings) == 1


def test_what_cannot_be_a_place_is_refused_before_anyone_is_asked() -> None:
    for wrong in (ABORT._replace(partition=-1), ABORT._replace(start_offset=-1), ABORT._replace(topic="a b")):
        with pytest.raises(UsageError):
            wrong.check()


# -- terminating -----------------------------------------------------------------------------------------------------

TERMINATE = Terminate("pay")
ONGOING: dict[str, Any] = {
    "state": "Ongoing",
    "open": True,
    "producer_id": 7,
    "producer_epoch": 3,
    "timeout_ms": 60_000,
    "partitions": ["orders-0", "orders-1"],
}


def test_an_open_transaction_is_terminated_and_its_timeout_stays() -> None:
    plan = TERMINATE.plan(seen(TERMINATE.resource, ONGOING))
    [step], [change] = plan.steps, plan.changes
    assert (step.action, plan.risk) == ("transaction.terminate", Risk.DESTRUCTIVE)
    assert step.arguments == {"transactional_id": "pay", "timeout_ms": 60_000}
    assert "fence its producer (7, epoch 3) and abort what it has written to 2 partitions" in step.sentence
    assert change.after == {"open": False}


def test_a_transactional_id_with_nothing_open_needs_nothing() -> None:
    plan = TERMINATE.plan(seen(TERMINATE.resource, {**ONGOING, "open": False, "state": "CompleteCommit"}))
    assert plan.steps == ()
    assert plan.notes == ("transactional id pay has no transaction open: it is CompleteCommit",)


def test_a_transactional_id_that_nobody_knows_is_refused() -> None:
    with pytest.raises(OperationFailed, match="no coordinator knows the transactional id pay"):
        TERMINATE.plan(seen(TERMINATE.resource, None))


# -- listing ---------------------------------------------------------------------------------------------------------


def test_states_are_spelt_as_kafka_spells_them() -> None:
    assert Wanted(("ongoing", "PREPARECOMMIT")).check().states == ("Ongoing", "PrepareCommit")
    with pytest.raises(UsageError, match="--state open: there is no such state"):
        Wanted(("open",)).check()
