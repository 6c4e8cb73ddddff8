"""What is left of a plan, and the way back from it: from the plan, what is known of its steps, and what is seen now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from support import toys

from logctl.admin.history import Record
from logctl.admin.observe import Resource, Snapshot, State
from logctl.admin.operation import Change, Plan, Risk, Step, Undo
from logctl.admin.standing import Remaining, Standing, remaining, standing_of
from logctl.admin.undoing import TakeBack
from logctl.errors import OperationFailed, StalePlan, UsageError
from logctl.security.secrets import HIDDEN, Secret

A, B, C = (Resource("toy", name) for name in "abc")
RED, WHITE, BLUE = ({"colour": colour} for colour in ("red", "white", "blue"))


@pytest.fixture(autouse=True)
def _wall(monkeypatch: pytest.MonkeyPatch) -> None:
    toys.wall(monkeypatch)


def seen(**states: State) -> Snapshot:
    return Snapshot("scripted", states={Resource("toy", name): state for name, state in states.items()})


def record(plan: Plan, states: Mapping[int, str], verified: Mapping[Resource, State] | None = None) -> Record:
    """The journal's account of a plan: what became of each step, and what was seen."""
    found = Record("1ngc", {"plan": plan.document()})
    errors = {"done": [None], "failed": [{"message": "no"}], "partly done": [None, {"message": "no"}]}
    for number, state in states.items():
        found.add({"event": "begun", "step": number})
        if state in errors:
            found.add({"event": "outcome", "step": number, "outcomes": [{"error": one} for one in errors[state]]})
    found.verified.update(verified or {})
    return found


# -- standing --------------------------------------------------------------------------------------------------------

TWO = Change(A, {"n": 1, "configs": {"x": "1", "y": None}}, {"n": 2, "configs": {"x": "2", "y": "2"}})


@pytest.mark.parametrize(
    ("change", "now", "standing"),
    [
        (Change(A, WHITE, RED), RED, Standing.DONE),
        (Change(A, WHITE, RED), WHITE, Standing.OPEN),
        (Change(A, WHITE, RED), BLUE, Standing.MOVED),
        (Change(A, WHITE, RED), None, Standing.MOVED),
        (Change(A, None, RED), None, Standing.OPEN),
        (Change(A, None, RED), BLUE, Standing.MOVED),
        (Change(A, WHITE, None), None, Standing.DONE),
        (Change(A, {"key": HIDDEN}, {"key": HIDDEN}), {"key": HIDDEN}, Standing.EITHER),
        (TWO, {"n": 1, "configs": {"x": "1"}}, Standing.OPEN),
        (TWO, {"n": 2, "configs": {"x": "1"}}, Standing.BETWEEN),
        (TWO, {"n": 1, "configs": {"x": "2"}}, Standing.BETWEEN),
        (TWO, {"n": 1, "configs": {"x": "3"}}, Standing.MOVED),
        (TWO, {"n": 3, "configs": {"x": "2", "y": "2"}}, Standing.MOVED),
    ],
)
def test_a_change_stands_as_it_was_as_wanted_or_elsewhere(change: Change, now: State, standing: Standing) -> None:
    assert standing_of(change, now) is standing


def test_only_open_steps_are_left() -> None:
    plan = toys.painting("a", "b", "c")
    assert remaining(plan, (), seen(a=RED, b=WHITE, c=WHITE)) == Remaining((1, 2), frozenset({A}))
    assert remaining(plan, (0,), seen(a=WHITE, b=RED, c=WHITE)) == Remaining((0, 2), frozenset({B}), frozenset({0}))
    assert remaining(plan, (), seen(a=RED, b=RED, c=RED)).steps == ()


def test_where_looking_does_not_tell_the_journal_does() -> None:
    step = Step("toy.paint", "x", {}, about=(A,))
    half = Plan("two steps", (TWO,), (step, step))
    assert remaining(half, (0,), seen(a={"n": 2, "configs": {"x": "1"}})).steps == (1,)
    blind = Plan("a secret", (Change(A, {"key": HIDDEN}, {"key": HIDDEN}),), (step,))
    assert remaining(blind, (), seen(a={"key": HIDDEN})).steps == (0,)
    assert remaining(blind, (0,), seen(a={"key": HIDDEN})) == Remaining((), frozenset({A}), frozenset({0}))


def test_what_moved_is_told_with_both_sides() -> None:
    with pytest.raises(StalePlan) as stale:
        remaining(toys.painting("a", "b"), (), seen(a=BLUE, b=None))
    assert stale.value.message == (
        "toy a is no longer as it was when this was planned: colour was white and is blue; "
        "toy b is no longer as it was when this was planned: it has gone"
    )


def test_what_may_not_be_looked_at_is_not_taken_for_gone() -> None:
    denied = OperationFailed("toy a: not allowed")
    with pytest.raises(OperationFailed, match="not allowed"):
        remaining(toys.painting("a"), (), seen()._replace(failures={"a": denied}))


# -- the way back ----------------------------------------------------------------------------------------------------


def test_the_last_step_is_taken_back_first_and_what_was_not_done_is_left_alone() -> None:
    plan = toys.painting("a", "b", "c")
    back = TakeBack(record(plan, {0: "done", 1: "begun", 2: "failed"})).plan(seen(a=RED, b=RED, c=WHITE))
    assert [step.sentence for step in back.steps] == ["paint b white", "paint a white"]
    assert back.changes == (Change(B, RED, WHITE), Change(A, RED, WHITE))
    assert (back.warnings, back.title) == ((), "undo 1ngc: paint the toys")
    assert back.steps[0].undo == Undo("toy.paint", "paint b red", {"name": "b", "colour": "red"})


def test_a_step_that_was_begun_but_not_done_needs_no_way_back() -> None:
    plan = toys.painting("a", "b")
    back = TakeBack(record(plan, {0: "done", 1: "begun"})).plan(seen(a=RED, b=WHITE))
    assert [step.sentence for step in back.steps] == ["paint a white"]
    nothing = TakeBack(record(plan, {0: "begun"})).plan(seen(a=WHITE, b=WHITE))
    assert (nothing.steps, nothing.notes) == ((), ("nothing of 1ngc is there to undo",))


def test_what_the_plan_did_not_touch_does_not_stand_in_the_way() -> None:
    back = TakeBack(record(toys.painting("a", "b"), {0: "done"})).plan(seen(a=RED, b=BLUE))
    assert [change.resource for change in back.changes] == [A]


def test_steps_without_a_way_back_are_named_and_the_others_taken_back() -> None:
    plan = toys.painting("a", "b")
    plan = plan._replace(steps=(plan.steps[0], plan.steps[1]._replace(undo=None)))
    back = TakeBack(record(plan, {0: "done", 1: "done"})).plan(seen(a=RED, b=RED))
    assert [step.sentence for step in back.steps] == ["paint a white"]
    assert [change.resource for change in back.changes] == [A]
    assert back.warnings == ("this stays as it is: paint b red: there is no way back",)
    with pytest.raises(OperationFailed, match="1ngc cannot be undone: paint b red: there is no way back"):
        TakeBack(record(plan, {1: "done"})).plan(seen(a=WHITE, b=RED))


def test_a_secret_that_was_there_cannot_be_put_back() -> None:
    plan = toys.painting("a")
    hidden = Undo("toy.paint", "paint a as it was", {"name": "a", "colour": Secret("canary")})
    plan = plan._replace(steps=(plan.steps[0]._replace(undo=hidden),))
    with pytest.raises(OperationFailed, match="the value that was there is a secret, which is not kept"):
        TakeBack(record(plan, {0: "done"})).plan(seen(a=RED))


def test_the_way_back_from_destruction_is_no_way_forth() -> None:
    plan = toys.painting("a")
    bad = plan.steps[0].undo
    assert bad is not None
    plan = plan._replace(steps=(plan.steps[0]._replace(undo=bad._replace(risk=Risk.DESTRUCTIVE)),))
    [step] = TakeBack(record(plan, {0: "done"})).plan(seen(a=RED)).steps
    assert (step.risk, step.undo) == (Risk.DESTRUCTIVE, None)


def test_what_was_made_again_under_the_same_name_is_not_what_the_plan_made() -> None:
    plan = toys.painting("a")
    plan = plan._replace(changes=(Change(A, None, RED),))
    told = record(plan, {0: "done"}, {A: {**RED, "id": "1"}})
    same: dict[str, Any] = {**RED, "id": "1", "size": 7}
    assert TakeBack(told).plan(seen(a=same)).changes == (Change(A, {**RED, "id": "1"}, None),)
    with pytest.raises(StalePlan, match="toy a is no longer as it was when this was planned: id was 1 and is 2"):
        TakeBack(told).plan(seen(a={**RED, "id": "2"}))


def test_another_cluster_is_refused() -> None:
    with pytest.raises(UsageError, match="plan 1ngc was made for cluster scripted, and this is other"):
        TakeBack(record(toys.painting("a"), {0: "done"})).plan(seen(a=RED)._replace(cluster_id="other"))
